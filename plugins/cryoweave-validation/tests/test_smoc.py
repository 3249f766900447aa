"""SMOC, and the correlation and mutual information with a Gaussian map."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.host import Context
from cryoweave.io.maps import read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_validation.smoc import mutual_information, sliding_overlap
from cryoweave_validation.surroundings import residues_of

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=3.0, noise=0.05)
CASES = {
    "7cec_A": ("emd30342_integrin/emd_30342_A_z4.mrc.gz", "emd30342_integrin/7cec_A.cif.gz"),
    "3j6b_9": ("emd2566_3j6b9/2566_3J6B_9.mrc.gz", "emd2566_3j6b9/3J6B_9.pdb"),
}


class TestSmoc(StageContract):
    stage_id = "quality.smoc"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


def scores(model, density=DENSITY, **params):
    return run_stage("quality.smoc", model=model, density=density, params=params)


def twin(model, density, simulated, window, radius):
    """Window by window, atom by atom; residues numbered without insertion codes."""
    z, y, x = np.indices(density.frame.shape_zyx).reshape(3, -1)
    centres = density.frame.to_xyz(np.stack([z, y, x], axis=1))
    numbers = np.unique(model.residue_number)
    near = {
        n: (np.linalg.norm(centres[:, None] - model.xyz[model.residue_number == n], axis=2) <= radius).any(axis=1)
        for n in numbers.tolist()
    }
    found = []
    for n in numbers.tolist():
        first, last = n, n
        while first - 1 in near and first > n - window // 2:
            first -= 1
        while last + 1 in near and last < n + window // 2:
            last += 1
        inside = np.any([near[i] for i in range(first, last + 1)], axis=0)
        t, p = density.values.ravel()[inside].astype(float), simulated.ravel()[inside].astype(float)
        found.append((t * p).sum() / np.sqrt((t * t).sum() * (p * p).sum()))
    return found


@pytest.mark.parametrize("window", [1, 5, 11])
def test_windows_equal_a_twin(window):
    model = MODEL.select(~np.isin(MODEL.residue_number, (7, 16, 17)))
    simulated = np.random.default_rng(0).random(DENSITY.values.shape).astype(np.float32)
    found = sliding_overlap(model, DENSITY, simulated, residues_of(model), window, 2.5, Context(threads=2))
    np.testing.assert_allclose(found, twin(model, DENSITY, simulated, window, 2.5), rtol=1e-9)


def test_a_gaussian_map_of_the_model_overlaps_fully():
    density = simulated_map(MODEL, resolution=4.0, margin=12)
    found = scores(MODEL, density, resolution=4.0, less_mean=False)
    assert found.residues["smoc"].min() > 0.999
    assert found.whole["ccc"] > 0.999
    wrong = scores(replace(MODEL, xyz=MODEL.xyz + 4), density, resolution=4.0, less_mean=False)
    assert wrong.whole["smoc_mean"] < 0.9


def test_windows_do_not_reach_other_chains_or_over_gaps():
    xyz = MODEL.xyz.copy()
    xyz[MODEL.residue_number > 12] += 500
    far = replace(MODEL, xyz=xyz)
    joined = scores(far).residues["smoc"]
    assert np.isfinite(joined[:17]).all()
    assert np.isnan(joined[17:]).all()
    other = replace(far, chain=np.where(MODEL.residue_number > 12, "B", "A"))
    assert np.isnan(scores(other).residues["smoc"]).tolist() == [False] * 12 + [True] * 12
    coded = np.where(MODEL.residue_number > 12, MODEL.residue_number - 1, MODEL.residue_number).astype(np.int32)
    same = replace(MODEL, residue_number=coded, insertion_code=np.where(MODEL.residue_number == 13, "A", ""))
    np.testing.assert_allclose(scores(same).residues["smoc"], scores(MODEL).residues["smoc"], rtol=1e-9)


def test_numbers_that_skip_after_insertion_codes_are_no_gap():
    number, code = MODEL.residue_number.copy(), np.full(len(MODEL), "", "U1")
    for old, letter in ((11, "A"), (12, "B")):
        code[number == old] = letter
        number[number == old] = 10
    odd = replace(MODEL, residue_number=number, insertion_code=code)
    np.testing.assert_array_equal(scores(odd).residues["smoc"], scores(MODEL).residues["smoc"])


def test_ligands_have_a_row_but_no_score():
    model = replace(MODEL, residue_name=np.where(MODEL.residue_number == 24, "ATP", MODEL.residue_name))
    assert np.isnan(scores(model).residues["smoc"]).tolist() == [False] * 23 + [True]
    only = scores(replace(MODEL, residue_name=np.full(len(MODEL), "ATP")))
    assert np.isnan(only.residues["smoc"]).all()
    assert np.isnan(only.whole["smoc_mean"])
    assert len(scores(replace(MODEL, residue_name=np.full(len(MODEL), "HOH")))) == 0


def test_information_equals_a_twin():
    rng = np.random.default_rng(1)
    a = rng.normal(5, 1, (6, 7, 8)).astype(np.float32)
    b = (a + rng.normal(0, 1, a.shape)).astype(np.float32)
    p = np.histogram2d(a.ravel(), b.ravel(), 20)[0] / a.size
    apart = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    assert mutual_information(a, b) == pytest.approx((p[p > 0] * np.log2(p[p > 0] / apart[p > 0])).sum(), abs=1e-3)


@pytest.mark.parametrize(("case", "median"), [("7cec_A", 0.007), ("3j6b_9", 0.018)])
def test_figures_are_near_those_of_biotempy(case, median, shared, golden):
    density, model = (shared / "maps" / name for name in CASES[case])
    expected = json.loads((golden / "biotempy_smoc.json").read_text())[case]
    found = scores(read_model(model), read_map(density), resolution=expected["resolution"])
    assert found.whole["ccc"] == pytest.approx(expected["ccc"], abs=5e-4)
    assert found.whole["mutual_information"] == pytest.approx(expected["mutual_information"], abs=5e-4)
    smoc = found.residues["smoc"][np.isfinite(found.residues["smoc"])]
    difference = np.abs(smoc - expected["smoc"])
    assert np.median(difference) < median
    assert difference.max() < 0.045


@pytest.mark.parametrize("case", CASES)
def test_biotempy_gives_the_golden_figures(case, shared, golden, oracles, tmp_path, request):
    program = oracles / "biotempy" / "bin" / "python"
    if not program.exists():
        pytest.skip(f"BioTEMPy is not in {oracles}")
    density, model = (shared / "maps" / name for name in CASES[case])
    target, atoms = read_map(density), read_model(model)
    frame = target.frame
    write_map(tmp_path / "map.mrc", DensityMap(target.values, Frame(frame.shape_zyx, frame.voxel_xyz)))
    write_model(tmp_path / "model.pdb", replace(atoms, xyz=atoms.xyz - frame.origin_xyz))
    expected = json.loads((golden / "biotempy_smoc.json").read_text())[case]
    script = request.path.parent / "oracles" / "biotempy_smoc.py"
    files = [tmp_path / "model.pdb", tmp_path / "map.mrc", str(expected["resolution"])]
    done = subprocess.run([program, script, *files], capture_output=True, text=True, check=True, timeout=250)
    found = json.loads(done.stdout.splitlines()[-1])
    for name in ("ccc", "mutual_information"):
        assert found[name] == pytest.approx(expected[name], abs=1e-3), name
    assert np.abs(np.array(found["smoc"]) - expected["smoc"]).max() < 2e-3
