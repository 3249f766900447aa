"""From local dense points to whole chains: skeleton, joins between its segments, orders."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud
from cryoweave.kernels.graph import SegmentOrder, minimum_spanning_tree, skeleton
from cryoweave.kernels.peaks import kernel_density

# Costs are in units in which leaving out 10 Å of well-resolved main chain costs 6. They were chosen on EMD-5778, 6555
# and 20026; see docs/methods/mainmast.md.
SKIP = 0.6
"""For each Å of a segment with the usual density."""
TURN = 1.5
"""For a right angle between segments that meet; a straight continuation is free, a hairpin costs twice this."""
GAP, GAP_STEP = 0.6, 0.5
"""For each Å between two ends without density, and for not meeting in one point."""
EMPTY = 1.3
"""Factor on a gap without density, less the share of the usual density along it."""
BREAK, BREAK_STEP = 10.0, 0.15
"""For a gap that no density explains, and for each Å of it: what a gap costs at most."""
NEAR = 8.0
"""Å; only ends this close have an angle."""
FAR = 15.0
"""Å; ends farther apart are a break whatever lies between."""
TANGENT = 4.0
"""Å at a segment's end that give its direction."""
LONG_EDGE = 1.2
"""Å; density between points farther apart than this was too weak to hold a point."""
MOST_SEGMENTS = 250
"""Noise makes thousands of short segments; beyond this many, those that cost least to leave out are left out."""
SAMPLES = np.arange(1, 8) / 8


@dataclass(frozen=True)
class Segments:
    """The skeleton of a point cloud.

    Parameters
    ----------
    paths
        Positions along each segment, Å.
    join
        Cost of going from one segment's end to another's, shape ``(2 n, 2 n)``.
    skip
        Cost of leaving each segment out, shape ``(n,)``.
    gap
        Å between ends, shape ``(2 n, 2 n)``.
    """

    paths: list[NDArray[np.float64]]
    join: NDArray[np.float64]
    skip: NDArray[np.float64]
    gap: NDArray[np.float64]


def segments_of(points: PointCloud, density: DensityMap, bandwidth: float, side_branch: float) -> Segments:
    """Skeleton of the minimum spanning forest of all components, and what it costs to join or to skip its segments."""
    lengths = np.linalg.norm(points.xyz[points.edges[:, 0]] - points.xyz[points.edges[:, 1]], axis=1)
    tree = minimum_spanning_tree(len(points), points.edges, lengths)
    nodes = skeleton(len(points), points.edges[tree], lengths[tree], side_branch)
    skip = np.array([skip_cost(points, path) for path in nodes])
    kept = np.sort(np.argsort(-skip, kind="stable")[:MOST_SEGMENTS])
    paths, skip = [points.xyz[nodes[segment]] for segment in kept], skip[kept]
    ends = np.array([end for path in paths for end in (path[0], path[-1])]).reshape(-1, 3)
    outward = np.array([tangent(way) for path in paths for way in (path, path[::-1])]).reshape(-1, 3)
    gap = np.linalg.norm(ends[:, None] - ends[None], axis=2)
    return Segments(paths, join_costs(points, density, bandwidth, ends, outward, gap), skip, gap)


def skip_cost(points: PointCloud, path: NDArray[np.int32]) -> float:
    """Length of a segment, counted less where its density is weak or its points far apart."""
    weight = np.minimum(points.weight[path[1:]], points.weight[path[:-1]]) / np.median(points.weight)
    lengths = np.linalg.norm(np.diff(points.xyz[path], axis=0), axis=1)
    return float(SKIP * (np.minimum(weight, 1) * np.exp(-np.maximum(lengths - LONG_EDGE, 0)) * lengths).sum())


def tangent(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vector out of the path at its first point."""
    distance = np.linalg.norm(path - path[0], axis=1)
    inner = int(np.argmax(distance > TANGENT)) if (distance > TANGENT).any() else len(path) - 1
    outward = path[0] - path[inner]
    return np.asarray(outward / max(float(np.linalg.norm(outward)), 1e-9))


def join_costs(
    points: PointCloud,
    density: DensityMap,
    bandwidth: float,
    ends: NDArray[np.float64],
    outward: NDArray[np.float64],
    gap: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Cost of each pair of ends: length of the gap, density along it, and turn."""
    first, second = np.nonzero(np.triu(gap < FAR, 1))
    samples = ends[first][:, None] + SAMPLES[None, :, None] * (ends[second] - ends[first])[:, None]
    width_zyx = tuple(bandwidth / spacing for spacing in density.frame.voxel_xyz[::-1])
    at_points = kernel_density(density.values, density.frame.to_zyx(points.xyz), width_zyx)
    along = kernel_density(density.values, density.frame.to_zyx(samples.reshape(-1, 3)), width_zyx)
    usual = max(float(np.median(at_points)), np.finfo(np.float32).tiny)
    share = np.clip(along.reshape(len(first), len(SAMPLES)).min(axis=1) / usual, 0, 1)
    distance = gap[first, second]
    bridge = np.where(distance < 0.1, 0, GAP_STEP + GAP * distance * (EMPTY - share))
    turn = TURN * np.clip(1 + (outward[first] * outward[second]).sum(axis=1), 0, 2) * (distance < NEAR)
    cost = BREAK + BREAK_STEP * gap
    cost[first, second] = np.minimum(bridge, cost[first, second]) + turn
    cost[second, first] = cost[first, second]
    np.fill_diagonal(cost, 0)
    return np.asarray(cost)


def pieces(segments: Segments, order: SegmentOrder, longest_gap: float) -> list[NDArray[np.float64]]:
    """The chain's paths in order; segments whose ends lie at most ``longest_gap`` Å apart are one piece."""
    found: list[list[NDArray[np.float64]]] = []
    last_exit = -1
    for segment, backward in zip(order.segments.tolist(), order.backward.tolist(), strict=True):
        path = segments.paths[segment][::-1] if backward else segments.paths[segment]
        entry = 2 * segment + backward
        if last_exit >= 0 and segments.gap[last_exit, entry] <= longest_gap:
            meets = segments.gap[last_exit, entry] < 0.1
            found[-1].append(path[1:] if meets else path)
        else:
            found.append([path])
        last_exit = entry ^ 1
    return [piece for piece in map(np.concatenate, found) if len(piece) >= 3]
