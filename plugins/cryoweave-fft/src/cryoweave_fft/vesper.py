"""VESPER: unit vectors towards density, multiplied over all rotations and places, then around the best."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.cloud import unit_vectors
from cryoweave.kernels.fitted import require_room, resolution_of
from cryoweave.kernels.fitting import Atoms, Box, box_around, candidates
from cryoweave.kernels.grid import require_contrast
from cryoweave.kernels.rigid import Candidates
from cryoweave.kernels.rotations import local_rotations
from cryoweave.kernels.search import Score, Target, Template, rotational_search
from cryoweave_fft.lattice import each, poses_of, searched
from cryoweave_fft.stages import VesperParams

CONE = 5.0
"""Degrees around the best rotations that are searched again."""
CONE_STEP = 2.5
LINKED = 0.2
"""Scores closer than this share of their range are one cluster; the largest is the background."""
MODEL_VOXEL = 0.25
"""Voxels of the model's own map over the resolution."""
CUT = 0.01
"""Share of the maximum below which the model's map counts as empty."""


def search(density: DensityMap, models: ModelSet, params: VesperParams, ctx: Context) -> Poses:
    """The best distinct poses of each model, on the lattice."""
    require_contrast(density)
    resolution = resolution_of(params.resolution)
    coarse = density.frame.with_voxel(params.voxel)
    target, there = _encoded(density, coarse, params, params.contour)

    def one(name: str, atoms: Atoms) -> Poses:
        require_room(name, atoms, density)
        template, radius, middle, size = _template(atoms, resolution, params)
        placed = DensityMap(np.ones(coarse.shape_zyx, np.float32), coarse)
        box = _with_channels(box_around(placed, there, there, radius), target, coarse)
        score: Score = "cosine" if params.mode == "correlation" else "sum"
        found, each_best = searched(box, template, score, params.angle_step, middle, ctx)
        best = found.distinct(atoms.xyz, rmsd=params.voxel, most=params.top)
        around = _around(box, template, score, best, middle, ctx)
        kept = around.distinct(atoms.xyz, rmsd=params.voxel, most=params.top)
        return poses_of(name, kept, {"z": standing_out(kept.score, each_best), "per_vector": kept.score / size})

    return each(models, one)


def _encoded(
    density: DensityMap, frame: Frame, params: VesperParams, contour: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Channels on a coarse grid, and where there is density."""
    vectors, average = unit_vectors(density.values, density.frame, frame, bandwidth=params.bandwidth, threshold=contour)
    there = average > 0
    if params.mode == "vectors":
        return np.ascontiguousarray(np.moveaxis(vectors, -1, 0)), there
    return (average if params.mode == "correlation" else there.astype(np.float32))[None], there


def _template(
    atoms: Atoms, resolution: float, params: VesperParams
) -> tuple[Template, float, NDArray[np.float64], float]:
    """The model's channels on the coarse grid, its radius, its centre, and how many voxels have density."""
    model = atoms.density(resolution, MODEL_VOXEL * resolution)
    rim = 2 * params.voxel
    x, y, z = (value - rim for value in model.frame.origin_xyz)
    nz, ny, nx = (int(np.ceil((side + 2 * rim) / params.voxel)) + 1 for side in model.frame.extent_xyz[::-1])
    frame = Frame((nz, ny, nx), (params.voxel,) * 3, (x, y, z))
    channels, there = _encoded(model, frame, params, CUT * float(model.values.max()))
    middle = atoms.middle()
    centre = frame.to_zyx(middle)[0]
    away = (np.argwhere(there) - centre) * params.voxel
    radius = float(np.sqrt((away**2).sum(axis=1).max())) + 4 * params.voxel
    place = (float(centre[0]), float(centre[1]), float(centre[2]))
    vectors = params.mode == "vectors"
    return Template(channels, frame.voxel_xyz, place, vectors), radius, middle, float(there.sum())


def _with_channels(box: Box, channels: NDArray[np.float32], frame: Frame) -> Box:
    """The box with these channels of the whole grid, as far as they lie in it."""
    first = np.round(frame.to_zyx(box.frame.origin_xyz)[0]).astype(int)
    held = box.target.values[0] > 0
    values = np.zeros((len(channels), *box.frame.shape_zyx), np.float32)
    at = np.argwhere(held)
    values[(slice(None), *at.T)] = channels[(slice(None), *(at + first).T)]
    return Box(Target(values, box.target.voxel_xyz, box.target.allowed), box.frame)


def _around(
    box: Box, template: Template, score: Score, best: Candidates, middle: NDArray[np.float64], ctx: Context
) -> Candidates:
    """Each pose and the best near its rotation, best first."""
    cone = local_rotations(CONE, CONE_STEP).matrices
    turns = np.concatenate([cone @ rotation for rotation in best.rotation])
    found = rotational_search(box.target, template, score, turns, ctx.progress, ctx.spread)
    return Candidates.joined([best, candidates(found, box, turns, middle)]).best_first()


def standing_out(score: NDArray[np.floating], background: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores in standard deviations from the mean of the largest cluster of the background (single linkage)."""
    ordered = np.sort(background)
    gap = LINKED * (ordered[-1] - ordered[0])
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > gap) + 1)
    largest = max(parts, key=len)
    spread = largest.std()
    return np.asarray((score - largest.mean()) / spread if spread > 0 else np.zeros(len(score)))
