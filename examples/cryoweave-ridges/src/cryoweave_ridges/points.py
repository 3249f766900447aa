"""The kernel's voxels as points."""

import numpy as np

from cryoweave.data import DensityMap, PointCloud
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import require_contrast
from cryoweave_ridges._native import ridges
from cryoweave_ridges.plugin import PointsParams


def points(density: DensityMap, params: PointsParams, ctx: Context) -> PointCloud:
    """Ridge voxels above the threshold, with their density as weight."""
    require_contrast(density)
    ctx.progress(0, 1)
    zyx = ridges(np.ascontiguousarray(density.values), params.threshold, params.lines)
    if not len(zyx):
        raise StageError(f"the map has no ridge above {params.threshold:g}", "lower `threshold` or `lines`")
    ctx.note("points", len(zyx))
    return PointCloud(density.frame.to_xyz(zyx), density.values[tuple(zyx.T)])
