"""``validate``, with the validators of a small plugin."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.errors import NotGivenError, PluginError
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.scores import read_scores
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("HHHHHH")


@pytest.fixture
def files(tmp_path):
    write_model(tmp_path / "model.pdb", MODEL)
    write_model(tmp_path / "moved.pdb", replace(MODEL, xyz=MODEL.xyz + np.array([3.0, 0.0, 4.0])))
    write_map(tmp_path / "map.mrc", simulated_map(MODEL))
    return tmp_path


def test_all_validators_whose_inputs_are_there(cli, plugins, files):
    result = cli("validate", files / "moved.pdb", "-v", files / "map.mrc", "-r", files / "model.pdb", "--json")
    assert result.code == 0
    (entry,) = result.json()
    assert entry["ran"] == ["fake.gap", "fake.support"]
    assert entry["whole"] == {"gap": pytest.approx(5.0, abs=2e-3), "support": 4.5}
    assert entry["metrics"]["gap"]["definition"] == "the gap"


def test_the_others_are_left_out_and_it_says_why(cli, plugins, files):
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc")
    assert result.code == 0
    assert "fake.gap needs reference" in result.err
    assert "--reference" in result.err
    assert ["support", "4.5", "Å", "the", "support"] in [line.split() for line in result.out.splitlines()]
    assert "gap" not in result.out


def test_several_models_are_columns(cli, plugins, files):
    result = cli("validate", files / "model.pdb", files / "moved.pdb", "-r", files / "model.pdb")
    header, row = result.out.splitlines()
    assert header.split() == ["score", "model.pdb", "moved.pdb", "unit", "definition"]
    assert row.split()[:3] == ["gap", "0", "5"]


def test_scores_are_written(cli, plugins, files):
    cli("validate", files / "moved.pdb", "-r", files / "model.pdb", "-o", files / "one")
    assert read_scores(files / "one").whole["gap"] == pytest.approx(5.0, abs=2e-3)
    cli("validate", files / "moved.pdb", files / "model.pdb", "-r", files / "model.pdb", "-o", files / "two")
    assert json.loads((files / "two" / "model.pdb" / "scores.json").read_text())["whole"] == {"gap": 0.0}
    (files / "file").write_text("")
    result = cli("validate", files / "moved.pdb", "-r", files / "model.pdb", "-o", files / "file")
    assert result.code == 1
    assert "choose another" in result.err


def test_a_validator_that_fails_leaves_the_others(cli, plugins, files, monkeypatch):
    def fails(model, density, params, ctx):
        raise PluginError("no weights", "get the weights")

    monkeypatch.setattr(sys.modules["fake_plugin"], "support", fails)
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-r", files / "model.pdb")
    assert result.code == 3
    assert "get the weights" in result.err
    assert "gap" in result.out


def test_one_that_lacks_a_parameter_is_left_out(cli, plugins, files, monkeypatch):
    def lacks(model, density, params, ctx):
        raise NotGivenError("needs weights", "give --set fake.support.weights=FILE")

    monkeypatch.setattr(sys.modules["fake_plugin"], "support", lacks)
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-r", files / "model.pdb")
    assert result.code == 0
    assert "left out: fake.support needs weights: give --set fake.support.weights=FILE" in " ".join(result.err.split())
    assert "gap" in result.out


def test_a_runs_folder_stands_for_its_model(cli, plugins, files):
    (files / "out").mkdir()
    write_model(files / "out" / "model.cif", MODEL)
    result = cli("validate", files / "out", "-r", files / "model.pdb")
    assert result.code == 0, result.err
    assert result.out.splitlines()[0].split()[1] == "out"
    empty = cli("validate", files, "-r", files / "model.pdb")
    assert empty.code == 1
    assert f"the folder {files} holds no model.cif" in empty.err


def test_a_map_instead_of_a_model_is_told_as_such(cli, plugins, files):
    result = cli("validate", files / "map.mrc", "-r", files / "model.pdb")
    assert result.code == 1
    assert f"error: {files / 'map.mrc'} is a density map, not a model\nhint: give the map with -v" in result.err


def test_where_nothing_ran_the_hint_is_no_option_that_was_given(cli, plugins, files):
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "--only", "fake.gap")
    assert result.code == 1
    assert "left out: fake.gap needs reference: give --reference FILE" in result.err
    assert "error: no validator gave a score\nhint: each says above what it lacks\n" in result.err


def test_nothing_to_validate_with(cli, plugins, files):
    result = cli("validate", files / "model.pdb")
    assert (result.code, result.out) == (1, "")
    assert "no validator gave a score" in result.err
    assert cli("validate", files / "model.pdb", files / "model.pdb").code == 2
    assert cli("validate", files / "none.pdb").code == 1
