"""DeepMainmast's grid on real maps behind our network, without and with a model like a predicted one.

    .venv/bin/python benchmarks/deepmainmast.py ../shared/data [--maps A,B] [--params JSON] [--thresholds .3,.4]
        [--model SEED]

The models are no predictions: native with a domain moved, loops deleted, 2 Å perturbed
(`cryoweave.testing.predicted_like`). Each row is a candidate, in the order of their ranking; the
time is that of `assemble.grid` alone.
"""

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from de_novo import MAPS, longest_chain

from cryoweave import load_map, load_model, run_stage
from cryoweave.data import ModelSet, Sequence, SequenceSet, Threading
from cryoweave.data.residues import letter_of
from cryoweave.testing import predicted_like

FIGURES = ("recall", "precision", "right_residue", "tm_score")


def candidate(threading: Threading, number: int) -> Threading:
    """One candidate by itself."""
    rows = threading.rows_of(number)
    return Threading(
        threading.sequences,
        np.zeros(rows.stop - rows.start),
        threading.chain[rows],
        threading.residue[rows],
        threading.xyz[rows],
        threading.confidence[rows],
        threading.score[number : number + 1],
        threading.origin[number : number + 1],
    )


def graphs(maps: Any, thresholds: list[float]) -> dict[str, Any]:
    """Bonds between the nodes of each threshold."""
    found = {}
    for name, threshold in zip(("bonds", "second", "third"), thresholds, strict=False):
        started = time.perf_counter()
        points = run_stage("deepmainmast.nodes", maps=maps, params={"threshold": threshold})
        print(f"{len(points)} nodes above {threshold:g} in {time.perf_counter() - started:.2f} s")
        found[name] = run_stage("edges.bonds", points=points, maps=maps, params={"longest": 10.0})
    return found


def main() -> None:
    """All maps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--maps", default="EMD-2566,EMD-5925,EMD-5778")
    parser.add_argument("--params", type=json.loads, default={}, help="of assemble.grid, as JSON")
    parser.add_argument("--thresholds", default="0.3,0.4,0.5")
    parser.add_argument("--model", type=int, help="seed of a model like a predicted one")
    options = parser.parse_args()
    for name in options.maps.split(","):
        density, native = (options.data / "maps" / one for one in MAPS[name])
        own, model = load_map(density), longest_chain(load_model(native))
        letters = "".join(letter_of(one) for one in model.trace_atoms().residue_name.tolist())
        given = graphs(run_stage("unet.maps", density=own), [float(one) for one in options.thresholds.split(",")])
        if options.model is not None:
            given["models"] = ModelSet(("model",), (predicted_like(model, options.model),))
        started = time.perf_counter()
        sequences = SequenceSet((Sequence("A", letters),))
        found = run_stage("assemble.grid", sequences=sequences, density=own, params=options.params, **given)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name}: {time.perf_counter() - started:.1f} s for the grid, {memory:.0f} MB for all")
        for number in range(len(found)):
            built = run_stage("build.calpha", threading=candidate(found, number))
            whole = run_stage("compare.reference", model=built, reference=model).whole
            figures = " | ".join(f"{whole[one]:.3f}" for one in FIGURES)
            print(f"| {found.score[number]:.3f} | {found.origin[number]} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
