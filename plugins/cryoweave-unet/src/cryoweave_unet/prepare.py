"""The map as the network sees it: voxels of 1 Å, density on one scale."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.errors import StageError
from cryoweave.kernels import grid

VOXEL = 1.0
"""Å."""
LOW, HIGH = -1.0, 3.0
"""Densities beyond are cut, in units of the scale."""


def prepared(density: DensityMap, voxel: float = VOXEL) -> DensityMap:
    """The map with voxels of this size in Å, by trilinear interpolation, divided by its scale and cut.

    Raises
    ------
    StageError
        If no density is positive.
    """
    frame = density.frame.with_voxel(voxel)
    values = grid.resample(density.values, density.frame, frame)
    return DensityMap(normalised(values, scale_of(values)), frame)


def normalised(values: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Density over its scale, cut."""
    found: NDArray[np.float32] = np.clip(values / np.float32(scale), LOW, HIGH)
    return found


def scale_of(values: NDArray[np.float32]) -> float:
    """What counts as 1: the mean of the positive densities weighted by their cubes, Σρ⁴ / Σρ³.

    High powers make it depend on the molecule and little on how much solvent, empty box or mask is around.

    Raises
    ------
    StageError
        If no density is positive.
    """
    positive = values[values > 0].astype(np.float64)
    if not len(positive):
        raise StageError("the map has no density above 0", "is it masked away, or inverted? See `cryoweave check`")
    positive /= positive.max()
    return float((positive**4).sum() / (positive**3).sum() * float(values.max()))
