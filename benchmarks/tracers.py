"""Tracers apart from detectors: each on the same points of a chosen quality, from known models (stage `model.points`).

    .venv/bin/python benchmarks/tracers.py ../shared/data RESULTS.tsv [--tracers A,B] [--structures N] [--levels 1,2]
    .venv/bin/python benchmarks/tracers.py ../shared/data RESULTS.tsv --table

The structures are the models of the real maps, and single chains of the corpus of bound complexes that no tracer's
table was counted on. The sequence given is that of the residues in the model. Rows are added to RESULTS.tsv; what is
there is not done again. A tracer is a chain of stages from points to a threading.
"""

import argparse
import csv
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cryoweave import load_model, run_stage
from cryoweave.data import BondGraph, Model, PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.data.residues import letter_of
from cryoweave.errors import CryoweaveError
from cryoweave.host import registry

LEVELS = {1: (0.3, 0.05, 0.05, 0.8), 2: (0.5, 0.1, 0.1, 0.7), 3: (0.6, 0.2, 0.2, 0.6), 4: (0.9, 0.3, 0.2, 0.5)}
"""Error (Å), missing, false, amino acids right."""
MAPS = {
    "EMD-2566": "maps/emd2566_3j6b9/3J6B_9.pdb",
    "EMD-5778": "maps/emd5778_trpv1A/riken_5778_native.pdb",
    "EMD-5925": "maps/emd5925_mavs/riken_5925_native.pdb",
    "EMD-20026": "maps/emd20026_apof/3ajo_fitted_refined.pdb",
    "EMD-30342": "maps/emd30342_integrin/7cec_A.cif.gz",
}
TRACERS = {
    "viterbi": ("cryo2struct.viterbi",),
    "beam": ("cryo2struct.beam",),
    "salesman": ("edges.bonds", "deeptracer.trace", "deeptracer.assign"),
    "hops": ("edges.bonds", "emodelx.align"),
    "routes": ("edges.bonds", "trace.routes", "deeptracer.assign"),
    "fragments": ("edges.bonds", "trace.routes", "thread.ungapped", "assemble.fragments"),
    "grid": ("edges.bonds", "assemble.grid"),
    "flood": ("edges.bonds", "modelangelo.chains", "modelangelo.assign"),
}
NAMES = {BondGraph: "bonds", Traces: "traces", Threading: "threading"}
"""Under which name a stage's output is the next one's input."""
LENGTHS, LARGEST_BREAK = (90, 500), 12.0
"""Residues, and Å between neighbours, of a chain of the corpus: several copies under one name are no chain."""
FIGURES = ("recall", "right_residue", "precision", "tm_score")
COLUMNS = ("structure", "residues", "level", "tracer", *FIGURES, "seconds", "error")


def longest_chain(model: Model) -> Model:
    """The chain of most Cα atoms."""
    trace = model.trace_atoms()
    names, counts = np.unique(trace.chain[trace.atom_name == "CA"], return_counts=True)
    return model.select(model.chain == names[np.argmax(counts)]) if len(names) else model


def corpus(data: Path, many: int) -> Iterator[tuple[str, Model]]:
    """Chains of the complexes that no table was counted on."""
    lines = (data / "exclude_from_training.txt").read_text("utf-8").splitlines()
    excluded = {line.strip() for line in lines if not line.startswith("#")}
    files = [one for one in sorted((data / "structures/bm5").glob("*_target.pdb.gz")) if one.name[:4] not in excluded]
    found = 0
    for file in files[1::4]:
        model = longest_chain(load_model(file))
        xyz = model.trace_atoms().xyz
        breaks = np.linalg.norm(np.diff(xyz, axis=0), axis=1).max(initial=0)
        if LENGTHS[0] <= len(xyz) <= LENGTHS[1] and breaks < LARGEST_BREAK:
            found += 1
            yield file.name[:4], model
        if found == many:
            return


def traced(points: PointCloud, model: Model, stages: tuple[str, ...]) -> list[str]:
    """One tracer's figures."""
    letters = "".join(letter_of(name) for name in model.trace_atoms().residue_name.tolist())
    values = {"points": points, "sequences": SequenceSet((Sequence("A", letters),))}
    started = time.perf_counter()
    try:
        for stage in stages:
            inputs = {name: values[name] for name in registry().stage(stage).takes if name in values}
            found = run_stage(stage, **inputs)
            values[NAMES[type(found)]] = found
        seconds = time.perf_counter() - started
        built = run_stage("build.calpha", threading=values["threading"])
    except CryoweaveError as error:
        return ["0"] * len(FIGURES) + [f"{time.perf_counter() - started:.2f}", str(error)]
    whole = run_stage("compare.reference", model=built, reference=model).whole
    return [f"{whole[name]:.4f}" for name in FIGURES] + [f"{seconds:.2f}", ""]


def table(rows: list[dict[str, str]]) -> None:
    """Means by level and tracer."""
    print("| level | tracer | structures |", " | ".join(FIGURES), "| seconds |")
    print("|---" * (4 + len(FIGURES)) + "|")
    for level in sorted({row["level"] for row in rows}):
        for tracer in sorted({row["tracer"] for row in rows}):
            those = [row for row in rows if (row["level"], row["tracer"]) == (level, tracer)]
            if those:
                means = [np.mean([float(row[name]) for row in those]) for name in (*FIGURES, "seconds")]
                print(f"| {level} | {tracer} | {len(those)} |", " | ".join(f"{mean:.3f}" for mean in means), "|")


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--tracers", default=",".join(TRACERS))
    parser.add_argument("--structures", type=int, default=20)
    parser.add_argument("--levels", default="1,2,3,4")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = []
    if options.results.exists():
        with options.results.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
    if options.table:
        table(rows)
        return
    done = {(row["structure"], row["level"], row["tracer"]) for row in rows}
    structures = [(name, longest_chain(load_model(options.data / path))) for name, path in MAPS.items()]
    structures += corpus(options.data, options.structures)
    with options.results.open("a", newline="") as file:
        out = csv.writer(file, delimiter="\t")
        if not rows:
            out.writerow(COLUMNS)
        for name, model in structures:
            for level in options.levels.split(","):
                params = dict(zip(("error", "missing", "false", "accuracy"), LEVELS[int(level)], strict=True))
                points = run_stage("model.points", model=model, params=params)
                for tracer in options.tracers.split(","):
                    if (name, level, tracer) in done:
                        continue
                    figures = traced(points, model, TRACERS[tracer])
                    row = [name, len(model.trace_atoms()), level, tracer, *figures]
                    out.writerow(row)
                    file.flush()
                    print(*row, flush=True)


if __name__ == "__main__":
    main()
