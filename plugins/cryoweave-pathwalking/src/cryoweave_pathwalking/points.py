"""Pseudo-atoms by k-means."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, SequenceSet
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest, neighbour_pairs
from cryoweave.kernels.grid import interpolate, require_contrast, statistics
from cryoweave_pathwalking.stages import PointsParams

STILL = 0.01
"""Å: the centres have arrived when none moved farther."""
SAMPLE = 50
"""Voxels for each centre, of which the seeds are drawn: all of a large map's would take the square of its size."""


def check(params: PointsParams, sequences: SequenceSet | None = None, **_inputs: object) -> None:
    """Whether it is known how many pseudo-atoms there are to be."""
    expected(params, sequences)


def expected(params: PointsParams, sequences: SequenceSet | None) -> int:
    """As many as asked for, else as residues of proteins."""
    if params.atoms is not None:
        return params.atoms
    residues = sum(len(s) * s.copies for s in sequences or () if s.molecule == "protein")
    if residues < 2:
        raise StageError("it is not known how many residues the map holds", "give the sequences, or set atoms")
    return residues


def threshold_of(density: DensityMap) -> float:
    """Mean and one deviation of the map."""
    found = statistics(density.values)
    return float(found.mean + found.sd)


def pseudo_atoms(density: DensityMap, sequences: SequenceSet | None, params: PointsParams, ctx: Context) -> PointCloud:
    """Centres of the density above the threshold; weight: density there."""
    require_contrast(density)
    wanted = expected(params, sequences)
    threshold = threshold_of(density) if params.threshold is None else params.threshold
    zyx = np.argwhere(density.values > threshold)
    if len(zyx) < wanted:
        raise StageError(
            f"{len(zyx)} voxels lie above {threshold:g}, fewer than {wanted} pseudo-atoms", "give a lower threshold"
        )
    xyz = density.frame.to_xyz(zyx)
    weight = density.values[tuple(zyx.T)].astype(np.float64)
    # A threshold below zero is unusual, but must not turn weights round.
    weight = weight - min(0.0, float(weight.min()))
    centres = clustered(xyz, weight, wanted, params, ctx)
    ctx.note("threshold", threshold)
    ctx.note("pseudo-atoms", len(centres))
    return PointCloud(centres, np.maximum(interpolate(density.values, density.frame, centres), 0))


def clustered(
    xyz: NDArray[np.float64], weight: NDArray[np.float64], count: int, params: PointsParams, ctx: Context
) -> NDArray[np.float64]:
    """Weighted k-means (Lloyd 1982) from seeds that keep apart (Arthur & Vassilvitskii 2007)."""
    rng = ctx.rng()
    centres = seeds(xyz, weight, count, rng, ctx)
    for done in range(params.rounds):
        ctx.progress(done, params.rounds)
        owner = nearest(centres, xyz, 1)[0][:, 0]
        mass = np.bincount(owner, weight, count)
        sums = np.stack([np.bincount(owner, weight * axis, count) for axis in xyz.T], axis=1)
        moved = np.where(mass[:, None] > 0, sums / np.maximum(mass, 1e-300)[:, None], centres)
        close, length = neighbour_pairs(moved, max(params.apart, 1e-6))
        again = np.unique(close[length < params.apart][:, 1])
        moved[again] = xyz[rng.choice(len(xyz), len(again), p=weight / weight.sum())]
        step = np.linalg.norm(moved - centres, axis=1).max()
        centres = moved
        if step < STILL and not len(again):
            break
    close, length = neighbour_pairs(centres, max(params.apart, 1e-6))
    return np.delete(centres, np.unique(close[length < params.apart][:, 1]), axis=0)


def seeds(
    xyz: NDArray[np.float64], weight: NDArray[np.float64], count: int, rng: np.random.Generator, ctx: Context
) -> NDArray[np.float64]:
    """Voxels drawn by weight times squared distance to the nearest drawn before, of a sample drawn by weight."""
    if len(xyz) > SAMPLE * count:
        sample = np.sort(rng.choice(len(xyz), SAMPLE * count, p=weight / weight.sum()))
        xyz, weight = xyz[sample], np.ones(len(sample))
    chosen = [int(rng.choice(len(xyz), p=weight / weight.sum()))]
    squared = np.full(len(xyz), np.inf)
    for drawn in range(1, count):
        if drawn % 16 == 0:
            ctx.progress(drawn, count)
        squared = np.minimum(squared, np.square(xyz - xyz[chosen[-1]]).sum(axis=1))
        chance = np.cumsum(weight * squared)
        chosen.append(int(min(np.searchsorted(chance, rng.random() * chance[-1], side="right"), len(xyz) - 1)))
    return xyz[chosen]
