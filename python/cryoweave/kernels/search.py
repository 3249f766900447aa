"""A template in every rotation against every voxel of a map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.rotations import as_matrices

Progress = Callable[[int, int], object]
Score = Literal["sum", "cosine", "local"]
SCORES: tuple[Score, ...] = ("sum", "cosine", "local")
Channels = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Template:
    """What is looked for: channels on a small grid, which must be zero at the grid's rim.

    Parameters
    ----------
    values
        float32, shape ``(channels, z, y, x)``: 1 to 3 channels. For the score ``local`` two: ``w t`` and ``w``, with
        ``Σ w t = 0``.
    voxel_xyz
        In Å; need not be that of the map. Reading between voxels is trilinear, so finer voxels lose less.
    centre_zyx
        Fractional voxel about which it turns, and whose place in the map a result names.
    vectors
        The three channels are x, y and z of vectors, which turn with the template.
    """

    values: Channels
    voxel_xyz: tuple[float, float, float]
    centre_zyx: tuple[float, float, float]
    vectors: bool = False


@dataclass(frozen=True, eq=False)
class Target:
    """Where it is looked for. The box is cyclic: it needs a rim without density as wide as the template's radius.

    Parameters
    ----------
    values
        float32, shape ``(channels, z, y, x)``, sides best from :func:`fast_size`; one channel for the score ``local``.
    voxel_xyz
        In Å.
    allowed
        Voxels where the template's centre may lie, bool, shape ``(z, y, x)``; all if None.
    factor
        By which the scores of each voxel are multiplied, float32, shape ``(z, y, x)``: e.g. the inverse of the local
        deviation under a mask that no rotation changes. 1 if None.
    """

    values: Channels
    voxel_xyz: tuple[float, float, float]
    allowed: NDArray[np.bool_] | None = None
    factor: NDArray[np.float32] | None = None


class Found(NamedTuple):
    """What a search found."""

    score: NDArray[np.float32]
    """Best score at each voxel, shape ``(z, y, x)``; -inf where no centre may lie."""
    rotation: NDArray[np.uint32]
    """Index of the rotation that has it."""
    best: NDArray[np.float32]
    """Best score of each rotation, shape ``(rotations,)``."""
    voxel: NDArray[np.uint32]
    """Voxel that has it, an index into the raveled box."""


def rotational_search(
    target: Target, template: Template, score: Score, rotations: NDArray[np.float64], progress: Progress | None = None
) -> Found:
    """Score a template in every rotation at every voxel.

    Each thread turns the template as it is read, row by row, and takes two transforms for each rotation (four of
    vectors, five of the local score), pruned of empty planes. It needs 8 bytes a voxel for the best so far and 4
    (vectors, local: 12) for the spectra. Results do not depend on the number of threads.

    Parameters
    ----------
    target, template
        Map and model, encoded alike.
    score
        ``sum``: ``Σ t T`` over voxels and channels. ``cosine``: the same over the template's length ``√Σ t²``, so that
        dividing by the target's gives -1 to 1. ``local``: ``Σ w t (T - T̄) / √(Σ w (T - T̄)²)`` with ``T̄`` the mean under
        ``w``; over ``√(Σ w t²)`` it is the correlation about the mean under these weights; 0 where the map is flat.
    rotations
        Matrices, shape ``(n, 3, 3)``, that turn the template's xyz onto the map's.
    progress
        Called now and then with rotations done and rotations in all.

    Raises
    ------
    InputError
        If shapes do not fit together, a value is not finite, a matrix is no proper rotation, or the template is wider
        than the box.
    """
    if score not in SCORES:
        raise InputError(f"there is no score {score!r}", f"there are {', '.join(SCORES)}")
    values, small = (_channels(one.values) for one in (target, template))
    box = values.shape[1:]
    allowed = None if target.allowed is None else _like(box, target.allowed, np.bool_, "allowed")
    factor = None if target.factor is None else _like(box, target.factor, np.float32, "factor")
    found = _core.rotational_search(
        (values, _three(target.voxel_xyz), allowed, factor),
        (small, _three(template.voxel_xyz), _three(template.centre_zyx), template.vectors),
        score,
        as_matrices(rotations),
        progress,
    )
    return Found(*found)


def fast_size(n: int) -> int:
    """The smallest size from ``n`` on that transforms fast: a product of twos and threes with at most one five."""
    return int(_core.fast_size(int(n)))


def _channels(values: NDArray[np.float32]) -> Channels:
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != 4:
        raise InputError(f"channels must have the shape (channels, z, y, x), not {array.shape}")
    return array


def _like(shape: tuple[int, ...], values: NDArray[Any], dtype: DTypeLike, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.ascontiguousarray(values, dtype=dtype)
    if array.shape != shape:
        raise InputError(f"{name} has the shape {array.shape}, the target {shape}")
    return array


def _three(values: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c
