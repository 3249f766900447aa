"""Tracing and assignment by themselves: points of a known quality in, recall, right residue and seconds out.

    python benchmarks/routes.py MODEL.pdb [--tracer deeptracer.trace|trace.routes] [--seeds 3] [--set drop=200 ...]

Levels are error (Å), missing, false, amino acids right; figures are means over the seeds.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from cryoweave import run_stage
from cryoweave.io import read_model
from cryoweave.testing import sequences_of

LEVELS = ((0.3, 0.05, 0.05, 0.8), (0.5, 0.1, 0.1, 0.7), (0.6, 0.2, 0.2, 0.6), (0.9, 0.3, 0.2, 0.5))


def value(text):
    """A number where it is one."""
    name, _, given = text.partition("=")
    return name, float(given) if given.replace(".", "").isdigit() else given


def once(model, level, seed, tracer, params, assign):
    """Recall, right residue and seconds of one run."""
    names = ("error", "missing", "false", "accuracy")
    points = run_stage("model.points", model=model, params=dict(zip(names, level, strict=True)), seed=seed)
    begun = time.perf_counter()
    bonds = run_stage("edges.bonds", points=points)
    traces = run_stage(tracer, bonds=bonds, params=params, seed=seed)
    traced = time.perf_counter() - begun
    threading = run_stage(
        "deeptracer.assign", points=points, traces=traces, sequences=sequences_of(model), params=assign, seed=seed
    )
    taken = time.perf_counter() - begun
    built = run_stage("build.calpha", threading=threading)
    figures = run_stage("compare.reference", model=built, reference=model).whole
    raw = run_stage("build.trace", traces=traces)
    found = run_stage("compare.reference", model=raw, reference=model).whole["recall"]
    return found, figures["recall"], figures["right_residue"], traced, taken


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--tracer", default="deeptracer.trace")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", nargs="*", default=[], help="of the tracer")
    parser.add_argument("--assign", nargs="*", default=[], help="parameters of deeptracer.assign")
    given = parser.parse_args()
    model = read_model(given.model)
    model = model.select(~model.hetero)
    params, assign = dict(map(value, given.set)), dict(map(value, given.assign))
    print(f"{given.model.name}, {len(model.trace_atoms())} residues, {given.tracer} {params} {assign}")
    print("level                   traced recall  right  s tracing  s")
    for level in LEVELS:
        rows = [once(model, level, seed, given.tracer, params, assign) for seed in range(given.seeds)]
        means = np.mean(rows, axis=0)
        print(level, *(f"{one:6.2f}" for one in means), flush=True)


if __name__ == "__main__":
    main()
