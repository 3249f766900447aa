"""Maps as published networks were given them: voxels of 1 Å, density from 0 to 1."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels import grid

BINS = 200
"""Of the histogram whose logarithms :func:`bright` sums up."""
LARGEST = 800**3
"""Voxels of the 1 Å map: 2 GB."""


def whole_angstroms(density: DensityMap, beyond: Literal["blank", "fade"] = "blank") -> DensityMap:
    """The map on voxels of 1 Å: trilinear, at whole Å from the first voxel. A map of 1 Å comes back as it is.

    Published programs differ in what lies beyond the centres of the last voxels, up to the end of the box.

    Parameters
    ----------
    density
        Any map.
    beyond
        ``blank``: with cubic voxels above 1 Å the planes of index 0 and those beyond the last pair of old voxels are 0,
        except the first and the last voxel of all; with other voxels the outermost ones go on. ``fade``: the density
        falls to 0 over one old voxel.

    Raises
    ------
    StageError
        If the new map would be empty or too large.
    """
    frame = density.frame
    if np.allclose(frame.voxel_xyz, 1.0, rtol=0, atol=1e-5):
        return density
    side = np.array(frame.voxel_xyz[::-1], np.float32).astype(np.float64)  # headers hold single precision
    shape = np.floor(np.array(frame.shape_zyx) * side).astype(int)
    if shape.min() < 1 or shape.prod(dtype=np.float64) > LARGEST:
        raise StageError(
            f"a map of {' × '.join(map(str, shape[::-1]))} voxels of 1 Å would be needed",
            "crop the map to the model (map.crop), and check the voxel size",
        )
    cubic = bool(np.ptp(side) < 1e-5 and side[0] > 1)
    if beyond == "fade":
        old = np.pad(density.values, ((0, 1), (0, 1), (0, 1)))
    else:
        old = density.values if cubic else np.pad(density.values, ((0, 1), (0, 1), (0, 1)), mode="edge")
    new = grid.resample(old, Frame(_three(old.shape), (side[2], side[1], side[0])), Frame(_three(shape)))
    if beyond == "blank" and cubic:
        _blank_edges(new, density.values, side)
    return DensityMap(new, Frame(_three(shape), (1.0, 1.0, 1.0), frame.origin_xyz))


def _three(shape: NDArray[np.intp] | tuple[int, ...]) -> tuple[int, int, int]:
    z, y, x = (int(n) for n in shape)
    return z, y, x


def _blank_edges(new: NDArray[np.float32], old: NDArray[np.float32], side: NDArray[np.float64]) -> None:
    last_is_blank = False
    for axis in range(3):
        at = np.arange(new.shape[axis])
        blank = (at == 0) | ((at / side[axis]).astype(int) >= old.shape[axis] - 1)
        np.moveaxis(new, axis, 0)[blank] = 0
        last_is_blank |= bool(blank[-1])
    new[0, 0, 0] = old[0, 0, 0]
    if last_is_blank:
        new[-1, -1, -1] = old[-1, -1, -1]


def bright(values: NDArray[np.float32], share: float) -> float:
    """The density at which the logarithms of a histogram's counts have a share of their sum below.

    The histogram has 200 bins from the lowest to the highest density above 0; it is the lower edge of the first bin at
    which the sum exceeds the share.

    Parameters
    ----------
    values
        Density.
    share
        Between 0 and 1.

    Raises
    ------
    StageError
        If no density is above 0, or all of it is alike.
    """
    positive = values[values > 0]
    if not len(positive):
        raise StageError("the map has no density above 0", "is it masked away, or inverted? See `cryoweave check`")
    counts, edges = np.histogram(positive, BINS)
    area = np.cumsum(np.log(np.maximum(counts, 1)))
    first = int(np.argmax(area > share * area[-1]))
    if first == 0 or positive.min() == positive.max():
        raise StageError("nearly all density is alike", "give the reconstructed map")
    return float(edges[first])


def from_0_to_1(density: DensityMap, share: float) -> tuple[DensityMap, float]:
    """Density below 0 cut off, the brightest share too, and the rest from 0 to 1; and the density that became 1.

    Parameters
    ----------
    density
        Any map.
    share
        As for :func:`bright`.
    """
    high = bright(density.values, share)
    values: NDArray[np.float32] = np.clip(density.values, 0, np.float32(high))
    low = float(values.min())
    return DensityMap((values - np.float32(low)) / np.float32(high - low), density.frame), high
