"""Places of a structure found by trying all rotations on a lattice, then climbing."""

from cryoweave.host import Context
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.places import Ground, climbed, lattice_of
from cryoweave.kernels.rigid import Candidates

TURN = 0.75
"""Angular step over (resolution / radius of gyration). Right places are found up to 0.8 on maps of 5.8 to 13 Å."""
STEPS = (8.0, 30.0)
"""Bounds of the angular step in degrees."""
SHARE = 0.1
"""Of a template's largest value: points below are left out of refinement."""


def searched(
    atoms: Atoms, ground: Ground, angle_step: float | None, most: int, finish: int, ctx: Context
) -> Candidates:
    """The best distinct places: scan, climb at the coarse resolution, climb at the map's."""
    lattice = lattice_of(atoms, ground, angle_step=angle_step, turn=TURN, bounds=STEPS)
    coarse, apart = ground.levels[0].resolution, ground.levels[-1].resolution
    found = lattice.scanned(ctx.progress, ctx.spread).distinct(atoms.xyz, rmsd=coarse / 2, most=most)
    for level, kept in zip(ground.levels, (most, finish), strict=False):
        found = climbed(atoms, found.select(slice(kept)), level, apart, ctx.progress, share=SHARE)
    return found
