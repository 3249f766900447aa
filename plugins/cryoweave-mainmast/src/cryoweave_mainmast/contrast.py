"""Points and paths want a map that says something where they are."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.errors import StageError
from cryoweave.kernels.grid import interpolate

ROUNDING = 1e-6
"""Share of the density by which interpolation of equal voxels may differ."""


def require_contrast(density: DensityMap, xyz: NDArray[np.float64], places: str) -> None:
    """Raise StageError if the density is the same at all positions (Å, at least one)."""
    at = interpolate(density.values, density.frame, xyz)
    if np.ptp(at) <= ROUNDING * np.abs(at).max():
        raise StageError(
            f"the map has the same density at all {len(at)} {places}: {at[0]:g}",
            f"is this the map that the {places} were found in? `cryoweave map info` describes it",
        )
