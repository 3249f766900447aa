"""A network over a whole map in boxes that overlap: what they say of a voxel is averaged, or the highest is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, product
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import StageError

Values = NDArray[np.float32]
Run = Callable[[Values], Values]
"""Boxes ``(n, c, d, d, d)`` to values ``(n, k, d, d, d)``."""
Progress = Callable[[int, int], object]
Place = tuple[int, int]
"""First voxel along an axis, and how often the box counts."""
Box = tuple[int, int, int, int]
"""First voxel along z, y and x, and how often the box counts."""


def places(n: int, size: int, stride: int) -> list[Place]:
    """Boxes every ``stride`` voxels along an axis of ``n``; those that would reach its end are moved back to end there.

    So several boxes may come to lie at the end: it is one that counts as often.
    """
    starts = [first if first + size < n else max(n - size, 0) for first in range(0, n, stride)]
    return [(start, len(list(same))) for start, same in groupby(starts)]


@dataclass(frozen=True)
class Scan:
    """How boxes go over a map.

    Parameters
    ----------
    at_zyx
        Boxes along z, y and x, ascending; see :func:`places`.
    size
        Edge of a box in voxels.
    combine
        ``mean`` of the boxes, each as often as it counts, or ``max``, which is at least 0.
    rim
        Voxels at a box's faces whose values are thrown away.
    batch
        Boxes at a time.
    wanted
        Whether a box ``(c, d, d, d)`` is worth running.
    """

    at_zyx: Sequence[Sequence[Place]]
    size: int
    combine: Literal["mean", "max"] = "mean"
    rim: int = 0
    batch: int = 1
    wanted: Callable[[Values], bool] = lambda _box: True


def over_boxes(source: Values, out: NDArray[np.floating], run: Run, scan: Scan, progress: Progress) -> int:
    """Fill ``out`` with what a network says of ``source``.

    Besides the two, only the planes are held that boxes can still reach: as many as a box has.

    Parameters
    ----------
    source
        What the network sees, ``(c, nz, ny, nx)``; beyond it boxes hold 0.
    out
        Filled in place, ``(k, nz, ny, nx)``; 0 where no box gave anything.
    run
        The network.
    scan
        Where the boxes lie and how they are joined.
    progress
        Called with boxes done and boxes in all.

    Returns
    -------
    Boxes that were run.

    Raises
    ------
    StageError
        If the network gives values that are not finite.
    """
    along_z, along_y, along_x = scan.at_zyx
    planes = min(scan.size, source.shape[1])
    total = np.zeros((len(out), planes, *source.shape[2:]), np.float32)
    count = np.zeros(total.shape[1:], np.float32)
    begun, ran, boxes = 0, 0, len(along_z) * len(along_y) * len(along_x)
    for (z, often), following in zip(along_z, [*along_z[1:], (None, 0)], strict=True):
        row = [(z, y, x, often * v * w) for (y, v), (x, w) in product(along_y, along_x)]
        for box, values in _runs(source, row, run, scan, partial(_tick, progress, begun, boxes)):
            _add(total, count, values, box, scan)
            ran += 1
        begun += len(row)
        ready = planes if following[0] is None else min(following[0] - z, planes)
        scale = 1 if scan.combine == "max" else np.maximum(count[:ready], 1)
        out[:, z : z + ready] = total[:, :ready] / scale
        total[:, : planes - ready], count[: planes - ready] = total[:, ready:].copy(), count[ready:].copy()
        total[:, planes - ready :], count[planes - ready :] = 0, 0
    progress(boxes, boxes)
    return ran


def _tick(progress: Progress, before: int, boxes: int, done: int) -> None:
    progress(before + done, boxes)


def _runs(
    source: Values, row: list[Box], run: Run, scan: Scan, progress: Callable[[int], object]
) -> Iterator[tuple[Box, Values]]:
    """Values of each box of a row that is wanted."""
    waiting: list[tuple[Box, Values]] = []
    for done, place in enumerate(row):
        progress(done)
        box = _cut(source, place, scan.size)
        if scan.wanted(box):
            waiting.append((place, box))
        if waiting and (len(waiting) == scan.batch or done + 1 == len(row)):
            values = run(np.stack([one for _, one in waiting]))
            if not np.isfinite(values).all():
                raise StageError("the network gives values that are not finite", "is its file whole?")
            yield from zip([one for one, _ in waiting], values, strict=True)
            waiting = []


def _cut(source: Values, place: Box, size: int) -> Values:
    z, y, x, _ = place
    box = np.zeros((len(source), size, size, size), np.float32)
    cut = source[:, z : z + size, y : y + size, x : x + size]
    box[:, : cut.shape[1], : cut.shape[2], : cut.shape[3]] = cut
    return box


def _add(total: Values, count: Values, found: Values, place: Box, scan: Scan) -> None:
    """Put a box, without its rim and what lies beyond the map, into the planes; the box begins at the first of them."""
    _, y, x, often = place
    firsts, rim = (0, y, x), scan.rim
    ends = [min(scan.size - rim, n - first) for n, first in zip(count.shape, firsts, strict=True)]
    inner = tuple(slice(rim, end) for end in ends)
    here = tuple(slice(first + rim, first + end) for first, end in zip(firsts, ends, strict=True))
    values, place_in = found[(slice(None), *inner)], (slice(None), *here)
    if scan.combine == "max":
        np.maximum(total[place_in], values, out=total[place_in])
    else:
        total[place_in] += often * values
        count[here] += often
