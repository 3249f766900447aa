"""Clouds of points with directions: sampled from a map, described and matched.

Points are ``(n, 3)`` as xyz in Å, directions are unit vectors (or zero) of the same shape. How one cloud is laid on
another: :mod:`cryoweave.kernels.registration`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import connected_components, neighbour_pairs
from cryoweave.kernels.grid import points

if TYPE_CHECKING:
    from cryoweave.data.frame import Frame

Progress = Callable[[int, int], object]
Points = NDArray[np.float64]


class Cloud(NamedTuple):
    """Points with directions: positions in Å and unit vectors, float64 ``(n, 3)``, and densities, float32 ``(n,)``."""

    xyz: Points
    normals: Points
    density: NDArray[np.float32]


def unit_vectors(
    values: NDArray[np.float32],
    frame: Frame,
    out_frame: Frame,
    *,
    bandwidth: float = 16.0,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Which way density lies from each point of a grid: its mean-shift vector, as a direction.

    From a point ``x`` towards the mean of the voxels around it, each weighted by ``ρ exp(-1.5 d² / (bandwidth / 2)²)``
    (Han, Terashi, Christoffer, Chen & Kihara 2021, doi 10.1038/s41467-021-22401-y), within a box of half side two band
    widths.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    frame, out_frame
        Where its voxels are, and where the vectors are wanted.
    bandwidth
        In Å.
    threshold
        Density at or below it (and below zero) counts as none.
    progress
        Called now and then with ``(done, total)`` slabs.

    Returns
    -------
    vectors
        Unit vectors as xyz, float32, shape ``(*out_frame.shape_zyx, 3)``; zero where the nearest voxel has no density,
        or the density around is the same on all sides.
    density
        The weighted sum of density, float32, of ``out_frame``'s shape; zero where the nearest voxel has none.

    Raises
    ------
    InputError
        If a voxel is not finite, the frame is not that of the map, or the band width is not positive.
    """
    array = np.asarray(values, dtype=np.float32)
    if array.shape != tuple(frame.shape_zyx):
        raise InputError(f"the map has the shape {array.shape}, its frame {tuple(frame.shape_zyx)}")
    new = (tuple(out_frame.shape_zyx), tuple(out_frame.voxel_xyz), tuple(out_frame.origin_xyz))
    grid = (tuple(frame.voxel_xyz), tuple(frame.origin_xyz))
    return _core.unit_vectors(array, grid, new, bandwidth, threshold, progress)


def sample(
    values: NDArray[np.float32],
    frame: Frame,
    *,
    spacing: float = 5.0,
    bandwidth: float = 16.0,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> Cloud:
    """The points of a coarse grid that lie in density, each with its mean-shift direction.

    Parameters
    ----------
    values, frame, bandwidth, threshold, progress
        As for :func:`unit_vectors`.
    spacing
        Of the grid, in Å; its first point is the map's first voxel.

    Returns
    -------
    The points whose nearest voxel is above the threshold, in raster order; there may be none.

    Raises
    ------
    InputError
        As for :func:`unit_vectors`, or if the spacing is not positive.
    """
    if not (np.isfinite(spacing) and spacing > 0):
        raise InputError(f"spacing must be positive and finite, not {spacing}")
    grid = frame.with_voxel(spacing)
    vectors, density = unit_vectors(values, frame, grid, bandwidth=bandwidth, threshold=threshold, progress=progress)
    zyx = np.argwhere(density > 0)
    at = tuple(zyx.T)
    return Cloud(grid.to_xyz(zyx), vectors[at].astype(np.float64), density[at])


def keypoints(
    values: NDArray[np.float32],
    frame: Frame,
    starts: ArrayLike,
    *,
    bandwidth: float = 9.0,
    join: float = 5.0,
    threshold: float = 0.0,
    progress: Progress | None = None,
) -> Points:
    """Where points arrive that climb a map by mean shift, one for each place.

    Each start climbs with the kernel of :func:`~cryoweave.kernels.peaks.mean_shift`. Those that arrive within ``join``
    of each other, from one to the next, are one place, whose centre counts; a place that has no two others within three
    times ``join`` is left out.

    Parameters
    ----------
    values, frame
        Density, shape ``(nz, ny, nx)``, and where its voxels are.
    starts
        Points in Å, shape ``(n, 3)``.
    bandwidth
        Of the kernel, in Å; its standard deviation is ``bandwidth / √12``.
    join
        In Å.
    threshold
        Density at or below it (and below zero) counts as none.
    progress
        Called now and then with ``(done, total)``.

    Returns
    -------
    Points in Å, shape ``(m, 3)``.

    Raises
    ------
    InputError
        If a voxel or a point is not finite, or a number is not positive.
    """
    begin = points(starts)
    if not len(begin):
        return begin
    array = np.asarray(values, dtype=np.float32)
    dense = np.where(array > max(threshold, 0.0), array, np.float32(0.0)) if np.isfinite(array).all() else array
    per_axis = [bandwidth / float(side) for side in frame.voxel_xyz[::-1]]
    ends, _ = _core.climb_from(dense, frame.to_zyx(begin), per_axis, [np.inf] * 3, (1e-4, 2000), progress)
    arrived = frame.to_xyz(ends)
    near, _ = neighbour_pairs(arrived, 3.0 * join)
    company = np.bincount(near.reshape(-1), minlength=len(arrived))
    arrived = arrived[company >= 2]
    pairs, _ = neighbour_pairs(arrived, join)
    place = connected_components(len(arrived), pairs)
    sums = np.stack([np.bincount(place, weights=along) for along in arrived.T], axis=1)
    centres: Points = sums / np.bincount(place)[:, None]
    return centres


def descriptors(
    cloud: Cloud, centres: ArrayLike, radius: float = 35.0, *, progress: Progress | None = None
) -> NDArray[np.float32]:
    """What surrounds points, in numbers that do not change when all is turned: SHOT.

    A frame is taken from the neighbours' covariance weighted by ``radius - distance``: x along its largest, z along its
    smallest eigenvector, each towards the side where more of that weight lies, y normal to both. A ball is cut into 8
    azimuths, 2 elevations and 2 shells; in each of these 32 sectors the cosines between the neighbours' directions and
    z are counted in 11 bins, every neighbour shared linearly between the bins around it (Tombari, Salti & Di Stefano
    2010, doi 10.1007/978-3-642-15558-1_26).

    Parameters
    ----------
    cloud
        The points that surround, with directions.
    centres
        The points to describe, in Å, shape ``(m, 3)``.
    radius
        In Å.
    progress
        Called now and then with ``(done, total)`` centres.

    Returns
    -------
    float32 ``(m, 352)``, each row of length 1; zero where fewer than five points are near, or all on a line.

    Raises
    ------
    InputError
        If a number is not finite, lengths differ or the radius is not positive.
    """
    return _core.descriptors(points(cloud.xyz), points(cloud.normals), points(centres), radius, progress)


def match_descriptors(
    a: ArrayLike, b: ArrayLike, k: int = 1, *, progress: Progress | None = None
) -> tuple[NDArray[np.int32], bool]:
    """Rows of two tables that are each among the ``k`` nearest of the other, by Euclidean distance.

    Parameters
    ----------
    a, b
        Descriptors, ``(n, c)`` and ``(m, c)``; a row of zeros has no partner.
    k
        At least 1.
    progress
        Called now and then with ``(done, total)`` rows.

    Returns
    -------
    pairs
        int32 ``(p, 2)``, rows of ``a`` and ``b``, by rising row of ``a``.
    mutual
        False if fewer than three pairs are mutual: then they are the nearest rows of ``b`` for each of ``a``.

    Raises
    ------
    InputError
        If a number is not finite, the rows differ in length or ``k`` is zero.
    """
    first, second = (np.atleast_2d(np.asarray(table, dtype=np.float32)) for table in (a, b))
    return _core.match_descriptors(first, second, k, progress)
