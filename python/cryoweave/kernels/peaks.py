"""Peaks of a density map."""

import numpy as np
from numpy.typing import NDArray

from cryoweave import _core


def local_maxima(values: NDArray[np.float32], threshold: float) -> NDArray[np.int32]:
    """Voxels that exceed a threshold and all of their 26 neighbours.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``, any strides; converted to float32 if it is not.
    threshold
        In the map's own units; voxels at or below it are never peaks.

    Returns
    -------
    Voxel indices ``zyx``, shape ``(n, 3)``, in raster order. Of a plateau the first voxel is kept.

    Raises
    ------
    InputError
        If a voxel is NaN or infinite; the message names it.
    """
    return _core.local_maxima(np.asarray(values, dtype=np.float32), threshold)
