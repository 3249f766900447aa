"""Candidates for atoms: peaks of a probability map, with what other classes say there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave.data import DensityMap, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.graph import nearest, neighbour_pairs
from cryoweave.kernels.grid import gaussian
from cryoweave.kernels.peaks import local_maxima

THRESHOLD = 0.1
"""Least averaged probability of a candidate, unless another is asked for."""
LEAST = 0.01
"""Share of the highest probability of the atom below which a voxel has no say in a candidate's classes."""


def candidates(
    maps: ProbabilityMaps,
    atom: str,
    classes: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    width: float = 0.7,
    closest: float = 2.2,
    gather: float = 1.2,
) -> PointCloud:
    """Peaks of one class, the likeliest first; weight: its averaged probability there.

    Parameters
    ----------
    maps
        Probability maps.
    atom
        The class whose peaks are taken.
    classes
        Classes of which each candidate gets a mean.
    threshold
        Least averaged probability of a candidate.
    width
        Width of the Gaussian that averages, Å.
    closest
        Of two candidates closer than this the likelier one stays, Å.
    gather
        The classes are averaged over the voxels within this, weighted by the atom's probability, Å.

    Raises
    ------
    InputError
        If the maps lack the atom.
    StageError
        If there is no candidate.
    """
    if atom not in maps.classes:
        raise InputError(f"the maps have no class {atom}", "make them with a detector that knows it")
    own = maps.of(atom)
    z, y, x = (width / voxel for voxel in own.frame.voxel_xyz[::-1])
    smooth = gaussian(own.values, (z, y, x))
    zyx = local_maxima(smooth, threshold)
    if not len(zyx):
        raise StageError(
            f"no voxel is a {atom} with a probability above {threshold:g}; the highest is {smooth.max():.3g}",
            "is it a map at 5 Å or better? `cryoweave check` says; else lower the threshold",
        )
    weight = smooth[tuple(zyx.T)]
    order = np.argsort(-weight, kind="stable")
    xyz, weight = own.frame.to_xyz(zyx[order]), weight[order]
    kept = apart(xyz, closest)
    found = _gathered(maps, classes, own, xyz[kept], gather)
    return PointCloud(xyz[kept], weight[kept], probabilities=found, classes=tuple(classes))


def apart(xyz: ArrayLike, distance: float) -> NDArray[np.bool_]:
    """Which points stay if each, in their order, takes away the later ones that are closer than this.

    Parameters
    ----------
    xyz
        Å, shape ``(n, 3)``.
    distance
        Å.
    """
    xyz = np.asarray(xyz, np.float64)
    kept = np.ones(len(xyz), bool)
    pairs, lengths = neighbour_pairs(xyz, distance)
    pairs = np.sort(np.asarray(pairs)[np.asarray(lengths) < distance], axis=1)
    for first, later in pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].tolist():
        if kept[first]:
            kept[later] = False
    return kept


def _gathered(
    maps: ProbabilityMaps, classes: Sequence[str], own: DensityMap, xyz: NDArray[np.float64], radius: float
) -> NDArray[np.float32]:
    """Mean of some classes over the voxels around each point, weighted by the atom's probability, ``(n, c)``."""
    near = np.argwhere(own.values > LEAST * own.values.max())
    owner, distance = nearest(xyz, own.frame.to_xyz(near))
    close = distance[:, 0] <= radius
    near, owner = near[close], owner[close, 0]
    weight = own.values[tuple(near.T)].astype(np.float64)
    total = np.maximum(np.bincount(owner, weight, len(xyz)), 1e-12)
    found = np.empty((len(xyz), len(classes)), np.float32)
    for i, name in enumerate(classes):
        values = maps.values[maps.classes.index(name)][tuple(near.T)]
        found[:, i] = np.clip(np.bincount(owner, weight * values, len(xyz)) / total, 0, 1)
    return found
