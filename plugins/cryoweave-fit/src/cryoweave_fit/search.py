"""The default: curvature of the density, a coarse search of all rotations, refinement of the best places."""

from time import perf_counter

import numpy as np

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import atoms_of, contour_of, require_room, resolution_of
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
from cryoweave.kernels.rigid import Candidates, refine_poses, standing_out
from cryoweave.kernels.rotations import uniform_rotations
from cryoweave.kernels.search import rotational_search
from cryoweave_fit.stages import MeasureParams, SearchParams

SAMPLING = 2.0
"""Voxels for each resolution in the search: as coarse as the resolution allows."""
OVERSAMPLING = 1.5
"""Template voxels for each voxel of the map, since templates are read between voxels."""
TURN = 0.6
"""Angular step over (resolution / radius of gyration): by how much most atoms may be off before refinement fails.
Measured on three maps of 5.8 to 13 Å: right places are found up to 0.8."""
STEPS = (4.0, 21.0)
"""Bounds of the angular step in degrees."""
MARGIN = 2
"""Voxels around the contour whose density counts."""
CLIMB = 60
"""Steps of refinement."""


EVEN, WIDTH = 3.9, 0.55
"""`z` at which half of the fits are right, and by how much more the odds grow e-fold: a logistic curve not above the
share of right fits in any range of z, of unbound partners in simulated maps (`benchmarks/docking.py`, 2026-11-28)."""


def check(params: SearchParams | MeasureParams, **_inputs: object) -> None:
    """Whether the resolution is given."""
    resolution_of(params.resolution)


def search(density: DensityMap, models: ModelSet, params: SearchParams, ctx: Context) -> Poses:
    """The best distinct poses of each model."""
    resolution = resolution_of(params.resolution)
    contour = contour_of(density, params.contour)
    return Poses.joined(
        [_one(name, atoms_of(name, model), density, resolution, contour, params, ctx) for name, model in models]
    )


def _one(
    name: str, atoms: Atoms, density: DensityMap, resolution: float, contour: float, params: SearchParams, ctx: Context
) -> Poses:
    require_room(name, atoms, density)
    coarse = max(resolution, params.coarse)
    step = params.angle_step or float(
        np.clip(np.degrees(TURN * coarse / max(atoms.gyration(), 1.0)), STEPS[0], STEPS[1])
    )
    lattice = _search(atoms, density, resolution, coarse, contour, step, ctx)
    apart = params.apart or resolution
    starts = lattice.distinct(atoms.xyz, rmsd=coarse, most=params.candidates)
    refined = _refined(atoms, density, resolution, coarse, starts, apart, ctx)
    if coarse > resolution:
        refined = _refined(atoms, density, resolution, resolution, refined, apart, ctx)
    z = standing_out(refined.score)
    kept = slice(0, params.top)
    return Poses(
        refined.rotation[kept],
        refined.translation[kept],
        refined.score[kept],
        np.full(len(refined.score[kept]), name),
        {"z": z[kept], "sure": 1 / (1 + np.exp((EVEN - z[kept]) / WIDTH))},
    )


def _search(
    atoms: Atoms, density: DensityMap, resolution: float, coarse: float, contour: float, step: float, ctx: Context
) -> Candidates:
    """Poses on the lattice, best first."""
    blur = SIGMA * np.sqrt(coarse**2 - resolution**2)
    grid = coarsened(density, coarse / SAMPLING, blur)
    inside = coarsened(density, coarse / SAMPLING, SIGMA * coarse).values > contour
    if not inside.any():
        raise StageError(
            f"at {coarse:g} Å no density is left above the contour {contour:g}", "give a lower --contour, or none"
        )
    sides = grid.frame.voxel_xyz
    voxel = min(sides) / OVERSAMPLING
    middle = atoms.middle()
    template = template_of(curved(atoms.density(coarse, voxel, 2 * voxel)), middle)
    box = box_around(curved(grid), inside, grown(inside, MARGIN), radius_of(template))
    rotations = uniform_rotations(step)
    ctx.note("rotations", len(rotations.matrices))
    ctx.note("angle_step", round(rotations.radius, 1))
    ctx.note("box", " x ".join(str(n) for n in box.frame.shape_zyx))
    begun = perf_counter()
    found = rotational_search(box.target, template, "cosine", rotations.matrices, ctx.progress)
    ctx.note("rotations_per_second", round(len(rotations.matrices) / (perf_counter() - begun)))
    return candidates(found, box, rotations.matrices, middle)


def _refined(
    atoms: Atoms,
    density: DensityMap,
    resolution: float,
    at: float,
    starts: Candidates,
    apart: float,
    ctx: Context,
) -> Candidates:
    """Starts refined at a resolution, distinct, best first."""
    blur = SIGMA * np.sqrt(at**2 - resolution**2)
    field = curved(coarsened(density, at / 3, blur))
    points = points_of(curved(atoms.density(at, at / 3, at / 3)))
    found = refine_poses(
        field.values, field.frame, points, starts.rotation, starts.translation, "correlation", CLIMB, ctx.progress
    )
    return found.best_first().distinct(atoms.xyz, rmsd=apart)
