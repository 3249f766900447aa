"""How much of a map's structure poses explain, alone and in pairs: the terms of one least-squares fit.

Map and models are compared by the curvature of their density, in which neighbours and solvent count for little.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import SIGMA, Atoms, curved, points_of
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.rigid import measure_poses

Progress = Callable[[int, int], object]
Pose = tuple[NDArray[np.float64], NDArray[np.float64]]
EXTRA = 0.5
"""Blur of map and models beyond the resolution's, as a share of its square: what is left fits on the voxels."""
SAMPLING = 3.0
"""Voxels for each resolution."""
FINER = 3
"""Voxels of a template for each of the map, since it is read between them."""
BLOCK = 8_000_000
"""Numbers of one block of voxels by poses: 32 MB."""


class Terms(NamedTuple):
    """Of ``n`` placements with curvatures ``d`` in a map of curvature ``m``."""

    fit: NDArray[np.float64]
    """``Σ m d``, shape ``(n,)``."""
    norm: NDArray[np.float64]
    """``Σ d²``, also beyond the map, shape ``(n,)``."""
    both: NDArray[np.float64]
    """``Σ d d'`` of each two, shape ``(n, n)``; the diagonal is what lies within the map."""


def field_of(density: DensityMap, resolution: float) -> DensityMap:
    """The curvature of a map of this resolution (Å)."""
    return curved(coarsened(density, resolution / SAMPLING, SIGMA * resolution * np.sqrt(EXTRA)))


def template_of(atoms: Atoms, resolution: float) -> DensityMap:
    """The curvature of a model's density, as :func:`field_of` would have it, on finer voxels."""
    fine = resolution / SAMPLING / FINER
    return curved(atoms.density(resolution * np.sqrt(1 + EXTRA), fine, 3 * fine))


def quick_fit(
    field: DensityMap, atoms: Atoms, resolution: float, placements: Sequence[Sequence[Pose]]
) -> tuple[NDArray[np.float64], float]:
    """``Σ m d`` of placements of one model nearly, from its larger values only, shape ``(n,)``; and ``Σ d²`` of one."""
    voxel = resolution / SAMPLING
    template = curved(atoms.density(resolution * np.sqrt(1 + EXTRA), voxel, 2 * voxel))
    points = points_of(template)
    count = len(placements[0]) if placements else 1
    turns = np.array([pose[0] for poses in placements for pose in poses]).reshape(-1, 3, 3)
    shifts = np.array([pose[1] for poses in placements for pose in poses]).reshape(-1, 3)
    ratio = template.frame.voxel_volume / field.frame.voxel_volume
    overlap = measure_poses(field, points, turns, shifts).overlap * len(points.xyz) * ratio
    return overlap.reshape(-1, count).sum(axis=1), float(np.sum(points.values**2)) * ratio * count


def terms(
    field: DensityMap, templates: Sequence[DensityMap], placements: Sequence[Sequence[Pose]], progress: Progress
) -> Terms:
    """Products of what placements have in the map's voxels.

    Parameters
    ----------
    field
        From :func:`field_of`.
    templates
        One for each placement (repeated where models are), from :func:`template_of`.
    placements
        Each one pose or several, e.g. all copies by symmetry.
    progress
        Called now and then.
    """
    n, frame = len(placements), field.frame
    fit, both = np.zeros(n), np.zeros((n, n))
    per_plane = frame.shape_zyx[1] * frame.shape_zyx[2]
    planes = max(1, BLOCK // max(1, n * per_plane))
    nz = frame.shape_zyx[0]
    for first in range(0, nz, planes):
        last = min(first + planes, nz)
        block = np.zeros((n, last - first, *frame.shape_zyx[1:]), np.float32)
        for i, poses in enumerate(placements):
            progress(first * n + i * (last - first), nz * n)
            for pose in poses:
                add(block[i], frame, templates[i], pose, first)
        rows = block.reshape(n, -1)
        fit += rows @ field.values[first:last].reshape(-1)
        both += rows @ rows.T
    ratio = [template.frame.voxel_volume / frame.voxel_volume for template in templates]
    own = [
        float(np.vdot(t.values, t.values)) * r * len(p) for t, r, p in zip(templates, ratio, placements, strict=True)
    ]
    return Terms(fit, np.maximum(own, np.diag(both)), both)


def add(values: NDArray[np.float32], frame: Frame, template: DensityMap, pose: Pose, first: int = 0) -> None:
    """Add a placed template to planes of a grid, from plane ``first`` on."""
    low, high = _reach(template.frame, pose, frame, (first, first + len(values)))
    if np.any(low >= high):
        return
    # A voxel's place in the template is a sum of three, one for each axis.
    along = [np.zeros((b - a, 3)) for a, b in zip(low, high, strict=True)]
    for axis, steps in enumerate(along):
        steps[:, 2 - axis] = np.arange(low[axis], high[axis]) * frame.voxel_xyz[2 - axis]
    z, y, x = (steps @ pose[0] for steps in along)
    xyz = z[:, None, None] + y[None, :, None] + (x + (np.array(frame.origin_xyz) - pose[1]) @ pose[0])
    found = interpolate(template.values, template.frame, xyz.reshape(-1, 3)).reshape(xyz.shape[:3])
    values[low[0] - first : high[0] - first, low[1] : high[1], low[2] : high[2]] += found


def _reach(
    small: Frame, pose: Pose, frame: Frame, planes: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and past-the-last voxels of the grid that a placed small grid can touch."""
    corners = np.array(np.meshgrid(*((0, n - 1) for n in small.shape_zyx))).reshape(3, -1).T
    zyx = frame.to_zyx(small.to_xyz(corners) @ pose[0].T + pose[1])
    low = np.floor(zyx.min(axis=0)).astype(np.int64)
    high = np.ceil(zyx.max(axis=0)).astype(np.int64) + 1
    return (
        np.maximum(low, [planes[0], 0, 0]),
        np.minimum(high, [planes[1], frame.shape_zyx[1], frame.shape_zyx[2]]),
    )


def best_scale(found: Terms, chosen: NDArray[np.intp]) -> float:
    """The factor by which the models' curvature is the map's, by least squares; 0 if that is negative."""
    both = found.both[np.ix_(chosen, chosen)]
    whole = both.sum() - np.trace(both) + found.norm[chosen].sum()
    return float(max(found.fit[chosen].sum() / whole, 0.0)) if whole > 0 else 0.0
