"""The plugins in ``examples``: installed, tested and used as their pages say."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave.host import Program
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.kernels.rotations import random_rotations

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEMO = EXAMPLES / "emd2566"


@pytest.fixture
def powerfit(tmp_path, use):
    """The wrapped program, as an installed plugin."""
    copied = shutil.copytree(EXAMPLES / "cryoweave-powerfit-em", tmp_path / "packages" / "cryoweave-powerfit-em")
    return use(copied)


def test_the_tests_of_the_wrapped_program_pass_with_or_without_it(powerfit):
    there = Program("powerfit", "").check().ok
    done = powerfit.call("-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", folder="cryoweave-powerfit-em")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= (14 if there else 7), done.stdout


def test_the_wrapped_program_finds_a_place_that_is_known(powerfit, tmp_path):
    if not Program("powerfit", "").check().ok:
        pytest.skip("the program powerfit is not installed: pip install powerfit-em")
    known = read_model(DEMO / "3J6B_9.pdb")
    middle = known.xyz.mean(axis=0)
    moved = replace(known, xyz=(known.xyz - middle) @ random_rotations(1, 1)[0].T + (30.0, -20.0, 10.0))
    write_model(tmp_path / "moved.cif", moved)
    done = powerfit.cryoweave(
        "fit", tmp_path / "moved.cif", "-v", DEMO / "2566_3J6B_9.mrc.gz", "-d", 6, "--angle-step", 10,
        "-m", "powerfit-em", "-o", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (pose, *_) = json.loads(done.stdout)["powerfit-em"]["poses"]["rotation"]
    shift = np.array(json.loads(done.stdout)["powerfit-em"]["poses"]["translation"][0])
    off = np.linalg.norm(moved.xyz @ np.array(pose).T + shift - known.xyz, axis=1)
    assert np.sqrt((off**2).mean()) < 3.0, "within the angle's and the voxels' step"
    record = json.loads((tmp_path / "out" / "record.json").read_text("utf-8"))
    assert "powerfit version" in json.dumps(record)
