"""A template in every rotation against every voxel of a map."""

from collections.abc import Callable, Iterable, Sequence
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
Spread = Callable[[Callable[[Any, Any], Any], Any, Sequence[Any]], Iterable[Any]]
"""``spread(work, shared, parts)``: results of ``work(shared, part)`` in the parts' order, from wherever."""
_LAID: tuple[Literal["C", "A"], ...] = ("C", "A")
"""Contiguous and aligned, as the core wants arrays; what comes over a network may lie at any byte."""
FEWEST, MOST_PARTS = 64, 64
"""Rotations of a part, and parts of a search: each part costs a transform of the target and sends back a box."""


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
    target: Target,
    template: Template,
    score: Score,
    rotations: NDArray[np.float64],
    progress: Progress | None = None,
    spread: Spread | None = None,
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
    spread
        By which the rotations are shared out to workers, in chunks; the result is the same.

    Raises
    ------
    InputError
        If shapes do not fit together, a value is not finite, a matrix is no proper rotation, or the template is wider
        than the box.
    """
    if score not in SCORES:
        raise InputError(f"there is no score {score!r}", f"there are {', '.join(SCORES)}")
    if spread is not None and len(rotations) >= 2 * FEWEST:
        parts = np.array_split(rotations, min(MOST_PARTS, len(rotations) // FEWEST))
        return _joined(spread(_search_part, (target, template, score), parts), parts, progress)
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


def _search_part(shared: tuple[Target, Template, Score], rotations: NDArray[np.float64]) -> Found:
    return rotational_search(*shared, rotations)


def _joined(found: Iterable[Found], parts: Sequence[NDArray[np.float64]], progress: Progress | None) -> Found:
    """The best of all parts; of equal scores that of the first rotation, as in one search."""
    total, done = sum(map(len, parts)), 0
    score, rotation = np.zeros(0, np.float32), np.zeros(0, np.uint32)
    best, voxel = [], []
    for one, part in zip(found, parts, strict=True):
        if not done:
            score, rotation = one.score.copy(), one.rotation.copy()
        else:
            better = one.score > score
            score[better] = one.score[better]
            rotation[better] = one.rotation[better] + np.uint32(done)
        best.append(one.best)
        voxel.append(one.voxel)
        done += len(part)
        if progress is not None:
            progress(done, total)
    return Found(score, rotation, np.concatenate(best), np.concatenate(voxel))


def fast_size(n: int) -> int:
    """The smallest size from ``n`` on that transforms fast: a product of twos and threes with at most one five."""
    return int(_core.fast_size(int(n)))


def _channels(values: NDArray[np.float32]) -> Channels:
    array = np.require(values, np.float32, _LAID)
    if array.ndim != 4:
        raise InputError(f"channels must have the shape (channels, z, y, x), not {array.shape}")
    return array


def _like(shape: tuple[int, ...], values: NDArray[Any], dtype: DTypeLike, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.require(values, dtype, _LAID)
    if array.shape != shape:
        raise InputError(f"{name} has the shape {array.shape}, the target {shape}")
    return array


def _three(values: tuple[float, float, float]) -> tuple[float, float, float]:
    a, b, c = (float(value) for value in values)
    return a, b, c
