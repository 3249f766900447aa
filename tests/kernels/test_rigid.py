"""Refinement, measures and distinct places of rigid poses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cryoweave import _core
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.kernels import grid
from cryoweave.kernels.rigid import (
    METRICS,
    Candidates,
    Points,
    distinct_poses,
    measure_poses,
    refine_poses,
    standing_out,
)
from cryoweave.kernels.rotations import angles_between, random_rotations

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)
FRAME = Frame((34, 36, 40), (1.1, 1.0, 1.2), (-20.0, -17.0, -22.0))
PLACES = np.array([[8, 0, 2], [-7, 3, 0], [0, -8, 4], [1, 5, -9], [4, 5, 6], [-4, -5, -5.0]])
HEIGHTS = np.array([1, 1.3, 0.8, 1.1, 0.6, 1.4])


@pytest.fixture
def restore_threads():
    yield
    _core.set_threads(0)


def height(xyz):
    squared = ((xyz[:, None] - PLACES) ** 2).sum(axis=2)
    return np.exp(-squared / 18) @ HEIGHTS


def slope(xyz):
    away = xyz[:, None] - PLACES
    return np.einsum("nkx,nk,k->nx", -away / 9, np.exp(-(away**2).sum(axis=2) / 18), HEIGHTS)


def map_of(function):
    zyx = np.indices(FRAME.shape_zyx).reshape(3, -1).T
    return function(FRAME.to_xyz(zyx)).T.reshape(-1, *FRAME.shape_zyx).astype(np.float32)


@pytest.fixture(scope="module")
def blobs():
    return DensityMap(map_of(lambda xyz: height(xyz)[:, None])[0], FRAME)


@pytest.fixture(scope="module")
def slopes():
    return map_of(slope)


def around(count=150, seed=0):
    """Points around the blobs."""
    rng = np.random.default_rng(seed)
    return PLACES[rng.integers(len(PLACES), size=count)] + rng.normal(size=(count, 3)) * 2.5


def moved(count, degrees, shift, seed=1):
    """Poses that far from the identity about the origin."""
    rng = np.random.default_rng(seed)
    axes, ways = rng.normal(size=(2, count, 3))
    turns = Rotation.from_rotvec(axes / np.linalg.norm(axes, axis=1)[:, None] * np.radians(degrees))
    return turns.as_matrix(), ways / np.linalg.norm(ways, axis=1)[:, None] * shift


def slow_measures(density, points, rotation, translation, threshold):
    t, m = points.values, np.ones(len(points.xyz)) if points.weights is None else points.weights
    rows = []
    for turn, shift in zip(rotation, translation, strict=True):
        v = grid.interpolate(density.values, density.frame, points.xyz @ turn.T + shift, "cubic").astype(float)
        tc, vc = t - np.average(t, weights=m), v - np.average(v, weights=m)
        overlap, correlation, about_mean = (
            (m * t * v).sum() / m.sum(),
            (m * t * v).sum() / max(np.sqrt((m * t * t).sum() * (m * v * v).sum()), 1e-300),
            (m * tc * vc).sum() / max(np.sqrt((m * tc * tc).sum() * (m * vc * vc).sum()), 1e-300),
        )
        rows.append([overlap, correlation, about_mean, np.average(v, weights=m), np.mean(v > threshold)])
    return np.array(rows)


def slow_score(metric, values, points, rotation, translation):
    """Of one pose; of vectors as the sum over points and components."""
    if metric != "vectors":
        table = slow_measures(DensityMap(values, FRAME), points, rotation[None], translation[None], 0.0)[0]
        return table[["overlap", "correlation", "about_mean"].index(metric)]
    xyz = points.xyz @ rotation.T + translation
    v = np.stack([grid.interpolate(channel, FRAME, xyz, "cubic") for channel in values], axis=1).astype(float)
    t, m = points.values @ rotation.T, (1.0 if points.weights is None else points.weights[:, None])
    return (m * t * v).sum() / np.sqrt((m * t * t).sum() * (m * v * v).sum())


@few
@given(SEEDS, st.booleans())
def test_measures_are_sums_over_interpolated_values(seed, weighted):
    rng = np.random.default_rng(seed)
    frame = Frame((9, 12, 10), (1.1, 0.8, 1.3), (-4.0, 10.0, 2.5))
    density = DensityMap(rng.normal(size=frame.shape_zyx).astype(np.float32), frame)
    # The map is 10 Å wide: some points lie outside.
    points = Points(rng.normal(size=(30, 3)) * 4, rng.normal(size=30), rng.uniform(0, 2, 30) if weighted else None)
    rotation, translation = random_rotations(5, seed), rng.normal(size=(5, 3)) * 3 + [1, 15, 8]
    found = measure_poses(density, points, rotation, translation, 0.2)
    slow = slow_measures(density, points, rotation, translation, 0.2)
    np.testing.assert_allclose(np.column_stack(found), slow, atol=2e-6)


def test_poses_beyond_the_map_score_0(blobs):
    points = Points(around(), height(around()))
    found = measure_poses(blobs, points, np.eye(3), np.array([500.0, 0, 0]))
    assert not np.column_stack(found).any()
    away = refine_poses(blobs.values, FRAME, points, np.eye(3), np.array([500.0, 0, 0]))
    np.testing.assert_allclose(away.translation, [[500, 0, 0]])
    assert away.score == [0]


def model(metric):
    xyz = around()
    return Points(
        xyz, slope(xyz) if metric == "vectors" else height(xyz), np.random.default_rng(2).uniform(0.5, 1, 150)
    )


@pytest.mark.parametrize("metric", ["correlation", "about_mean", "vectors"])
def test_a_pose_that_was_disturbed_comes_back(metric, blobs, slopes):
    values = slopes if metric == "vectors" else blobs.values
    rotation, translation = moved(6, 8.0, 1.5)
    # Where the model belongs is not where it was made.
    turn, shift = random_rotations(1, 4)[0], np.array([3.0, -50.0, 20.0])
    points = model(metric)
    vectors = points.values @ turn if metric == "vectors" else points.values
    elsewhere = points._replace(xyz=(points.xyz - shift) @ turn, values=vectors)
    found = refine_poses(
        values, FRAME, elsewhere, rotation @ turn, np.einsum("nij,j->ni", rotation, shift) + translation, metric
    )
    assert angles_between(found.rotation, turn).max() < 0.2
    middle = elsewhere.xyz.mean(axis=0)
    off = found.rotation @ middle + found.translation - (turn @ middle + shift)
    assert np.linalg.norm(off, axis=1).max() < 0.05
    assert found.score.min() > 0.999


@pytest.mark.parametrize("metric", METRICS)
def test_refinement_never_ends_below_its_start_and_says_its_score(metric, blobs, slopes):
    values = slopes if metric == "vectors" else blobs.values
    points = model(metric)
    rotation, translation = moved(12, 40.0, 6.0, seed=5)
    starts = [slow_score(metric, values, points, *pose) for pose in zip(rotation, translation, strict=True)]
    last = np.array(starts)
    for steps in (0, 1, 5, 50):
        found = refine_poses(values, FRAME, points, rotation, translation, metric, steps)
        ends = [slow_score(metric, values, points, *pose) for pose in zip(*found[:2], strict=True)]
        np.testing.assert_allclose(found.score, ends, atol=1e-6)
        assert (found.score >= last - 1e-6).all()
        assert np.allclose(found.rotation @ np.swapaxes(found.rotation, 1, 2), np.eye(3), atol=1e-9)
        last = found.score
        if not steps:
            np.testing.assert_allclose(found.rotation, rotation, atol=1e-12)
            np.testing.assert_allclose(found.translation, translation, atol=1e-12)
    assert (last > np.array(starts) + 1e-3).all()


@pytest.mark.parametrize("metric", METRICS)
def test_where_it_rests_no_small_move_is_better(metric, blobs, slopes):
    values = slopes if metric == "vectors" else blobs.values
    points = model(metric)
    rotation, translation = moved(1, 10.0, 2.0)
    found = refine_poses(values, FRAME, points, rotation, translation, metric)
    middle = found.rotation[0] @ points.xyz.mean(axis=0)
    turns, shifts = moved(40, 0.5, 0.05, seed=7)
    for turn, shift in zip(turns, shifts, strict=True):
        there = turn @ found.rotation[0], found.translation[0] + middle - turn @ middle + shift
        assert slow_score(metric, values, points, *there) < found.score[0] + 1e-7


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("unit", [1e-5, 1e4])
def test_units_of_the_map_change_nothing(metric, unit, blobs, slopes):
    values = slopes if metric == "vectors" else blobs.values
    points = model(metric)
    rotation, translation = moved(3, 8.0, 1.5)
    one = refine_poses(values, FRAME, points, rotation, translation, metric)
    other = refine_poses(values * np.float32(unit), FRAME, points, rotation, translation, metric)
    assert angles_between(one.rotation, other.rotation).max() < 0.02
    np.testing.assert_allclose(one.translation, other.translation, atol=0.005)
    np.testing.assert_allclose(other.score, one.score * (unit if metric == "overlap" else 1), rtol=1e-4)


@pytest.mark.usefixtures("restore_threads")
def test_threads_strides_and_types_do_not_matter(blobs):
    points, (rotation, translation) = model("about_mean"), moved(9, 20.0, 3.0)
    _core.set_threads(1)
    one = refine_poses(blobs.values, FRAME, points, rotation, translation)
    table = measure_poses(blobs, points, rotation, translation)
    for threads in (2, 3):
        _core.set_threads(threads)
        other = Points(np.asfortranarray(points.xyz), points.values.tolist(), points.weights.tolist())
        again = refine_poses(
            np.asfortranarray(blobs.values.astype(float)),
            FRAME,
            other,
            np.asfortranarray(rotation),
            translation.tolist(),
        )
        for found, known in zip(again, one, strict=True):
            np.testing.assert_array_equal(found, known)
        for found, known in zip(measure_poses(blobs, other, rotation, translation), table, strict=True):
            np.testing.assert_array_equal(found, known)


def test_progress_is_told_and_what_it_raises_stops_the_refinement(blobs):
    points = Points(around(5000), height(around(5000)))
    rotation, translation = moved(5000, 30.0, 5.0)
    told = []

    def stop(done, total):
        told.append((done, total))
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine_poses(blobs.values, FRAME, points, rotation, translation, progress=stop)
    assert len(told) == 2
    assert told[-1][0] < told[-1][1] == 5000


def placed(rotation, translation, xyz):
    return np.einsum("nij,mj->nmi", rotation, xyz) + translation[:, None]


def slow_distinct(near, most):
    """The first of each place, by a table of which poses are near each other."""
    firsts, place = [], []
    for row in near:
        known = [number for number, first in enumerate(firsts) if row[first]]
        if known:
            place.append(known[0])
        elif len(firsts) < most:
            firsts.append(len(place))
            place.append(len(firsts) - 1)
        else:
            place.append(-1)
    return firsts, place


def clusters(seed):
    """Poses in disorder around a few."""
    rng = np.random.default_rng(seed)
    turns = Rotation.from_matrix(random_rotations(4, seed)[rng.integers(4, size=60)])
    rotation = (Rotation.from_rotvec(rng.normal(size=(60, 3)) * 0.08) * turns).as_matrix()
    return rotation, rng.normal(size=(60, 3)) * 2.0, rng.normal(size=(25, 3)) * [10, 5, 3] + [40, -20, 7]


@few
@given(SEEDS, st.floats(0.5, 30), st.sampled_from([3, 1000]))
def test_distinct_poses_are_those_of_brute_force_rmsd(seed, rmsd, most):
    rotation, translation, xyz = clusters(seed)
    at = placed(rotation, translation, xyz)
    distance = np.sqrt(((at[:, None] - at) ** 2).sum(axis=3).mean(axis=2))
    if (np.abs(distance - rmsd) < 1e-9).any():
        return
    found = distinct_poses(rotation, translation, xyz, rmsd=rmsd, most=most)
    firsts, place = slow_distinct(distance <= rmsd, most)
    np.testing.assert_array_equal(found.first, firsts)
    np.testing.assert_array_equal(found.place, place)


@few
@given(SEEDS, st.floats(1, 60), st.floats(0.5, 10))
def test_distinct_poses_by_angle_and_shift_are_those_of_brute_force(seed, angle, shift):
    rotation, translation, xyz = clusters(seed)
    middle = placed(rotation, translation, xyz).mean(axis=1)
    away = np.linalg.norm(middle[:, None] - middle, axis=2)
    angles = angles_between(rotation[:, None], rotation)
    found = distinct_poses(rotation, translation, xyz, angle=angle, shift=shift)
    firsts, place = slow_distinct((away <= shift) & (angles <= angle), 1000)
    np.testing.assert_array_equal(found.first, firsts)
    np.testing.assert_array_equal(found.place, place)


def test_candidates_are_sorted_joined_and_told_apart():
    turn, middle = np.tile(np.eye(3), (4, 1, 1)), np.array([0.0, 0.5, 9.0, 9.1])
    some = Candidates(turn, middle[:, None] * np.ones(3), np.array([1.0, 3.0, 2.0, 3.0]))
    found = some.best_first()
    assert found.score.tolist() == [3, 3, 2, 1]
    assert found.translation[:, 0].tolist() == [0.5, 9.1, 9.0, 0.0]
    assert found.distinct(around(), rmsd=2.0).translation[:, 0].tolist() == [0.5, 9.1]
    assert found.distinct(around(), rmsd=2.0, most=1).score.tolist() == [3]
    both = Candidates.joined([some.select(slice(1)), found.select(found.score > 2)])
    assert both.score.tolist() == [1, 3, 3]
    assert both.rotation.shape == (3, 3, 3)


def test_a_score_stands_out_by_robust_deviations():
    background = np.random.default_rng(0).normal(size=1000)
    z = standing_out(np.concatenate([[10.0], background]))
    assert 8.5 < z[0] < 11.5
    assert np.all(standing_out(np.ones(5)) == 0)


def test_nothing_in_gives_nothing_out(blobs):
    none, nowhere = np.empty((0, 3, 3)), np.empty((0, 3))
    assert refine_poses(blobs.values, FRAME, model("overlap"), none, nowhere).score.shape == (0,)
    assert measure_poses(blobs, model("overlap"), none, nowhere).overlap.shape == (0,)
    assert distinct_poses(none, nowhere, around(), rmsd=1.0).first.shape == (0,)
    alike = distinct_poses(np.stack([np.eye(3)] * 2), np.zeros((2, 3)), around(), rmsd=0.0, most=0)
    assert alike.first.shape == (0,)
    np.testing.assert_array_equal(alike.place, [-1, -1])


def test_a_single_point_and_equal_values_are_no_trouble(blobs):
    for points in (Points(np.zeros((1, 3)), np.ones(1)), Points(around(), np.ones(150))):
        for metric in ("overlap", "correlation", "about_mean"):
            found = refine_poses(blobs.values, FRAME, points, *moved(3, 5.0, 1.0), metric)
            assert np.isfinite(found.score).all()
            assert np.isfinite(found.rotation).all()
    nothing = refine_poses(np.zeros_like(blobs.values), FRAME, model("overlap"), *moved(3, 5.0, 1.0), "overlap")
    assert not nothing.score.any()


ONE = (np.eye(3)[None], np.zeros((1, 3)))
NAN = np.full((1, 3), np.nan)


def refining(points=None, start=ONE, metric="correlation", values=None, steps=5):
    values = np.ones(FRAME.shape_zyx, np.float32) if values is None else values
    return lambda: refine_poses(values, FRAME, points or Points(np.zeros((4, 3)), np.ones(4)), *start, metric, steps)


BAD = {
    "a map of another shape": ("does not fit", refining(values=np.ones((3, 4, 5), np.float32))),
    "a map of two axes": ("does not fit", refining(values=np.ones((3, 4), np.float32))),
    "one channel for vectors": ("does not fit", refining(metric="vectors")),
    "three channels for none": ("does not fit", refining(values=np.ones((3, *FRAME.shape_zyx), np.float32))),
    "a map that is not finite": ("not finite at voxel", refining(values=np.full(FRAME.shape_zyx, np.nan))),
    "no points": ("no points", refining(Points(np.empty((0, 3)), np.empty(0)))),
    "a point that is not finite": ("point 0", refining(Points(NAN, np.ones(1)))),
    "points in a plane": ("shape", refining(Points(np.zeros((4, 2)), np.ones(4)))),
    "a value that is not finite": ("value or weight must be finite", refining(Points(np.zeros((1, 3)), [np.inf]))),
    "a weight that is not finite": ("weight must be finite", refining(Points(np.zeros((1, 3)), [1.0], [np.nan]))),
    "too few values": ("points and values", refining(Points(np.zeros((4, 3)), np.ones(3)))),
    "too many weights": ("points and weights", refining(Points(np.zeros((4, 3)), np.ones(4), np.ones(5)))),
    "vectors for numbers": ("points and values", refining(Points(np.zeros((4, 3)), np.ones((4, 3))))),
    "a rest of values": (
        "points and values",
        refining(
            Points(np.zeros((4, 3)), np.ones(13)), metric="vectors", values=np.ones((3, *FRAME.shape_zyx), np.float32)
        ),
    ),
    "an unknown metric": ("no metric 'best'", refining(metric="best")),
    "fewer than no steps": ("steps must be 0 or more", refining(steps=-1)),
    "a pose that is not finite": ("pose holds a value that is not finite .row 0", refining(start=(ONE[0], NAN))),
    "a mirror": ("no proper rotation .row 0", refining(start=(-ONE[0], ONE[1]))),
    "rotations of another shape": ("rotations must have the shape", refining(start=(np.ones((1, 3, 4)), ONE[1]))),
    "translations of another shape": ("must have the shape", refining(start=(ONE[0], np.ones((1, 2))))),
    "more rotations than translations": ("2 rotations for 1", refining(start=(np.stack([np.eye(3)] * 2), ONE[1]))),
    "distinct: no points": ("no points", lambda: distinct_poses(*ONE, np.empty((0, 3)))),
    "distinct: a point that is not finite": ("not finite", lambda: distinct_poses(*ONE, NAN, rmsd=1.0)),
    "distinct: a pose that is not finite": ("not finite", lambda: distinct_poses(ONE[0], NAN, np.ones((2, 3)))),
    "distinct: a negative distance": ("rmsd must be 0", lambda: distinct_poses(*ONE, np.ones((2, 3)), rmsd=-1.0)),
    "distinct: a limit that is no number": ("angle must be 0", lambda: distinct_poses(*ONE, np.eye(3), angle=np.nan)),
    "distinct: a negative shift": ("shift must be 0", lambda: distinct_poses(*ONE, np.eye(3), shift=-0.1)),
    "distinct: fewer than none": ("most must be 0 or more", lambda: distinct_poses(*ONE, np.eye(3), most=-1)),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_what_is_wrong(name):
    message, call = BAD[name]
    with pytest.raises(InputError, match=message):
        call()


def test_bad_poses_are_not_measured(blobs):
    points = Points(np.zeros((4, 3)), np.ones(4))
    for rotation, translation, message in ((ONE[0], NAN, "not finite"), (2 * ONE[0], ONE[1], "proper")):
        with pytest.raises(InputError, match=message):
            measure_poses(blobs, points, rotation, translation)
