"""Points from density."""

import logging

import numpy as np
import pytest
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.kernels.peaks import kernel_density
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("H" * 14 + "CC" + "E" * 8)
DENSITY = simulated_map(MODEL, resolution=2.5, voxel=0.8)
STRONG = float(np.quantile(DENSITY.values, 0.95))


def shifted(density=DENSITY, **params):
    return run_stage("peaks.meanshift", density=density, params={"threshold": STRONG} | params)


def beads(centres, width=1.2, shape=(24, 25, 26), voxel=(1.0, 1.0, 1.0), origin=(-9.0, 3.0, 50.0)):
    """A map of Gaussian balls."""
    frame = Frame(shape, voxel, origin)
    places = frame.to_xyz(np.indices(shape).reshape(3, -1).T)
    values = sum(np.exp(-((places - centre) ** 2).sum(axis=1) / (2 * width**2)) for centre in np.asarray(centres))
    return DensityMap(values.reshape(shape), frame)


def test_maxima_are_those_of_a_slow_twin():
    found = run_stage("peaks.maxima", density=DENSITY, params={"threshold": STRONG})
    slow = np.argwhere(
        (maximum_filter(DENSITY.values, 3, mode="nearest") == DENSITY.values) & (DENSITY.values > STRONG)
    )
    np.testing.assert_allclose(found.xyz, DENSITY.frame.to_xyz(slow))
    np.testing.assert_array_equal(found.weight, DENSITY.values[tuple(slow.T)])


@pytest.mark.parametrize("stage", ["peaks.maxima", "peaks.meanshift"])
def test_points_of_a_simulated_map_lie_at_atoms(stage):
    points = run_stage(stage, density=DENSITY, params={"threshold": STRONG})
    assert len(points) > 20
    assert cKDTree(MODEL.xyz).query(points.xyz)[0].max() < 1.2


def test_points_follow_the_whole_chain():
    points = shifted(threshold=0.3 * STRONG)
    assert cKDTree(points.xyz).query(MODEL.trace_atoms().xyz)[0].max() < 2.0


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (0.8, 1.0, 1.3)])
def test_a_ball_is_one_point_at_its_centre(voxel):
    centre = np.array([1.3, 13.9, 63.2])
    points = shifted(beads([centre], voxel=voxel), threshold=0.1)
    assert len(points) == 1
    np.testing.assert_allclose(points.xyz[0], centre, atol=0.25)
    assert points.weight[0] == 1


def test_edges_follow_continuous_density_only():
    """Two touching balls are joined, a third beyond empty density is not."""
    balls = [[-4.2, 10.1, 60.3], [0, 10, 60], [10, 20, 70]]
    density = beads(balls)
    points = shifted(density, threshold=0.05)
    which = cKDTree(balls).query(points.xyz)[1]
    assert sorted(which.tolist()) == [0, 1, 2]
    assert [sorted(which[edge].tolist()) for edge in points.edges] == [[0, 1]]


def test_weights_are_kernel_density_scaled_to_one():
    points = shifted(filter=0.0)
    voxels = 2.0 / np.array(DENSITY.frame.voxel_xyz[::-1])
    theta = kernel_density(DENSITY.values, DENSITY.frame.to_zyx(points.xyz), tuple(voxels))
    slope, offset = np.polyfit(theta, points.weight, 1)
    np.testing.assert_allclose(points.weight, slope * theta + offset, atol=1e-3)
    assert points.weight.max() == 1
    assert points.weight.min() >= 0


def test_the_filter_drops_the_weakest_points_and_no_others():
    every, some = shifted(filter=0.0), shifted(filter=0.4)
    assert some.weight.min() >= 0.4
    assert len(some) < len(every)
    kept = every.xyz[every.weight >= 0.4]
    assert cKDTree(some.xyz).query(kept)[0].max() < 0.5


@pytest.mark.parametrize("merge", [0.5, 2.0])
def test_points_are_no_closer_than_the_merging_distance(merge):
    points = shifted(merge=merge)
    assert cKDTree(points.xyz).query(points.xyz, k=2)[0][:, 1].min() >= merge


def test_a_climb_is_stopped_where_it_may_not_go_on():
    start = DENSITY.frame.to_xyz(np.argwhere(DENSITY.values > STRONG))
    points = shifted(allow=0.1, merge=0.05, filter=0.0)
    assert len(points) > len(shifted(filter=0.0))
    assert cKDTree(start).query(points.xyz)[0].max() < 0.8


def test_moving_the_map_moves_the_points():
    frame = DENSITY.frame
    offset = np.array([-200.0, 31.0, 7.7])
    moved = DensityMap(DENSITY.values, Frame(frame.shape_zyx, frame.voxel_xyz, tuple(offset + frame.origin_xyz)))
    here, there = shifted(), shifted(moved)
    np.testing.assert_allclose(there.xyz, here.xyz + offset)
    np.testing.assert_array_equal(there.edges, here.edges)


@pytest.mark.parametrize("stage", ["peaks.maxima", "peaks.meanshift"])
def test_a_threshold_left_at_zero_is_told(stage, caplog):
    with caplog.at_level(logging.WARNING, "cryoweave.stage"):
        run_stage(stage, density=DENSITY, params={"threshold": 0.3 * float(DENSITY.values.max())})
        assert not caplog.messages
        run_stage(stage, density=DENSITY)
    (message,) = caplog.messages
    assert "threshold is 0" in message
    assert "--set STEP.threshold" in message
