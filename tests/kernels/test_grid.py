from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cryoweave import _core
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, StageError
from cryoweave.kernels import grid

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(*[st.integers(1, 12)] * 3)
WIDE = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 80))
few = settings(max_examples=40, deadline=None)


def frame_of(values, voxel=(1.1, 0.8, 1.3), origin=(-4.0, 10.0, 2.5)):
    return SimpleNamespace(shape_zyx=values.shape, voxel_xyz=voxel, origin_xyz=origin)


def to_zyx(frame, xyz):
    return ((xyz - np.array(frame.origin_xyz)) / np.array(frame.voxel_xyz))[:, ::-1]


def noise(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def points_around(seed, frame, n=40):
    span = np.array(frame.shape_zyx[::-1]) * np.array(frame.voxel_xyz)
    return np.random.default_rng(seed).uniform(-0.1, 1.0, (n, 3)) * span + np.array(frame.origin_xyz)


def catmull_rom(t):
    """Keys' kernel with a = -1/2, by distance: the textbook form."""
    t = np.abs(t)
    near = 1.5 * t**3 - 2.5 * t**2 + 1
    far = -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def slow_cubic(values, zyx, outside):
    padded = np.pad(values.astype(np.float64), 2, mode="edge")
    found = np.full(len(zyx), outside)
    for i, place in enumerate(zyx):
        if np.all((place >= 0) & (place <= np.array(values.shape) - 1)):
            wz, wy, wx = (catmull_rom(np.arange(-2, n + 2) - p) for n, p in zip(values.shape, place, strict=True))
            found[i] = np.einsum("zyx,z,y,x", padded, wz, wy, wx)
    return found


@few
@given(SEEDS, SHAPES)
def test_linear_interpolation_equals_scipy(seed, shape):
    values = noise(seed, shape)
    frame = frame_of(values)
    xyz = points_around(seed, frame)
    slow = ndimage.map_coordinates(values.astype(float), to_zyx(frame, xyz).T, order=1, cval=-3.0)
    np.testing.assert_allclose(grid.interpolate(values, frame, xyz, outside=-3.0), slow, atol=1e-5)


@few
@given(SEEDS, SHAPES)
def test_cubic_interpolation_equals_the_slow_twin(seed, shape):
    values = noise(seed, shape)
    frame = frame_of(values)
    xyz = points_around(seed, frame, 10)
    slow = slow_cubic(values, to_zyx(frame, xyz), 5.0)
    np.testing.assert_allclose(grid.interpolate(values, frame, xyz, "cubic", 5.0), slow, atol=1e-5)


@few
@given(SEEDS, st.tuples(*[st.integers(2, 9)] * 3))
def test_the_gradient_is_the_slope_of_the_cubic_interpolation(seed, shape):
    values = noise(seed, shape)
    frame = frame_of(values)
    xyz = points_around(seed, frame, 10)
    step = 1e-5
    slow = np.stack(
        [
            (slow_cubic(values, to_zyx(frame, xyz + d), 0.0) - slow_cubic(values, to_zyx(frame, xyz - d), 0.0))
            / (2 * step)
            for d in np.eye(3) * step
        ],
        axis=1,
    )
    inside = slow_cubic(np.ones(shape), to_zyx(frame, xyz), 0.0) > 0.5
    smooth = (np.abs(to_zyx(frame, xyz) % 1 - 0.5) < 0.499).all(axis=1)
    found = grid.gradient(values, frame, xyz)
    np.testing.assert_allclose(found[inside & smooth], slow[inside & smooth], atol=1e-5, rtol=1e-5)
    assert not found[~inside].any()


@few
@given(SEEDS, WIDE, WIDE, st.sampled_from(["linear", "cubic"]))
def test_resampling_is_interpolation_at_the_new_voxels(seed, shape, new_shape, order):
    values = noise(seed, shape)
    frame = frame_of(values)
    new = SimpleNamespace(shape_zyx=new_shape, voxel_xyz=(0.9, 1.7, 0.6), origin_xyz=(-5.0, 10.1, 2.3))
    xyz = np.indices(new_shape).reshape(3, -1).T[:, ::-1] * np.array(new.voxel_xyz) + np.array(new.origin_xyz)
    found = grid.resample(values, frame, new, order)
    np.testing.assert_allclose(found.ravel(), grid.interpolate(values, frame, xyz, order), atol=1e-5)


@few
@given(SEEDS, WIDE)
def test_upsampling_halves_the_voxels(seed, shape):
    values = noise(seed, shape)
    found = grid.upsample2(values)
    places = np.indices(found.shape) / 2
    np.testing.assert_allclose(found, ndimage.map_coordinates(values.astype(float), places, order=1), atol=1e-6)
    np.testing.assert_array_equal(found[::2, ::2, ::2], values)


@few
@given(SEEDS, WIDE, st.tuples(*[st.sampled_from([0.0, 0.4, 1.0, 2.5, 7.0])] * 3))
def test_gaussian_equals_scipy(seed, shape, sigma):
    values = noise(seed, shape)
    slow = ndimage.gaussian_filter(values.astype(float), sigma, mode="nearest", truncate=4)
    np.testing.assert_allclose(grid.gaussian(values, sigma), slow, atol=3e-6)


def test_one_sigma_is_meant_for_all_axes():
    values = noise(0, (6, 7, 8))
    np.testing.assert_array_equal(grid.gaussian(values, 1.5), grid.gaussian(values, (1.5, 1.5, 1.5)))


@few
@given(SEEDS, WIDE)
def test_laplacian_equals_the_slow_twin(seed, shape):
    values = noise(seed, shape)
    p = np.pad(values.astype(float), 1, mode="edge")
    slow = (p[2:, 1:-1, 1:-1] + p[:-2, 1:-1, 1:-1] - 2 * values) / 1.3**2
    slow += (p[1:-1, 2:, 1:-1] + p[1:-1, :-2, 1:-1] - 2 * values) / 0.8**2
    slow += (p[1:-1, 1:-1, 2:] + p[1:-1, 1:-1, :-2] - 2 * values) / 1.1**2
    np.testing.assert_allclose(grid.laplacian(values, (1.1, 0.8, 1.3)), slow, atol=3e-5)


@few
@given(SEEDS, WIDE, st.floats(-1, 2))
def test_labels_equal_scipy(seed, shape, threshold):
    values = noise(seed, shape)
    slow, n = ndimage.label(values > np.float32(threshold), np.ones((3, 3, 3)))
    labels, sizes = grid.label_components(values, threshold)
    np.testing.assert_array_equal(labels, slow)
    np.testing.assert_array_equal(sizes, np.bincount(slow.ravel(), minlength=n + 1)[1:])
    assert labels.dtype == np.int32


@few
@given(SEEDS, SHAPES, st.floats(0.3, 5))
def test_a_mask_holds_the_voxels_within_the_radius(seed, shape, radius):
    frame = frame_of(np.empty(shape))
    xyz = points_around(seed, frame, 4)
    voxels = np.indices(shape).reshape(3, -1).T[:, ::-1] * np.array(frame.voxel_xyz) + np.array(frame.origin_xyz)
    nearest = np.linalg.norm(voxels[:, None] - xyz, axis=2).min(axis=1)
    clear = np.abs(nearest - radius) > 1e-6
    found = grid.mask_around(frame, xyz, radius).ravel()
    np.testing.assert_array_equal(found[clear], nearest[clear] <= radius)


@few
@given(SEEDS, SHAPES, st.floats(0.3, 5))
def test_voxels_belong_to_the_nearest_point(seed, shape, radius):
    frame = frame_of(np.empty(shape))
    xyz = points_around(seed, frame, 4)
    voxels = np.indices(shape).reshape(3, -1).T[:, ::-1] * np.array(frame.voxel_xyz) + np.array(frame.origin_xyz)
    distance = np.linalg.norm(voxels[:, None] - xyz, axis=2)
    found = grid.nearest_around(frame, xyz, radius).ravel()
    np.testing.assert_array_equal(found >= 0, grid.mask_around(frame, xyz, radius).ravel())
    near = np.flatnonzero(found >= 0)
    np.testing.assert_allclose(distance[near, found[near]], distance[near].min(axis=1), atol=1e-9)


@few
@given(SEEDS, WIDE)
def test_statistics_equal_numpy(seed, shape):
    values = noise(seed, shape)
    values[values < -1] = 0
    found = grid.statistics(values)
    assert (found.minimum, found.maximum) == (values.min(), values.max())
    assert found.nonzero == np.count_nonzero(values)
    assert found.mean == pytest.approx(values.mean(dtype=float), abs=1e-12)
    assert found.sd == pytest.approx(values.std(dtype=float), rel=1e-12)


def test_the_spread_of_a_map_on_a_high_ground_is_kept():
    values = (noise(0, (30, 40, 50)) + 10000).astype(np.float32)
    assert grid.statistics(values).sd == pytest.approx(values.std(dtype=float), rel=1e-9)


@few
@given(SEEDS, SHAPES, st.floats(0, 1), st.booleans())
def test_a_volume_gives_its_contour(seed, shape, fraction, ties):
    values = noise(seed, shape)
    if ties:
        values = np.abs(np.round(values))
    n = round(fraction * values.size)
    threshold = grid.volume_threshold(values, n)
    above = np.count_nonzero(values > threshold)
    if n == values.size:
        assert above == n
    else:
        assert threshold == np.sort(values.ravel())[::-1][n]
        assert above <= n <= np.count_nonzero(values >= threshold)


CALLS = {
    "interpolate": lambda v: grid.interpolate(v, frame_of(v), points_around(1, frame_of(v), 5000)),
    "gradient": lambda v: grid.gradient(v, frame_of(v), points_around(1, frame_of(v), 5000)),
    "resample": lambda v: grid.resample(v, frame_of(v), frame_of(v, voxel=(0.9, 0.9, 0.9)), "cubic"),
    "upsample2": grid.upsample2,
    "gaussian": lambda v: grid.gaussian(v, 1.3),
    "laplacian": lambda v: grid.laplacian(v, (1.0, 2.0, 3.0)),
    "label": lambda v: grid.label_components(v, 0.3)[0],
    "mask": lambda v: grid.mask_around(frame_of(v), points_around(1, frame_of(v)), 3.0),
    "nearest": lambda v: grid.nearest_around(frame_of(v), points_around(1, frame_of(v)), 3.0),
    "statistics": grid.statistics,
    "volume_threshold": lambda v: grid.volume_threshold(v, 100),
}


@pytest.fixture
def restore_threads():
    yield
    _core.set_threads(0)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.usefixtures("restore_threads")
def test_threads_strides_and_types_do_not_matter(name):
    values = noise(3, (33, 41, 37))
    before = values.copy()
    _core.set_threads(1)
    one = CALLS[name](values)
    _core.set_threads(2)
    np.testing.assert_array_equal(CALLS[name](values), one)
    np.testing.assert_array_equal(CALLS[name](np.asfortranarray(values)), one)
    np.testing.assert_array_equal(CALLS[name](np.repeat(values, 2, axis=2)[:, :, ::2]), one)
    np.testing.assert_array_equal(CALLS[name](values.astype(np.float64)), one)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"mask", "nearest"}))
def test_what_is_not_finite_is_refused_with_its_place(name):
    values = noise(3, (5, 6, 7))
    values[3, 2, 1] = np.nan
    with pytest.raises(InputError, match=r"\[3, 2, 1\]"):
        CALLS[name](values)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_points_that_are_not_finite_are_refused(bad):
    values = noise(3, (5, 6, 7))
    xyz = np.zeros((4, 3))
    xyz[2, 1] = bad
    for call in (grid.interpolate, grid.gradient):
        with pytest.raises(InputError, match="point 2"):
            call(values, frame_of(values), xyz)
    with pytest.raises(InputError, match="point 2"):
        grid.mask_around(frame_of(values), xyz, 1.0)


def test_nothing_in_gives_nothing_out():
    values, empty = noise(0, (3, 3, 3)), np.zeros((0, 3, 4), np.float32)
    assert grid.interpolate(values, frame_of(values), []).shape == (0,)
    assert grid.gradient(values, frame_of(values), np.empty((0, 3))).shape == (0, 3)
    assert not grid.mask_around(frame_of(values), [], 3.0).any()
    assert grid.gaussian(empty, 1.0).shape == grid.laplacian(empty, (1.0, 1.0, 1.0)).shape == empty.shape
    assert grid.upsample2(empty).shape == (0, 5, 7)
    assert grid.label_components(empty, 0.0)[1].shape == (0,)
    for call in (grid.statistics, lambda v: grid.volume_threshold(v, 0)):
        with pytest.raises(InputError, match="no voxels"):
            call(empty)


def test_parameters_that_make_no_sense_are_refused():
    values = noise(0, (3, 4, 5))
    frame = frame_of(values)
    huge = SimpleNamespace(shape_zyx=(2**40, 2**40, 1), voxel_xyz=(1, 1, 1), origin_xyz=(0, 0, 0))
    for call in (
        lambda: grid.interpolate(values, frame, np.zeros((2, 2))),
        lambda: grid.interpolate(values, frame, np.zeros((2, 3)), "quintic"),
        lambda: grid.interpolate(values[1:], frame, np.zeros((2, 3))),
        lambda: grid.interpolate(values[0], frame, np.zeros((2, 3))),
        lambda: grid.interpolate(values, frame_of(values, voxel=(0.0, 1.0, 1.0)), np.zeros((2, 3))),
        lambda: grid.resample(values, frame, huge),
        lambda: grid.gaussian(values, -1.0),
        lambda: grid.laplacian(values, (1.0, -1.0, 1.0)),
        lambda: grid.label_components(values, np.nan),
        lambda: grid.mask_around(frame, [], np.inf),
        lambda: grid.mask_around(huge, [], 1.0),
        lambda: grid.volume_threshold(values, 61),
        lambda: grid.volume_threshold(values, -1),
    ):
        with pytest.raises(InputError):
            call()


def test_a_map_that_is_the_same_everywhere_is_refused_by_its_name():
    frame = Frame((2, 3, 4))
    values = np.full(frame.shape_zyx, -2, np.float32)
    with pytest.raises(StageError, match="the first half map has the same density everywhere: -2") as refused:
        grid.require_contrast(DensityMap(values, frame), "first half map")
    assert refused.value.hint
    values[1, 2, 3] = -1.5
    grid.require_contrast(DensityMap(values, frame))
