"""Which way a chain runs between two points that follow each other, as maps tell."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, PointCloud
from cryoweave.errors import InputError
from cryoweave.kernels.hmm import Transitions

DIRECTION = 0.5
"""Share of the log-odds of a bond's direction that counts: neighbours' errors go together."""


def directions(bonds: BondGraph | None, points: PointCloud) -> Transitions:
    """Log-odds of each bond's direction, both ways; 0 for all other pairs.

    Raises
    ------
    InputError
        If the bonds are those of other points.
    """
    if bonds is None:
        return Transitions.none(len(points))
    if not np.array_equal(bonds.points.xyz, points.xyz):
        raise InputError("the bonds are not between the given points", "make them from these by edges.bonds")
    odds = DIRECTION * bonds.forward
    pairs = np.concatenate([bonds.pairs, bonds.pairs[:, ::-1]])
    return Transitions(pairs, np.concatenate([odds, -odds]), np.zeros(len(points), np.float32))


def among(all_pairs: Transitions, points: NDArray[np.intp]) -> Transitions:
    """Those between some of the points, by their new numbers."""
    new = np.full(len(all_pairs.rest), -1, np.int32)
    new[points] = np.arange(len(points))
    pairs = new[all_pairs.pairs]
    kept = (pairs >= 0).all(axis=1)
    return Transitions(pairs[kept], all_pairs.values[kept], all_pairs.rest[points])


def added(steps: Transitions, more: Transitions) -> Transitions:
    """Steps that are listed, with what other pairs add to them."""
    if not len(more.pairs):
        return steps
    n = len(steps.rest)
    key, own = (one.pairs.astype(np.int64) @ [n, 1] for one in (more, steps))
    order = np.argsort(key)
    at = order[np.minimum(np.searchsorted(key, own, sorter=order), len(key) - 1)]
    gain = np.where(key[at] == own, more.values[at], 0)
    return Transitions(steps.pairs, steps.values + gain.astype(np.float32), steps.rest)
