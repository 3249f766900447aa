"""Which points may follow each other along a chain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.data.points import PointCloud
from cryoweave.errors import InputError


@dataclass(frozen=True, eq=False)
class BondGraph:
    """Points, and bonds between those that may be neighbours in a chain.

    Parameters
    ----------
    points
        The points.
    pairs
        The two points of each bond, ``i < j``, sorted, each once, int32, shape ``(m, 2)``.
    length
        Å between them, float64, shape ``(m,)``.
    least, mean
        Along the inside of each bond, float32, shape ``(m,)``: a main-chain probability, 0 to 1; or density as a share
        of what is usual at the points; or 1 where there is no map.
    forward
        Log-odds that the chain runs from the N to the C terminus from ``i`` to ``j``, float32, shape ``(m,)``; 0 where
        nothing is known.
    """

    points: PointCloud
    pairs: NDArray[np.int32]
    length: NDArray[np.float64]
    least: NDArray[np.float32]
    mean: NDArray[np.float32]
    forward: NDArray[np.float32]

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", frozen(self.pairs, np.int32, "pairs", (None, 2)))
        columns = (("length", np.float64), ("least", np.float32), ("mean", np.float32), ("forward", np.float32))
        for name, dtype in columns:
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, name, (None,)))
        same_length(pairs=self.pairs, **{name: getattr(self, name) for name, _ in columns})
        i, j = self.pairs.astype(np.int64).T
        n = len(self.points)
        if self.pairs.size and not (self.pairs.min() >= 0 and self.pairs.max() < n):
            raise InputError(f"a bond names a point that is not there (points: {n})")
        if np.any(i >= j) or np.any(np.diff(i * n + j) <= 0):
            raise InputError("bonds must be pairs i < j, sorted, each once")
        if np.any(self.length < 0):
            raise InputError("a bond's length is negative")

    def __len__(self) -> int:
        return len(self.pairs)
