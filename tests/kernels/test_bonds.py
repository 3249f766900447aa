"""Bonds against a slow twin, and what maps say of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.data import DensityMap, Frame, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.bonds import CARBON, NITROGEN, along_bonds, bond_graph, direction_odds
from cryoweave.kernels.grid import interpolate
from cryoweave.testing import ideal_model

seeds = st.integers(0, 2**32 - 1)
FRAME = Frame((7, 8, 9), (1.1, 0.9, 1.3), (-3.0, 2.0, 5.0))


def a_map(rng):
    return DensityMap(rng.normal(size=FRAME.shape_zyx).astype(np.float32), FRAME)


def some_points(rng, n=20):
    """Some of them outside of the box."""
    return FRAME.to_xyz(rng.uniform(-1, 10, (n, 3)))


def slow_graph(density, points, shortest, longest, samples):
    pairs, values = [], []
    for i in range(len(points)):
        for j in range(i + 1, len(points)):
            if shortest <= np.linalg.norm(points[i] - points[j]) <= longest:
                pairs.append((i, j))
                steps = np.linspace(0, 1, samples + 2)[1:-1, None]
                values.append(interpolate(density.values, FRAME, points[i] + steps * (points[j] - points[i])))
    return np.array(pairs).reshape(-1, 2), np.array(values).reshape(-1, samples)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 9))
def test_equals_the_slow_twin(seed, samples):
    rng = np.random.default_rng(seed)
    density, points = a_map(rng), some_points(rng)
    pairs, values = slow_graph(density, points, 2.0, 6.0, samples)
    found = bond_graph(PointCloud(points, np.ones(len(points))), shortest=2.0, longest=6.0, samples=samples)
    np.testing.assert_array_equal(found.pairs, pairs)
    least, mean = along_bonds(density, points, found.pairs, [(k + 1) / (samples + 1) for k in range(samples)])
    np.testing.assert_allclose(least, values.min(axis=1), atol=1e-5)
    np.testing.assert_allclose(mean, values.mean(axis=1), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_a_bond_seen_from_its_other_end_and_the_number_of_threads(seed):
    rng = np.random.default_rng(seed)
    density, other, points = a_map(rng), a_map(rng), some_points(rng, 30)
    pairs = np.stack([np.arange(29), np.arange(1, 30)], axis=1).astype(np.int32)
    ahead = direction_odds(density, other, points, pairs)
    # The places differ by rounding, and so do their logarithms near 0.
    np.testing.assert_allclose(direction_odds(density, other, points, pairs[:, ::-1]), -ahead, atol=1e-3)
    np.testing.assert_allclose(direction_odds(other, density, points, pairs), -ahead, atol=1e-3)
    before = _core.threads()
    _core.set_threads(1)
    np.testing.assert_array_equal(direction_odds(density, other, points, pairs), ahead)
    _core.set_threads(before)


def maps_of(model, classes):
    """A narrow Gaussian at each atom of each class."""
    frame = Frame((40, 40, 40), (1.0, 1.0, 1.0), tuple(model.xyz.mean(axis=0) - 20))
    grid = frame.to_xyz(np.argwhere(np.ones(frame.shape_zyx)))
    values = [
        np.exp(-np.square(grid[:, None] - model.xyz[model.atom_name == name]).sum(axis=2)).max(axis=1)
        for name in classes
    ]
    return ProbabilityMaps(np.reshape(values, (len(classes), *frame.shape_zyx)), frame, classes)


@pytest.fixture(scope="module")
def helix():
    model = ideal_model("H" * 12)
    trace = model.trace_atoms()
    return maps_of(model, ("N", "CA", "C")), PointCloud(trace.xyz, np.ones(len(trace)))


def test_the_places_are_those_of_ideal_geometry():
    model = ideal_model("H" * 4 + "E" * 4)
    calpha, nitrogen, carbon = (model.xyz[model.atom_name == name] for name in ("CA", "N", "C"))
    along = calpha[1:] - calpha[:-1]
    length = np.linalg.norm(along, axis=1)
    for atoms, share in ((carbon[:-1], CARBON), (nitrogen[1:], NITROGEN)):
        found = ((atoms - calpha[:-1]) * along).sum(axis=1) / length**2
        assert np.abs(found - share).max() < 0.03


def test_a_helix_is_bonded_and_runs_the_right_way(helix):
    maps, points = helix
    found = bond_graph(points, maps=maps)
    real = np.diff(found.pairs, axis=1)[:, 0] == 1
    assert real.sum() == len(points) - 1
    assert found.forward[real].min() > 0.8
    assert found.least[real].min() > 2 * np.median(found.least[~real])
    assert found.mean.max() <= 1
    back = bond_graph(PointCloud(points.xyz[::-1], points.weight), maps=maps)
    assert back.forward[np.diff(back.pairs, axis=1)[:, 0] == 1].max() < -0.8


def test_the_backbone_stands_in_for_missing_atoms(helix):
    maps, points = helix
    one = ProbabilityMaps(maps.values[1:2], maps.frame, ("backbone",))
    found = bond_graph(points, maps=one)
    assert not found.forward.any()
    assert 0 < found.least.max() <= 1
    with pytest.raises(InputError, match="neither N, CA, C nor backbone"):
        bond_graph(points, maps=ProbabilityMaps(maps.values[1:2], maps.frame, ("CA",)))


def test_density_is_a_share_of_what_is_usual(helix):
    maps, points = helix
    density = maps.of("CA")
    found = bond_graph(points, density)
    thrice = bond_graph(points, DensityMap(density.values * 3, density.frame))
    np.testing.assert_allclose(found.mean, thrice.mean, rtol=1e-5)
    assert found.least.min() >= 0
    with pytest.raises(StageError, match="no density above zero"):
        bond_graph(points, DensityMap(0 * density.values, density.frame))


def test_without_maps_only_lengths_count(helix):
    found = bond_graph(helix[1])
    assert (found.least == 1).all()
    assert (found.mean == 1).all()
    assert not found.forward.any()
    assert not len(bond_graph(PointCloud(np.zeros((0, 3)), [])))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pairs": [[0, 2]]}, "does not exist"),
        ({"pairs": [[0, -1]]}, "does not exist"),
        ({"fractions": []}, "no places"),
        ({"fractions": [1.1]}, "from 0 to 1"),
        ({"fractions": [np.nan]}, "from 0 to 1"),
        ({"xyz": [[0, 0, np.inf], [0, 0, 1]]}, "not finite"),
    ],
)
def test_bad_input(arguments, message):
    given_ = {"xyz": [[0, 0, 0], [0, 0, 1]], "pairs": [[0, 1]], "fractions": [0.5]} | arguments
    with pytest.raises(InputError, match=message):
        along_bonds(a_map(np.random.default_rng(0)), **given_)


def test_a_window_that_is_none_and_maps_on_two_grids():
    with pytest.raises(InputError, match="no bond is from 6 to 2"):
        bond_graph(PointCloud(np.zeros((1, 3)), [1]), shortest=6, longest=2)
    one = a_map(np.random.default_rng(0))
    with pytest.raises(InputError, match="different grids"):
        direction_odds(one, DensityMap(one.values, Frame(FRAME.shape_zyx)), [[0, 0, 0]], [])
