"""Protein and Cα geometry."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.errors import StageError
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import torsion
from cryoweave.testing import StageContract, ideal_model

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
CASES = {"3j6b_9": "emd2566_3j6b9/3J6B_9.pdb", "7cec_A": "emd30342_integrin/7cec_A.cif.gz"}
TRACE = MODEL.trace_atoms()


class TestProtein(StageContract):
    stage_id = "geometry.protein"

    def inputs(self):
        return {"model": MODEL}


class TestCalpha(StageContract):
    stage_id = "geometry.calpha"

    def inputs(self):
        return {"model": TRACE}


def protein(model):
    return run_stage("geometry.protein", model=model)


def calpha(model):
    return run_stage("geometry.calpha", model=model)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("block", "column", "tolerance"), [("cbeta", "cb_deviation", 1e-4), ("omega", "omega", 1e-3)])
def test_every_residue_equals_cctbx(shared, golden, case, block, column, tolerance):
    found = protein(read_model(shared / "maps" / CASES[case]))
    rows = json.loads((golden / f"cctbx_{case}.json").read_text())[block]
    identity = zip(found.chain, found.residue_number, found.insertion_code, strict=True)
    ours = dict(zip(identity, found.residues[column], strict=True))
    assert {key for key, value in ours.items() if np.isfinite(value)} == {tuple(row[:3]) for row in rows}
    np.testing.assert_allclose([ours[tuple(row[:3])] for row in rows], [row[3] for row in rows], rtol=0, atol=tolerance)


def test_the_known_figures_of_two_deposited_models(shared):
    first, second = (protein(read_model(shared / "maps" / CASES[case])).whole for case in CASES)
    assert (first["cb_outlier_residues"], first["cb_residues"], first["chirality_errors"]) == (1, 182, 0)
    assert (second["cb_outlier_residues"], second["cis_proline"]) == (0, pytest.approx(1 / 30))


def test_ideal_geometry_has_no_fault():
    found = protein(MODEL)
    other = MODEL.trace_atoms().residue_name != "PRO"  # whose Cβ the ideal model places as in other residues
    assert np.nanmax(found.residues["cb_deviation"][other]) < 0.05
    assert found.residues["ca_chirality"][0] == pytest.approx(2.6, abs=0.2)
    np.testing.assert_allclose(np.abs(found.residues["omega"][1:]), 180, atol=0.01)
    whole = found.whole
    assert [whole[name] for name in ("chirality_errors", "broken_bonds", "twisted_peptides", "peptides")] == [
        0,
        0,
        0,
        23,
    ]


def test_a_mirrored_model_has_the_other_hand_everywhere():
    mirrored = protein(replace(MODEL, xyz=MODEL.xyz * [-1, 1, 1]))
    assert mirrored.whole["chirality_errors"] == np.isfinite(protein(MODEL).residues["ca_chirality"]).sum() > 20


def test_a_moved_cbeta_is_an_outlier_by_as_much():
    moved = MODEL.xyz.copy()
    (at,) = np.flatnonzero((MODEL.atom_name == "CB") & (MODEL.residue_number == 5))
    moved[at] += [0.3, 0.4, 0.0]
    found = protein(replace(MODEL, xyz=moved))
    assert found.residues["cb_deviation"][4] == pytest.approx(0.5, abs=0.1)
    assert found.whole["cb_outlier_residues"] == 1


@pytest.mark.parametrize(("turn", "name"), [(180.0, "cis"), (90.0, "twisted")])
def test_a_turned_peptide_is_found(turn, name):
    number = MODEL.residue_number
    (c,), (n,) = (np.flatnonzero((MODEL.atom_name == a) & (number == r)) for a, r in (("C", 15), ("N", 16)))
    axis = MODEL.xyz[n] - MODEL.xyz[c]
    axis /= np.linalg.norm(axis)
    angle = np.radians(turn)
    skew = np.cross(np.eye(3), axis)
    rotation = np.eye(3) - np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
    turned = np.where((number >= 16)[:, None], (MODEL.xyz - MODEL.xyz[n]) @ rotation.T + MODEL.xyz[n], MODEL.xyz)
    found = protein(replace(MODEL, xyz=turned))
    assert found.residues["omega_twist"][15] == pytest.approx(min(turn, 180 - turn), abs=0.01)
    before_proline = MODEL.residue_name[n] == "PRO"
    assert found.whole["twisted_peptide_bonds"] == (name == "twisted")
    assert found.whole["cis_nonproline_bonds"] == (name == "cis" and not before_proline)


def test_broken_bonds_are_counted_where_numbers_go_on():
    apart = MODEL.xyz + np.where((MODEL.residue_number > 12)[:, None], 2.0, 0.0)
    assert protein(replace(MODEL, xyz=apart)).whole["broken_bonds"] == 1
    number = MODEL.residue_number + 5 * (MODEL.residue_number > 12)
    assert protein(replace(MODEL, xyz=apart, residue_number=number.astype(np.int32))).whole["broken_bonds"] == 0


def test_torsion_of_three_atoms_in_line_is_none():
    a, b, c, d = np.array([[[0.0, 0, 0]], [[1, 0, 0]], [[2, 0, 0]], [[2, 1, 0]]])
    assert np.isnan(torsion(a, b, c, d)).all()


def test_protein_geometry_refuses_a_trace():
    with pytest.raises(StageError, match="N, Cα and C") as refused:
        protein(TRACE)
    assert "geometry.calpha" in refused.value.hint


def test_an_ideal_trace_is_good():
    found = calpha(TRACE)
    whole = found.whole
    assert (whole["ca_distances_good"], whole["ca_breaks"], whole["ca_angle_outliers"]) == (1, 0, 0)
    np.testing.assert_allclose(found.residues["ca_distance_next"][:-1], 3.8, atol=0.03)
    assert found.residues["ca_angle"][5] == pytest.approx(91, abs=2)
    assert found.residues["ca_torsion"][5] == pytest.approx(52, abs=4)
    assert np.isnan(found.residues["ca_torsion"][[0, -2, -1]]).all()


def test_a_mirrored_helix_has_unlikely_torsions():
    helix = TRACE.select(slice(0, 12))
    assert calpha(helix).whole["ca_torsions_unlikely"] == 0
    assert calpha(replace(helix, xyz=-helix.xyz)).whole["ca_torsions_unlikely"] == 1


def test_a_trace_goes_on_where_numbers_skip_after_insertion_codes():
    number, code = TRACE.residue_number.copy(), np.full(len(TRACE), "", "U1")
    number[6:8], code[6:8] = number[5], ["A", "B"]
    odd = calpha(replace(TRACE, residue_number=number, insertion_code=code))
    np.testing.assert_array_equal(odd.residues["ca_torsion"], calpha(TRACE).residues["ca_torsion"])


def test_a_stretched_trace_is_not_good():
    far = calpha(replace(TRACE, xyz=TRACE.xyz * 1.2))
    assert (far.whole["ca_distances_good"], far.whole["ca_breaks"]) == (0, 23)
    assert np.isnan(far.residues["ca_angle"]).all()
    assert (far.residues["ca_outliers"][:-1] == 1).all()


def test_deposited_models_are_within_the_windows(shared):
    for path in CASES.values():
        whole = calpha(read_model(shared / "maps" / path)).whole
        assert whole["ca_distances_good"] == 1
        assert whole["ca_angle_outliers"] < 0.01
        assert whole["ca_torsions_unlikely"] < 0.05
