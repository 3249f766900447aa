"""Cα candidates as the published program finds them in probability maps."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import main_chain
from cryoweave.kernels.candidates import apart
from cryoweave.kernels.grid import label_components, mask_around
from cryoweave_emodelx.stages import PointsParams

CUBE = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
"""The 27 voxels over which a candidate is centred."""


def candidates(maps: ProbabilityMaps, params: PointsParams, ctx: Context) -> PointCloud:
    """Likely voxels in clusters on the main chain, the likeliest of each 3 Å, moved to the centre of the 27 about it.

    The amino acids are the means over these voxels, weighted by the probability of Cα.
    """
    if "CA" not in maps.classes:
        raise InputError("the maps have no class CA", "make them with a detector that knows it")
    own = maps.of("CA")
    zyx = np.argwhere(own.values > params.threshold)
    if not len(zyx):
        raise StageError(
            f"no voxel is a Cα with a probability above {params.threshold:g}; the highest is {own.values.max():.3g}",
            "lower the threshold; is it a map at 5 Å or better? `cryoweave check` says",
        )
    zyx = zyx[on_main_chain(zyx, own, main_chain(maps), params)]
    if not len(zyx):
        raise StageError(f"no cluster has {params.fewest} voxels", "lower `fewest` or the threshold")
    zyx = zyx[np.argsort(-own.values[tuple(zyx.T)], kind="stable")]
    zyx = zyx[apart(own.frame.to_xyz(zyx), params.apart)]
    names = tuple(name for name in maps.classes if name in AMINO_ACIDS)
    xyz, kinds = centred(zyx, own, [maps.values[maps.classes.index(name)] for name in names])
    ctx.note("points", len(xyz))
    return PointCloud(xyz, own.values[tuple(zyx.T)], probabilities=kinds, classes=names)


def on_main_chain(zyx: NDArray[np.intp], own: DensityMap, chain: DensityMap, params: PointsParams) -> NDArray[np.bool_]:
    """Which voxels are in clusters that are large enough and likely enough on the main chain.

    Two voxels nearer than ``join`` are in one cluster: balls of half of it about them touch, up to a voxel.
    """
    balls = mask_around(own.frame, own.frame.to_xyz(zyx), params.join / 2)
    label = label_components(balls.astype(np.float32), 0.5)[0][tuple(zyx.T)]
    count = np.bincount(label)
    mean = np.bincount(label, chain.values[tuple(zyx.T)]) / np.maximum(count, 1)
    good = (count >= params.fewest) & (mean >= params.backbone * mean.max())
    return np.asarray(good[label])


def centred(
    zyx: NDArray[np.intp], own: DensityMap, others: list[NDArray[np.float32]]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Centres of the probability over 27 voxels, ``(n, 3)`` in Å, and means of other maps there, ``(n, maps)``."""
    around = zyx[:, None] + CUBE
    inside = ((around >= 0) & (around < own.values.shape)).all(axis=2)
    around = np.where(inside[..., None], around, zyx[:, None])
    at = tuple(np.moveaxis(around, 2, 0))
    weight = np.where(inside, np.maximum(own.values[at].astype(np.float64), 0), 0)
    weight /= weight.sum(axis=1, keepdims=True)
    centre = (weight[..., None] * around).sum(axis=1)
    means = [np.clip((weight * values[at]).sum(axis=1), 0, 1) for values in others]
    kinds = np.stack(means, axis=1) if means else np.zeros((len(zyx), 0))
    return own.frame.to_xyz(centre), kinds.astype(np.float32)
