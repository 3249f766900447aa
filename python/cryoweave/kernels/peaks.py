"""Peaks of a density map."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core

PerAxis: TypeAlias = float | Sequence[float] | NDArray[np.float64]
"""One number for all axes, or three for (z, y, x)."""


def _per_axis(value: PerAxis) -> list[float]:
    return [float(v) for v in np.broadcast_to(np.asarray(value, dtype=np.float64), (3,))]


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


def mean_shift(
    values: NDArray[np.float32],
    threshold: float,
    bandwidth_voxels: PerAxis,
    max_shift_voxels: PerAxis = np.inf,
    *,
    tolerance: float = 0.001,
    max_steps: int = 10_000,
    progress: Callable[[int, int], object] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float32]]:
    """Let every dense voxel climb to where the smoothed density has its maximum.

    From each voxel above the threshold, ``y`` moves to the mean of the voxels' positions weighted by density times
    ``k(r) = exp(-1.5 r² / fs)``, ``fs = (bandwidth / 2)²``, again and again. Density below zero counts as zero. The
    window is the box of two bandwidths around ``y``, less its part beyond six standard deviations of the kernel, which
    holds less than 1e-7 of the kernel's weight. Sums are kept in float32, so that positions agree with a float64
    computation to about 1e-5 voxel, save for a climb that stops one step earlier or later.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``, any strides; converted to float32 if it is not.
    threshold
        Voxels at or below it (or at or below zero) do not climb; those above zero still attract.
    bandwidth_voxels
        Band width divided by voxel size; one number, or three ``(z, y, x)`` where voxels are not cubes. For protein a
        band width of 2 Å is usual, for nucleic acid 3 Å (Terashi & Kihara, Nat Commun 9:1618, 2018).
    max_shift_voxels
        A climb that has moved further from its start stops where it is (three numbers: an ellipsoid).
    tolerance
        A climb has arrived when its last step, squared, is below this (voxel²).
    max_steps
        No climb takes more steps.
    progress
        Called now and then with ``(done, total)``, in chunks of voxels.

    Returns
    -------
    start_zyx
        The voxels that climbed, int32 ``(n, 3)``, in raster order.
    end_zyx
        Where each arrived, float64 ``(n, 3)``, in voxels.
    density
        The kernel-weighted sum of density there, float32 ``(n,)``.

    Raises
    ------
    InputError
        If a voxel is not finite, or a parameter is not positive.
    """
    return _core.mean_shift(
        np.asarray(values, dtype=np.float32),
        threshold,
        _per_axis(bandwidth_voxels),
        _per_axis(max_shift_voxels),
        tolerance,
        max_steps,
        progress,
    )


def kernel_density(
    values: NDArray[np.float32],
    points_zyx: ArrayLike,
    bandwidth_voxels: PerAxis,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.float32]:
    """Kernel-weighted sum of density at any positions, with the kernel of :func:`mean_shift`.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; values below zero count as zero.
    points_zyx
        Positions in voxels, ``(n, 3)``; they may lie between voxels or outside of the map.
    bandwidth_voxels
        As for :func:`mean_shift`.
    progress
        Called now and then with ``(done, total)``, in chunks of points.

    Returns
    -------
    float32 ``(n,)``; zero where the kernel does not reach the map.

    Raises
    ------
    InputError
        If a voxel or a point is not finite, or the bandwidth is not positive.
    """
    points = np.asarray(points_zyx, dtype=np.float64)
    return _core.kernel_density(np.asarray(values, dtype=np.float32), points, _per_axis(bandwidth_voxels), progress)


def merge_points(
    points: ArrayLike, density: ArrayLike, radius: float, keep: ArrayLike | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Thin points out: the densest stand, and take in those closer than a radius.

    Points are gone through from the densest down (ties: the lower index first). One that is closer than ``radius`` to a
    point that stands is taken in by the densest such; any other stands itself.

    Parameters
    ----------
    points
        ``(n, 3)`` in any unit and order of axes.
    density
        ``(n,)``, compared as float32.
    radius
        In the points' unit.
    keep
        Points that play a part, bool ``(n,)``; all if absent. To drop what is thin before merging, give e.g.
        ``(density - density.min()) / np.ptp(density) >= 0.1``.

    Returns
    -------
    survivors
        Indices of the points that stand, densest first, int32 ``(m,)``.
    owner
        For each point, the place in ``survivors`` of the one that took it in (of itself, if it stands); -1 for those
        that ``keep`` left out. int32 ``(n,)``.

    Raises
    ------
    InputError
        If a coordinate or density is not finite, lengths differ, or the radius is not positive.
    """
    return _core.merge_points(
        np.asarray(points, dtype=np.float64),
        np.asarray(density, dtype=np.float32),
        radius,
        None if keep is None else np.asarray(keep, dtype=np.bool_),
    )
