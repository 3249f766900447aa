"""Cα candidates as the published program finds them."""

import numpy as np

from cryoweave.data import PointCloud, ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.peaks import merge_points
from cryoweave_cryo2struct.stages import ClusterParams

TINY = float(np.finfo(np.float32).tiny)


def clustered(maps: ProbabilityMaps, params: ClusterParams, ctx: Context) -> PointCloud:
    """Voxels that are likely Cα, each joined to the likeliest one around it; the centre by probability.

    Amino acids are the means over a cluster's voxels, weighted alike.
    """
    if "CA" not in maps.classes:
        raise InputError("the maps have no class CA", "make them with a detector that knows it")
    own = maps.of("CA")
    zyx = np.argwhere(own.values >= max(params.threshold, TINY))
    if not len(zyx):
        raise StageError(
            f"no voxel is a Cα with a probability of {params.threshold:g}; the highest is {own.values.max():.3g}",
            "lower the threshold; is it a map at 5 Å or better? `cryoweave check` says",
        )
    xyz, weight = own.frame.to_xyz(zyx), own.values[tuple(zyx.T)].astype(np.float64)
    survivors, owner = merge_points(xyz, weight, params.radius)
    total = np.bincount(owner, weight)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(np.bincount(owner, weight * values) / total)

    names = [name for name in maps.classes if name in AMINO_ACIDS]
    kinds = [mean(maps.values[maps.classes.index(name)][tuple(zyx.T)]) for name in names]
    ctx.note("voxels above the threshold", len(zyx))
    ctx.note("points", len(survivors))
    return PointCloud(
        xyz=np.stack([mean(xyz[:, axis]) for axis in range(3)], axis=1),
        weight=weight[survivors].astype(np.float32),
        probabilities=np.clip(np.stack(kinds, axis=1), 0, 1).astype(np.float32)
        if kinds
        else np.zeros((0, 0), np.float32),
        classes=tuple(names),
    )
