from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels import simulate

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 12), st.integers(1, 14))
few = settings(max_examples=30, deadline=None)


def frame_of(shape=(19, 16, 14), voxel=(1.1, 0.8, 1.3), origin=(-4.0, 10.0, 2.5)):
    return SimpleNamespace(shape_zyx=shape, voxel_xyz=voxel, origin_xyz=origin)


def atoms_around(seed, frame, n=6):
    span = np.array(frame.shape_zyx[::-1]) * np.array(frame.voxel_xyz)
    return np.random.default_rng(seed).uniform(-0.2, 1.2, (n, 3)) * span + np.array(frame.origin_xyz)


def offsets(frame, place):
    """Vectors from an atom to all voxels."""
    indices = np.moveaxis(np.indices(frame.shape_zyx), 0, -1)[..., ::-1]
    return indices * np.array(frame.voxel_xyz) + np.array(frame.origin_xyz) - place


@few
@given(SEEDS, SHAPES)
def test_blurred_atoms_equal_the_slow_twin(seed, shape):
    frame = frame_of(shape)
    xyz = atoms_around(seed, frame)
    weight, sigma = np.random.default_rng(seed).uniform([[1], [0.4]], [[8], [3]], (2, len(xyz)))
    slow = np.zeros(shape)
    for place, w, s in zip(xyz, weight, sigma, strict=True):
        d = offsets(frame, place)
        height = w / (np.sqrt(2 * np.pi) * s) ** 3 * np.exp(-0.5 * (d**2).sum(axis=-1) / s**2)
        slow += np.where((np.abs(d) <= 4 * s).all(axis=-1), height, 0)
    found = simulate.simulate_blurred(frame, xyz, weight, sigma)
    np.testing.assert_allclose(found, slow, rtol=1e-5, atol=1e-6)


@few
@given(SEEDS, st.floats(0, 6))
def test_electron_scattering_equals_the_slow_twin(seed, resolution):
    frame, rng = frame_of(), np.random.default_rng(seed)
    xyz = atoms_around(seed, frame)
    a, b = rng.uniform(0.1, 2, (3, 5)), rng.uniform(1, 50, (3, 5))
    element, b_factor, occupancy = (
        rng.integers(0, 3, len(xyz)),
        rng.uniform(5, 90, len(xyz)),
        rng.uniform(0, 1, len(xyz)),
    )
    slow = np.zeros(frame.shape_zyx)
    for i, place in enumerate(xyz):
        d = offsets(frame, place)
        width = b[element[i]] + b_factor[i] + 8 * np.pi**2 * (0.225 * resolution) ** 2
        heights = a[element[i]] * (4 * np.pi / width) ** 1.5
        terms = heights * np.exp(-4 * np.pi**2 * (d**2).sum(axis=-1)[..., None] / width)
        reach = 4 * np.sqrt(width.max() / (8 * np.pi**2))
        slow += np.where((np.abs(d) <= reach).all(axis=-1), occupancy[i] * terms.sum(axis=-1), 0)
    found = simulate.simulate_electron(frame, xyz, element, a, b, b_factor, resolution, occupancy=occupancy)
    np.testing.assert_allclose(found, slow, rtol=1e-5, atol=1e-6)


def test_carbon_equals_the_density_of_another_program():
    gemmi = pytest.importorskip("gemmi")
    carbon = gemmi.Element("C").c4322
    frame = frame_of((1, 1, 8), (0.5, 1.0, 1.0), (0.0, 0.0, 0.0))
    found = simulate.simulate_electron(frame, [[0.0, 0.0, 0.0]], [0], [carbon.a], [carbon.b], 20.0, 0.0)
    expected = [carbon.calculate_density_iso((0.5 * i) ** 2, 20.0) for i in range(8)]
    np.testing.assert_allclose(found[0, 0], expected, rtol=1e-4)


@pytest.fixture
def restore_threads():
    yield
    _core.set_threads(0)


@pytest.mark.usefixtures("restore_threads")
def test_threads_and_strides_do_not_matter_and_inputs_stay():
    frame = frame_of((50, 30, 20))
    xyz = atoms_around(0, frame, 500)
    before = xyz.copy()
    tables = np.random.default_rng(1).uniform(1, 9, (2, 1, 5))
    for call in (
        lambda points: simulate.simulate_blurred(frame, points, 6.0, 1.5),
        lambda points: simulate.simulate_electron(frame, points, np.zeros(500, int), *tables, 30.0, 3.0),
    ):
        _core.set_threads(1)
        one = call(xyz)
        _core.set_threads(2)
        np.testing.assert_array_equal(call(xyz), one)
        np.testing.assert_array_equal(call(np.asfortranarray(xyz)), one)
    np.testing.assert_array_equal(xyz, before)


@few
@given(SEEDS)
def test_densities_of_atoms_add_up(seed):
    frame = frame_of()
    xyz = atoms_around(seed, frame)
    both = simulate.simulate_blurred(frame, xyz, 6.0, 1.2)
    parts = simulate.simulate_blurred(frame, xyz[:2], 6.0, 1.2) + simulate.simulate_blurred(frame, xyz[2:], 6.0, 1.2)
    np.testing.assert_allclose(both, parts, atol=1e-5)


def test_no_atoms_give_no_density_and_progress_may_be_watched():
    seen = []
    empty = simulate.simulate_blurred(frame_of(), [], 1.0, 1.0, progress=lambda done, total: seen.append((done, total)))
    assert empty.shape == (19, 16, 14)
    assert not empty.any()


def test_parameters_that_make_no_sense_are_refused():
    frame, xyz, one = frame_of(), np.zeros((2, 3)), np.ones((1, 5))
    for call in (
        lambda: simulate.simulate_blurred(frame, [[0, np.nan, 0]], 1.0, 1.0),
        lambda: simulate.simulate_blurred(frame, xyz, [1.0], 1.0),
        lambda: simulate.simulate_blurred(frame, xyz, 1.0, [1.0, 2.0, 3.0]),
        lambda: simulate.simulate_blurred(frame, xyz, np.nan, 1.0),
        lambda: simulate.simulate_blurred(frame, xyz, 1.0, 0.0),
        lambda: simulate.simulate_electron(frame, xyz, [0], one, one, 0.0, 3.0),
        lambda: simulate.simulate_electron(frame, xyz, [0, 1], one, one, 0.0, 3.0),
        lambda: simulate.simulate_electron(frame, xyz, [0, -1], one, one, 0.0, 3.0),
        lambda: simulate.simulate_electron(frame, xyz, [0, 0], one[:, :4], one, 0.0, 3.0),
        lambda: simulate.simulate_electron(frame, xyz, [0, 0], one, one, -5.0, 0.0),
        lambda: simulate.simulate_electron(frame, xyz, [0, 0], one, one, 0.0, -3.0),
        lambda: simulate.coloured_noise(frame, -1.0, 10.0, 0),
        lambda: simulate.coloured_noise(frame, 1.0, np.nan, 0),
    ):
        with pytest.raises(InputError):
            call()


def test_noise_has_its_spread_and_falls_off():
    frame = frame_of((24, 32, 40), (1.0, 1.0, 1.0))
    white, rough, smooth = (simulate.coloured_noise(frame, 2.0, b, 7) for b in (0.0, 30.0, 300.0))
    for noise in (white, rough, smooth, simulate.solvent_noise(frame, 2.0, 7)):
        assert noise.dtype == np.float32
        assert noise.std() == pytest.approx(2.0, rel=1e-4)
        assert abs(noise.mean()) < 1e-4
    steps = [np.abs(np.diff(noise, axis=0)).mean() for noise in (white, rough, smooth)]
    assert steps[0] > 1.3 * steps[1] > 2.6 * steps[2]
    np.testing.assert_array_equal(rough, simulate.coloured_noise(frame, 2.0, 30.0, 7))
    ratio = np.abs(np.fft.fft(rough, axis=2)[:, :, 10]).mean() / np.abs(np.fft.fft(rough, axis=2)[:, :, 5]).mean()
    assert ratio == pytest.approx(np.exp(-30 / 4 * (0.25**2 - 0.125**2)), rel=0.15)
    assert not simulate.coloured_noise(frame_of((1, 1, 1)), 2.0, 10.0, 0).any()
