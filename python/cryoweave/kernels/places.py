"""Places of models in a map by the curvature of their density: all rotations on a coarse lattice, then climbing.

The map is made ready once (:func:`ground_of`); each model is tried on its lattice and its best places climb, level by
level.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.errors import StageError
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import (
    SIGMA,
    Atoms,
    Box,
    box_around,
    candidates,
    curved,
    grown,
    points_of,
    radius_of,
    template_of,
)
from cryoweave.kernels.rigid import Candidates, refine_poses
from cryoweave.kernels.rotations import Rotations, uniform_rotations
from cryoweave.kernels.search import Progress, Spread, Template, rotational_search

SAMPLING = 2.0
"""Voxels for each resolution in the search: as coarse as the resolution allows."""
OVERSAMPLING = 1.5
"""Template voxels for each voxel of the map, since templates are read between voxels."""
MARGIN = 2
"""Voxels around the contour whose density counts."""
CLIMB = 60
"""Steps of refinement."""


class Level(NamedTuple):
    """What is climbed at one resolution."""

    resolution: float
    """Å."""
    field: DensityMap
    """The map's curvature at it."""


class Ground(NamedTuple):
    """A map made ready for the search of any model: what all of them share."""

    ridges: DensityMap
    """Curvature on the lattice of the search."""
    allowed: NDArray[np.bool_]
    """Where a model's middle may lie."""
    content: NDArray[np.bool_]
    """Whose curvature counts."""
    levels: tuple[Level, ...]
    """At the resolution of the search and, if that is another, at the map's."""


def ground_of(density: DensityMap, resolution: float, coarse: float, contour: float) -> Ground:
    """Prepare a map of a resolution (Å) for a search at a coarser one.

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
    steps = dict.fromkeys((coarse, resolution))
    levels = [Level(step, curved(coarsened(density, step / 3, _blur(step, resolution)))) for step in steps]
    return Ground(curved(grid), allowed, grown(allowed, MARGIN), tuple(levels))


def _blur(coarse: float, fine: float) -> float:
    """What a map of the finer resolution lacks to one of the coarser, Å."""
    return float(SIGMA * np.sqrt(coarse**2 - fine**2))


class Lattice(NamedTuple):
    """All rotations of a model at all places of a map."""

    box: Box
    template: Template
    rotations: Rotations
    middle: NDArray[np.float64]
    """About which the model turns, Å."""

    def scanned(self, progress: Progress, spread: Spread | None = None) -> Candidates:
        """The best place of each rotation, and the best rotation of each place; best first."""
        turns = self.rotations.matrices
        found = rotational_search(self.box.target, self.template, "cosine", turns, progress, spread)
        return candidates(found, self.box, turns, self.middle)


def lattice_of(
    atoms: Atoms, ground: Ground, *, angle_step: float | None, turn: float, bounds: tuple[float, float]
) -> Lattice:
    """The lattice of a model.

    Parameters
    ----------
    atoms, ground
        What is placed, and where.
    angle_step
        Largest angle (°) between any rotation and one that is tried.
    turn, bounds
        Without it: the angle over (resolution / radius of gyration), and within which degrees it stays.
    """
    coarse = ground.levels[0].resolution
    step = angle_step or float(np.clip(np.degrees(turn * coarse / max(atoms.gyration(), 1.0)), *bounds))
    voxel = min(ground.ridges.frame.voxel_xyz) / OVERSAMPLING
    middle = atoms.middle()
    template = template_of(curved(atoms.density(coarse, voxel, 2 * voxel)), middle)
    box = box_around(ground.ridges, ground.allowed, ground.content, radius_of(template))
    return Lattice(box, template, uniform_rotations(step), middle)


def climbed(
    atoms: Atoms, starts: Candidates, level: Level, apart: float, progress: Progress, *, share: float = 0.05
) -> Candidates:
    """Starts refined at a level, those that stay apart (Å), best first.

    Points of the model's curvature below a share of its largest are left out.
    """
    voxel = level.resolution / 3
    points = points_of(curved(atoms.density(level.resolution, voxel, voxel)), share)
    frame = level.field.frame
    found = refine_poses(level.field.values, frame, points, *starts[:2], "correlation", CLIMB, progress)
    return found.best_first().distinct(atoms.xyz, rmsd=apart)
