"""Fourier shell correlations."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Curve, DensityMap, Frame
from cryoweave.host import Context
from cryoweave.io.maps import read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_validation.calculated import back, structure_factors, transform
from cryoweave_validation.fsc import crossing, shell_sums

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=3.0, noise=0.05)
MAP, ATOMS = "emd30342_integrin/emd_30342_A_z4.mrc.gz", "emd30342_integrin/7cec_A.cif.gz"


class TestFsc(StageContract):
    stage_id = "quality.fsc"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


def scores(model, density, **params):
    return run_stage("quality.fsc", model=model, density=density, params=params)


@pytest.mark.parametrize("shape", [(9, 14, 12), (12, 9, 11), (8, 8, 7)])
def test_shells_equal_a_twin_on_the_whole_spectrum(shape):
    frame = Frame(shape, (1.0, 1.7, 1.2))
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, *shape)).astype(np.float32)
    b += a
    found = shell_sums(transform(a, Context()), transform(b, Context()), frame, np.inf, 3.5)
    fa, fb = np.fft.fftn(a), np.fft.fftn(b)
    grids = np.meshgrid(*(np.fft.fftfreq(n, v) for n, v in zip(shape, (1.2, 1.7, 1.0), strict=True)), indexing="ij")
    s = np.sqrt(sum(grid**2 for grid in grids))
    shell = np.where((s > 0) & (s <= 1 / 3.5), (s * max(frame.extent_xyz) + 0.5).astype(int), -1)
    assert found.number.sum() == (shell >= 1).sum() / 2
    assert found.product.sum() == pytest.approx((fa * fb.conj()).real[shell >= 1].sum() / 2, rel=1e-4)
    alike = 0
    for i, k in enumerate(np.round(found.s / found.number * max(frame.extent_xyz)).astype(int).tolist()):
        x, y = fa[shell == k], fb[shell == k]
        if len(x) == 2 * found.number[i]:  # not joined with a neighbour
            alike += 1
            slow = (x * y.conj()).real.sum() / np.sqrt((abs(x) ** 2).sum() * (abs(y) ** 2).sum())
            assert found.correlation()[i] == pytest.approx(slow, abs=1e-5)
    assert alike >= 2


def test_a_map_as_calculated_correlates_fully_and_a_shifted_one_does_not():
    low, size = MODEL.xyz.min(axis=0) - 9, np.ptp(MODEL.xyz, axis=0) + 18
    frame = Frame(tuple((size[::-1] / (1.0, 1.3, 0.9)).astype(int)), (0.9, 1.3, 1.0), tuple(low))
    density = DensityMap(back(structure_factors(MODEL, frame, 2.6, Context()), frame, Context()), frame)
    found = scores(MODEL, density, resolution=4.0)
    assert found.whole["fsc_average"] > 0.98
    assert np.isnan(found.whole["fsc_0.5"])
    scaled = scores(MODEL, DensityMap(density.values * 7, frame), resolution=4.0)
    assert scaled.whole["fsc_average"] == pytest.approx(found.whole["fsc_average"], abs=1e-4)
    off = scores(replace(MODEL, xyz=MODEL.xyz + 1.5), density, resolution=4.0)
    assert off.whole["fsc_average"] < 0.5
    assert off.whole["fsc_0.5"] > 5


def test_a_resolution_beyond_the_grid_is_the_grids():
    found = scores(MODEL, simulated_map(MODEL, resolution=6.0, voxel=2.0, margin=10), resolution=1.0)
    assert np.isfinite(found.whole["fsc_average"])
    assert found.curves["fsc_model"].x.max() <= 0.25


def test_crossings_lie_between_shells():
    curve = Curve(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0.9, np.nan, 0.4, -0.1]), "", "", "")
    assert crossing(curve, 0.5) == pytest.approx(1 / 0.26)
    assert crossing(curve, 0.0) == pytest.approx(1 / 0.38)
    assert np.isnan(crossing(curve, -0.5))
    assert crossing(curve, 0.95) == pytest.approx(10), "it begins below: the first shell's"


def test_an_inverted_map_has_the_first_shell_for_a_resolution_not_none():
    found = scores(MODEL, DensityMap(-DENSITY.values, DENSITY.frame), resolution=4.0)
    assert found.whole["fsc_average"] < 0
    first = 1 / found.curves["fsc_model"].x[0]
    assert [found.whole[f"fsc_{level}"] for level in ("0.5", "0.143", "0")] == pytest.approx([first] * 3)


def test_confidences_are_no_b_factors():
    density = simulated_map(replace(MODEL, b_factor=np.full(len(MODEL), 20.0)), resolution=3.0)
    sure = replace(MODEL, b_factor=np.linspace(5, 100, len(MODEL)))
    known = replace(sure, b_is_confidence=np.ones(len(MODEL), bool))
    cases: list[tuple] = [(sure, {}), (known, {}), (sure, {"b_factor": 20.0})]
    wrong, right, given = (scores(model, density, resolution=3.0, **p).whole["fsc_average"] for model, p in cases)
    assert right == given > wrong


def test_figures_equal_those_of_servalcat(shared, golden):
    density, model = read_map(shared / "maps" / MAP), read_model(shared / "maps" / ATOMS)
    expected = json.loads((golden / "servalcat_fsc.json").read_text())["7cec_A"]
    shells = np.array(expected["fsc"])
    same = scores(model, density, resolution=expected["resolution"], sharpening=expected["sharpening"])
    difference = np.abs(same.curves["fsc_model"].y[: len(shells)] - shells)
    assert difference[0] < 0.01, "where its scattering factors are off"
    assert difference[1:].max() < 0.003
    assert same.whole["fsc_average"] == pytest.approx(expected["fsc_average"], abs=0.001)
    own = scores(model, density, resolution=expected["resolution"])
    assert own.whole["fsc_average"] == pytest.approx(expected["fsc_average"], abs=0.002)
    assert np.abs(own.curves["fsc_model"].y[: len(shells)] - shells).max() < 0.01


def test_servalcat_gives_the_golden_figures(shared, golden, oracles, tmp_path):
    program = oracles / "servalcat" / "bin" / "servalcat"
    if not program.exists():
        pytest.skip(f"servalcat is not in {oracles}")
    density, model = read_map(shared / "maps" / MAP), read_model(shared / "maps" / ATOMS)
    frame = density.frame
    write_map(tmp_path / "map.mrc", DensityMap(density.values, Frame(frame.shape_zyx, frame.voxel_xyz)))
    write_model(tmp_path / "model.pdb", replace(model, xyz=model.xyz - frame.origin_xyz))
    command = [program, "fsc", "--model", "model.pdb", "--map", "map.mrc", "-d", "3.9", "-o", "fsc.dat"]
    subprocess.run(command, capture_output=True, check=True, timeout=250, cwd=tmp_path)
    rows = [line.split() for line in (tmp_path / "fsc.dat").read_text().splitlines() if line[:1].strip() != "#"]
    found = [float(row[5]) for row in rows if len(row) > 6 and row[0] != "d_min"]
    expected = json.loads((golden / "servalcat_fsc.json").read_text())["7cec_A"]
    np.testing.assert_allclose(found, expected["fsc"], atol=1e-3)
