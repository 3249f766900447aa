"""The published network's prediction as a detection, traced and threaded; and how the points are best joined to maps.

    .venv/bin/python benchmarks/imported.py ../shared/data            # EMD-2566 with its prediction.txt
    .venv/bin/python benchmarks/imported.py ../shared/data choice     # linear or cubic, on maps open to choices

The first prints each recipe against the deposited model, with and without residues 222-241, whose register is wrong.
The second makes points like those of prediction.txt from our U-Net: every 2 Å, within 6 Å of the model.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import cryoweave
from cryoweave.data import DensityMap, Model, ProbabilityMaps, ScoreTable, Sequence, SequenceSet
from cryoweave.data.residues import AMINO_ACIDS, letter_of
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.grid import mask_around
from cryoweave_daq.classes import CLASSES, HEADS

FIGURES = ("recall", "precision", "right_residue", "tm_score")
FIRST, LAST = 222, 241
OPEN = {"EMD-6555": ("emd6555_pcv2", "riken_6555"), "EMD-5778": ("emd5778_trpv1A", "riken_5778")}
ATOMS = ("N", "CA", "C", "O", "CB")


def sequence_of(model: Model) -> SequenceSet:
    """The sequence of the residues that the model has."""
    letters = "".join(letter_of(residue) for residue in model.trace_atoms().residue_name)
    return SequenceSet((Sequence("A", letters),))


def traced(recipe: str, density: DensityMap, native: Model, settings: list[str]) -> tuple[Model, ScoreTable, float]:
    """Model, comparison and seconds of one run."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        result = cryoweave.run(
            recipe, map=density, sequences=sequence_of(native), reference=native, output=Path(folder) / "run",
            settings=settings,
        )  # fmt: skip
        return read_model(result.folder / "model.cif"), result.scores, time.perf_counter() - started


def row(*cells: object, scores: ScoreTable) -> None:
    """One Markdown row."""
    print("|", " | ".join([*map(str, cells), *(f"{scores.whole[name]:.3f}" for name in FIGURES)]), "|", flush=True)


def published(data: Path) -> None:
    """Each recipe on EMD-2566."""
    folder = data / "maps" / "emd2566_3j6b9"
    density, native = read_map(folder / "2566_3J6B_9.mrc.gz"), read_model(folder / "3J6B_9.pdb")
    numbers = native.trace_atoms().residue_number
    cut = native.select((native.residue_number < FIRST) | (native.residue_number > LAST))
    wrong = 1 + np.flatnonzero((numbers >= FIRST) & (numbers <= LAST))  # a built model is numbered as its sequence
    setting = f"detect.prediction={folder / 'prediction.txt.gz'}"
    print("| recipe | seconds | residues |", " | ".join(FIGURES), "|")
    print("|---" * (len(FIGURES) + 3) + "|")
    for recipe in ("mainmast-plus", "daq-mainmast", "mainmast-daq"):
        model, scores, seconds = traced(recipe, density, native, [] if recipe == "mainmast-plus" else [setting])
        row(recipe, f"{seconds:.0f}", "all", scores=scores)
        rest = model.select(~np.isin(model.residue_number, wrong))
        row(
            recipe,
            "",
            f"without {FIRST}–{LAST}",
            scores=cryoweave.run_stage("compare.reference", model=rest, reference=cut),
        )


def points_like_it(maps: ProbabilityMaps, native: Model, path: Path) -> None:
    """A file of x, y, z and 29 probabilities, every 2 Å within 6 Å of the model."""
    grid = np.argwhere(mask_around(maps.frame, native.xyz, 6.0))
    grid = grid[(grid % 2 == 0).all(axis=1)]
    found = {name: maps.of(name).values[tuple(grid.T)] for name in CLASSES if name != "other"}
    found["other"] = 1 - np.clip(sum(found[name] for name in ATOMS), 0, 1)
    heads = []
    for head in np.split(np.stack([found[name] for name in CLASSES], axis=1), np.cumsum(HEADS)[:-1], axis=1):
        total = head.sum(axis=1, keepdims=True)
        heads.append(np.where(total > 0.5, head / np.maximum(total, 0.5), 1 / head.shape[1]))
    np.save(path, np.concatenate([maps.frame.to_xyz(grid), *heads], axis=1).astype(np.float32))


def choice(data: Path) -> None:
    """Linear and cubic interpolation between such points."""
    print("| map | between points |", " | ".join(FIGURES), "|")
    print("|---" * (len(FIGURES) + 2) + "|")
    for name, (folder, stem) in OPEN.items():
        density = read_map(data / "maps" / folder / f"{stem}_masked.mrc.gz")
        native = read_model(data / "maps" / folder / f"{stem}_native.pdb")
        maps = cryoweave.run_stage("unet.maps", density=density)
        assert set(AMINO_ACIDS) < set(maps.classes)
        with tempfile.TemporaryDirectory() as place:
            points_like_it(maps, native, Path(place) / "points.npy")
            for order in ("linear", "cubic"):
                settings = [f"detect.prediction={place}/points.npy", f"maps.order={order}"]
                row(name, order, scores=traced("daq-mainmast", density, native, settings)[1])


if __name__ == "__main__":
    (choice if sys.argv[2:] == ["choice"] else published)(Path(sys.argv[1]))
