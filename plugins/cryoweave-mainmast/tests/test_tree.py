"""From points to trees: component, scores of edges, paths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, PointCloud
from cryoweave.errors import StageError
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_mainmast.tree import SAMPLES, edge_scores, frozen_edges, largest_component

MODEL = ideal_model("H" * 14 + "CCC" + "H" * 14)
DENSITY = simulated_map(MODEL, resolution=3.0)


@pytest.fixture(scope="module")
def points():
    return run_stage("peaks.meanshift", density=DENSITY, params={"threshold": 2.0})


@settings(deadline=None)
@given(st.integers(2, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), min_size=1, max_size=40))
def test_the_largest_component_equals_scipys(n, pairs):
    edges = np.array([sorted(pair) for pair in pairs if pair[0] != pair[1] and max(pair) < n]).reshape(-1, 2)
    cloud = PointCloud(xyz=np.random.default_rng(0).random((n, 3)), weight=np.ones(n), edges=edges)
    if not len(edges):
        with pytest.raises(StageError, match="make no tree"):
            largest_component(cloud)
        return
    kept, inner = largest_component(cloud)
    labels = connected_components(coo_array((np.ones(len(edges)), edges.T), shape=(n, n)), directed=False)[1]
    assert len(set(labels[kept].tolist())) == 1
    assert len(kept) == np.bincount(labels).max() == (labels == labels[kept[0]]).sum()
    np.testing.assert_array_equal(kept[inner], edges[np.isin(edges[:, 0], kept)])


def test_only_the_largest_component_is_traced(points):
    far = points.xyz[:20] + 500
    cloud = PointCloud(
        xyz=np.concatenate([far, points.xyz]),
        weight=np.concatenate([points.weight[:20], points.weight]),
        edges=np.concatenate([[[i, i + 1] for i in range(19)], points.edges + 20]),
    )
    quick = {"nround": 5, "trajectories": 1}
    alone = run_stage("mainmast.trace", density=DENSITY, points=points, params=quick)
    beside = run_stage("mainmast.trace", density=DENSITY, points=cloud, params=quick)
    np.testing.assert_array_equal(beside.xyz, alone.xyz)


def test_only_short_edges_of_the_tree_are_frozen():
    lengths = np.array([0.4, 0.5, 0.6, 0.1, 0.3])
    frozen = frozen_edges(np.array([0, 1, 2, 4]), lengths, 0.5)
    assert frozen.tolist() == [True, False, False, False, True]


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (1.2, 0.9, 1.5)])
def test_an_edge_scores_its_weakest_density_times_its_length(voxel):
    rng = np.random.default_rng(1)
    frame = Frame((12, 13, 14), voxel, (-6.0, 20.0, 3.0))
    density = DensityMap(rng.normal(1, 1, frame.shape_zyx).astype(np.float32), frame)
    xyz = frame.to_xyz(rng.uniform(3, 9, (10, 3)))
    edges = np.array([(i, j) for i in range(10) for j in range(i + 1, 10)], np.int32)
    lengths = np.linalg.norm(xyz[edges[:, 0]] - xyz[edges[:, 1]], axis=1)
    found = edge_scores(density, xyz, edges, lengths, bandwidth=2.0)

    voxels = frame.to_xyz(np.indices(frame.shape_zyx).reshape(3, -1).T)
    heights = np.maximum(density.values.ravel(), 0)
    weakest, highest = [], 0.0
    for first, second in edges:
        theta = []
        for k in range(1, SAMPLES + 1):
            place = xyz[first] + k / (SAMPLES + 1) * (xyz[second] - xyz[first])
            theta.append((np.exp(-1.5 * ((voxels - place) ** 2).sum(axis=1)) * heights).sum())
        weakest.append(min(theta))
        highest = max(highest, *theta)
    np.testing.assert_allclose(found, np.array(weakest) / highest * lengths, rtol=1e-4)


def test_traces_are_trees_through_the_points(points):
    traces = run_stage("mainmast.trace", density=DENSITY, points=points, params={"nround": 20, "trajectories": 3})
    spot = cKDTree(points.xyz)
    for _, fragments in traces.candidates():
        taken = set()
        lengths = []
        for fragment in fragments:
            path = traces.xyz[traces.points_of(fragment)]
            gap, nodes = spot.query(path)
            assert gap.max() == 0
            assert not taken or nodes[0] in taken, "a branch begins on what was taken before"
            fresh = nodes.tolist()[1 if taken else 0 :]
            assert not taken & set(fresh), "no node is gone through twice"
            taken |= set(fresh)
            lengths.append(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        assert len(taken) == len(points)
        assert max(lengths) == lengths[0]


def test_the_longest_path_follows_the_chain(points):
    traces = run_stage("mainmast.trace", density=DENSITY, points=points, params={"nround": 200, "trajectories": 2})
    path = traces.xyz[traces.points_of(0)]
    assert (cKDTree(path).query(MODEL.trace_atoms().xyz)[0] < 3).mean() > 0.9


def test_candidates_come_from_the_seed(points):
    def traced(seed):
        params = {"nround": 50, "trajectories": 2}
        return run_stage("mainmast.trace", density=DENSITY, points=points, seed=seed, params=params).xyz

    np.testing.assert_array_equal(traced(1), traced(1))
    assert len({traced(seed).tobytes() for seed in range(1, 7)}) > 1
