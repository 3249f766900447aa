"""What maps say of two points that follow each other: main chain between them, and which way it runs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, PointCloud
from cryoweave.errors import InputError
from cryoweave.kernels.hmm import Transitions

USUAL, MOST = 0.7, 0.9
"""Least main-chain probability along a bond that speaks neither for nor against it, and from which on more says no
more: true bonds and other pairs of about their length are equally many at .7 (four maps, masked and in solvent)."""
DIRECTION = 0.5
"""Share of the log-odds of Cβ and O that counts: neighbours' errors go together."""


@dataclass(frozen=True)
class Links:
    """Pairs of points, both ways, as keys ``from * n + to``, sorted.

    Parameters
    ----------
    n
        Number of points.
    key
        Int ``(m,)``.
    ahead
        Log-odds that the chain runs this way, ``(m,)``.
    between
        How much more main chain than usual there is, ``(m,)``.
    """

    n: int
    key: NDArray[np.int64]
    ahead: NDArray[np.float64]
    between: NDArray[np.float64]

    @classmethod
    def of(cls, bonds: BondGraph | None, points: PointCloud) -> "Links":
        """Those of bonds between the points; none without bonds.

        Raises
        ------
        InputError
            If the bonds are those of other points.
        """
        n = len(points)
        if bonds is None:
            return cls(n, np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        if not np.array_equal(bonds.points.xyz, points.xyz):
            raise InputError("the bonds are not between the given points", "make them from these by edges.bonds")
        one, other = bonds.pairs.astype(np.int64).T
        key = np.concatenate([one * n + other, other * n + one])
        forward, between = DIRECTION * bonds.forward.astype(np.float64), np.minimum(bonds.least, MOST) - USUAL
        order = np.argsort(key)
        return cls(n, key[order], np.concatenate([forward, -forward])[order], np.tile(between, 2)[order])

    def among(self, points: NDArray[np.intp]) -> "Links":
        """Those between some of the points, by their new numbers; ``points`` ascend."""
        new = np.full(self.n, -1)
        new[points] = np.arange(len(points))
        one, other = new[self.key // max(self.n, 1)], new[self.key % max(self.n, 1)]
        kept = (one >= 0) & (other >= 0)
        key = one[kept] * len(points) + other[kept]
        return Links(len(points), key, self.ahead[kept], self.between[kept])

    def added(self, steps: Transitions, weight: float) -> Transitions:
        """To the log-odds of steps from one residue to the next: the direction, and main chain times a weight."""
        if not len(self.key):
            return steps
        one, other = steps.pairs.astype(np.int64).T
        key = one * self.n + other
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        more = np.where(self.key[at] == key, self.ahead[at] + weight * self.between[at], 0.0)
        return Transitions(steps.pairs, (steps.values + more).astype(np.float32), steps.rest)
