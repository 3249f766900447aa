"""``cryoweave fit`` as a person meets it, with the installed plugins on a small simulated map."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run
from cryoweave.data import ModelSet
from cryoweave.data.model import joined_models
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.io.tables import read_table
from cryoweave.kernels.rotations import random_rotations
from cryoweave.pipeline.inputs import load_inputs, model_inputs
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("H" * 18 + "C" * 5 + "H" * 10 + "C" * 4 + "E" * 8)
OTHER = ideal_model("E" * 9 + "C" * 4 + "E" * 9 + "C" * 3 + "H" * 9)
TURN = random_rotations(1, 7)[0]
SHIFT = np.array([40.0, -20.0, 10.0])
PLACES = [
    replace(MODEL, xyz=MODEL.xyz @ TURN.T + SHIFT),
    replace(OTHER, xyz=OTHER.xyz @ TURN + SHIFT + [0.0, 45.0, 0.0]),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    write_map(folder / "map.mrc", simulated_map(joined_models(PLACES), resolution=7.0, voxel=2.0, noise=0.01))
    for name, model in (("one", MODEL), ("other", OTHER), ("known", joined_models(PLACES))):
        write_model(folder / f"{name}.cif", model)
    return folder


def off(path, truth):
    return float(np.sqrt(((read_model(path).xyz - truth.xyz) ** 2).sum(axis=1).mean()))


def test_two_models_find_their_places(cli, files, tmp_path):
    out = tmp_path / "out"
    done = cli("fit", files / "one.cif", files / "other.cif", "-v", files / "map.mrc", "-d", 7, "--top", 3, "-o", out)
    assert done.code == 0, done.err
    assert f"poses: {out}/poses.tsv" in done.out
    assert f"report: {out}/report.html" in done.out
    assert "rotations_per_second" in done.err
    assert "significant" in done.err
    table = read_table(out / "poses.tsv", {"rank": np.int64, "model": np.str_, "score": np.float64, "z": np.float64})
    assert table["rank"].tolist() == list(range(1, 7))
    for name, truth in zip(("one", "other"), PLACES, strict=True):
        first = int(np.flatnonzero(table["model"] == name)[0]) + 1
        assert off(out / f"fit_{first:02d}.cif", truth) < 0.5
    assert (
        off(
            out / "model.cif", joined_models([PLACES[table["model"][0] == "other"], PLACES[table["model"][0] == "one"]])
        )
        < 0.5
    )
    again = cli("fit", files / "one.cif", files / "other.cif", "-v", files / "map.mrc", "-d", 7, "--top", 3, "-o", out)
    assert "search kept: nothing changed" in again.err


def test_methods_side_by_side_as_json(cli, files, tmp_path):
    arguments = (
        "fit",
        files / "one.cif",
        "-v",
        files / "map.mrc",
        "-d",
        7,
        "-m",
        "fit",
        "-m",
        "vesper",
        "--angle-step",
        21,
    )
    done = cli(*arguments, "-o", tmp_path / "both", "--json", "-q")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert list(found) == ["fit", "vesper"]
    assert (tmp_path / "both" / "vesper" / "poses.tsv").exists()
    assert found["fit"]["poses"]["model"][0] == "one"
    assert np.shape(found["fit"]["poses"]["rotation"])[1:] == (3, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "no model is given"),
        (("one.cif",), 2, "no map is given"),
        (("one.cif", "-v", "map.mrc"), 1, "resolution is not given"),
        (("one.cif", "-v", "map.mrc", "-d", "7", "-m", "nothing"), 2, "nothing"),
        (("one.cif", "-v", "map.mrc", "-d", "7", "-m", "gmfit", "--angle-step", "9"), 2, "takes --angle-step"),
        (("one.cif", "-v", "map.mrc", "-d", "7", "--contour", "1e9"), 1, "above the map's maximum"),
        (("one.cif", "-v", "map.mrc", "-d", "7", "--symmetry", "X"), 2, "no symmetry"),
        (("gone.cif", "-v", "map.mrc", "-d", "7"), 1, "gone.cif"),
    ],
)
def test_what_is_wrong_is_said(cli, files, tmp_path, monkeypatch, arguments, code, message):
    monkeypatch.chdir(files)
    done = cli("fit", *arguments, "-o", tmp_path / "out")
    assert (done.code, message in done.err) == (code, True), done.err


def test_methods_are_listed(cli):
    done = cli("fit", "--methods")
    assert done.code == 0
    assert {"fit", "vesper", "powerfit", "colores"} <= {line.split()[0] for line in done.out.splitlines() if line}


def test_models_are_named_by_their_files_and_written_if_they_have_none(files, tmp_path):
    paths = [files / "one.cif", files / "one.cif"]
    loaded = load_inputs(model_inputs("fit", paths))["models"]
    assert loaded.value.names == ("one", "one_2")
    assert loaded.paths == tuple(paths)
    result = run(
        "fit",
        map=files / "map.mrc",
        model=ModelSet(("a/b",), (MODEL,)),
        output=tmp_path / "out",
        settings={"search.resolution": 7.0, "measure.resolution": 7.0},
    )
    assert result.poses is not None
    assert result.poses.model[0] == "a/b"
    again = run(tmp_path / "out" / "run.toml", output=tmp_path / "again")
    assert again.poses is not None
    assert np.allclose(again.poses.translation, result.poses.translation, atol=0.01)
