"""The two searches as published: one motion in all of the map, or one in each of many spheres."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.cloud import Cloud, descriptors, match_descriptors
from cryoweave.kernels.registration import Motion, Motions, agreement, register, robust_icp
from cryoweave_cryoalign.clouds import Scene, enough
from cryoweave_cryoalign.found import Found, sorted_by
from cryoweave_cryoalign.stages import AlignParams

SPHERE = 1.1
"""Radius of the sphere over half of the model's largest extent."""
STRIDE = 0.5
"""From one sphere to the next, over the radius."""
LEAST_POINTS, LEAST_KEYPOINTS = 100, 10
"""A sphere that holds no more is left out."""


@dataclass(frozen=True)
class Side:
    """Sampled points, keypoints and their descriptors."""

    cloud: Cloud
    keys: NDArray[np.float64]
    table: NDArray[np.float32]

    def within(self, centre: NDArray[np.float64], radius: float) -> "Side":
        """What lies in a sphere."""
        near = np.linalg.norm(self.cloud.xyz - centre, axis=1) <= radius
        key = np.linalg.norm(self.keys - centre, axis=1) <= radius
        cloud = Cloud(self.cloud.xyz[near], self.cloud.normals[near], self.cloud.density[near])
        return Side(cloud, self.keys[key], self.table[key])


def by_whole(source: Scene, target: Scene, params: AlignParams, ctx: Context) -> Found:
    """The one motion that most correspondences agree on, if any."""
    model, map_ = _side(source, "the model", params, ctx), _side(target, "the map", params, ctx)
    return _judged(model, map_, [_registered(model, map_, params)], params, ctx)


def by_masks(source: Scene, target: Scene, params: AlignParams, ctx: Context) -> Found:
    """The motion in each sphere that holds enough, best first."""
    model, map_ = _side(source, "the model", params, ctx), _side(target, "the map", params, ctx)
    radius = SPHERE * float(np.ptp(model.cloud.xyz, axis=0).max()) / 2
    centres = _centres(map_.cloud.xyz, STRIDE * radius)
    spheres = [map_.within(centre, radius) for centre in centres]
    full = [s for s in spheres if len(s.cloud.xyz) > LEAST_POINTS and len(s.keys) > LEAST_KEYPOINTS]
    ctx.note("spheres", len(full))
    if not full:
        need = f"more than {LEAST_POINTS} points and {LEAST_KEYPOINTS} keypoints"
        raise StageError(
            f"no sphere as wide as the model holds {need}", "lower `contour`, or `voxel` for a small model"
        )
    motions = ctx.over(lambda sphere, _: _registered(model, sphere, params), full)
    return _judged(model, map_, list(motions), params, ctx)


def _side(scene: Scene, what: str, params: AlignParams, ctx: Context) -> Side:
    cloud = enough(scene.sample(params.voxel, params.bandwidth, ctx), what)
    keys = scene.keypoints(cloud, params.keypoint_bandwidth, params.voxel, ctx)
    radius = params.radius * params.voxel
    return Side(cloud, keys, descriptors(cloud, keys, radius, progress=ctx.progress))


def _centres(xyz: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Centres that cover the box around points."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    along = [np.arange(a + step / 2, max(b, a + step), step) for a, b in zip(low, high, strict=True)]
    grid: NDArray[np.float64] = np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid


def _registered(model: Side, map_: Side, params: AlignParams) -> tuple[Motion, int] | None:
    """The motion that most correspondences agree on, improved by closest points, and how many those are."""
    if not len(model.keys) or not len(map_.keys):
        return None
    pairs, _ = match_descriptors(model.table, map_.table)
    found = register(model.keys[pairs[:, 0]], map_.keys[pairs[:, 1]], params.noise * params.voxel)
    if found is None:
        return None
    motion, _ = robust_icp(model.cloud.xyz, map_.cloud.xyz, found.motion)
    return motion, len(found.clique)


def _judged(
    model: Side, map_: Side, found: list[tuple[Motion, int] | None], params: AlignParams, ctx: Context
) -> Found:
    """Scored by the share of matched points whose directions agree, as published; 0 where too few are matched."""
    right = [one for one in found if one is not None]
    motions = Motions(
        np.array([motion.rotation for motion, _ in right]).reshape(-1, 3, 3),
        np.array([motion.translation for motion, _ in right]).reshape(-1, 3),
    )
    matched, agreeing = agreement(
        model.cloud, map_.cloud, motions, within=params.within, cosine=params.cosine, progress=ctx.progress
    )
    score = np.where(matched >= params.least_matched, agreeing, 0.0)
    pairs = np.array([count for _, count in right], np.float64)
    unknown = np.full(len(score), np.nan)
    measures = {"agreeing": agreeing, "matched": matched, "correspondences": pairs, "cosine": unknown}
    return sorted_by(score, motions, measures)
