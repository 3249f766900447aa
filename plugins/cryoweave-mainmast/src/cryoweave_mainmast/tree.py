"""From local dense points to paths: spanning tree, local trees, tabu search."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import connected_components, local_spanning_edges, minimum_spanning_tree, tabu_trees
from cryoweave.kernels.peaks import kernel_density
from cryoweave_mainmast.contrast import require_contrast
from cryoweave_mainmast.stages import TraceParams

SAMPLES = 9
"""Places along an edge, ends left out, at which the kernel density is looked up."""


def trace(density: DensityMap, points: PointCloud, params: TraceParams, ctx: Context) -> Traces:
    """Trees through the largest component; each trajectory is a candidate, its longest path the first fragment.

    A candidate's further fragments are the branches in the order in which the tree's score takes them.
    """
    kept, edges = largest_component(points)
    xyz = points.xyz[kept]
    require_contrast(density, xyz, "points")
    lengths = np.linalg.norm(xyz[edges[:, 0]] - xyz[edges[:, 1]], axis=1)
    tree = minimum_spanning_tree(len(xyz), edges, lengths)
    local = local_spanning_edges(xyz, edges, lengths, params.rlocal)
    useful = np.union1d(tree, local)
    edges, lengths = edges[useful], lengths[useful]
    start = np.searchsorted(useful, tree)
    ctx.note("nodes of the largest component", len(xyz))
    ctx.note("share of the points in it", round(len(xyz) / len(points), 3))
    trajectories = tabu_trees(
        len(xyz),
        edges,
        lengths,
        edge_scores(density, xyz, edges, lengths, params.bandwidth),
        start,
        frozen_edges(start, lengths, params.dkeep),
        rounds=params.nround,
        neighbours=params.nnb,
        tabu=params.ntb,
        stretch=params.const,
        trajectories=params.trajectories,
        similarity=params.similarity,
        seed=ctx.seed,
        progress=ctx.progress,
    )
    if not trajectories:
        raise StageError("no tree has a path", "lower the threshold so that more of the density is connected")
    paths = [(candidate, branch) for candidate, found in enumerate(trajectories) for branch in found.branches]
    ctx.note("nodes of the best longest path", len(trajectories[0].branches[0]))
    return Traces(
        xyz=np.concatenate([xyz[branch] for _, branch in paths]),
        weight=np.concatenate([points.weight[kept][branch] for _, branch in paths]),
        fragment=np.repeat(np.arange(len(paths)), [len(branch) for _, branch in paths]),
        candidate=np.array([candidate for candidate, _ in paths]),
        score=np.array([trajectories[candidate].score for candidate, _ in paths]),
    )


def largest_component(points: PointCloud) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Indices of the points of the largest connected component, and its edges numbered within it."""
    if len(points) < 2 or not len(points.edges):
        raise StageError(
            f"{len(points)} local dense points with {len(points.edges)} connections make no tree",
            "lower the threshold or the filter; points must come with `edges`, as those of peaks.meanshift do",
        )
    labels = connected_components(len(points), points.edges)
    kept = np.flatnonzero(labels == np.bincount(labels).argmax())
    number = np.full(len(points), -1, dtype=np.int32)
    number[kept] = np.arange(len(kept))
    edges = number[points.edges]
    return kept, edges[(edges >= 0).all(axis=1)]


def edge_scores(
    density: DensityMap,
    xyz: NDArray[np.float64],
    edges: NDArray[np.int32],
    lengths: NDArray[np.float64],
    bandwidth: float,
) -> NDArray[np.float64]:
    """Least kernel density along each edge, over the largest at any point, times the edge's length in Å."""
    voxel_zyx = np.array(density.frame.voxel_xyz[::-1])
    fractions = np.arange(1, SAMPLES + 1) / (SAMPLES + 1)
    first, second = xyz[edges[:, 0]], xyz[edges[:, 1]]
    samples = first[:, None] + fractions[None, :, None] * (second - first)[:, None]
    zyx = density.frame.to_zyx(samples.reshape(-1, 3))
    theta = kernel_density(density.values, zyx, tuple(bandwidth / voxel_zyx)).reshape(len(edges), SAMPLES)
    highest = max(float(theta.max()), np.finfo(np.float32).tiny)
    return np.asarray(theta.min(axis=1) / highest * lengths, dtype=np.float64)


def frozen_edges(start: NDArray[np.intp], lengths: NDArray[np.float64], dkeep: float) -> NDArray[np.bool_]:
    """Which edges may not be cut: those of the spanning tree that are shorter than Dkeep."""
    frozen = np.zeros(len(lengths), dtype=bool)
    frozen[start] = lengths[start] < dkeep
    return frozen
