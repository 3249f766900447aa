"""EModelX's stages on real maps behind our network, masked and in solvent, without and with predicted-like models.

    .venv/bin/python benchmarks/emodelx.py ../shared/data [--maps A,B] [--seeds N]

The models are no predictions: native with a domain moved, loops deleted, 2 Å perturbed
(`cryoweave.testing.predicted_like`). *fit* is `emodelx.complete` with poses of `fit.search`, as in `emodelx-predicted`.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from de_novo import MAPS, longest_chain

from cryoweave import load_map, load_model, run_stage
from cryoweave.data import Model, ModelSet, Sequence, SequenceSet
from cryoweave.data.residues import letter_of
from cryoweave.errors import StageError
from cryoweave.testing import predicted_like

PUBLISHED = {"evidence": "probability", "hops": (6,), "threshold": (2.0,), "least": 0.0}
FIGURES = ("recall", "precision", "right_residue", "tm_score")


def row(*names: str, threading: Any, native: Model, seconds: float) -> str:
    """One line of the table."""
    built = run_stage("build.calpha", threading=threading)
    whole = run_stage("compare.reference", model=built, reference=native).whole
    return " | ".join(["", *names, *(f"{whole[name]:.3f}" for name in FIGURES), f"{seconds:.1f}", ""]).strip()


def lines(name: str, density: Any, native: Model, where: str, seeds: int) -> Iterator[str]:
    """The table of one map."""
    maps = run_stage("unet.maps", density=density)
    letters = "".join(letter_of(one) for one in native.trace_atoms().residue_name.tolist())
    sequences = SequenceSet((Sequence("A", letters),))
    threaded = {}
    for recipe, detector, params in (("emodelx", "emodelx.points", PUBLISHED), ("emodelx-plus", "points.calpha", {})):
        started = time.perf_counter()
        try:
            points = run_stage(detector, maps=maps)
            bonds = run_stage("edges.bonds", points=points, maps=maps, params={"samples": 4})
            threading = run_stage("emodelx.align", bonds=bonds, sequences=sequences, params=params)
        except StageError as error:
            yield f"| {name} | {where} | {recipe} | {error} |"
            continue
        threaded[recipe] = points, threading
        seconds = time.perf_counter() - started
        yield row(name, where, recipe, threading=threading, native=native, seconds=seconds)
    if "emodelx-plus" not in threaded:
        return
    points, threading = threaded["emodelx-plus"]
    for seed in range(seeds):
        models = ModelSet(("model",), (predicted_like(native, seed),))
        given = {"threading": threading, "points": points, "models": models, "maps": maps}
        for kind in ("threading", "fit"):
            started = time.perf_counter()
            if kind == "fit":
                given["poses"] = run_stage("fit.search", density=density, models=models, params={"resolution": 4.0})
            found = run_stage("emodelx.complete", **given)
            seconds = time.perf_counter() - started
            yield row(name, where, f"model {seed}, {kind}", threading=found, native=native, seconds=seconds)


def main() -> None:
    """All maps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--maps", default=",".join(MAPS))
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    print("| map | density | method |", " | ".join(FIGURES), "| s |")
    print("|---" * (4 + len(FIGURES)) + "|")
    for name in options.maps.split(","):
        density, native = (options.data / "maps" / one for one in MAPS[name])
        masked, model = load_map(density), longest_chain(load_model(native))
        for where in ("masked", "solvent"):
            own = masked if where == "masked" else run_stage("map.solvent", density=masked)
            for line in lines(name, own, model, where, options.seeds):
                print(line, flush=True)


if __name__ == "__main__":
    main()
