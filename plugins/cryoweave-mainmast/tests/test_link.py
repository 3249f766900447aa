"""What it costs to join segments, and the pieces that orders make of them."""

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame, PointCloud
from cryoweave.kernels.graph import SegmentOrder
from cryoweave_mainmast.link import (
    BREAK,
    BREAK_STEP,
    FAR,
    SKIP,
    TURN,
    Segments,
    join_costs,
    pieces,
    segments_of,
    skip_cost,
    tangent,
)

FRAME = Frame((30, 30, 60), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))


def tube(*stretches, width=1.2):
    """Density along straight stretches parallel to x at y = z = 15."""
    places = FRAME.to_xyz(np.indices(FRAME.shape_zyx).reshape(3, -1).T)
    values = np.zeros(len(places))
    for low, high in stretches:
        nearest = np.column_stack((np.clip(places[:, 0], low, high), np.full((len(places), 2), 15.0)))
        values = np.maximum(values, np.exp(-((places - nearest) ** 2).sum(axis=1) / (2 * width**2)))
    return DensityMap(values.reshape(FRAME.shape_zyx), FRAME)


def line(low, high, y=15.0, step=1.0):
    x = np.arange(low, high + 1e-9, step)
    return np.column_stack((x, np.full(len(x), y), np.full(len(x), 15.0)))


def cloud(*paths, weight=1.0):
    edges, start = [], 0
    for path in paths:
        edges += [[start + i, start + i + 1] for i in range(len(path) - 1)]
        start += len(path)
    return PointCloud(xyz=np.concatenate(paths), weight=np.full(start, weight), edges=np.array(edges))


def costs(density, ends, outward):
    ends, outward = np.array(ends, float), np.array(outward, float)
    gap = np.linalg.norm(ends[:, None] - ends[None], axis=2)
    return join_costs(cloud(line(5, 20), line(30, 50)), density, 2.0, ends, outward, gap)


def pair(density, gap, outward):
    """Cost of joining an end at x = 20, which points to +x, to one ``gap`` Å on."""
    return costs(density, [[20, 15, 15], [20 + gap, 15, 15]], [[1, 0, 0], outward])[0, 1]


BROKEN = tube((0, 20), (30, 60))


def test_costs_are_symmetric_and_none_below_zero():
    rng = np.random.default_rng(0)
    ends, outward = rng.uniform(5, 25, (12, 3)), rng.normal(size=(12, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    found = costs(BROKEN, ends, outward)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_array_equal(np.diag(found), 0)
    assert found.min() >= 0


def test_a_straight_continuation_is_cheapest_and_a_hairpin_dearest():
    straight, corner, hairpin = (pair(BROKEN, 5.0, out) for out in ([-1, 0, 0], [0, 1, 0], [1, 0, 0]))
    assert corner - straight == pytest.approx(TURN)
    assert hairpin - corner == pytest.approx(TURN)


def test_density_along_a_gap_makes_it_cheaper():
    assert pair(tube((0, 60)), 9.0, [-1, 0, 0]) < 0.7 * pair(BROKEN, 9.0, [-1, 0, 0])


def test_longer_gaps_cost_more_up_to_a_break():
    steps = [pair(BROKEN, gap, [-1, 0, 0]) for gap in (1.0, 3.0, 6.0, 9.0)]
    assert steps == sorted(steps)
    far = pair(BROKEN, FAR + 5, [-1, 0, 0])
    assert far == pytest.approx(BREAK + BREAK_STEP * (FAR + 5))
    assert steps[-1] < far


def test_ends_that_meet_pay_for_their_turn_only():
    assert pair(BROKEN, 0.0, [-1, 0, 0]) == 0
    assert pair(BROKEN, 0.0, [1, 0, 0]) == pytest.approx(2 * TURN)


def test_leaving_a_segment_out_costs_its_length():
    path = np.arange(16, dtype=np.int32)
    assert skip_cost(cloud(line(5, 20)), path) == pytest.approx(SKIP * 15)
    loose = cloud(line(5, 35, step=2.0))
    assert skip_cost(loose, path) < SKIP * 30 * 0.5
    weak = PointCloud(xyz=line(5, 36), weight=np.repeat([1.0, 0.2], 16), edges=np.zeros((0, 2), np.int32))
    assert skip_cost(weak, path + 16) < 0.5 * skip_cost(weak, path)


def test_a_tangent_points_out_of_the_path():
    path = line(5, 20)
    np.testing.assert_allclose(tangent(path), [-1, 0, 0])
    np.testing.assert_allclose(tangent(path[::-1]), [1, 0, 0])
    np.testing.assert_allclose(tangent(path[:2]), [-1, 0, 0])
    assert np.isfinite(tangent(np.ones((3, 3)))).all()


def test_segments_of_two_components_know_both():
    points = cloud(line(5, 20), line(30, 50, y=16.0))
    segments = segments_of(points, BROKEN, 2.0, 8.0)
    assert [len(path) for path in segments.paths] == [16, 21]
    assert segments.join.shape == segments.gap.shape == (4, 4)
    assert segments.gap[1, 2] == pytest.approx(np.hypot(10, 1))
    np.testing.assert_array_equal(segments.join, segments.join.T)
    assert segments.join[1, 2] < segments.join[0, 2]


def made(paths):
    ends = np.array([end for path in paths for end in (path[0], path[-1])])
    gap = np.linalg.norm(ends[:, None] - ends[None], axis=2)
    return Segments(list(paths), np.zeros_like(gap), np.ones(len(paths)), gap)


def order(segments, backward):
    return SegmentOrder(0.0, np.array(segments), np.array(backward))


def test_pieces_follow_the_order_and_direction():
    segments = made([line(0, 10), line(20, 30), line(12, 18)])
    (whole,) = pieces(segments, order([0, 2, 1], [False] * 3), 7.0)
    np.testing.assert_allclose(whole[:, 0], [*range(11), *range(12, 19), *range(20, 31)])
    (turned,) = pieces(segments, order([1, 2, 0], [True] * 3), 7.0)
    np.testing.assert_allclose(turned, whole[::-1])


def test_a_long_gap_begins_another_piece():
    segments = made([line(0, 10), line(20, 30), line(12, 18)])
    assert [len(p) for p in pieces(segments, order([0, 1, 2], [False] * 3), 7.0)] == [11, 11, 7]
    assert [len(p) for p in pieces(segments, order([0, 1], [False, True]), 7.0)] == [11, 11]
    assert [len(p) for p in pieces(segments, order([0, 1], [False, False]), 10.0)] == [22]


def test_a_shared_fork_is_taken_once_and_crumbs_are_dropped():
    meeting = made([line(0, 10), line(10, 20)])
    (whole,) = pieces(meeting, order([0, 1], [False, False]), 7.0)
    np.testing.assert_allclose(whole[:, 0], range(21))
    crumbs = made([line(0, 1), line(30, 40)])
    assert [len(p) for p in pieces(crumbs, order([0, 1], [False, False]), 7.0)] == [11]
