"""Situs' colores: correlation of Laplacians, whose margin at the density's cut-off does not count."""

import numpy as np

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import require_room, resolution_of
from cryoweave.kernels.fitting import Atoms, box_around, grown, points_of, radius_of, template_of
from cryoweave.kernels.grid import laplacian, require_contrast
from cryoweave.kernels.rigid import refine_poses
from cryoweave_fft.lattice import each, poses_of, searched
from cryoweave_fft.stages import ColoresParams

STEPS = 100
"""Steps of refinement; the original's Powell search has 25 iterations of line searches along six directions."""


def search(density: DensityMap, models: ModelSet, params: ColoresParams, ctx: Context) -> Poses:
    """The best distinct poses of each model."""
    require_contrast(density)
    resolution = resolution_of(params.resolution)
    grid = coarsened(density, params.voxel) if params.voxel else density
    kept = grid.values > params.contour
    if not kept.any():
        raise StageError(
            f"no voxel lies above the contour {params.contour:g}; the map's maximum is {density.values.max():g}",
            "give a lower --contour",
        )
    cut = DensityMap(np.where(kept, grid.values, 0), grid.frame)
    # At the threshold's edge the Laplacian sees the cut, not the molecule.
    inner = ~grown(~kept, 1)
    edges = DensityMap(-laplacian(cut.values, grid.frame.voxel_xyz) * inner, grid.frame)

    def one(name: str, atoms: Atoms) -> Poses:
        require_room(name, atoms, density)
        voxel = min(grid.frame.voxel_xyz)
        blurred = atoms.density(resolution, voxel, 2 * voxel)
        curved = DensityMap(-laplacian(blurred.values, blurred.frame.voxel_xyz), blurred.frame)
        middle = atoms.middle()
        template = template_of(curved, middle)
        box = box_around(edges, kept, inner, radius_of(template))
        found, _ = searched(box, template, "cosine", params.angle_step, middle, ctx)
        starts = found.distinct(atoms.xyz, rmsd=resolution, most=params.explored)
        points = points_of(curved)
        refined = refine_poses(
            edges.values, edges.frame, points, starts.rotation, starts.translation, "correlation", STEPS, ctx.progress
        )
        return poses_of(name, refined.best_first().distinct(atoms.xyz, rmsd=resolution / 2, most=params.top))

    return each(models, one)
