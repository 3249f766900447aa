"""``validate --symmetry``, and a bench's cell: a model on another copy than the reference's is as right."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.bench.sheet import Target
from cryoweave.bench.worker import judge
from cryoweave.data import DensityMap, Frame
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.io.scores import read_whole
from cryoweave.kernels.symmetry import symmetry_of
from cryoweave.report import read_run
from cryoweave.testing import ideal_model

FRAME = Frame((48, 48, 48), (2.0, 2.0, 2.0))
UNIT = ideal_model("H" * 20)
UNIT = replace(UNIT, xyz=UNIT.xyz - UNIT.xyz.mean(axis=0) + np.array([68.0, 48.0, 48.0]))
COPIES = [replace(UNIT, xyz=xyz) for xyz in symmetry_of("C4", FRAME).copies(UNIT.xyz)]
RING = joined_models(with_own_chains(COPIES))


@pytest.fixture
def files(tmp_path):
    values = np.zeros(FRAME.shape_zyx, np.float32)
    values[tuple(np.round(RING.xyz[:, ::-1] / 2.0).astype(int).T)] = 1.0
    write_map(tmp_path / "map.mrc", DensityMap(values, FRAME))
    for name, model in (("reference", UNIT), ("opposite", COPIES[2]), ("ring", RING)):
        write_model(tmp_path / f"{name}.cif", model)
    return tmp_path


def validated(cli, files, model, *options):
    given = ("-v", files / "map.mrc", "-r", files / "reference.cif", "-o", files / "out")
    result = cli("validate", files / f"{model}.cif", *given, *options)
    assert result.code == 0, result.err
    return read_whole(files / "out")[0]["gap"], result.err


def test_the_copy_that_the_model_has_is_what_it_is_compared_with(cli, plugins, files):
    far, _ = validated(cli, files, "opposite")
    assert far == pytest.approx(40, abs=1)
    assert not (files / "out" / "compared_with.cif").exists()
    near, said = validated(cli, files, "opposite", "--symmetry", "C4")
    assert near < 0.01
    assert "compared with copies by C4 of the reference's chains: A where the model has it" in said
    out = files / "out"
    assert np.allclose(read_model(out / "compared_with.cif").xyz, COPIES[2].xyz, atol=1e-3)
    record = json.loads((out / "record.json").read_text())
    assert record["symmetry"] == "C4"
    assert record["outputs"]["reference"] == "compared_with.cif"
    assert "compared_with.cif" in (out / "view.cxc").read_text()
    shown = read_run(out).reference
    assert shown is not None
    assert np.allclose(shown.xyz, COPIES[2].xyz, atol=1e-3), "the report shows it too"
    (out / "reference.cif").write_text("a user's own")
    near, _ = validated(cli, files, "reference", "--symmetry", "C4")
    assert not (out / "compared_with.cif").exists(), "of the validation before"
    assert (out / "reference.cif").read_text() == "a user's own"


def test_a_whole_ring_is_compared_with_all_copies(cli, plugins, files):
    near, said = validated(cli, files, "ring", "--symmetry", "C4")
    assert near < 0.01
    assert "the reference's chains: 3 more, which the model has too" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("-r", "reference.cif", "--symmetry", "C4"), "give --map and --reference too"),
        (("-v", "map.mrc", "--symmetry", "C4"), "give --map and --reference too"),
        (("-v", "map.mrc", "-r", "reference.cif", "--symmetry", "X4"), "there is no symmetry 'X4'"),
    ],
)
def test_a_symmetry_that_says_nothing_is_refused(cli, plugins, files, monkeypatch, options, message):
    monkeypatch.chdir(files)
    result = cli("validate", "opposite.cif", *options)
    assert result.code == 2
    assert message in result.err


@pytest.mark.parametrize(("said", "right"), [({}, 0.0), ({"symmetry": "C4"}, 1.0), ({"reference_symmetry": "C4"}, 1.0)])
def test_a_cell_is_judged_by_its_sheet_s_symmetry(files, said, right):
    target = Target(name="one", map=files / "map.mrc", reference=files / "reference.cif", **said)
    spec = {"cell": "one/toy/0", "validators": ["compare.reference"], "threads": 1, "pages": False}
    judge(files / "opposite.cif", target, spec, files / "judged")
    assert read_whole(files / "judged")[0]["right_residue"] == right
