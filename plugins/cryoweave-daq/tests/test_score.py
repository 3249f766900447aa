"""Scores against the published ones, and where those would be stray numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model, PointCloud
from cryoweave.errors import InputError, NotGivenError, StageError, UsageError
from cryoweave.pipeline.validation import validate
from cryoweave.testing import ideal_model
from cryoweave_daq.classes import CLASSES
from cryoweave_daq.prepare import chosen_atoms
from cryoweave_daq.score import probabilities_at, references, window_means


def score(data, **params):
    params = {"prediction": data.prediction, **params}
    return run_stage("daq.score", model=data.model, density=data.density, params=params)


@pytest.fixture(scope="module")
def published(example):
    """Residue number, DAQ(Cα) and DAQ(AA) of the published raw scores, and its references."""
    text = example.raw.read_text()
    rows = re.findall(r"^ATOM .{7} CA  ... 9 *(\d+) .*\n#ATOM= *(\S+) AA= *(\S+)$", text, re.MULTILINE)
    reference = [float(value) for value in re.findall(r"^#REF\D+\d+ +(\S+)", text, re.MULTILINE)]
    return np.array(rows, np.float64), np.array(reference)


@pytest.fixture(scope="module")
def compat(example):
    return score(example, daq_compat=True)


def test_published_raw_scores_at_3_decimals(compat, published):
    rows, _ = published
    assert len(rows) == 195
    np.testing.assert_array_equal(compat.residue_number, rows[:, 0])
    for name, column in (("daq_ca", 1), ("daq_aa", 2)):
        printed = np.array([float(f"{value:.3f}") for value in compat.residues[name]])
        assert int((printed == rows[:, column]).sum()) == 195
        assert np.abs(compat.residues[name] - rows[:, column]).max() < 5.01e-4


def test_published_references(example, published):
    cloud = run_stage("daq.predict", density=example.density, params={"prediction": example.prediction})
    ours = references(probabilities_at(cloud, chosen_atoms(example.model, compat=True).xyz))
    assert len(published[1]) == 29
    assert np.abs(ours - published[1]).max() < 6e-7
    assert ours[-3:] == pytest.approx([0.536568, 0.067171, 0.396260], abs=6e-7)


def test_published_means(compat):
    assert compat.whole["daq_aa"] == pytest.approx(0.680, abs=6e-4)
    assert compat.whole["daq_ca"] == pytest.approx(0.864, abs=6e-4)


@pytest.mark.parametrize("daq_compat", [False, True])
def test_the_known_register_error_is_found(example, daq_compat):
    table = score(example, daq_compat=daq_compat)
    below = table.residue_number[table.residues["daq_aa_w9"] < 0]
    np.testing.assert_array_equal(below, [222, 223, 224, *range(227, 242)])
    assert table.whole["daq_aa_negative"] == pytest.approx(18 / 195)


def test_hydrogens_move_only_the_published_scores(example, compat):
    heavy = replace_model(example, example.model.select(example.model.element != "H"))
    np.testing.assert_array_equal(score(heavy).residues["daq_aa"], score(example).residues["daq_aa"])
    moved = np.abs(score(heavy, daq_compat=True).residues["daq_aa"] - compat.residues["daq_aa"])
    assert moved.max() == pytest.approx(0.145, abs=1e-3)


def replace_model(data, model):
    return type(data)(**{**vars(data), "model": model})


def test_windows_by_hand():
    number = np.array([1, 2, 3, 30, 3, 4], np.int32)
    chain = np.array(["A", "A", "A", "A", "B", "B"])
    values = np.array([1.0, 2.0, np.nan, 7.0, 10.0, 20.0])
    np.testing.assert_allclose(window_means(values, chain, number, 1), [1.5, 1.5, np.nan, 7.0, 15.0, 15.0])
    np.testing.assert_allclose(window_means(values, chain, number, 9), [1.5, 1.5, np.nan, 7.0, 15.0, 15.0])


def test_windows_of_the_raw_scores(compat):
    raw, number = compat.residues["daq_aa"], compat.residue_number
    slow = [raw[np.abs(number - n) <= 9].mean() for n in number]
    np.testing.assert_allclose(compat.residues["daq_aa_w9"], slow, atol=1e-12)


def test_insertion_codes_and_chains_stay_apart(small):
    one = ideal_model("HHHH", letters="AVLI")
    columns = {f: np.concatenate([getattr(one, f)] * 2) for f in one.__dataclass_fields__}
    n = len(one)
    model = replace(Model(**columns), chain=np.repeat(["A", "B"], n))
    number = np.where(model.residue_number >= 3, model.residue_number - 1, model.residue_number)
    insertion = np.where(model.residue_number == 3, "A", "")
    table = score(replace_model(small, replace(model, residue_number=number, insertion_code=insertion)))
    assert len(table) == 8
    assert table.insertion_code.tolist() == ["", "", "A", ""] * 2
    np.testing.assert_allclose(table.residues["daq_aa"][:4], table.residues["daq_aa"][4:])
    alone = score(replace_model(small, one))
    np.testing.assert_allclose(table.residues["daq_aa"][:4], alone.residues["daq_aa"])


@pytest.mark.parametrize("daq_compat", [False, True])
@pytest.mark.parametrize("name", ["UNK", "MSE"])
def test_an_unknown_residue_has_no_score(small, name, daq_compat):
    names = small.model.residue_name.copy()
    names[small.model.residue_number == 5] = name
    table = score(replace_model(small, replace(small.model, residue_name=names)), daq_compat=daq_compat)
    at = table.residue_number == 5
    assert table.residue_name[at] == [name]
    assert np.isnan(table.residues["daq_aa"][at]).all()
    assert np.isnan(table.residues["daq_aa_w9"][at]).all()
    assert np.isfinite(table.residues["daq_ca"]).all()
    assert np.isfinite(table.residues["daq_aa"][~at]).all()


def test_nucleotides_and_ligands_are_no_rows_and_move_nothing(small):
    base = score(small)
    extra = small.model.select(slice(0, 5))
    rna = replace(extra, residue_name=np.full(5, "U"), chain=np.full(5, "R"), atom_name=["P", "C1'", "N1", "C2", "O2"])
    calcium = replace(extra.select(slice(0, 1)), residue_name=["CA"], atom_name=["CA"], element=["Ca"], hetero=[True])
    columns = {
        f: np.concatenate([getattr(m, f) for m in (small.model, rna, calcium)])
        for f in small.model.__dataclass_fields__
    }
    table = score(replace_model(small, Model(**columns)))
    np.testing.assert_array_equal(table.residues["daq_aa"], base.residues["daq_aa"])


def test_a_part_outside_has_no_score_and_0_as_published(small):
    xyz = small.model.xyz.copy()
    xyz[small.model.residue_number > 12] += 300
    away = replace_model(small, replace(small.model, xyz=xyz))
    table = score(away)
    assert np.isnan(table.residues["daq_aa"][12:]).all()
    assert np.isnan(table.residues["daq_ca_w9"][12:]).all()
    assert np.isfinite(table.residues["daq_aa"][:12]).all()
    np.testing.assert_array_equal(score(away, daq_compat=True).residues["daq_aa"][12:], 0)


def test_a_model_elsewhere_is_refused(small):
    with pytest.raises(StageError, match="no atom has a prediction"):
        score(replace_model(small, replace(small.model, xyz=small.model.xyz + 300)))


def test_a_calpha_trace_and_a_model_without_one(small):
    trace = small.model.select(small.model.atom_name == "CA")
    assert len(score(replace_model(small, trace))) == len(trace)
    with pytest.raises(StageError, match="no Cα"):
        score(replace_model(small, small.model.select(small.model.atom_name == "N")))


def test_a_window_of_another_size_has_another_name(small):
    table = score(small, window=3)
    assert set(table.residues) == {"daq_aa", "daq_ca", "daq_aa_w3", "daq_ca_w3"}


def test_points_of_another_step(small):
    cloud = run_stage("daq.predict", density=small.density, params={"prediction": small.prediction})
    assert cloud.classes == CLASSES
    table = run_stage("daq.score", model=small.model, density=small.density, points=cloud)
    np.testing.assert_array_equal(table.residues["daq_aa"], score(small).residues["daq_aa"])
    plain = PointCloud(cloud.xyz, cloud.weight)
    with pytest.raises(NotGivenError):
        run_stage("daq.score", model=small.model, density=small.density, points=plain)


def test_without_a_predictor_it_is_left_out(small):
    result = validate(small.model, density=small.density, stages=["daq.score"], offered={})
    assert result.failed == {}
    assert result.left_out["daq.score"].startswith("needs a prediction or a network: give --daq-prediction FILE")
    given = {"daq.score": {"prediction": str(small.prediction)}}
    assert validate(small.model, density=small.density, stages=["daq.score"], params=given).ran == ["daq.score"]


def test_what_is_given_twice_or_not_there(small, tmp_path):
    with pytest.raises(UsageError, match="both"):
        score(small, network="net.onnx")
    with pytest.raises(InputError, match="no file"):
        score(small, prediction=str(tmp_path / "absent.txt"))


def test_a_big_model_takes_no_time_worth_naming(small):
    """10,000 residues: linear in memory, no loop over atoms in Python (time is measured in benchmarks)."""
    helix = ideal_model("H" * 20)
    copies = 500
    columns = {f: np.concatenate([getattr(helix, f)] * copies) for f in helix.__dataclass_fields__}
    model = replace(Model(**columns), chain=np.repeat([f"c{k}" for k in range(copies)], len(helix)))
    table = score(replace_model(small, model))
    assert len(table) == 10_000
    np.testing.assert_allclose(table.residues["daq_aa"][:20], table.residues["daq_aa"][-20:])
