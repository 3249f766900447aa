"""Backbone torsions and the Ramachandran contours."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator

from cryoweave import run_stage
from cryoweave.errors import StageError
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import CLASSES, contour_grids, contours
from cryoweave.testing import StageContract, ideal_model
from cryoweave_validation.ramachandran import REGIONS, outcomes

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
CASES = {"3j6b_9": "emd2566_3j6b9/3J6B_9.pdb", "7cec_A": "emd30342_integrin/7cec_A.cif.gz"}
ANGLE = st.floats(-180, 180)


class TestRamachandran(StageContract):
    stage_id = "geometry.ramachandran"

    def inputs(self):
        return {"model": MODEL}


def scores(model):
    return run_stage("geometry.ramachandran", model=model)


def changed(model, **columns):
    return replace(model, **columns)


@pytest.mark.parametrize("case", CASES)
def test_every_class_and_outcome_equals_cctbx(shared, golden, case):
    found = scores(read_model(shared / "maps" / CASES[case]))
    rows = json.loads((golden / f"cctbx_{case}.json").read_text())["ramachandran"]
    ours = {
        key: row
        for row, key in enumerate(zip(found.chain, found.residue_number, found.insertion_code, strict=True))
        if np.isfinite(found.residues["rama_outcome"][row])
    }
    assert set(ours) == {tuple(row[:3]) for row in rows}
    order = [ours[tuple(row[:3])] for row in rows]
    theirs = np.array([row[3:] for row in rows])
    for column, at, tolerance in (("rama_class", 0, 0), ("rama_outcome", 1, 0), ("phi", 2, 1e-3), ("psi", 3, 1e-3)):
        np.testing.assert_allclose(found.residues[column][order], theirs[:, at], rtol=0, atol=tolerance)
    np.testing.assert_allclose(found.residues["rama_score"][order], theirs[:, 4], rtol=0, atol=1e-6)


def test_the_known_counts_of_3j6b(shared):
    whole = scores(read_model(shared / "maps" / CASES["3j6b_9"])).whole
    counts = [whole[f"rama_{name}residues"] for name in ("", "favoured_", "allowed_", "outlier_")]
    assert counts == [185, 163, 14, 8]
    assert whole["rama_outliers"] == pytest.approx(8 / 185)


@given(ANGLE, ANGLE, st.integers(0, 5))
def test_contours_equal_a_twin_beyond_the_border_too(phi, psi, kind):
    around = np.pad(contour_grids()[kind], 1, mode="wrap")
    at = np.arange(-181, 182, 2.0)
    twin = RegularGridInterpolator((at, at), around)([phi, psi])
    found = contours(np.array([kind]), np.array([phi]), np.array([psi]))
    np.testing.assert_allclose(found, twin, rtol=1e-9, atol=1e-12)


def test_each_class_has_its_own_limit():
    kinds = np.arange(6)
    for kind, limit in zip(kinds, (0.0005, 0.001, 0.002, 0.001, 0.001, 0.001), strict=True):
        np.testing.assert_array_equal(
            outcomes(np.full(4, kind), np.array([limit * 0.99, limit, 0.0199, 0.02])), [0, 1, 1, 2]
        )


def test_torsions_of_an_ideal_helix_and_its_classes():
    found = scores(ideal_model("H" * 8, letters="AGVPAIPA"))
    np.testing.assert_allclose(found.residues["phi"][1:], -57, atol=0.01)
    np.testing.assert_allclose(found.residues["psi"][:-1], -47, atol=0.01)
    assert np.isnan(found.residues["phi"][0])
    assert np.isnan(found.residues["psi"][-1])
    kinds = [CLASSES[int(kind)] for kind in found.residues["rama_class"][1:-1]]
    assert kinds == ["glycine", "pre_pro", "trans_pro", "general", "pre_pro", "trans_pro"]
    assert found.whole["rama_favoured"] == 1


def test_a_mirrored_strand_is_all_outliers():
    strand = ideal_model("E" * 8, letters="AAAAAAAA")
    assert scores(strand).whole["rama_favoured"] == 1
    assert scores(changed(strand, xyz=strand.xyz * [1, 1, -1])).whole["rama_outliers"] == 1


def test_a_gap_ends_torsions_whatever_the_numbers():
    kept = MODEL.select(MODEL.residue_number != 10)
    renumbered = changed(kept, residue_number=kept.residue_number - (kept.residue_number > 10))
    for model in (kept, renumbered):
        found = scores(model)
        assert np.isnan(found.residues["psi"][8])
        assert np.isnan(found.residues["phi"][9])
        assert found.whole["rama_residues"] == 23 - 4


def test_insertion_codes_are_residues_of_their_own():
    number, code = MODEL.residue_number.copy(), np.where(MODEL.residue_number == 6, "A", "")
    number[number >= 6] -= 1
    found = scores(changed(MODEL, residue_number=number, insertion_code=code))
    assert len(found) == 24
    np.testing.assert_allclose(found.residues["phi"], scores(MODEL).residues["phi"])


def test_the_first_alternative_location_counts():
    columns = MODEL.__dataclass_fields__
    other = changed(
        MODEL, altloc=np.full(len(MODEL), "B"), xyz=MODEL.xyz + np.random.default_rng(1).normal(size=MODEL.xyz.shape)
    )
    first = changed(MODEL, altloc=np.full(len(MODEL), "A"))
    both = type(MODEL)(**{name: np.concatenate([getattr(first, name), getattr(other, name)]) for name in columns})
    np.testing.assert_array_equal(scores(both).residues["phi"], scores(MODEL).residues["phi"])


def test_unknown_residues_have_torsions_but_no_class():
    found = scores(changed(MODEL, residue_name=np.where(MODEL.residue_number == 5, "UNK", MODEL.residue_name)))
    assert np.isfinite(found.residues["phi"][4])
    assert np.isnan(found.residues["rama_outcome"][4])
    assert found.whole["rama_residues"] == 21


def test_a_trace_is_refused_with_a_way_out():
    with pytest.raises(StageError, match="φ and ψ") as refused:
        scores(MODEL.trace_atoms())
    assert "geometry.calpha" in refused.value.hint


def inside(curve, x, y):
    """Even-odd rule: crossings of the outline on the way to the right."""
    crossings = np.zeros(len(x), int)
    for a_x, a_y, b_x, b_y in zip(curve.x[:-1], curve.y[:-1], curve.x[1:], curve.y[1:], strict=True):
        if np.isfinite(a_y + b_y) and a_y != b_y:
            between = (a_y <= y) != (b_y <= y)
            crossings += between & (x < a_x + (y - a_y) / (b_y - a_y) * (b_x - a_x))
    return crossings % 2 == 1


def test_outlines_hold_what_is_favoured_and_allowed():
    found = scores(MODEL)
    assert found.functions() == {}
    outlines = found.outlines("phi", "psi")
    assert list(outlines) == list(REGIONS)
    phi, psi = np.random.default_rng(0).uniform(-180, 180, (2, 5000))
    outcome = outcomes(np.zeros(5000, int), contours(np.zeros(5000, int), phi, psi))
    for curve, least in zip(outlines.values(), (1, 2), strict=True):
        assert np.mean(inside(curve, phi, psi) == (outcome >= least)) > 0.995  # lines of 2° cut corners
        assert np.abs(curve.x).max() == 180 or least == 2
