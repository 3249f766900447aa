"""Correlation with the calculated map."""

import json
import subprocess
from dataclasses import replace

import gemmi
import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.io.maps import read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.pipeline.events import warned
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_validation.calculated import back, frequencies, structure_factors
from cryoweave_validation.correlation import atom_radius, pearson
from cryoweave_validation.surroundings import residues_of, voxels_near

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=3.0, noise=0.05)
CASES = {
    "7cec_A": ("emd30342_integrin/emd_30342_A_z4.mrc.gz", "emd30342_integrin/7cec_A.cif.gz"),
    "3j6b_9": ("emd2566_3j6b9/2566_3J6B_9.mrc.gz", "emd2566_3j6b9/3J6B_9.pdb"),
}


class TestCorrelation(StageContract):
    stage_id = "quality.correlation"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


def scores(model, density, **params):
    return run_stage("quality.correlation", model=model, density=density, params=params)


def uneven():
    """A grid with three different voxels, numbers of voxels (odd, even) and an origin."""
    low = MODEL.xyz.min(axis=0) - 7
    extent = np.ptp(MODEL.xyz, axis=0) + 14
    voxel = np.array([0.9, 1.3, 1.1])
    shape = np.ceil(extent / voxel).astype(int) | [1, 0, 1]
    return Frame(tuple(shape[::-1]), tuple(voxel), tuple(low))


def calculated(frame, d_min, model=MODEL):
    return DensityMap(back(structure_factors(model, frame, d_min, Context()), frame, Context()), frame)


def test_structure_factors_equal_a_direct_sum():
    frame, d_min = uneven(), 3.0
    found = structure_factors(MODEL, frame, d_min, Context())
    z, y, x = np.nonzero(found)
    s = np.stack([frequencies(frame, axis)[i] for axis, i in ((2, x), (1, y), (0, z))], axis=1)
    assert 0.97 / d_min < np.linalg.norm(s, axis=1).max() <= 1 / d_min
    slow = np.zeros(len(s), complex)
    for atom in range(len(MODEL)):
        factor = gemmi.Element(str(MODEL.element[atom])).c4322
        s2 = (s**2).sum(axis=1) / 4
        amplitude = sum(a * np.exp(-b * s2) for a, b in zip(factor.a, factor.b, strict=True)) * np.exp(-30.0 * s2)
        slow += amplitude * np.exp(-2j * np.pi * s @ (MODEL.xyz[atom] - frame.origin_xyz))
    ours = found[z, y, x] * frame.voxel_volume
    assert np.linalg.norm(ours - slow) < 1e-3 * np.linalg.norm(slow)


def test_a_map_as_calculated_correlates_fully():
    found = scores(MODEL, calculated(uneven(), 3.5), resolution=3.5)
    assert min(found.whole[name] for name in ("cc_box", "cc_mask", "cc_volume", "cc_peaks")) > 0.9999
    assert found.residues["cc"].min() > 0.9999
    shifted = scores(replace(MODEL, xyz=MODEL.xyz + 3.0), calculated(uneven(), 3.5), resolution=3.5)
    assert shifted.whole["cc_mask"] < 0.6


@pytest.mark.filterwarnings("error")
def test_a_far_too_coarse_resolution_does_not_overflow():
    found = scores(MODEL, DENSITY, resolution=50.0)
    assert np.isfinite(found.whole["cc_box"])


def test_a_model_outside_of_the_map_gets_a_hint_that_can_be_followed():
    with pytest.raises(StageError, match="no atom of the model lies in the map") as error:
        scores(replace(MODEL, xyz=MODEL.xyz + 900.0), DENSITY)
    assert "cryoweave map info" in error.value.hint
    assert "--" not in error.value.hint


def test_b_factors_count_unless_one_is_given():
    sharp = replace(MODEL, b_factor=np.where(np.arange(len(MODEL)) % 2, 0, 200).astype(np.float32))
    density = calculated(uneven(), 3.0, sharp)
    own = scores(sharp, density, resolution=3.0).whole["cc_mask"]
    other = scores(sharp, density, resolution=3.0, b_factor=30.0).whole["cc_mask"]
    assert own > 0.9999
    assert other < 0.999


def test_confidences_are_no_b_factors():
    density = calculated(uneven(), 3.0, replace(MODEL, b_factor=np.full(len(MODEL), 20.0)))
    sure = replace(MODEL, b_factor=np.linspace(5, 100, len(MODEL)), b_is_confidence=np.ones(len(MODEL), bool))
    with warned("cryoweave.stage.quality.correlation") as notes:
        assert scores(sure, density, resolution=3.0).whole["cc_mask"] > 0.9999
    assert notes == [
        "the model's B column holds confidences, no B factors: its map is calculated with B = 20 Å² (b_factor)"
    ]
    with warned("cryoweave.stage.quality.correlation") as notes:
        assert scores(sure, density, resolution=3.0, b_factor=150.0).whole["cc_mask"] < 0.99
    assert not notes
    half = replace(sure, b_is_confidence=np.arange(len(MODEL)) % 2 == 0)
    mixed = np.where(half.b_is_confidence, 20, half.b_factor)
    density = calculated(uneven(), 3.0, replace(MODEL, b_factor=mixed))
    assert scores(half, density, resolution=3.0).whole["cc_mask"] > 0.9999, "the others keep theirs"


def test_voxels_near_equal_a_twin():
    frame = Frame((9, 14, 11), (1.0, 0.7, 1.2), (3.0, -4.0, 1.0))
    rng = np.random.default_rng(3)
    xyz = frame.to_xyz(rng.uniform(-4, 14, (60, 3)))
    start = np.array([0, 4, 4, 5, 30, 60])
    z, y, x = np.indices(frame.shape_zyx).reshape(3, -1)
    centres = frame.to_xyz(np.stack([z, y, x], axis=1))
    inside = np.linalg.norm(centres[:, None] - xyz, axis=2) <= 3.1
    found = {}
    for near in voxels_near(frame, xyz, start, 3.1, Context(threads=2)):
        for row in range(near.rows):
            found[near.first + row] = near.voxel[near.owner == row].tolist()
    for row in range(5):
        assert sorted(found[row]) == np.flatnonzero(inside[:, start[row] : start[row + 1]].any(axis=1)).tolist()


def test_residues_are_told_apart_and_water_is_left_out():
    numbers = np.where(MODEL.residue_number > 12, MODEL.residue_number - 1, MODEL.residue_number)
    code = np.where(MODEL.residue_number == 13, "A", "")
    names = np.where(MODEL.residue_number == 24, "HOH", MODEL.residue_name)
    model = replace(MODEL, residue_number=numbers.astype(np.int32), insertion_code=code, residue_name=names)
    found = scores(model, DENSITY)
    assert len(found) == 23
    assert [(found.residue_number[i], found.insertion_code[i]) for i in (11, 12)] == [(12, ""), (12, "A")]
    mixed = residues_of(model.select(np.random.default_rng(0).permutation(len(model))))
    assert sorted(np.diff(mixed.start)) == sorted(np.diff(residues_of(model).start))


def test_residues_out_of_the_map_have_no_value():
    xyz = MODEL.xyz.copy()
    xyz[MODEL.residue_number == 5] += 500
    found = scores(replace(MODEL, xyz=xyz), DENSITY)
    assert np.isnan(found.residues["cc"]).tolist() == [number == 5 for number in found.residue_number]
    with pytest.raises(StageError, match="no atom of the model lies in the map"):
        scores(replace(MODEL, xyz=MODEL.xyz + 500), DENSITY)


def test_unknown_elements_give_nothing_and_only_they_are_an_error():
    some = replace(MODEL, element=np.where(MODEL.atom_name == "O", "X", MODEL.element))
    assert scores(some, DENSITY).whole["cc_mask"] > 0.3
    with pytest.raises(StageError, match="known element"):
        scores(replace(MODEL, element=np.full(len(MODEL), "X")), DENSITY)


def test_correlation_equals_a_twin():
    rng = np.random.default_rng(1)
    a = rng.normal(5, 1, (6, 7, 8)).astype(np.float32)
    b = (a + rng.normal(0, 1, a.shape)).astype(np.float32)
    mask = rng.random(a.shape) > 0.5
    assert pearson(a, b, mask) == pytest.approx(np.corrcoef(a[mask], b[mask])[0, 1], abs=1e-6)


def test_the_atom_radius_grows_with_resolution_and_b():
    assert atom_radius(2.0, 20.0) == 3.0
    assert atom_radius(3.9, 50.0) == 3.9
    assert atom_radius(30.0, 50.0) == 10.0
    assert 3.0 < atom_radius(2.5, 300.0) < 5.0


@pytest.mark.parametrize("case", CASES)
def test_figures_equal_those_of_cctbx(case, shared, golden):
    density, model = (shared / "maps" / name for name in CASES[case])
    expected = json.loads((golden / "cctbx_correlation.json").read_text())[case]
    found = scores(read_model(model), read_map(density), resolution=expected["resolution"])
    for name in ("cc_box", "cc_mask", "cc_volume", "cc_peaks"):
        assert found.whole[name] == pytest.approx(expected[name], abs=0.001), name
    difference = np.abs(found.residues["cc"] - expected["cc"])
    assert np.median(difference) < 0.0005
    assert difference.max() < 0.006


@pytest.mark.parametrize("case", CASES)
def test_cctbx_gives_the_golden_figures(case, shared, golden, oracles, tmp_path, request):
    program = oracles / "cctbx" / "bin" / "python"
    if not program.exists():
        pytest.skip(f"cctbx-base is not in {oracles}")
    density, model = (
        read(shared / "maps" / name) for read, name in zip((read_map, read_model), CASES[case], strict=True)
    )
    origin, (nz, ny, nx) = density.frame.origin_xyz, density.frame.shape_zyx
    write_map(tmp_path / "map.mrc", DensityMap(density.values, Frame((nz, ny, nx), density.frame.voxel_xyz)))
    write_model(tmp_path / "model.pdb", replace(model, xyz=model.xyz - origin))
    expected = json.loads((golden / "cctbx_correlation.json").read_text())[case]
    script = request.path.parent / "oracles" / "cctbx_correlation.py"
    files = [tmp_path / "model.pdb", tmp_path / "map.mrc", str(expected["resolution"])]
    done = subprocess.run([program, script, *files], capture_output=True, text=True, check=True, timeout=250)
    found = json.loads(done.stdout.splitlines()[-1])
    for name in ("cc_box", "cc_mask", "cc_volume", "cc_peaks"):
        assert found[name] == pytest.approx(expected[name], abs=1e-3), name
