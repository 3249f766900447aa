"""What ``validate`` says of inputs that do not belong together, before anybody believes the scores."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.cli.judged import COARSEST, FINEST
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.pipeline.validation import validators
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("H" * 24 + "C" * 4 + "E" * 8)
DENSITY = simulated_map(MODEL, resolution=4.0, noise=0.03, seed=1)


def moved(distance):
    return replace(MODEL, xyz=MODEL.xyz + np.array([distance, 0.0, 0.0]))


@pytest.fixture
def files(tmp_path):
    write_model(tmp_path / "model.pdb", MODEL)
    write_map(tmp_path / "map.mrc", DENSITY)
    return tmp_path


def checks(folder):
    return {entry["topic"]: entry["level"] for entry in json.loads((folder / "record.json").read_text())["checks"]}


def head_of(folder):
    return (folder / "report.html").read_text().partition("<main>")[0]


def test_inputs_that_belong_together_raise_nothing(cli, plugins, files):
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-d", "4", "-o", files / "out")
    assert result.code == 0, result.err
    assert "CHECK" not in result.err
    assert "warning" not in result.err
    assert checks(files / "out") == {}
    assert "Finished" in head_of(files / "out")


@pytest.mark.parametrize(
    ("change", "topic", "message"),
    [
        (lambda: (moved(400), DENSITY), "origin", "only 0% of the model lie within the map's box"),
        (lambda: (moved(9), DENSITY), "origin", "the model does not sit in the density"),
        (lambda: (MODEL, DensityMap(-DENSITY.values, DENSITY.frame)), "origin", "the model does not sit in"),
        (lambda: (replace(MODEL, xyz=MODEL.xyz * (1.0, 1.0, -1.0)), flipped()), "hand", "are left-handed"),
        (lambda: (MODEL, DensityMap(np.zeros_like(DENSITY.values), DENSITY.frame)), "contrast", "no density"),
    ],
)
def test_what_makes_scores_meaningless_is_told_first_and_stops_nothing(cli, plugins, files, change, topic, message):
    model, density = change()
    write_model(files / "odd.pdb", model)
    write_map(files / "odd.mrc", density)
    result = cli("validate", files / "odd.pdb", "-v", files / "odd.mrc", "-r", files / "model.pdb", "-o", files / "out")
    assert "CHECK FAILED: " in result.err
    assert message in result.err
    assert "gap" in result.out
    assert checks(files / "out")[topic] == "fail"
    assert message in head_of(files / "out").replace("&#39;", "'")


def flipped():
    """The map of the mirrored model."""
    return simulated_map(replace(MODEL, xyz=MODEL.xyz * (1.0, 1.0, -1.0)), resolution=4.0, noise=0.03, seed=1)


def test_a_mask_is_a_warning_on_screen_and_in_the_report(cli, plugins, files):
    masked = np.where(DENSITY.values > 0.1, DENSITY.values, 0)
    write_map(files / "masked.mrc", DensityMap(masked, DENSITY.frame))
    result = cli("validate", files / "model.pdb", "-v", files / "masked.mrc", "-o", files / "out", "--json")
    assert "the map is masked" in result.err
    assert [entry["topic"] for entry in result.json()[0]["checks"]] == ["mask"]
    assert "the map is masked" in (files / "out" / "report.html").read_text()


def test_checks_of_the_map_are_told_once_for_all_models(cli, plugins, files):
    write_model(files / "far.pdb", moved(400))
    masked = np.where(DENSITY.values > 0.1, DENSITY.values, 0)
    write_map(files / "masked.mrc", DensityMap(masked, DENSITY.frame))
    result = cli("validate", files / "model.pdb", files / "far.pdb", "-v", files / "masked.mrc")
    assert result.err.count("the map is masked") == 1
    assert "CHECK FAILED: far.pdb: only" in result.err
    assert "model.pdb: " not in result.err


@pytest.mark.parametrize(
    ("resolution", "level", "message"),
    [("0.6", "fail", "no map with these voxels has a resolution of 0.6 Å"), ("50", "warn", "says next to nothing in")],
)
def test_a_resolution_that_the_map_cannot_have(cli, plugins, files, resolution, level, message):
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-d", resolution, "-o", files / "out")
    assert message in result.err
    assert checks(files / "out") == {"resolution": level}


def test_the_command_takes_the_resolutions_that_validators_take(cli, files):
    bounds = [stage.params.model_fields["resolution"].metadata for stage in validators()
              if "resolution" in stage.params.model_fields]  # fmt: skip
    for low, high in bounds:
        assert (low.ge, high.le) == (FINEST, COARSEST)
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-d", "0.2")
    assert result.code == 2
    assert "greater than or" in result.err


def test_half_maps_that_are_no_pair(cli, plugins, files):
    frame = DENSITY.frame
    moved_frame = Frame(frame.shape_zyx, frame.voxel_xyz, (90.0, 0.0, 0.0))
    write_map(files / "elsewhere.mrc", DensityMap(DENSITY.values, moved_frame))
    halves = ("--half-maps", files / "elsewhere.mrc", files / "elsewhere.mrc")
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", *halves)
    assert "CHECK FAILED: the two half maps are the same" in result.err
    assert "half maps and map have different grids" in result.err
    assert "(90.00, 0.00, 0.00)" in result.err


def test_a_single_half_map_is_told_as_such(cli, plugins, files):
    half = files / "half.mrc"
    result = cli("validate", files / "model.pdb", "--half-maps", half, "-v", files / "map.mrc")
    assert result.code == 2
    assert f"--half-maps needs two files, not {half} and -v" in result.err


def test_a_validation_in_which_validators_failed_says_so_at_the_top(cli, plugins, files, monkeypatch):
    def fails(model, density, params, ctx):
        raise StageError("no atom of the model lies in the map", "move it")

    monkeypatch.setattr(sys.modules["fake_plugin"], "support", fails)
    arguments = ("-v", files / "map.mrc", "-r", files / "model.pdb", "-o", files / "out")
    result = cli("validate", files / "model.pdb", *arguments)
    assert result.code == 1
    assert json.loads((files / "out" / "record.json").read_text())["state"] == "incomplete"
    head = head_of(files / "out")
    assert 'class="state state-incomplete"' in head
    assert "Incomplete: 1 of 2 validators failed" in head
    assert "No result: stage fake.support: no atom of the model lies in the map" in head


def test_a_bug_in_one_validator_leaves_the_others(cli, plugins, files, monkeypatch):
    def fails(model, density, params, ctx):
        raise ValueError("boo")

    monkeypatch.setattr(sys.modules["fake_plugin"], "support", fails)
    arguments = ("-v", files / "map.mrc", "-r", files / "model.pdb", "-o", files / "out", "--json")
    result = cli("validate", files / "model.pdb", *arguments)
    assert result.code != 0
    (entry,) = result.json()
    assert entry["ran"] == ["fake.gap"]
    assert "this is a bug in" in entry["failed"]["fake.support"]
    assert "ValueError: boo (test_validate_checks.py, line " in entry["failed"]["fake.support"]


def test_a_model_far_from_the_map_is_shown_with_all_of_the_map(cli, plugins, files):
    write_model(files / "far.pdb", moved(400))
    cli("validate", files / "far.pdb", "-v", files / "map.mrc", "-o", files / "out")
    text = (files / "out" / "report.html").read_text()
    nz, ny, nx = DENSITY.frame.shape_zyx
    assert "the whole box" in text
    assert f"{nx} × {ny} × {nz} voxels" in text


def test_one_bad_file_does_not_stop_the_others(cli, plugins, files):
    (files / "bad.pdb").write_text("ATOM      1  CA  ALA A   x\n")
    good = (files / "model.pdb", "-r", files / "model.pdb")
    result = cli("validate", files / "bad.pdb", *good, "-o", files / "out", "--json")
    assert result.code == 1
    assert "the other models are judged" in result.err
    by_name = {entry["model"]: entry for entry in result.json()}
    assert by_name["model.pdb"]["ran"] == ["fake.gap"]
    assert "bad.pdb" in by_name["bad.pdb"]["error"]
    assert (files / "out" / "model.pdb" / "report.html").is_file()
    assert not (files / "out" / "bad.pdb").exists()
    (files / "worse.pdb").write_text("")
    none = cli("validate", files / "bad.pdb", files / "worse.pdb")
    assert none.code == 1
    assert "no model can be read" in none.err


def test_the_map_where_the_reference_belongs_is_told_as_such(cli, plugins, files):
    result = cli("validate", files / "model.pdb", "-r", files / "map.mrc")
    assert result.code == 1
    assert f"{files / 'map.mrc'} is a density map, not a model" in result.err
