"""Our tracer: every component, several contours, segments of the skeleton joined into whole chains."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, SequenceSet, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import contact_edges, order_segments
from cryoweave.kernels.grid import interpolate, volume_threshold
from cryoweave.kernels.peaks import mean_shift, merge_points
from cryoweave_mainmast.helix import restored
from cryoweave_mainmast.link import Segments, pieces, segments_of
from cryoweave_mainmast.pool import the_sequence
from cryoweave_mainmast.stages import PathsParams, PointParams

NODE_STEP = 0.8
"""Å between the nodes of a finished path."""
STEPS_PER_SEGMENT, FEWEST_STEPS = 2000, 30_000


def trace_paths(density: DensityMap, sequences: SequenceSet, params: PathsParams, ctx: Context) -> Traces:
    """Candidates, each a chain through the density: its pieces are the candidate's fragments, in the chain's order."""
    the_sequence(sequences)
    candidates: list[tuple[float, list[NDArray[np.float64]]]] = []
    contours = contours_of(density, sequences, params.volumes)
    clouds = point_clouds(density, [contour for _, contour in contours], params, ctx)
    for (volume, contour), points in zip(contours, clouds, strict=True):
        if len(points) < 2 or not len(points.edges):
            ctx.log.info("contour %.4g (%g Å³ a residue): no connected density", contour, volume)
            continue
        segments = segments_of(points, density, params.bandwidth, params.side_branch)
        orders = orders_of(segments, params, ctx)
        ctx.log.info(
            "contour %.4g (%g Å³ a residue): %d points, %d segments, %d orders",
            contour, volume, len(points), len(segments.paths), len(orders),
        )  # fmt: skip
        candidates += [(-cost, chain) for cost, chain in orders]
    candidates = [(score, chain) for score, chain in candidates if chain]
    if not candidates:
        raise StageError(
            "no contour gives a connected trace", "is this the density of the given sequences? `cryoweave check` says"
        )
    ctx.note("contours", ", ".join(f"{contour:.4g}" for _, contour in contours))
    ctx.note("candidate chains", len(candidates))
    return as_traces(density, candidates)


def contours_of(density: DensityMap, sequences: SequenceSet, volumes: tuple[float, ...]) -> list[tuple[float, float]]:
    """Volume for each residue (Å³) and the contour that encloses it, the largest volume first."""
    found = []
    for volume in sorted(set(volumes), reverse=True):
        voxels = round(volume * sequences.residues / density.frame.voxel_volume)
        if voxels < 1:
            raise StageError(
                f"{volume:g} Å³ a residue is less than one voxel of {density.frame.voxel_volume:.3g} Å³",
                "give larger volumes for each residue, or is the voxel size right?",
            )
        contour = volume_threshold(density.values, min(voxels, density.values.size - 1))
        found.append((volume, max(contour, 0.0)))
    return found


def point_clouds(density: DensityMap, contours: list[float], params: PointParams, ctx: Context) -> Iterator[PointCloud]:
    """Local dense points for each contour, ascending: the mean shift is done once, at the lowest."""
    voxel_zyx = np.array(density.frame.voxel_xyz[::-1])
    started, ended, theta = mean_shift(
        density.values,
        contours[0],
        tuple(params.bandwidth / voxel_zyx),
        tuple(params.allow / voxel_zyx),
        progress=ctx.progress,
    )
    at_start = density.values[tuple(started.T)]
    for contour in contours:
        above = np.flatnonzero(at_start > contour)
        if not len(above):
            yield PointCloud(xyz=np.zeros((0, 3)), weight=np.zeros(0, np.float32))
            continue
        span = max(float(np.ptp(theta[above])), np.finfo(np.float32).tiny)
        scaled = (theta[above] - theta[above].min()) / span
        kept = above[scaled >= params.filter]
        weight = scaled[scaled >= params.filter]
        xyz = density.frame.to_xyz(ended[kept])
        survivors, owner = merge_points(xyz, weight, params.merge)
        edges = contact_edges(started[kept], owner, density.frame.shape_zyx)
        yield PointCloud(xyz=xyz[survivors], weight=weight[survivors], edges=edges)


def orders_of(segments: Segments, params: PathsParams, ctx: Context) -> list[tuple[float, list[NDArray[np.float64]]]]:
    """The best orders of the segments, each as its cost and the pieces of its chain, restored."""
    found = order_segments(
        segments.join,
        segments.skip,
        restarts=params.restarts,
        steps=max(FEWEST_STEPS, STEPS_PER_SEGMENT * len(segments.paths)),
        seed=ctx.seed,
        progress=ctx.progress,
    )
    return [
        (order.cost, [restored(piece, NODE_STEP) for piece in pieces(segments, order, params.longest_gap)])
        for order in found[: params.orders]
    ]


def as_traces(density: DensityMap, candidates: list[tuple[float, list[NDArray[np.float64]]]]) -> Traces:
    """The candidates, best first, as one value; a node's weight is the density there."""
    candidates.sort(key=lambda candidate: -candidate[0])
    fragments = [(rank, score, piece) for rank, (score, chain) in enumerate(candidates) for piece in chain]
    xyz = np.concatenate([piece for _, _, piece in fragments])
    return Traces(
        xyz=xyz,
        weight=interpolate(density.values, density.frame, xyz),
        fragment=np.repeat(np.arange(len(fragments)), [len(piece) for _, _, piece in fragments]),
        candidate=np.array([rank for rank, _, _ in fragments]),
        score=np.array([score for _, score, _ in fragments]),
    )
