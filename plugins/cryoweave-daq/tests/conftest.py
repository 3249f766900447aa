"""What the tests share: real data, and a small model with a map and a prediction."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_daq.classes import CLASSES, HEADS

MODEL = ideal_model("H" * 12 + "E" * 6)
DENSITY = simulated_map(MODEL, resolution=3.0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real maps beside the project; tests that need it are skipped where it is not."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder shared/data with real maps is not beside this clone")
    return folder


@pytest.fixture(scope="session")
def example(shared):
    """The published example: EMD-2566 with chain 9 of 3J6B, and what DAQ gives for it."""
    folder = shared / "maps" / "emd2566_3j6b9"
    return SimpleNamespace(
        density=read_map(folder / "2566_3J6B_9.mrc.gz"),
        fine=read_map(folder / "2566_3J6B_9_new.mrc.gz"),
        model=read_model(folder / "3J6B_9.pdb"),
        prediction=folder / "prediction.txt.gz",
        raw=folder / "dqa_raw_score.pdb",
    )


def random_probabilities(n, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.dirichlet(np.ones(classes), n) for classes in HEADS], axis=1)


def prediction_lines(frame, atoms):
    """A prediction.txt for the voxels nearest to some atoms."""
    voxels = np.unique(np.round(frame.to_zyx(atoms)).astype(int), axis=0)
    values = random_probabilities(len(voxels))
    return [
        ",".join([*map(str, zyx[::-1].tolist()), *(f"{p:.8g}" for p in row)]) + ","
        for zyx, row in zip(voxels, values, strict=True)
    ]


@pytest.fixture
def small(tmp_path):
    """Model, map of 1 Å voxels and prediction of a small peptide."""
    path = tmp_path / "prediction.txt"
    lines = prediction_lines(DENSITY.frame, MODEL.xyz)
    assert len(lines[0].split(",")) == 3 + len(CLASSES) + 1
    path.write_text("\n".join(lines) + "\n")
    return SimpleNamespace(model=MODEL, density=DENSITY, prediction=path, lines=lines, random=random_probabilities)
