"""The contract of the stage, and that poses are read as they are meant, where the program is installed; what is said where it is not."""

import os

import numpy as np
import pytest

from cryoweave.data import DensityMap, ModelSet
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.io.models import read_model
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_powerfit_em.plugin import PROGRAM, SearchParams
from cryoweave_powerfit_em.search import check, poses_of, search

there = pytest.mark.skipif(not check().ok, reason=check().message)
COARSE = SearchParams(resolution=6.0, angle_step=30.0)


def given():
    model = ideal_model()
    return {"density": simulated_map(model, resolution=6.0, voxel=2.0), "models": ModelSet(("model",), (model,))}


@there
class TestSearch(StageContract):
    stage_id = "powerfit_em.search"

    def inputs(self):
        return given()

    def params(self):
        return COARSE


@there
def test_poses_are_those_of_the_models_that_the_program_writes(tmp_path):
    model, scratch = ideal_model(), tmp_path
    ctx = Context(scratch=scratch)
    search(**given(), params=COARSE, ctx=ctx)
    assert "powerfit version" in ctx.facts
    folder = scratch / "model_0"
    PROGRAM.call(
        [scratch / "map.mrc", 6.0, folder / "model.cif", "-a", 30, "-n", 2, "-d", folder, "--delimiter", ","],
        Context(scratch=scratch),
        limit=100,
    )
    poses = poses_of(folder / "solutions.out", "model", model, 2)
    for pose in range(2):
        (written,) = folder.glob(f"fit_{pose + 1}.*")
        np.testing.assert_allclose(poses.moved(model.xyz, pose), read_model(written).xyz, atol=0.05)


def test_the_resolution_must_be_given(tmp_path):
    with pytest.raises(InputError, match="resolution is not given"):
        search(**given(), params=SearchParams(), ctx=Context(scratch=tmp_path))


def test_an_empty_map_is_said_before_the_program_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    density = given()["density"]
    flat = DensityMap(np.zeros_like(density.values), density.frame)
    with pytest.raises(StageError, match="same density everywhere"):
        search(flat, given()["models"], COARSE, Context(scratch=tmp_path))


def test_a_program_that_is_missing_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(StageError, match="not found") as error:
        search(**given(), params=COARSE, ctx=Context(scratch=tmp_path))
    assert error.value.hint == "pip install powerfit-em"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no way >&2; exit 3", "exit code 3: no way"),
        ("exit 0", "no table"),
        ("echo rank,cc > model_0/solutions.out", "found no place"),
        ("printf 'rank,cc\\n1,0.5\\n' > model_0/solutions.out", "cannot be read"),
    ],
)
def test_what_goes_wrong_is_told(script, words, tmp_path, monkeypatch):
    program = tmp_path / PROGRAM.name
    program.write_text(f"#!/bin/sh\n[ $1 = --version ] && exit\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(StageError, match=words):
        search(**given(), params=COARSE, ctx=Context(scratch=tmp_path))
