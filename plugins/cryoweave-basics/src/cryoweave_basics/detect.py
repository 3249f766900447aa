"""Points from density."""

import numpy as np

from cryoweave.data import DensityMap, PointCloud, ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.candidates import candidates
from cryoweave.kernels.graph import contact_edges
from cryoweave.kernels.grid import require_contrast, statistics
from cryoweave.kernels.peaks import local_maxima, mean_shift, merge_points
from cryoweave_basics.stages import CalphaParams, MaximaParams, MeanShiftParams

FOLDS = ("helix", "strand", "coil")
"""Classes of secondary structure, as the detectors name them."""


def calpha(maps: ProbabilityMaps, params: CalphaParams, ctx: Context) -> PointCloud:
    """Peaks of the Cα map, the likeliest first, with amino acid and fold where the maps have them."""
    found = candidates(
        maps,
        "CA",
        [name for name in maps.classes if name in FOLDS or name in AMINO_ACIDS],
        threshold=params.threshold,
        width=params.width,
        closest=params.apart,
        gather=params.gather,
    )
    ctx.note("points", len(found))
    return found


def maxima(density: DensityMap, params: MaximaParams, ctx: Context) -> PointCloud:
    """Voxels above the threshold that exceed their 26 neighbours."""
    require_contrast(density)
    warn_of_zero(density, params.threshold, ctx)
    zyx = local_maxima(density.values, params.threshold)
    if not len(zyx):
        raise empty(density, params.threshold)
    ctx.note("points", len(zyx))
    return PointCloud(xyz=density.frame.to_xyz(zyx), weight=density.values[tuple(zyx.T)])


def mean_shifted(density: DensityMap, params: MeanShiftParams, ctx: Context) -> PointCloud:
    """Local dense points. Weight: kernel density at the point, scaled to 0..1 over all end points."""
    require_contrast(density)
    warn_of_zero(density, params.threshold, ctx)
    voxel_zyx = np.array(density.frame.voxel_xyz[::-1])
    started, ended, theta = mean_shift(
        density.values,
        params.threshold,
        tuple(params.bandwidth / voxel_zyx),
        tuple(params.allow / voxel_zyx),
        progress=ctx.progress,
    )
    if not len(started):
        raise empty(density, params.threshold)
    span = float(theta.max() - theta.min())
    scaled = (theta - theta.min()) / span if span > 0 else np.ones_like(theta)
    xyz = density.frame.to_xyz(ended)
    kept = np.flatnonzero(scaled >= params.filter)
    survivors, owner = merge_points(xyz[kept], scaled[kept], params.merge)
    edges = contact_edges(started[kept], owner, density.frame.shape_zyx)
    ctx.note("threshold", params.threshold)
    ctx.note("voxels above the threshold", len(started))
    ctx.note("points", len(survivors))
    return PointCloud(xyz=xyz[kept][survivors], weight=scaled[kept][survivors], edges=edges)


def warn_of_zero(density: DensityMap, threshold: float, ctx: Context) -> None:
    """Say so if the threshold was left at 0 and takes in more than twice the voxels above mean + 3 σ."""
    stats = statistics(density.values)
    strong = int(np.count_nonzero(density.values > stats.mean + 3 * stats.sd))
    taken = int(np.count_nonzero(density.values > 0))
    if threshold == 0 and taken > 2 * strong:
        ctx.log.warning(
            "threshold is 0, its default, and takes in %d voxels, where %d lie above mean + 3 σ (%.3g): set it "
            "(--set STEP.threshold=NUMBER); `cryoweave check -v MAP -s FASTA` names a contour",
            taken,
            strong,
            stats.mean + 3 * stats.sd,
        )


def empty(density: DensityMap, threshold: float) -> StageError:
    """What to say when no voxel lies above the threshold."""
    return StageError(
        f"no voxel lies above the threshold {threshold:g}; the map's maximum is {density.values.max():g}",
        "lower the threshold; `cryoweave map info` suggests one",
    )
