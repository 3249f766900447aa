"""Places of a structure found by trying all rotations on a lattice, then climbing."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import (
    SIGMA,
    Atoms,
    box_around,
    candidates,
    curved,
    grown,
    points_of,
    radius_of,
    template_of,
)
from cryoweave.kernels.rigid import Candidates, refine_poses
from cryoweave.kernels.rotations import uniform_rotations
from cryoweave.kernels.search import rotational_search

SAMPLING = 2.0
"""Voxels for each resolution in the search: as coarse as the resolution allows."""
OVERSAMPLING = 1.5
"""Template voxels for each voxel of the map, since templates are read between voxels."""
TURN = 0.75
"""Angular step over (resolution / radius of gyration). Right places are found up to 0.8 on maps of 5.8 to 13 Å."""
STEPS = (8.0, 30.0)
"""Bounds of the angular step in degrees."""
MARGIN = 2
"""Voxels around the contour whose density counts."""
CLIMB = 60
"""Steps of refinement."""
SHARE = 0.1
"""Of a template's largest value: points below are left out of refinement."""


class Ground(NamedTuple):
    """A map made ready for the search of any structure: what all of them share."""

    coarse: float
    """Resolution of the search, Å."""
    fine: float
    """Resolution of the map, Å."""
    ridges: DensityMap
    """Curvature on the lattice of the search."""
    allowed: NDArray[np.bool_]
    """Where a structure's middle may lie."""
    content: NDArray[np.bool_]
    """Whose curvature counts."""
    fields: tuple[DensityMap, ...]
    """Curvatures that refinement climbs, at the coarse resolution and, if that is another, at the map's."""


def ground_of(density: DensityMap, resolution: float, coarse: float, contour: float) -> Ground:
    """Prepare the map.

    Raises
    ------
    StageError
        If no density is left above the contour at the coarse resolution.
    """
    coarse = max(resolution, coarse)
    grid = coarsened(density, coarse / SAMPLING, _blur(coarse, resolution))
    allowed = coarsened(density, coarse / SAMPLING, SIGMA * coarse).values > contour
    if not allowed.any():
        raise StageError(
            f"at {coarse:g} Å no density is left above the contour {contour:g}", "give a lower --contour, or none"
        )
    levels = [coarse] if coarse == resolution else [coarse, resolution]
    fields = [curved(coarsened(density, level / 3, _blur(level, resolution))) for level in levels]
    return Ground(coarse, resolution, curved(grid), allowed, grown(allowed, MARGIN), tuple(fields))


def _blur(coarse: float, fine: float) -> float:
    return float(SIGMA * np.sqrt(coarse**2 - fine**2))


def scanned(atoms: Atoms, ground: Ground, angle_step: float | None, ctx: Context) -> Candidates:
    """All rotations at all places of the lattice, best first."""
    coarse = ground.coarse
    step = angle_step or float(np.clip(np.degrees(TURN * coarse / max(atoms.gyration(), 1.0)), *STEPS))
    voxel = min(ground.ridges.frame.voxel_xyz) / OVERSAMPLING
    middle = atoms.middle()
    template = template_of(curved(atoms.density(coarse, voxel, 2 * voxel)), middle)
    box = box_around(ground.ridges, ground.allowed, ground.content, radius_of(template))
    rotations = uniform_rotations(step)
    found = rotational_search(box.target, template, "cosine", rotations.matrices, ctx.progress)
    return candidates(found, box, rotations.matrices, middle)


def climbed(
    atoms: Atoms, starts: Candidates, field: DensityMap, resolution: float, apart: float, ctx: Context
) -> Candidates:
    """Starts refined against a curvature, distinct, best first."""
    points = points_of(curved(atoms.density(resolution, resolution / 3, resolution / 3)), SHARE)
    found = refine_poses(
        field.values, field.frame, points, starts.rotation, starts.translation, "correlation", CLIMB, ctx.progress
    )
    return found.best_first().distinct(atoms.xyz, rmsd=apart)


def searched(
    atoms: Atoms, ground: Ground, angle_step: float | None, most: int, finish: int, ctx: Context
) -> Candidates:
    """The best distinct places: scan, climb at the coarse resolution, climb at the map's."""
    found = scanned(atoms, ground, angle_step, ctx)
    starts = found.distinct(atoms.xyz, rmsd=ground.coarse / 2, most=most)
    refined = climbed(atoms, starts, ground.fields[0], ground.coarse, ground.fine, ctx)
    if len(ground.fields) > 1:
        refined = climbed(atoms, refined.select(slice(finish)), ground.fields[1], ground.fine, ground.fine, ctx)
    return refined
