"""What every rigid fit needs: a model as a template, the part of a map to search, candidates from a search."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels.encode import curvature
from cryoweave.kernels.peaks import local_maxima
from cryoweave.kernels.rigid import Candidates, Points
from cryoweave.kernels.search import Found, Target, Template, fast_size
from cryoweave.kernels.simulate import simulate_blurred

SIGMA = 0.225
"""Standard deviation of an atom's Gaussian over the resolution: its transform falls to 1/e at 1/d."""
REACH = 3.0
"""Standard deviations that a model's density reaches beyond its atoms."""
NEGLIGIBLE = 0.01
"""Values below this share of a template's largest are cut off, so that it ends somewhere."""
Encode = Callable[[DensityMap], DensityMap]


class Atoms(NamedTuple):
    """What is placed."""

    xyz: NDArray[np.float64]
    """In Å, shape ``(n, 3)``."""
    weight: NDArray[np.float64]
    """Electrons or mass of each, shape ``(n,)``."""

    def density(self, resolution: float, voxel: float, rim: float = 0.0) -> DensityMap:
        """Density at a resolution (Å) on a grid around the atoms, in their own coordinates, and an empty rim (Å)."""
        sigma = SIGMA * resolution
        margin = REACH * sigma + rim
        first = self.xyz.min(axis=0) - margin
        nx, ny, nz = np.ceil((self.xyz.max(axis=0) + margin - first) / voxel).astype(int) + 1
        frame = Frame((nz, ny, nx), (voxel,) * 3, (first[0], first[1], first[2]))
        return DensityMap(simulate_blurred(frame, self.xyz, self.weight, sigma), frame)

    def middle(self) -> NDArray[np.float64]:
        """The atom nearest to the centre: it lies in density even where the centre of a ring does not."""
        away = np.sum((self.xyz - self.xyz.mean(axis=0)) ** 2, axis=1)
        return np.asarray(self.xyz[np.argmin(away)])

    def gyration(self) -> float:
        """Radius of gyration in Å."""
        return float(np.sqrt(np.mean(np.sum((self.xyz - self.xyz.mean(axis=0)) ** 2, axis=1))))


def template_of(density: DensityMap, centre: NDArray[np.float64]) -> Template:
    """A template from a model's density, or what it was encoded as, that turns about a point (Å).

    Its rim is set to zero, and so are values that are negligible.
    """
    values = np.array(density.values)
    values[np.abs(values) < NEGLIGIBLE * np.abs(values).max()] = 0
    for axis in range(3):
        np.moveaxis(values, axis, 0)[[0, -1]] = 0
    z, y, x = density.frame.to_zyx(centre)[0]
    return Template(values[None], density.frame.voxel_xyz, (float(z), float(y), float(x)))


def radius_of(template: Template) -> float:
    """Å from the centre to the farthest voxel that is not zero, and one voxel more."""
    filled = np.argwhere(np.any(template.values != 0, axis=0))
    sides = np.array(template.voxel_xyz[::-1])
    away = (filled - np.array(template.centre_zyx)) * sides
    return float(np.sqrt(np.max(np.sum(away**2, axis=1), initial=0.0)) + 2 * np.linalg.norm(sides))


def points_of(density: DensityMap, share: float = 0.05) -> Points:
    """Voxels of a template's density (or encoding) above this share of its largest value, with their values."""
    values = density.values
    chosen = np.argwhere(np.abs(values) > share * np.abs(values).max())
    return Points(density.frame.to_xyz(chosen), values[tuple(chosen.T)].astype(np.float64))


@dataclass(frozen=True, eq=False)
class Box:
    """The part of a map that is searched, with room for a template to turn.

    Parameters
    ----------
    target
        What :func:`cryoweave.kernels.search.rotational_search` takes.
    frame
        Where the voxels of the target lie; those beyond the map are empty.
    """

    target: Target
    frame: Frame


def box_around(density: DensityMap, allowed: NDArray[np.bool_], content: NDArray[np.bool_], radius: float) -> Box:
    """Cut out what a template of this radius can meet, and add the rim that a cyclic search needs.

    Parameters
    ----------
    density
        The map, encoded.
    allowed
        Voxels where a template's centre may lie.
    content
        Voxels whose values count; the others are set to zero.
    radius
        Of the template, Å.

    Raises
    ------
    StageError
        If no voxel is allowed.
    """
    if not allowed.any():
        raise StageError("nowhere in the map is there density to fit into", "lower the contour")
    content = content | allowed
    frame = density.frame
    first, shape, cut = [], [], []
    for axis, voxel in enumerate(frame.voxel_xyz[::-1]):
        others = tuple(other for other in range(3) if other != axis)
        a, b = np.flatnonzero(allowed.any(axis=others))[[0, -1]]
        p, q = np.flatnonzero(content.any(axis=others))[[0, -1]]
        reach = int(np.ceil(radius / voxel))
        p, q = max(p, a - reach), min(q, b + reach)
        first.append(int(p))
        cut.append(slice(p, q + 1))
        shape.append(fast_size(int(max(q - a + reach, b - p + reach, 2 * reach) + 2)))
    inner = (
        slice(0, cut[0].stop - cut[0].start),
        slice(0, cut[1].stop - cut[1].start),
        slice(0, cut[2].stop - cut[2].start),
    )
    values, centres = np.zeros(shape, np.float32), np.zeros(shape, bool)
    part = (cut[0], cut[1], cut[2])
    values[inner] = density.values[part] * content[part]
    centres[inner] = allowed[part]
    origin = frame.to_xyz(first)[0]
    placed = Frame((shape[0], shape[1], shape[2]), frame.voxel_xyz, (origin[0], origin[1], origin[2]))
    return Box(Target(values[None], frame.voxel_xyz, centres), placed)


def candidates(
    found: Found, box: Box, rotations: NDArray[np.float64], centre: NDArray[np.float64], most: int = 20_000
) -> Candidates:
    """The best place of each rotation, and the best rotation at each local maximum of the scores; best first."""
    shape = box.frame.shape_zyx
    peaks = local_maxima(np.where(np.isfinite(found.score), found.score, -1e30), -1e29)
    at = tuple(peaks.T)
    own = np.stack(np.unravel_index(found.voxel, shape), axis=1)
    place = np.concatenate([peaks, own])
    score = np.concatenate([found.score[at], found.best]).astype(np.float64)
    which = np.concatenate([found.rotation[at].astype(np.intp), np.arange(len(found.best))])
    order = np.argsort(-score, kind="stable")[:most]
    order = order[np.isfinite(score[order])]
    turn = rotations[which[order]]
    shift = box.frame.to_xyz(place[order]) - turn @ centre
    return Candidates(turn, shift, score[order])


def curved(density: DensityMap) -> DensityMap:
    """The curvature of a map, zero at its faces, where its density is cut off."""
    found = curvature(density)
    values = np.array(found.values)
    for axis in range(3):
        np.moveaxis(values, axis, 0)[[0, 1, -2, -1]] = 0
    return DensityMap(values, found.frame)


def grown(mask: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    """The mask and all voxels up to so many away along the axes."""
    found = mask
    for axis in range(3):
        wide = np.pad(found, [(voxels, voxels) if other == axis else (0, 0) for other in range(3)])
        windows = np.lib.stride_tricks.sliding_window_view(wide, 2 * voxels + 1, axis=axis)
        found = np.asarray(windows.any(axis=-1))
    return found
