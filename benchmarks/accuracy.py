"""How true the traces are: each recipe on each real map, masked and in solvent, without and with secondary structure.

    .venv/bin/python benchmarks/accuracy.py ../shared/data [--recipe NAME]... [--structure none|given] [MAP ...]

Prints one Markdown row a run. The last three figures say which stage loses what: Cα that the best chain passes within
3 Å, residues that it passes in their right order (the longest such series), and residues in the right place.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import cryoweave
from cryoweave.data import DensityMap, Model, Sequence, SequenceSet, Traces
from cryoweave.data.residues import letter_of
from cryoweave.io import store
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.graph import nearest

MAPS = {
    "EMD-2566": ("maps/emd2566_3j6b9/2566_3J6B_9.mrc.gz", "maps/emd2566_3j6b9/3J6B_9.pdb"),
    "EMD-5778": ("maps/emd5778_trpv1A/riken_5778_masked.mrc.gz", "maps/emd5778_trpv1A/riken_5778_native.pdb"),
    "EMD-5925": ("maps/emd5925_mavs/riken_5925_masked.mrc.gz", "maps/emd5925_mavs/riken_5925_native.pdb"),
    "EMD-30342": ("maps/emd30342_integrin/emd_30342_A_z4.mrc.gz", "maps/emd30342_integrin/7cec_A.cif.gz"),
    "EMD-6555": ("maps/emd6555_pcv2/riken_6555_masked.mrc.gz", "maps/emd6555_pcv2/riken_6555_native.pdb"),
    "EMD-20026": ("maps/emd20026_apof/emd20026_prot.mrc.gz", "maps/emd20026_apof/3ajo_fitted_refined.pdb"),
}
RECIPES = ("mainmast-sweep", "mainmast-plus", "unet-mainmast")
OTHERS = ("modelangelo",)
"""Run only when asked for: they take no secondary structure."""
FIGURES = ("recall", "precision", "coverage", "right_residue", "tm_score")


def secondary_structure(trace: Model) -> str:
    """H, E or C by the distances of Cα i to i + 2, i + 3 and i + 4 (the ranges of P-SEA, Labesse 1997)."""
    letters = ["C"] * len(trace)
    gaps = {k: np.linalg.norm(trace.xyz[k:] - trace.xyz[:-k], axis=1) for k in (2, 3, 4)}
    for i in range(len(trace) - 4):
        d2, d3, d4 = gaps[2][i], gaps[3][i], gaps[4][i]
        if abs(d2 - 5.5) < 0.5 and abs(d3 - 5.3) < 0.5 and abs(d4 - 6.4) < 0.6:
            letters[i : i + 5] = "HHHHH"
        elif abs(d2 - 6.7) < 0.6 and abs(d3 - 9.9) < 0.9 and abs(d4 - 12.4) < 1.1 and "H" not in letters[i : i + 5]:
            letters[i : i + 5] = "EEEEE"
    return "".join(letters)


def in_order(path: NDArray[np.float64], native: NDArray[np.float64]) -> float:
    """Share of the residues that a path passes within 3 Å one after the other, in the better direction."""
    row, gap = (column[:, 0] for column in nearest(native, path, 1))
    passed = row[gap <= 3.0]
    longest = 0
    for series in (passed, passed[::-1]):
        ends: list[int] = []
        for residue in series.tolist():
            at = int(np.searchsorted(ends, residue))
            ends[at : at + 1] = [residue]
        longest = max(longest, len(ends))
    return longest / len(native)


def best_chain(folder: Path) -> NDArray[np.float64] | None:
    """The nodes of the best candidate's path, if the recipe keeps its traces."""
    found = sorted(folder.glob("stages/*-paths"))
    if not found:
        return None
    traces = store.load(Traces, found[0])
    return traces.xyz[: traces.points_of(next(traces.candidates())[1][-1]).stop]


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("maps", nargs="*", metavar="MAP")
    parser.add_argument("--recipe", action="append", choices=(*RECIPES, *OTHERS))
    parser.add_argument("--structure", choices=("none", "given"))
    options = parser.parse_intermixed_args()
    data = options.data
    print("| map | density | secondary structure | recipe |", " | ".join(FIGURES), "| seconds | passed | in order |")
    print("|---" * (len(FIGURES) + 7) + "|")
    for name in options.maps or MAPS:
        masked, native = read_map(data / MAPS[name][0]), read_model(data / MAPS[name][1])
        trace = native.trace_atoms()
        letters = "".join(letter_of(residue) for residue in trace.residue_name)
        solvent: DensityMap = cryoweave.run_stage("map.solvent", density=masked)
        for density_name, density in (("masked", masked), ("in solvent", solvent)):
            for structure_name, structure in (("none", ""), ("given", secondary_structure(trace))):
                if options.structure not in (None, structure_name):
                    continue
                sequences = SequenceSet((Sequence("A", letters, secondary_structure=structure),))
                for recipe in options.recipe or RECIPES:
                    figures = measured(recipe, density, sequences, native, trace)
                    print(f"| {name} | {density_name} | {structure_name} | {recipe} | {figures} |", flush=True)


def measured(recipe: str, density: DensityMap, sequences: SequenceSet, native: Model, trace: Model) -> str:
    """One run's figures as the cells of a row; a run that fails says why."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = cryoweave.run(
                recipe, map=density, sequences=sequences, reference=native, output=Path(folder) / "run"
            )
        except cryoweave.errors.CryoweaveError as error:
            return f"no model: {error}"
        seconds = time.perf_counter() - started
        whole = result.scores.whole
        chain = best_chain(result.folder)
    cells = [f"{whole[figure]:.3f}" for figure in FIGURES] + [f"{seconds:.1f}"]
    if chain is not None:
        passed = np.linalg.norm(trace.xyz[:, None] - chain[None], axis=2).min(axis=1) <= 3.0
        cells += [f"{passed.mean():.3f}", f"{in_order(chain, trace.xyz):.3f}"]
    return " | ".join(cells)


if __name__ == "__main__":
    main()
