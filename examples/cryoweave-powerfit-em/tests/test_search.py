"""The contract of the stage where the program is installed; what is said of one that is missing, slow or fails."""

import os
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data.model import joined_models
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.testing import StageContract, ideal_model
from cryoweave_powerfit_em.plugin import PROGRAM, PolymerParams
from cryoweave_powerfit_em.polymer import check, polymer

there = pytest.mark.skipif(not check().ok, reason=check().message)


@there
class TestPolymer(StageContract):
    stage_id = "powerfit_em.polymer"

    def inputs(self):
        return {"model": ideal_model()}


@there
def test_waters_and_hydrogens_go(tmp_path):
    protein = ideal_model("H" * 8)
    n = len(protein)
    water = replace(
        protein.select(slice(0, 1)), xyz=np.full((1, 3), 50.0), element=["O"], atom_name=["O"],
        residue_name=["HOH"], residue_number=[200], hetero=[True],
    )  # fmt: skip
    hydrogen = replace(protein.select(slice(n - 1, n)), xyz=np.zeros((1, 3)), element=["H"], atom_name=["HA"])
    ctx = Context(scratch=tmp_path)
    left = polymer(joined_models([protein, hydrogen, water]), PolymerParams(), ctx)
    np.testing.assert_allclose(left.xyz, protein.xyz, atol=1e-3)
    assert ctx.facts["atoms left out"] == 2
    assert ctx.facts["gemmi version"].startswith("gemmi")
    kept = polymer(joined_models([protein, hydrogen, water]), PolymerParams(hydrogens=True), ctx)
    assert sorted({*kept.element.tolist()} - {*protein.element.tolist()}) == ["H"]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A script in the program's place."""

    def make(script):
        path = tmp_path / PROGRAM.name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    return make


def test_a_program_that_is_missing_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert not check().ok
    with pytest.raises(StageError, match="not found") as error:
        polymer(ideal_model(), PolymerParams(), Context(scratch=tmp_path))
    assert error.value.hint == PROGRAM.get


def test_a_program_that_fails_is_quoted(fake, tmp_path):
    fake("[ $1 = --version ] || { echo no way >&2; exit 3; }")
    with pytest.raises(StageError, match="exit code 3: no way"):
        polymer(ideal_model(), PolymerParams(), Context(scratch=tmp_path))


def test_a_program_that_writes_nothing_is_told(fake, tmp_path):
    fake("exit 0")
    with pytest.raises(StageError, match="wrote no model"):
        polymer(ideal_model(), PolymerParams(), Context(scratch=tmp_path))


def test_a_program_that_takes_too_long_is_ended(fake, tmp_path):
    fake("[ $1 = --version ] || sleep 30")
    with pytest.raises(StageError, match="longer than"):
        polymer(ideal_model(), PolymerParams(limit=0.5), Context(scratch=tmp_path))
