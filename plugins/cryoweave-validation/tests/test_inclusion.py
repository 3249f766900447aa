"""Atom inclusion."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cryoweave import run_stage
from cryoweave.data import DensityMap
from cryoweave.host import Context
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.pipeline.events import warned
from cryoweave.testing import StageContract, ideal_model, simulated_map

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=3.0, noise=0.05)


class TestInclusion(StageContract):
    stage_id = "quality.inclusion"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


def scores(model, density=DENSITY, **params):
    return run_stage("quality.inclusion", model=model, density=density, params=params)


def densities(model, density):
    """Trilinear, by another program."""
    return map_coordinates(density.values.astype(float), density.frame.to_zyx(model.xyz).T, order=1)


def test_inclusion_equals_a_twin():
    slow = densities(MODEL, DENSITY)
    level = float(np.median(slow))
    found = scores(MODEL, contour=level)
    assert found.whole["inclusion_all"] == pytest.approx((slow > level).mean())
    backbone = np.isin(MODEL.atom_name, ("N", "CA", "C", "O"))
    assert found.whole["inclusion_backbone"] == pytest.approx((slow[backbone] > level).mean())
    assert found.whole["contour"] == level
    expected = [(slow[MODEL.residue_number == n] > level).mean() for n in found.residue_number]
    np.testing.assert_allclose(found.residues["inclusion"], expected)
    curve = found.curves["inclusion_all"]
    assert len(curve.x) == 129
    np.testing.assert_allclose(curve.y, [(slow > x).mean() for x in curve.x])
    assert found.curves["inclusion_backbone"].y[0] == 1
    assert found.curves["inclusion_backbone"].y[-1] == 0


@pytest.mark.parametrize(
    ("contour", "warning", "share"),
    [
        (None, "no contour was given", None),
        (99.0, "no voxel lies above the contour 99", 0.0),
        (-99.0, "every voxel lies above the contour -99", 1.0),
    ],
)
def test_contours_that_say_little_are_warned_of(contour, warning, share):
    with warned("cryoweave.stage.quality.inclusion") as notes:
        found = scores(MODEL, contour=contour).whole["inclusion_all"]
    assert len(notes) == 1
    assert notes[0].startswith(warning)
    assert share is None or found == share


def test_a_contour_of_zero_is_one():
    with warned("cryoweave.stage.quality.inclusion") as notes:
        assert scores(MODEL, contour=0.0).whole["contour"] == 0
    assert not notes


def test_without_a_contour_it_is_three_sigma_and_says_so():
    values = DENSITY.values.astype(float)
    found = scores(MODEL)
    assert found.whole["contour"] == pytest.approx(values.mean() + 3 * values.std(), rel=1e-5)
    ctx = Context()
    from cryoweave_validation.inclusion import included
    from cryoweave_validation.inclusion_stages import InclusionParams

    included(MODEL, DENSITY, InclusionParams(), ctx)
    assert "no contour was given" in ctx.facts["contour_rule"]
    assert "3 standard deviations" in found.metrics["inclusion"].definition


def test_hydrogens_and_water_do_not_count_and_ligands_are_no_backbone():
    element = np.where((MODEL.residue_number == 3) | (MODEL.atom_name == "O"), "H", MODEL.element)
    names = np.where(MODEL.residue_number == 5, "HOH", np.where(MODEL.residue_number == 6, "ATP", MODEL.residue_name))
    model = replace(MODEL, element=element, residue_name=names)
    found = scores(model, contour=0.5)
    assert len(found) == 23
    assert np.isnan(found.residues["inclusion"]).tolist() == [n == 3 for n in found.residue_number]
    counted = (element != "H") & (names != "HOH")
    assert found.whole["inclusion_all"] == pytest.approx((densities(MODEL, DENSITY) > 0.5)[counted].mean())
    counted &= np.isin(MODEL.atom_name, ("N", "CA", "C", "O")) & (names != "ATP")
    assert found.whole["inclusion_backbone"] == pytest.approx((densities(MODEL, DENSITY) > 0.5)[counted].mean())


def test_atoms_beyond_the_map_are_outside_at_any_contour():
    xyz = MODEL.xyz.copy()
    xyz[MODEL.residue_number == 24] += 500
    far = MODEL.residue_number == 24
    found = scores(replace(MODEL, xyz=xyz), contour=float(DENSITY.values.min()) - 1)
    assert found.residues["inclusion"].tolist() == [1.0] * 23 + [0.0]
    assert found.whole["inclusion_all"] == pytest.approx(1 - far.mean())


def test_no_backbone_is_no_figure():
    ligand = replace(MODEL, residue_name=np.full(len(MODEL), "LIG"))
    assert np.isnan(scores(ligand).whole["inclusion_backbone"])


def test_a_real_map_includes_its_model(shared):
    folder = shared / "maps" / "emd30342_integrin"
    density, model = read_map(folder / "emd_30342_A_z4.mrc.gz"), read_model(folder / "7cec_A.cif.gz")
    found = scores(model, density, contour=0.025)
    assert found.whole["inclusion_all"] == pytest.approx((densities(model, density) > 0.025).mean(), abs=5e-4)
    assert found.whole["inclusion_backbone"] > found.whole["inclusion_all"] > 0.6
    negative = DensityMap(-density.values, density.frame)
    assert scores(model, negative).whole["inclusion_all"] < 0.05
