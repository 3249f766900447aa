"""The default: curvature of the density, a coarse search of all rotations, refinement of the best places."""

from time import perf_counter

import numpy as np

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.fitted import atoms_of, contour_of, require_room, resolution_of
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.places import Ground, climbed, ground_of, lattice_of
from cryoweave.kernels.rigid import Candidates, standing_out
from cryoweave_fit.stages import MeasureParams, SearchParams

TURN = 0.6
"""Angular step over (resolution / radius of gyration): by how much most atoms may be off before refinement fails.
Measured on three maps of 5.8 to 13 Å: right places are found up to 0.8."""
STEPS = (4.0, 21.0)
"""Bounds of the angular step in degrees."""
EVEN, WIDTH = 3.9, 0.55
"""`z` at which half of the fits are right, and by how much more the odds grow e-fold: a logistic curve not above the
share of right fits in any range of z, of unbound partners in simulated maps (`benchmarks/docking.py`, 2026-11-28)."""
CEILING = 0.99
"""Surer than this is no pose: 245 of 248 fits at .95 and more were right."""


def check(params: SearchParams | MeasureParams, **_inputs: object) -> None:
    """Whether the resolution is given."""
    resolution_of(params.resolution)


def search(density: DensityMap, models: ModelSet, params: SearchParams, ctx: Context) -> Poses:
    """The best distinct poses of each model."""
    resolution = resolution_of(params.resolution)
    contour = contour_of(density, params.contour)
    finest = 2 * max(density.frame.voxel_xyz)
    if resolution < finest:
        ctx.log.warning("the voxels hold %.1f Å at best: is the resolution, %g Å, right?", finest, resolution)
    everything = [(name, atoms_of(name, model)) for name, model in models]
    for name, atoms in everything:
        require_room(name, atoms, density)
    ground = ground_of(density, resolution, params.coarse, contour)
    found = Poses.joined([_one(name, atoms, ground, params, ctx) for name, atoms in everything])
    ctx.note("contour", round(contour, 4))
    return found


def _one(name: str, atoms: Atoms, ground: Ground, params: SearchParams, ctx: Context) -> Poses:
    coarse, fine = ground.levels[0].resolution, ground.levels[-1].resolution
    found = _scanned(atoms, ground, params, ctx).distinct(atoms.xyz, rmsd=coarse, most=params.candidates)
    for level in ground.levels:
        found = climbed(atoms, found, level, params.apart or fine, ctx.progress)
    z = standing_out(found.score)[: params.top]
    best = found.select(slice(params.top))
    return Poses(*best, np.full(len(z), name), {"z": z, "sure": CEILING / (1 + np.exp((EVEN - z) / WIDTH))})


def _scanned(atoms: Atoms, ground: Ground, params: SearchParams, ctx: Context) -> Candidates:
    """Poses on the lattice, best first."""
    lattice = lattice_of(atoms, ground, angle_step=params.angle_step, turn=TURN, bounds=STEPS)
    count = len(lattice.rotations.matrices)
    ctx.note("rotations", count)
    ctx.note("angle_step", round(lattice.rotations.radius, 1))
    ctx.note("box", " x ".join(str(n) for n in lattice.box.frame.shape_zyx))
    begun = perf_counter()
    found = lattice.scanned(ctx.progress, ctx.spread)
    ctx.note("rotations_per_second", round(count / (perf_counter() - begun)))
    return found
