import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from cryoweave.errors import InputError
from cryoweave.kernels import rotations
from cryoweave.kernels.rotations import (
    about_axis,
    angles_between,
    local_rotations,
    matrices,
    random_rotations,
    uniform_rotations,
)

SEEDS = st.integers(0, 2**63 - 1)
few = settings(max_examples=30, deadline=None)
SETS = {
    62.8: 24,
    20.9: 648,
    16.1: 1_992,
    12.2: 4_344,
    9.8: 7_416,
    8.2: 12_648,
    7.45: 19_560,
    6.6: 27_672,
    5.7: 39_384,
    5.3: 53_256,
    4.71: 70_728,
    4.4: 89_592,
    3.75: 141_096,
    3.55: 170_664,
    3.25: 207_576,
    2.9: 294_024,
    2.8: 342_024,
    2.5: 460_344,
    2.2: 679_896,
    1.9: 1_073_016,
}


def quaternions(turns):
    return Rotation.from_matrix(turns).as_quat()


def farthest(turns, samples):
    """Degrees from the worst of the samples to the nearest rotation, by a tree over quaternions of both signs."""
    own = quaternions(turns)
    length = cKDTree(np.concatenate((own, -own))).query(quaternions(samples))[0].max()
    return np.degrees(4 * np.arcsin(length / 2))


def assert_proper(turns):
    np.testing.assert_allclose(turns @ np.swapaxes(turns, 1, 2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-12)


def farthest_of_all(turns, radius, count):
    """Degrees from the worst place to the nearest rotation of a set with the octahedron's symmetry.

    This lets all places be moved into one of 24 cells, and needs only what lies in or near it.
    """
    group = Rotation.create_group("O")
    places = Rotation.random(count, random_state=1).reduce(group)
    # Where cells meet is worst: half of the places lie around a corner of the cell.
    low, high = np.sqrt(2) - 1, 3 - 2 * np.sqrt(2)
    corner = np.random.default_rng(1).permuted(np.tile([low, low, high], (count, 1)), axis=1)
    vectors = corner + np.random.default_rng(2).normal(size=(count, 3)) * np.radians(radius) / 2
    cornered = Rotation.from_quat(np.column_stack((vectors, np.ones(count)))).reduce(group)
    places = np.concatenate((places.as_matrix(), cornered.as_matrix()))
    near = np.trace(turns, axis1=1, axis2=2) > 1 + 2 * np.cos(np.radians(min(62.8 + radius, 180)))
    return farthest(turns[near], places)


@pytest.mark.parametrize(("radius", "count"), SETS.items())
def test_every_uniform_set_has_its_number_and_covers_its_radius(radius, count):
    found = uniform_rotations(radius)
    assert found.matrices.shape == (count, 3, 3)
    assert found.radius == radius
    assert_proper(found.matrices[:: count // 500 + 1])
    # Nor is the radius said too large: a finer set would cover 0.9 of it.
    assert 0.9 * radius < farthest_of_all(found.matrices, radius, 15_000) <= radius


@pytest.mark.parametrize("radius", [62.8, 20.9, 9.8, 8.2, 6.6])
def test_symmetry_hides_no_worse_place(radius):
    samples = random_rotations(20_000, 6)
    assert farthest(uniform_rotations(radius).matrices, samples) <= radius


@pytest.mark.parametrize("step", [200.0, 30.0, 20.9, 10.0])
def test_the_coarsest_set_that_is_fine_enough_serves(step):
    found = uniform_rotations(step)
    best = max(radius for radius in SETS if radius <= step)
    assert (found.radius, len(found.matrices)) == (best, SETS[best])


def test_rotations_of_a_set_are_different():
    own = quaternions(uniform_rotations(9.8).matrices)
    nearest = cKDTree(np.concatenate((own, -own))).query(own, k=2)[0][:, 1]
    assert np.degrees(4 * np.arcsin(nearest.min() / 2)) > 1


@pytest.mark.parametrize("step", [0.4, 0.0, -3.0, np.nan, np.inf])
def test_a_step_that_makes_no_sense_is_refused(step):
    with pytest.raises(InputError, match="angular step must be at least"):
        uniform_rotations(step)


@pytest.mark.parametrize(
    ("radius", "step"), [(12, 3), (12, 5), (5, 1), (30, 7), (90, 20), (180, 25), (3, 3), (2, 3), (3.2, 3)]
)
def test_local_sets_cover_their_ball_to_its_rim(radius, step):
    found = local_rotations(radius, step)
    assert found.radius == step
    assert_proper(found.matrices)
    np.testing.assert_array_equal(found.matrices[0], np.eye(3))
    assert angles_between(found.matrices, np.eye(3)).max() <= radius + 1e-6
    rng = np.random.default_rng(2)
    axes = rng.normal(size=(20_000, 3))
    # Evenly in the ball of vectors, and a third on its rim.
    lengths = np.radians(radius) * np.minimum(1.5 * rng.random(20_000), 1) ** (1 / 3)
    vectors = axes * (lengths / np.linalg.norm(axes, axis=1))[:, None]
    assert farthest(found.matrices, Rotation.from_rotvec(vectors).as_matrix()) <= step + 1e-6


def test_local_sets_come_from_the_middle_outwards_and_are_not_wasteful():
    found = local_rotations(15.0, 3.0)
    angles = angles_between(found.matrices, np.eye(3))
    assert (np.diff(angles) > -1e-6).all()
    # The volume of a ball as wide as the set and its rim over that of a lattice point.
    assert len(found.matrices) < 1.2 * 4 / 3 * np.pi * 18**3 / (0.5 * (3 * 4 / 5**0.5) ** 3)
    assert len(local_rotations(0.0, 1.0).matrices) == 1


@pytest.mark.parametrize(
    ("radius", "step", "what"),
    [
        (-1.0, 1.0, "radius"),
        (181.0, 10.0, "radius"),
        (np.nan, 1.0, "radius"),
        (10.0, 0.0, "angular step"),
        (10.0, -1.0, "angular step"),
        (10.0, 0.16, "angular step"),
        (10.0, np.nan, "angular step"),
    ],
)
def test_local_sets_that_make_no_sense_are_refused(radius, step, what):
    with pytest.raises(InputError, match=what):
        local_rotations(radius, step)


@few
@given(SEEDS)
def test_a_seed_gives_its_random_rotations(seed):
    found = random_rotations(50, seed)
    assert_proper(found)
    np.testing.assert_array_equal(found, random_rotations(50, seed))
    np.testing.assert_array_equal(found[:20], random_rotations(20, seed))
    assert np.abs(found - random_rotations(50, seed ^ 1)).max() > 0.1


def test_random_rotations_are_uniform():
    found = random_rotations(100_000, 7)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=0.01)
    # The angle's distribution is (angle - sin angle) / π.
    angles = np.radians(np.sort(angles_between(found, np.eye(3))))
    share = np.arange(1, len(found) + 1) / len(found)
    np.testing.assert_allclose((angles - np.sin(angles)) / np.pi, share, atol=0.01)


def test_no_rotations_are_none_and_fewer_are_refused():
    assert random_rotations(0, 1).shape == (0, 3, 3)
    assert matrices(np.empty((0, 4))).shape == (0, 3, 3)
    for count, seed in ((-1, 1), (2**62, 1), (1, -1), (1, 2**64)):
        with pytest.raises(InputError):
            random_rotations(count, seed)


@few
@given(st.integers(0, 2**32 - 1))
def test_matrices_and_angles_equal_scipy(seed):
    turns = Rotation.random(9, random_state=seed)
    found = matrices(np.roll(turns.as_quat(), 1, axis=1))
    np.testing.assert_allclose(found, turns.as_matrix(), atol=1e-12)
    slow = [[np.degrees((one.inv() * other).magnitude()) for other in turns] for one in turns]
    np.testing.assert_allclose(angles_between(found[:, None], found), slow, atol=1e-5)


@few
@given(st.integers(0, 2**32 - 1), st.floats(-720, 720))
def test_a_turn_about_an_axis(seed, degrees):
    axis = np.random.default_rng(seed).normal(size=3)
    wanted = Rotation.from_rotvec(axis / np.linalg.norm(axis) * degrees, degrees=True).as_matrix()
    assert np.allclose(about_axis(axis, degrees), wanted)
    assert np.array_equal(about_axis(axis, 0.0), np.eye(3))


def test_matrices_turn_points():
    quarter = matrices(np.array([[np.sqrt(0.5), 0, 0, np.sqrt(0.5)]]))[0]
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    assert rotations.angles_between(quarter, np.eye(3)) == pytest.approx(90)
