"""PULCHRA as a stage; without the program, what is said of it."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model
from cryoweave.data.model import joined_models
from cryoweave.errors import CryoweaveError
from cryoweave.host import Context
from cryoweave.testing import StageContract, ideal_model
from cryoweave_pulchra import full
from cryoweave_pulchra.stages import FullParams

there = pytest.mark.skipif(find_spec(full.PACKAGE) is None, reason="the package pypulchra is not installed")


@there
class TestFull(StageContract):
    stage_id = "pulchra.full"

    def inputs(self):
        return {"model": ideal_model("H" * 16)}


@there
def test_chains_numbers_and_confidence_are_those_of_the_trace():
    helix = ideal_model("H" * 20).trace_atoms()
    helix = replace(helix, b_factor=np.arange(20.0), residue_number=helix.residue_number + 40)
    other = replace(helix, chain=np.full(20, "long"), xyz=helix.xyz + np.array([0, 40, 0]))
    model: Model = run_stage("pulchra.full", model=joined_models([helix, other]))
    assert list(dict.fromkeys(model.chain.tolist())) == ["A", "long"]
    for chain, trace in (("A", helix), ("long", other)):
        own = model.select(model.chain == chain)
        assert sorted(set(own.residue_number.tolist())) == trace.residue_number.tolist()
        alpha = own.select(own.atom_name == "CA")
        assert alpha.residue_name.tolist() == trace.residue_name.tolist()
        np.testing.assert_array_equal(alpha.b_factor, trace.b_factor)
        assert np.median(np.linalg.norm(alpha.xyz - trace.xyz, axis=1)) < 0.5
        assert len(own) > 7 * 20


@there
def test_unknown_residues_stay_unknown():
    model = run_stage("pulchra.full", model=ideal_model("H" * 12, letters="AAAAXAAAAAAA").trace_atoms())
    assert set(model.residue_name[model.residue_number == 5].tolist()) == {"UNK"}


def test_a_model_without_calpha_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(full, "find_spec", lambda _name: object())
    model = ideal_model("H" * 5)
    with pytest.raises(CryoweaveError, match="no Cα"):
        full.full(model.select(model.atom_name == "N"), FullParams(), Context(scratch=tmp_path))


def test_without_the_program_it_is_said_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(full, "find_spec", lambda _name: None)
    assert not full.check().ok
    with pytest.raises(CryoweaveError, match="not installed") as error:
        full.full(ideal_model("H" * 5), FullParams(), Context(scratch=tmp_path))
    assert "pip install" in error.value.hint


def test_a_program_that_fails_is_an_error_with_its_last_words(monkeypatch, tmp_path):
    monkeypatch.setattr(full, "find_spec", lambda _name: object())
    monkeypatch.setattr(full, "CALL", "import sys; sys.exit('no way')")
    with pytest.raises(CryoweaveError, match="no way"):
        full.full(ideal_model("H" * 5), FullParams(), Context(scratch=tmp_path))
    monkeypatch.setattr(full, "CALL", "import time; time.sleep(9)")
    with pytest.raises(CryoweaveError, match="longer than"):
        full.full(ideal_model("H" * 5), FullParams(limit=0.2), Context(scratch=tmp_path))
