"""How tracers grow with the number of copies, on points of a known quality in rings of one chain, without any map.

    .venv/bin/python benchmarks/growth_points.py ../shared/data emodelx.align [--copies 1,2,4,10]
    .venv/bin/python benchmarks/growth_points.py ../shared/data deeptracer.trace,deeptracer.assign

Rings as in `de_novo.py`, points as `model.points` makes them (error .5 Å, 10 % missing, 10 % false, amino acids .7
right). The stages are run one after the other on what those before gave; seconds and CPU seconds are theirs, memory is
that of the whole process so far. *Apart*: the largest share of a chain's residues that lies in one copy, mean over the
chains.
"""

import argparse
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from de_novo import RINGED, longest_chain, ring

from cryoweave import load_model, run_stage
from cryoweave.data import BondGraph, Model, Sequence, SequenceSet, Threading, Traces
from cryoweave.data.residues import letter_of
from cryoweave.host import registry
from cryoweave.kernels.graph import nearest

LEVEL = {"error": 0.5, "missing": 0.1, "false": 0.1, "accuracy": 0.7}
NAMES = {BondGraph: "bonds", Traces: "traces", Threading: "threading"}
COLUMNS = ("residues", "recall", "right residue", "apart", "s of each stage", "s", "CPU s", "GB")


def apart(threading: Threading, model: Model) -> float:
    """The mean share of each chain that lies in one copy."""
    trace = model.trace_atoms()
    copy = trace.chain[nearest(trace.xyz, threading.xyz)[0][:, 0]]
    mine = [copy[threading.chain == number] for number in np.unique(threading.chain)]
    return float(np.mean([np.unique(one, return_counts=True)[1].max() / len(one) for one in mine]))


def measured(stages: list[str], chain: Model, copies: int) -> list[str]:
    """One row."""
    model = ring(chain, copies)
    letters = "".join(letter_of(name) for name in chain.trace_atoms().residue_name.tolist())
    sequences = SequenceSet(tuple(Sequence(f"{number}", letters) for number in range(copies)))
    known: dict[str, Any] = {"points": run_stage("model.points", model=model, params=LEVEL), "sequences": sequences}
    known["bonds"] = run_stage("edges.bonds", points=known["points"])
    started, used, each = time.perf_counter(), time.process_time(), []
    for stage in stages:
        begun = time.perf_counter()
        found = run_stage(stage, **{name: known[name] for name in registry().stage(stage).takes if name in known})
        known[NAMES[type(found)]] = found
        each.append(f"{time.perf_counter() - begun:.1f}")
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    built = run_stage("build.calpha", threading=found)
    whole = run_stage("compare.reference", model=built, reference=model).whole
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    figures = [f"{whole['recall']:.3f}", f"{whole['right_residue']:.3f}", f"{apart(found, model):.3f}"]
    return [str(len(model.trace_atoms())), *figures, ", ".join(each), f"{seconds:.1f}", f"{cpu:.1f}", f"{memory:.2f}"]


def main() -> None:
    """All numbers of copies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("stages", help="one after the other; the last gives a threading")
    parser.add_argument("--copies", default="1,2,4,10")
    given = parser.parse_args()
    chain = longest_chain(load_model(given.data / "maps" / RINGED))
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + "---|" * len(COLUMNS))
    for copies in map(int, given.copies.split(",")):
        print("| " + " | ".join(measured(given.stages.split(","), chain, copies)) + " |", flush=True)


if __name__ == "__main__":
    main()
