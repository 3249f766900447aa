import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates

from cryoweave import _core
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.kernels import quality


def radial_correlation(density, xyz, *sigmas, **more):
    return quality.radial_correlation(density.values, density.frame, xyz, *sigmas, **more)


def slow_spiral(n):
    """Saff and Kuijlaars' generalised spiral, term by term as published."""
    found, longitude = [], 0.0
    for k in range(1, n + 1):
        height = -1 + 2 * (k - 1) / (n - 1)
        colatitude = np.arccos(height)
        pole = k in (1, n)
        longitude = 0.0 if pole else (longitude + 3.6 / np.sqrt(n * (1 - height**2))) % (2 * np.pi)
        flat = np.sin(colatitude)
        found.append([flat * np.cos(longitude), flat * np.sin(longitude), np.cos(colatitude)])
    return np.array(found)


def slow_places(xyz, atom):
    """Radius and position of every place around one atom, by the distance to every other atom."""
    others = np.delete(xyz, atom, axis=0)
    radii, places = [0.0] * 8, [xyz[atom]] * 8
    for radius in np.arange(1, 21) * 0.1:
        for n in range(8, 107, 2):
            shell = xyz[atom] + radius * slow_spiral(n)
            distance = np.linalg.norm(shell[:, None] - others[None], axis=2)
            clear = shell[~(distance < 0.9 * radius).any(axis=1)]
            if len(clear) >= 8:
                radii += [radius] * len(clear)
                places += list(clear)
                break
    return np.array(radii), np.array(places)


def slow_correlation(density, xyz, sigmas):
    rows = []
    for atom in range(len(xyz)):
        radii, places = slow_places(xyz, atom)
        values = map_coordinates(density.values.astype(float), density.frame.to_zyx(places).T, order=1, cval=0.0)
        heights = [np.exp(-(radii**2) / (2 * sigma**2)) for sigma in sigmas]
        flat = np.ptp(values) == 0 or radii.max() == 0
        rows.append([0.0 if flat else np.corrcoef(values, height)[0, 1] for height in heights])
    return np.array(rows).reshape(len(xyz), len(sigmas))


def noise(seed, shape=(14, 15, 16), voxel=(1.1, 0.9, 1.0)):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.0).astype(np.float32)
    return DensityMap(values, Frame(shape, voxel, (-3.0, 20.0, 5.5)))


def atoms_in(density, n, seed, spread=1.0):
    """Atoms about a bond apart, some of them beyond the map."""
    rng = np.random.default_rng(seed)
    low, size = np.array(density.frame.origin_xyz), np.array(density.frame.extent_xyz)
    chain = low + size / 2 + np.cumsum(rng.normal(size=(n, 3)) * spread, axis=0)
    return np.vstack((chain, low + rng.uniform(-0.3, 1.3, (n // 3, 3)) * size))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 14), st.floats(0.02, 1.5))
def test_it_equals_the_slow_twin_inside_and_out(seed, n, spread):
    density = noise(seed)
    xyz = atoms_in(density, n, seed + 1, spread)
    sigmas = (0.6, 0.4, 1.3)
    found = radial_correlation(density, xyz, sigmas)
    np.testing.assert_allclose(found, slow_correlation(density, xyz, sigmas), atol=1e-8)


def test_units_and_offset_of_the_map_do_not_matter():
    density = noise(1)
    xyz = atoms_in(density, 30, 2)
    inside = density.frame.contains(xyz - 2.0) & density.frame.contains(xyz + 2.0)
    other = DensityMap(density.values * 1e6 + 3e6, density.frame)
    found, scaled = (radial_correlation(which, xyz)[inside] for which in (density, other))
    np.testing.assert_allclose(found, scaled, atol=2e-5)
    assert inside.sum() > 5


def test_threads_strides_and_progress_do_not_change_a_bit():
    density = noise(3)
    xyz = atoms_in(density, 400, 4)
    seen = []
    _core.set_threads(1)
    one = radial_correlation(density, xyz, (0.6, 0.4), progress=lambda done, total: seen.append((done, total)))
    _core.set_threads(2)
    strided, sigmas = np.asfortranarray(density.values), np.array([0.6, 9.9, 0.4])[::2]
    two = quality.radial_correlation(strided, density.frame, np.asfortranarray(xyz), sigmas)
    np.testing.assert_array_equal(one, two)
    assert all(done <= total for done, total in seen)


def test_order_of_atoms_does_not_matter():
    density = noise(5)
    xyz = atoms_in(density, 60, 6)
    order = np.random.default_rng(7).permutation(len(xyz))
    np.testing.assert_array_equal(radial_correlation(density, xyz)[order], radial_correlation(density, xyz[order]))


def test_what_is_far_away_does_not_matter():
    density = noise(8)
    near = atoms_in(density, 20, 9)
    far = near + np.array([500.0, 0.0, 0.0])
    both = radial_correlation(density, np.vstack((near, far)))
    np.testing.assert_array_equal(both[: len(near)], radial_correlation(density, near))
    np.testing.assert_array_equal(both[len(near) :], 0.0)


def test_atoms_at_one_place_are_judged_alike():
    density = noise(10)
    xyz = atoms_in(density, 10, 11)
    both = radial_correlation(density, np.vstack((xyz, xyz)))
    np.testing.assert_array_equal(both[: len(xyz)], both[len(xyz) :])
    np.testing.assert_array_equal(both[: len(xyz)], radial_correlation(density, xyz))


def test_what_has_no_meaning_is_refused():
    density = noise(12)
    with pytest.raises(InputError, match="point 1"):
        radial_correlation(density, [[0, 0, 0], [0, np.nan, 0]])
    with pytest.raises(InputError, match="shape"):
        radial_correlation(density, [[0, 0]])
    for sigma in (0.0, -0.6, np.nan, np.inf):
        with pytest.raises(InputError, match="sigma"):
            radial_correlation(density, [[0, 0, 0]], (0.6, sigma))
    values = density.values.copy()
    values[1, 0, 2] = np.inf
    with pytest.raises(InputError, match=r"\[1, 0, 2\]"):
        quality.radial_correlation(values, density.frame, [[0, 0, 0]])
    with pytest.raises(InputError, match="shape"):
        quality.radial_correlation(values[1:], density.frame, [[0, 0, 0]])


def test_nothing_gives_nothing():
    assert radial_correlation(noise(13), []).shape == (0, 1)
    assert radial_correlation(noise(13), [[0, 0, 0]], ()).shape == (1, 0)
