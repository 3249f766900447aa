"""Prepared maps stay where they were."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.kernels.grid import interpolate
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("H" * 12)
DENSITY = simulated_map(MODEL, resolution=4.0, voxel=1.2)
RANDOM = DensityMap(
    np.random.default_rng(0).normal(size=(9, 11, 8)).astype(np.float32),
    Frame((9, 11, 8), (1.5, 1.2, 0.9), (-30.0, 4.0, 99.0)),
)


def at(density, xyz, order="linear"):
    return interpolate(density.values, density.frame, xyz, order)


def inside(density, count=200):
    """Random positions in a map's box."""
    high = np.array(density.frame.shape_zyx) - 1
    return density.frame.to_xyz(np.random.default_rng(1).random((count, 3)) * high)


@pytest.mark.parametrize("density", [DENSITY, RANDOM], ids=["helix", "random"])
def test_upsampling_changes_no_value_at_any_position(density):
    fine = run_stage("map.upsample", density=density, params={"coarser_than": 0.5})
    assert fine.values.shape == tuple(2 * n - 1 for n in density.values.shape)
    np.testing.assert_allclose(at(fine, inside(density)), at(density, inside(density)), atol=1e-4)


def test_a_fine_map_is_not_upsampled():
    assert run_stage("map.upsample", density=DENSITY, params={"coarser_than": 1.2}) is DENSITY
    assert run_stage("map.upsample", density=DENSITY).values.shape != DENSITY.values.shape


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_resampling_reads_the_map_at_the_new_voxels(order):
    new = run_stage("map.resample", density=RANDOM, params={"voxel": 0.8, "order": order})
    assert new.frame.voxel_xyz == (0.8, 0.8, 0.8)
    assert new.frame.origin_xyz == RANDOM.frame.origin_xyz
    places = new.frame.to_xyz(np.indices(new.values.shape).reshape(3, -1).T)
    np.testing.assert_allclose(new.values.ravel(), at(RANDOM, places, order), atol=1e-4)
    if order == "linear":
        slow = map_coordinates(RANDOM.values, RANDOM.frame.to_zyx(places).T, order=1, mode="nearest")
        np.testing.assert_allclose(new.values.ravel(), slow, atol=1e-4)


def test_resampling_leaves_the_molecule_in_its_density():
    new = run_stage("map.resample", density=DENSITY, params={"voxel": 0.9})
    before, after = at(DENSITY, MODEL.xyz, "cubic"), at(new, MODEL.xyz, "cubic")
    assert np.corrcoef(after, before)[0, 1] > 0.98


@pytest.mark.parametrize("margin", [0.0, 2.5, 1000.0 / 11])
def test_cropping_keeps_all_density_above_the_threshold_and_its_place(margin):
    threshold = float(np.quantile(RANDOM.values, 0.995))
    cropped = run_stage("map.crop", density=RANDOM, params={"margin": margin, "threshold": threshold})
    above = np.argwhere(RANDOM.values > threshold)
    rim = np.ceil(margin / np.array(RANDOM.frame.voxel_xyz[::-1])).astype(int)
    first = np.maximum(above.min(axis=0) - rim, 0)
    last = np.minimum(above.max(axis=0) + rim, np.array(RANDOM.values.shape) - 1)
    assert cropped.values.shape == tuple(last - first + 1)
    places = RANDOM.frame.to_xyz(above)
    np.testing.assert_allclose(at(cropped, places), at(RANDOM, places), atol=1e-5)
    np.testing.assert_allclose(cropped.frame.origin_xyz, RANDOM.frame.to_xyz(first)[0])


def test_blurring_has_the_same_width_along_each_axis():
    blurred = run_stage("map.blur", density=RANDOM, params={"sigma": 1.4})
    width = [1.4 / spacing for spacing in RANDOM.frame.voxel_xyz[::-1]]
    slow = gaussian_filter(RANDOM.values.astype(float), width, mode="nearest", truncate=4.0)
    np.testing.assert_allclose(blurred.values, slow, atol=2e-4)
    assert blurred.frame == RANDOM.frame


def test_flipping_is_a_mirror_and_twice_is_nothing():
    once = run_stage("map.flip", density=RANDOM)
    assert once.frame == RANDOM.frame
    low = RANDOM.frame.origin_xyz[0]
    high = low + (RANDOM.frame.shape_zyx[2] - 1) * RANDOM.frame.voxel_xyz[0]
    places = inside(RANDOM)
    mirrored = places * [-1, 1, 1] + [low + high, 0, 0]
    np.testing.assert_allclose(at(once, mirrored), at(RANDOM, places), atol=1e-4)
    assert not np.array_equal(once.values, RANDOM.values)
    np.testing.assert_array_equal(run_stage("map.flip", density=once).values, RANDOM.values)


def solvent(seed=0, **params):
    return run_stage("map.solvent", density=DENSITY, seed=seed, params=params)


def test_solvent_is_decided_by_the_seed():
    np.testing.assert_array_equal(solvent(seed=3).values, solvent(seed=3).values)
    assert not np.array_equal(solvent(seed=3).values, solvent(seed=4).values)


@pytest.mark.parametrize(("noise", "bulk"), [(0.3, 0.0), (0.0, 0.1)])
def test_solvent_has_the_deviation_that_was_asked_for(noise, bulk):
    clean, noisy = solvent(noise=0.0, bulk=0.0), solvent(noise=noise, bulk=bulk)
    positive = np.sort(DENSITY.values[DENSITY.values > 0])
    strong = positive[positive >= np.quantile(positive, 0.95)].mean()
    difference = noisy.values.astype(float) - clean.values
    assert difference.std() == pytest.approx((noise + bulk) * strong, rel=1e-3)
    assert difference.mean() == pytest.approx(0, abs=1e-4 * float(strong))


def test_solvent_enlarges_the_box_around_unmoved_density():
    clean = solvent(noise=0.0, bulk=0.0, margin=6.5)
    assert clean.values.shape == tuple(n + 2 * 6 for n in DENSITY.values.shape)
    np.testing.assert_allclose(at(clean, MODEL.xyz), at(DENSITY, MODEL.xyz), rtol=1e-4)
    assert clean.values[:6].max() == 0


def test_coloured_noise_is_smoother_than_white():
    def roughness(correlation):
        noise = solvent(noise=1.0, bulk=0.0, correlation=correlation).values - solvent(noise=0.0, bulk=0.0).values
        return np.diff(noise, axis=0).std() / noise.std()

    assert roughness(0.0) == pytest.approx(np.sqrt(2), rel=0.03)
    assert roughness(60.0) < 0.7 * roughness(0.0)
