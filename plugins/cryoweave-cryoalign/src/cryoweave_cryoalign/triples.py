"""Many guesses, each by three correspondences, judged by how the model's directions follow those of the map."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame
from cryoweave.host import Context
from cryoweave.kernels.cloud import Cloud, descriptors, match_descriptors, unit_vectors
from cryoweave.kernels.registration import Motions, agreement, field_ascent, field_scores, triple_motions
from cryoweave.kernels.rigid import distinct_poses
from cryoweave_cryoalign.clouds import Scene, enough
from cryoweave_cryoalign.found import Found, sorted_by
from cryoweave_cryoalign.stages import AlignParams

SCREENED, JUDGED, CLIMBED = 120, 400, 800
"""Of the model's points so many judge all guesses, so many the best of them, and so many refine the best of those."""
BEST = 5000
"""So many guesses are judged a second time."""
LEAST_SIDE = 10.0
"""Å; triangles with a shorter side fix no rotation."""
FIRST_DISTINCT = 4.0
"""Å (RMSD) by which guesses differ that are refined."""


def by_triples(source: Scene, target: Scene, params: AlignParams, ctx: Context) -> Found:
    """The refined guesses, best first; none if no triangle agrees."""
    voxel, bandwidth = params.fine_voxel, params.fine_bandwidth
    model = enough(source.sample(voxel, bandwidth, ctx), "the model")
    points = enough(target.sample(voxel, bandwidth, ctx), "the map")
    guesses, pairs = _guesses((source, model), (target, points), params, ctx)
    ctx.note("correspondences", pairs)
    ctx.note("guesses", len(guesses.translation))
    grid = target.density.frame.with_voxel(voxel)
    field, _ = unit_vectors(
        target.density.values, target.density.frame, grid, bandwidth=bandwidth, threshold=target.contour
    )
    climbed = _refined(field, grid, model, guesses, params, ctx)
    score = _scores(field, grid, model, climbed, ctx)
    matched, agreeing = agreement(model, points, climbed, within=voxel, cosine=params.cosine, progress=ctx.progress)
    measures = {
        "agreeing": agreeing,
        "matched": matched,
        "correspondences": np.full(len(score), np.nan),
        "cosine": score,
    }
    return sorted_by(score, climbed, measures)


def _guesses(
    source: tuple[Scene, Cloud], target: tuple[Scene, Cloud], params: AlignParams, ctx: Context
) -> tuple[Motions, int]:
    keys, tables = [], []
    for scene, cloud in (source, target):
        found = scene.keypoints(cloud, params.keypoint_bandwidth, params.fine_voxel, ctx)
        keys.append(found)
        tables.append(descriptors(cloud, found, params.fine_radius, progress=ctx.progress))
    pairs, _ = match_descriptors(tables[0], tables[1], params.neighbours, progress=ctx.progress)
    motions = triple_motions(
        keys[0][pairs[:, 0]],
        keys[1][pairs[:, 1]],
        params.fine_noise,
        least_side=LEAST_SIDE,
        most=params.guesses,
        progress=ctx.progress,
    )
    return motions, len(pairs)


def _refined(
    field: NDArray[np.float32], grid: Frame, model: Cloud, guesses: Motions, params: AlignParams, ctx: Context
) -> Motions:
    """The best distinct guesses, brought to the nearest maximum."""
    if not len(guesses.translation):
        return guesses
    best = guesses
    for points, kept in ((SCREENED, BEST), (JUDGED, BEST)):
        score = _scores(field, grid, thinned(model, points), best, ctx)
        best = best.select(np.argsort(-score, kind="stable")[:kept])
    first = distinct_poses(*best, thinned(model, 50).xyz, rmsd=FIRST_DISTINCT, most=params.refined).first
    chosen = best.select(first)
    few = thinned(model, CLIMBED)
    climbed, _ = field_ascent(field, grid, few, chosen, params.fine_voxel, progress=ctx.progress)
    return climbed


def _scores(
    field: NDArray[np.float32], grid: Frame, model: Cloud, motions: Motions, ctx: Context
) -> NDArray[np.float64]:
    return field_scores(field, grid, model, motions, progress=ctx.progress)


def thinned(cloud: Cloud, most: int) -> Cloud:
    """Every so many-th point, so that about ``most`` are left."""
    step = max(1, len(cloud.xyz) // most)
    return Cloud(cloud.xyz[::step], cloud.normals[::step], cloud.density[::step])
