"""A network over a whole map, tile by tile."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cryoweave.errors import StageError
from cryoweave_unet.classes import HEADS

CORE, HALO = 64, 16
"""Voxels along the edge of what a tile gives, and on each side of it what it only looks at. They are part of the
method, not options: with another halo a voxel sees more or less around it, and the values differ a little."""
Inner = tuple[int | slice, ...]
Run = Callable[[NDArray[np.float32], Inner], NDArray[np.float32]]
"""Channels ``(1, inputs, d, d, d)``, and the wanted part of what the network
gives, ``(1, c, d, d, d)``; values of that part, ``(k, z, y, x)``."""
Tile = tuple[tuple[slice, slice, slice], NDArray[np.float32]]


def tiles(
    channels: NDArray[np.float32],
    run: Run,
    stride: int,
    progress: Callable[[int, int], object],
    wanted: NDArray[np.bool_] | None = None,
) -> Iterator[Tile]:
    """Place in the map and values ``(c, z, y, x)`` of every tile that holds density.

    Parameters
    ----------
    channels
        What the network sees, ``(inputs, z, y, x)``; the first is the density.
    run
        The network.
    stride
        Edges that the network takes are multiples of this.
    progress
        Called with tiles done and tiles in all.
    wanted
        Tiles with none of these voxels, ``(z, y, x)``, are left out; those without density if absent.
    """
    wanted = channels[0] != 0 if wanted is None else wanted
    shape = wanted.shape
    starts = [range(0, n, CORE) for n in shape]
    places = [place for place in product(*starts) if wanted[tuple(slice(at, at + CORE) for at in place)].any()]
    for done, place in enumerate(places):
        progress(done, len(places))
        core = tuple(slice(at, min(at + CORE, n)) for at, n in zip(place, shape, strict=True))
        edge = [-(-(part.stop - part.start + 2 * HALO) // stride) * stride for part in core]
        inner: Inner = (0, slice(None), *(slice(HALO, HALO + part.stop - part.start) for part in core))
        values = run(_cut(channels, [at - HALO for at in place], edge)[None], inner)
        if not np.isfinite(values).all():
            raise StageError("the network gives values that are not finite", "is its file whole?")
        yield (core[0], core[1], core[2]), values
    progress(len(places), len(places))


def _cut(channels: NDArray[np.float32], first: list[int], edge: list[int]) -> NDArray[np.float32]:
    """A block that may reach beyond the map, where it is 0."""
    out = np.zeros((len(channels), *edge), np.float32)
    shape = channels.shape[1:]
    here = [slice(max(0, at), min(n, at + e)) for at, n, e in zip(first, shape, edge, strict=True)]
    there = [slice(part.start - at, part.stop - at) for part, at in zip(here, first, strict=True)]
    out[:, *there] = channels[:, *here]
    return out


def heads_of(logits: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """The detector's logits ``(34, ...)`` by head."""
    ends = np.cumsum([len(classes) for classes in HEADS.values()])[:-1]
    return dict(zip(HEADS, np.split(logits, ends), strict=True))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities along the first axis."""
    found: NDArray[np.float32] = np.exp(logits - logits.max(axis=0, keepdims=True))
    found /= found.sum(axis=0, keepdims=True)
    return found
