"""Maps on a grid: interpolation, filters, resampling, masks and statistics.

Maps are float32 arrays ``(nz, ny, nx)`` of any strides (other types are converted); a frame says where their voxels
are: voxel ``(0, 0, 0)`` has its centre at ``origin_xyz``. Points are ``(n, 3)`` as xyz in Å.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError, StageError

if TYPE_CHECKING:
    from cryoweave.data.density import DensityMap
    from cryoweave.data.frame import Frame

Map = NDArray[np.float32]
Points = NDArray[np.float64]
Order = Literal["linear", "cubic"]


class Statistics(NamedTuple):
    """What describes a whole map; ``sd`` is that of the population, ``nonzero`` a number of voxels."""

    minimum: float
    maximum: float
    mean: float
    sd: float
    nonzero: int


def interpolate(values: Map, frame: Frame, xyz: Points, order: Order = "linear", outside: float = 0.0) -> Map:
    """Density at points between voxels.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    frame
        Where the voxels are.
    xyz
        Points in Å, shape ``(n, 3)``.
    order
        ``"linear"``: trilinear, 8 voxels. ``"cubic"``: tricubic by Catmull-Rom splines (Catmull and Rom, 1974),
        64 voxels, with the outermost voxels repeated beyond the border; it can overshoot the voxels' values.
    outside
        Value of points beyond the centres of the outermost voxels.

    Returns
    -------
    Densities, shape ``(n,)``.

    Raises
    ------
    InputError
        If a point, or a voxel that a point touches, is not finite, or the frame is not that of the map.
    """
    return _core.interpolate(_map(values, frame), *_place(frame), points(xyz), _is_cubic(order), outside)


def gradient(values: Map, frame: Frame, xyz: Points) -> NDArray[np.float64]:
    """Gradient of the density at points: the exact derivative of the ``"cubic"`` interpolation.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    frame
        Where the voxels are.
    xyz
        Points in Å, shape ``(n, 3)``.

    Returns
    -------
    Density per Å along x, y and z, shape ``(n, 3)``; zero beyond the centres of the outermost voxels.

    Raises
    ------
    InputError
        If a point, or a voxel that a point touches, is not finite, or the frame is not that of the map.
    """
    return _core.gradient(_map(values, frame), *_place(frame), points(xyz))


def resample(values: Map, frame: Frame, new_frame: Frame, order: Order = "linear") -> Map:
    """The density on another grid, zero where that reaches beyond the map.

    Nothing is smoothed: before going to voxels of more than about twice the side, use :func:`gaussian`.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    frame, new_frame
        Where the voxels are, and where they shall be.
    order
        As for :func:`interpolate`.

    Returns
    -------
    Density of the shape of ``new_frame``.

    Raises
    ------
    InputError
        If a voxel is not finite, or ``frame`` is not that of the map.
    """
    voxel, origin = _place(new_frame)
    return _core.resample(_map(values, frame), *_place(frame), _shape(new_frame), voxel, origin, _is_cubic(order))


def upsample2(values: Map) -> Map:
    """Linear interpolation to half the voxel side, with the same origin.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.

    Returns
    -------
    Density of shape ``2 n - 1`` along each axis; every second voxel is one of the input's, unchanged.

    Raises
    ------
    InputError
        If a voxel is not finite.
    """
    return _core.upsample2(_map(values))


def gaussian(values: Map, sigma_zyx_voxels: float | tuple[float, float, float]) -> Map:
    """Gaussian blur, cut off at 4 sigma; beyond its border the map goes on with its outermost voxels.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    sigma_zyx_voxels
        Standard deviation in voxels, for all axes or for z, y and x; zero leaves an axis alone.

    Returns
    -------
    Density of the same shape.

    Raises
    ------
    InputError
        If a voxel is not finite or a sigma is not between 0 and 1000 voxels.
    """
    sigma = np.broadcast_to(np.asarray(sigma_zyx_voxels, dtype=np.float64), (3,))
    return _core.gaussian(_map(values), tuple(sigma.tolist()))


def laplacian(values: Map, voxel_xyz: tuple[float, float, float]) -> Map:
    """Sum of the second derivatives, from each voxel's six neighbours.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; goes on with its outermost voxels beyond its border.
    voxel_xyz
        Voxel sides along x, y and z in Å.

    Returns
    -------
    Density per Å², same shape.

    Raises
    ------
    InputError
        If a voxel is not finite or a side is not positive.
    """
    x, y, z = voxel_xyz
    return _core.laplacian(_map(values), (float(x), float(y), float(z)))


def label_components(values: Map, threshold: float) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Connected parts of the density above a threshold; voxels connect by faces, edges and corners.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``.
    threshold
        In the map's own units; voxels at or below it belong to no part.

    Returns
    -------
    Labels of the same shape, from 1 in raster order of each part's first voxel and 0 elsewhere; and the number of
    voxels of parts 1, 2, …, shape ``(parts,)``.

    Raises
    ------
    InputError
        If a voxel or the threshold is not finite.
    """
    return _core.label_components(_map(values), threshold)


def mask_around(frame: Frame, xyz: Points, radius: float) -> NDArray[np.bool_]:
    """Voxels whose centre is within a distance of any point.

    Parameters
    ----------
    frame
        Where the voxels are.
    xyz
        Points in Å, shape ``(n, 3)``.
    radius
        Distance in Å, not negative; a voxel exactly this far is inside.

    Returns
    -------
    Mask of the shape of the frame.

    Raises
    ------
    InputError
        If a point or the radius is not finite, or the radius is negative.
    """
    return _core.mask_around(_shape(frame), *_place(frame), points(xyz), radius)


def nearest_around(frame: Frame, xyz: Points, radius: float) -> NDArray[np.int32]:
    """Which of the points is nearest to each voxel's centre.

    Parameters
    ----------
    frame
        Where the voxels are.
    xyz
        Points in Å, shape ``(n, 3)``.
    radius
        Distance in Å, not negative; a voxel exactly this far is still near.

    Returns
    -------
    Index of the nearest point, of equally near ones the first, -1 where none is within the radius; the frame's shape.

    Raises
    ------
    InputError
        If a point or the radius is not finite, or the radius is negative.
    """
    return _core.nearest_around(_shape(frame), *_place(frame), points(xyz), radius)


def statistics(values: Map) -> Statistics:
    """Extremes, mean, standard deviation and number of non-zero voxels, with sums in float64.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``, at least one voxel.

    Returns
    -------
    In the map's own units.

    Raises
    ------
    InputError
        If a voxel is not finite (the message names the first) or there is none.
    """
    return Statistics(*_core.statistics(_map(values)))


def require_contrast(density: DensityMap, name: str = "map") -> None:
    """Refuse a map that is the same everywhere: it shows nothing.

    Parameters
    ----------
    density
        The map.
    name
        What the message calls it.

    Raises
    ------
    StageError
        If all voxels are alike.
    """
    lowest = float(density.values.min())
    if lowest == float(density.values.max()):
        raise StageError(
            f"the {name} has the same density everywhere: {lowest:g}",
            "it is empty or masked away; `cryoweave map info` describes the file, `cryoweave check` finds more",
        )


def volume_threshold(values: Map, n_voxels: int) -> float:
    """The density that a number of voxels exceed: the contour around a known volume.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``, at least one voxel.
    n_voxels
        Voxels to lie above the threshold, e.g. a molecule's volume over that of a voxel.

    Returns
    -------
    A voxel's density (or, for all voxels, a number just below the lowest). Where voxels tie with it, fewer than
    ``n_voxels`` exceed it; never more.

    Raises
    ------
    InputError
        If a voxel is not finite, or ``n_voxels`` is negative or more than the map has.
    """
    if n_voxels < 0:
        raise InputError(f"n_voxels must not be negative, not {n_voxels}")
    return float(_core.volume_threshold(_map(values), int(n_voxels)))


def points(xyz: ArrayLike) -> Points:
    """Points as float64 ``(n, 3)``; an empty sequence is no points. :class:`InputError` for any other shape."""
    array = np.asarray(xyz, dtype=np.float64)
    if array.size == 0:
        array = array.reshape(0, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        raise InputError(f"points must have the shape (n, 3), not {array.shape}")
    return array


def _map(values: ArrayLike, frame: Frame | None = None) -> Map:
    array = np.asarray(values, dtype=np.float32)
    if array.ndim != 3:
        raise InputError(f"a map must have three axes (z, y, x), not the shape {array.shape}")
    if frame is not None and array.shape != tuple(frame.shape_zyx):
        raise InputError(f"the map has the shape {array.shape}, its frame {tuple(frame.shape_zyx)}")
    return array


def _place(frame: Frame) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(map(float, frame.voxel_xyz)), tuple(map(float, frame.origin_xyz))


def _shape(frame: Frame) -> tuple[int, ...]:
    return tuple(map(int, frame.shape_zyx))


def _is_cubic(order: str) -> bool:
    if order not in ("linear", "cubic"):
        raise InputError(f"order must be 'linear' or 'cubic', not {order!r}")
    return order == "cubic"
