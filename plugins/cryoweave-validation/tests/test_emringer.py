"""EMRinger."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import StageError
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import torsion
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_validation.emringer import ANGLES, gamma_circles, scanned
from cryoweave_validation.peptides import peptides

CASES = {
    "7cec_A": ("emd30342_integrin/7cec_A.cif.gz", "emd30342_integrin/emd_30342_A_z4.mrc.gz"),
    "3j6b_9": ("emd2566_3j6b9/3J6B_9.pdb", "emd2566_3j6b9/2566_3J6B_9.mrc.gz"),
}
TURNS = (60.0, 180.0, 300.0, 120.0)


def with_gamma(model, turns):
    """The model with a Cγ on each residue that has a Cβ, χ1 as given in turn."""
    rows = []
    chain = peptides(model, ("N", "CA", "CB"))
    for row in np.flatnonzero(np.isfinite(chain.xyz).all(axis=(1, 2))):
        n, alpha, beta = chain.xyz[row]
        axis = (beta - alpha) / np.linalg.norm(beta - alpha)
        side = n - alpha - (n - alpha) @ axis * axis
        side /= np.linalg.norm(side)
        chi = np.radians(turns[row % len(turns)])
        across = np.cos(chi) * side + np.sin(chi) * np.cross(axis, side)
        rows.append((row, beta + 0.52 * axis + 1.43 * across))
    at = np.array([np.flatnonzero(model.residue_number == chain.residue_number[row])[0] for row, _ in rows])
    gamma = replace(
        model.select(at),
        xyz=np.array([xyz for _, xyz in rows]),
        atom_name=np.full(len(rows), "CG"),
        element=np.full(len(rows), "C"),
    )
    columns = Model.__dataclass_fields__
    return Model(**{name: np.concatenate([getattr(model, name), getattr(gamma, name)]) for name in columns})


MODEL = with_gamma(ideal_model("H" * 12 + "CCC" + "E" * 9, letters="M" * 24), TURNS)
DENSITY = simulated_map(MODEL, resolution=2.0, voxel=0.5)


class TestEMRinger(StageContract):
    stage_id = "quality.emringer"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


def scores(model, density=DENSITY, **params):
    return run_stage("quality.emringer", model=model, density=density, params=params)


@pytest.mark.parametrize("case", CASES)
def test_figures_equal_cctbx(shared, golden, case):
    model, density = (shared / "maps" / name for name in CASES[case])
    found = scores(read_model(model), read_map(density)).whole
    theirs = json.loads((golden / f"cctbx_{case}.json").read_text())["emringer"]
    assert found["emringer"] == pytest.approx(theirs["score"], rel=1e-4)
    assert found["emringer_residues"] == theirs["residues"]
    assert found["emringer_threshold"] == pytest.approx(theirs["threshold"], rel=1e-3)
    assert found["emringer_rotameric"] == pytest.approx(theirs["rotameric"])


def test_published_figures(shared):
    for case, score in (("7cec_A", 1.837), ("3j6b_9", 1.996)):
        model, density = (shared / "maps" / name for name in CASES[case])
        assert scores(read_model(model), read_map(density)).whole["emringer"] == pytest.approx(score, abs=5e-4)


def test_circles_have_the_torsions_that_they_say():
    chain = peptides(MODEL, ("N", "CA", "CB", "CG", "SG", "OG"))
    rows, circles = gamma_circles(chain)
    n, alpha, beta, gamma = (chain.at(name)[rows] for name in ("N", "CA", "CB", "CG"))
    for sample in (0, 11, 35, 71):
        wrong = torsion(n, alpha, beta, circles[:, sample]) - 5 * (sample + 1)
        np.testing.assert_allclose((wrong + 180) % 360, 180, atol=1e-6)
        np.testing.assert_allclose(
            np.linalg.norm(circles[:, sample] - beta, axis=1), np.linalg.norm(gamma - beta, axis=1)
        )


def test_peaks_are_where_the_density_has_the_atoms():
    found = scores(MODEL, interpolation="cubic")
    np.testing.assert_allclose(found.residues["chi1_peak"], np.resize(TURNS, 24), atol=10)
    assert found.whole["emringer_residues"] == 24
    assert found.residues["chi1_deviation"][3] == pytest.approx(60, abs=10)


def test_statistics_by_hand():
    samples = np.zeros((4, ANGLES))
    samples[0, 11] = samples[1, 35] = 2.0  # 60 and 180°
    samples[2, 23] = samples[3, 71] = 1.0  # 120 and 360°
    scan = scanned(samples)
    assert len(scan.z) == 20
    p = 39 / 72
    np.testing.assert_allclose(
        scan.z[[0, -1]], [(2 - 4 * p) / np.sqrt(p * (1 - p) * 4), (2 - 2 * p) / np.sqrt(p * (1 - p) * 2)]
    )
    assert scan.thresholds[0] == pytest.approx(6 / 4 / ANGLES)


@pytest.mark.parametrize(
    ("sample", "rotameric"), [(5, False), (6, True), (17, True), (18, False), (30, True), (42, False)]
)
def test_borders_of_the_rotamers(sample, rotameric):
    samples = np.zeros((2, ANGLES))
    samples[0, 11], samples[1, sample] = 1.0, 1.1
    assert scanned(samples).rotameric[0] == (1.0 if rotameric else 0.5)


def test_residues_outside_of_the_map_are_left_out():
    half = DensityMap(
        DENSITY.values[: DENSITY.values.shape[0] // 2],
        Frame(
            (DENSITY.values.shape[0] // 2, *DENSITY.values.shape[1:]), DENSITY.frame.voxel_xyz, DENSITY.frame.origin_xyz
        ),
    )
    found = scores(MODEL, half)
    scanned_rows = np.isfinite(found.residues["chi1_peak"])
    assert 0 < scanned_rows.sum() < 24
    assert found.whole["emringer_residues"] == scanned_rows.sum()
    with pytest.raises(StageError, match="inside the map"):
        scores(replace(MODEL, xyz=MODEL.xyz + 500.0))


def test_models_without_side_chains_are_refused():
    with pytest.raises(StageError, match="no residue can be scanned"):
        scores(MODEL.select(MODEL.atom_name != "CG"))


def test_flat_density_is_refused():
    with pytest.raises(StageError, match="same around"):
        scores(MODEL, replace(DENSITY, values=np.full_like(DENSITY.values, 3.0)))
