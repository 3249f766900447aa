import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.ndimage import gaussian_filter, maximum_filter

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.peaks import kernel_density, local_maxima, mean_shift, merge_points


def slow_local_maxima(values, threshold):
    highest = maximum_filter(values, size=3, mode="constant", cval=-np.inf)
    return np.argwhere((values == highest) & (values > threshold))


def slow_sums(values, at, bandwidth):
    """Weight and weighted mean position over the whole box, in float64."""
    bandwidth = np.broadcast_to(bandwidth, 3)
    low = np.maximum(np.ceil(at - 2 * bandwidth), 0).astype(int)
    high = np.maximum(np.minimum(np.floor(at + 2 * bandwidth) + 1, values.shape), low).astype(int)
    box = np.maximum(values[tuple(map(slice, low, high))], 0).astype(float)
    grid = np.indices(box.shape) + low[:, None, None, None]
    scaled = (grid - at[:, None, None, None]) / bandwidth[:, None, None, None]
    weight = np.exp(-6 * (scaled**2).sum(0)) * box
    total = weight.sum()
    return total, (weight * grid).sum((1, 2, 3)) / total if total > 0 else at


def slow_mean_shift(values, threshold, bandwidth, max_shift, tolerance=0.001):
    starts = np.argwhere(values > threshold)
    ends, densities = [], []
    for start in starts.astype(float):
        at = start
        while True:
            _, to = slow_sums(values, at, bandwidth)
            step, at = to - at, to
            if step @ step < tolerance or ((at - start) ** 2).sum() > max_shift**2:
                break
        ends.append(at)
        densities.append(slow_sums(values, at, bandwidth)[0])
    return starts, np.array(ends), np.array(densities)


def slow_merge(points, density, radius, keep):
    stand, owner = [], np.full(len(points), -1)
    for i in sorted(np.flatnonzero(keep), key=lambda i: (-density[i], i)):
        near = [s for s, j in enumerate(stand) if np.linalg.norm(points[i] - points[j]) < radius]
        owner[i] = near[0] if near else len(stand)
        if not near:
            stand.append(i)
    return stand, owner


def smooth_noise(shape, seed, sigma=1.5):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma)
    return (values / values.std()).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), array_shapes(min_dims=3, max_dims=3, max_side=12))
def test_maxima_equal_the_slow_twin_where_no_values_tie(seed, shape):
    values = np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape).astype(np.float32)
    np.testing.assert_array_equal(local_maxima(values, 3.0), slow_local_maxima(values, 3.0))


@given(arrays(np.float32, (4, 4, 4), elements=st.sampled_from([0.0, 1.0, 2.0])))
def test_order_of_axes_in_memory_does_not_matter_to_maxima(values):
    np.testing.assert_array_equal(local_maxima(values, 0.5), local_maxima(np.asfortranarray(values), 0.5))


def test_a_nan_is_refused_with_its_place():
    values = np.zeros((3, 3, 3), np.float32)
    values[1, 0, 2] = np.nan
    for kernel in (local_maxima, lambda v, t: mean_shift(v, t, 2.0), lambda v, t: kernel_density(v, [[t] * 3], 2.0)):
        with pytest.raises(InputError, match=r"\[1, 0, 2\]"):
            kernel(values, 0.5)


@pytest.mark.parametrize("bandwidth", [0.4, 1.0, 3.0, 5.2, (1.5, 3.0, 2.2)])
def test_mean_shift_equals_the_slow_twin(bandwidth):
    values = smooth_noise((14, 11, 17), 1)
    start, end, density = mean_shift(values, 1.0, bandwidth, 4.0)
    slow_start, slow_end, slow_density = slow_mean_shift(values, 1.0, bandwidth, 4.0)
    np.testing.assert_array_equal(start, slow_start)
    off = np.linalg.norm(end - slow_end, axis=1)
    assert (off < 1e-4).mean() > 0.99, "only a rare climb may stop a step earlier or later"
    assert off.max() < 0.05
    same = off < 1e-4
    np.testing.assert_allclose(density[same], slow_density[same], rtol=1e-4)


def test_mean_shift_stops_where_it_is_told():
    values = smooth_noise((12, 12, 12), 2)
    start, end, _ = mean_shift(values, 0.5, 4.0, max_steps=0)
    np.testing.assert_array_equal(start, end)
    start, end, _ = mean_shift(values, 0.5, 4.0, 0.5, tolerance=1e-12)
    one_step = max(np.linalg.norm(slow_sums(values, s.astype(float), 4.0)[1] - s) for s in start)
    assert np.linalg.norm(end - start, axis=1).max() <= 0.5 + one_step


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), array_shapes(min_dims=3, max_dims=3, max_side=9), st.floats(0.3, 12.0))
def test_kernel_density_equals_the_slow_twin_inside_and_out(seed, shape, bandwidth):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape).astype(np.float32)
    points = rng.uniform(-4, 12, (10, 3))
    expected = [slow_sums(values, at, bandwidth)[0] for at in points]
    np.testing.assert_allclose(kernel_density(values, points, bandwidth), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_units_of_the_map_do_not_matter(scale):
    values = smooth_noise((9, 9, 9), 3)
    _, end, density = mean_shift(values, 1.0, 3.0)
    _, scaled_end, scaled_density = mean_shift(values * np.float32(scale), scale, 3.0)
    np.testing.assert_allclose(end, scaled_end, atol=0.05)
    np.testing.assert_allclose(density * scale, scaled_density, rtol=0.01)


def test_threads_strides_and_progress_do_not_change_mean_shift():
    values = smooth_noise((20, 20, 20), 4)
    seen = []
    _core.set_threads(1)
    one = mean_shift(values, 0.5, 3.0, progress=lambda done, total: seen.append((done, total)))
    _core.set_threads(2)
    two = mean_shift(np.asfortranarray(values), 0.5, 3.0)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(done <= total for done, total in seen)


def test_peaks_of_nothing_are_nothing():
    for shape in [(0, 3, 3), (3, 0, 3), (3, 3, 0), (3, 3, 3)]:
        start, end, density = mean_shift(np.zeros(shape, np.float32), 0.5, 2.0)
        assert start.shape == end.shape == (0, 3)
        assert density.shape == (0,)
    assert kernel_density(np.ones((3, 3, 3), np.float32), np.empty((0, 3)), 2.0).shape == (0,)
    survivors, owner = merge_points(np.empty((0, 3)), [], 1.0)
    assert survivors.shape == owner.shape == (0,)


@pytest.mark.parametrize(
    "settings", [{"bandwidth_voxels": 0.0}, {"bandwidth_voxels": np.nan}, {"max_shift_voxels": 0.0}, {"tolerance": 0.0}]
)
def test_settings_without_a_meaning_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        mean_shift(np.ones((3, 3, 3), np.float32), 0.5, **({"bandwidth_voxels": 2.0} | settings))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.floats(0.05, 5.0))
def test_merging_equals_the_slow_twin(seed, n, radius):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 3)) + rng.integers(0, 2, (n, 1)) * 50
    density = rng.integers(0, 8, n).astype(np.float32)
    keep = rng.random(n) < 0.8
    survivors, owner = merge_points(points, density, radius, keep)
    expected, expected_owner = slow_merge(points, density, radius, keep)
    np.testing.assert_array_equal(survivors, np.array(expected, int))
    np.testing.assert_array_equal(owner, expected_owner)


def test_merging_refuses_what_has_no_meaning():
    with pytest.raises(InputError, match="point 1"):
        merge_points([[0, 0, 0], [0, np.inf, 0]], [1, 2], 1.0)
    with pytest.raises(InputError, match="density"):
        merge_points([[0, 0, 0]], [np.nan], 1.0)
    with pytest.raises(InputError, match="length"):
        merge_points([[0, 0, 0]], [1, 2], 1.0)
    with pytest.raises(InputError, match="radius"):
        merge_points([[0, 0, 0]], [1], 0.0)
