"""PowerFit: the correlation under the model's own mask, whose core counts more, of Laplacians."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import require_room, resolution_of
from cryoweave.kernels.fitting import Atoms, box_around, grown
from cryoweave.kernels.grid import laplacian, mask_around, require_contrast
from cryoweave.kernels.search import Template
from cryoweave_fft.lattice import each, poses_of, searched
from cryoweave_fft.stages import PowerFitParams

WORTH = 0.9
"""A map is made coarser if its voxels are below this share of the wanted ones."""
TARGET = 0.05
"""Share of the maximum above which a model's middle may lie."""
PER_DALTON = 1.21
"""Å³ of protein for each Da: 1 / (0.73 cm³/g)."""
PER_ELECTRON = 1.87
"""Da for each electron of a protein's heavy atoms, hydrogens included: 110 Da over 59 electrons."""


def search(density: DensityMap, models: ModelSet, params: PowerFitParams, ctx: Context) -> Poses:
    """The best distinct poses of each model, on the lattice."""
    require_contrast(density)
    resolution = resolution_of(params.resolution)
    wanted = resolution / params.sampling
    grid = coarsened(density, wanted) if max(density.frame.voxel_xyz) < WORTH * wanted else density
    values = _laplacian(grid) if params.laplacian else grid
    allowed = grid.values > TARGET * grid.values.max()
    content = grown(grid.values > params.trim * grid.values.max(), 3)

    def one(name: str, atoms: Atoms) -> Poses:
        require_room(name, atoms, density)
        template, radius, middle, scale = _template(atoms, resolution, min(grid.frame.voxel_xyz), params)
        box = box_around(values, allowed, content, radius)
        found, _ = searched(box, template, "local", params.angle_step, middle, ctx)
        correlation = np.clip(found.score * scale, -1 + 1e-9, 1 - 1e-9)
        best = found._replace(score=correlation).distinct(atoms.xyz, rmsd=resolution, most=params.top)
        z = np.arctanh(best.score)
        volume = atoms.weight.sum() * PER_ELECTRON * PER_DALTON
        deviation = 1 / np.sqrt(max(volume / resolution - 3, 1.0))
        return poses_of(name, best, {"fisher_z": z, "z": z / deviation})

    return each(models, one)


def _laplacian(density: DensityMap) -> DensityMap:
    return DensityMap(-laplacian(density.values, density.frame.voxel_xyz), density.frame)


def _template(
    atoms: Atoms, resolution: float, voxel: float, params: PowerFitParams
) -> tuple[Template, float, NDArray[np.float64], float]:
    """The channels ``w t`` and ``w``, the radius, the centre, and by what a score becomes a correlation."""
    blurred = atoms.density(resolution, voxel, params.mask_radius + 2 * voxel)
    model = _laplacian(blurred) if params.laplacian else blurred
    mask = mask_around(blurred.frame, atoms.xyz, params.mask_radius)
    weight = _core(mask) if params.core_weighted else mask.astype(np.float64)
    mean = np.sum(weight * model.values) / weight.sum()
    centred = weight * (model.values - mean)
    length = np.sqrt(np.sum(centred * (model.values - mean)))
    middle = atoms.middle()
    z, y, x = (float(value) for value in blurred.frame.to_zyx(middle)[0])
    channels = np.stack([centred, weight]).astype(np.float32)
    template = Template(channels, blurred.frame.voxel_xyz, (z, y, x))
    away = (np.argwhere(mask) - np.array([z, y, x])) * voxel
    radius = float(np.sqrt((away**2).sum(axis=1).max())) + 4 * voxel
    return template, radius, middle, 1.0 / float(length)


def _core(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many erosions each voxel of a mask survives, its surface 1."""
    depth = np.zeros(mask.shape)
    left = mask
    while left.any():
        depth += left
        left = ~grown(~left, 1)
    return depth
