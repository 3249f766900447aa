"""Paths of a few hops from every point, and how well each residue fits at a point by the amino acids along them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph

IDEAL, FREE, FADE = 3.8, 0.5, 2.0
"""Å: a bond as long as this counts in full, as one that is off by FREE; FADE further off it counts nothing. Methods of
Chen et al. 2024 and the program's constants."""
ACROSS = 4.5
"""Å between a Cα and the second after it at least: 5.0 in the tightest turns, less what detected points are off."""
Table = NDArray[np.float32]
Index = NDArray[np.intp]


class Hops(NamedTuple):
    """Bonds as steps: each in both directions."""

    tail: Index
    """The point that each step leaves, ``(m,)``."""
    head: Index
    """The point that it comes to, ``(m,)``."""
    worth: NDArray[np.float64]
    """Neighbour score of its bond, 0..1, ``(m,)``."""
    before: Index
    """With `after` all pairs of steps that may follow each other, sorted by `after`, ``(t,)``."""
    after: Index
    """``(t,)``."""


def neighbour_score(bonds: BondGraph) -> NDArray[np.float64]:
    """Half by the length, half by the mean main-chain probability along it, 0..1, ``(m,)``."""
    off = np.maximum(np.abs(bonds.length - IDEAL) - FREE, 0)
    return np.asarray((np.maximum(1 - off / FADE, 0) + np.clip(bonds.mean, 0, 1)) / 2, np.float64)


def hops_of(bonds: BondGraph) -> Hops:
    """The steps along bonds, and which may follow which: none back, none to a point too near to the last but one."""
    i, j = bonds.pairs.astype(np.intp).T
    tail, head = np.concatenate([i, j]), np.concatenate([j, i])
    worth = np.tile(neighbour_score(bonds), 2)
    order = np.argsort(tail, kind="stable")
    tail, head, worth = tail[order], head[order], worth[order]
    first = np.searchsorted(tail, np.arange(len(bonds.points) + 1))
    many = (first[1:] - first[:-1])[head]
    before = np.repeat(np.arange(len(tail)), many)
    after = np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many) + np.repeat(first[head], many)
    xyz = bonds.points.xyz
    apart = np.linalg.norm(xyz[tail[before]] - xyz[head[after]], axis=1) >= ACROSS
    before, after = before[apart], after[apart]
    order = np.lexsort((before, after))
    return Hops(tail, head, worth, before[order], after[order])


def best_steps(group: Index, steps: Index, worth: NDArray[np.float64], groups: int, branches: int) -> Index:
    """The best few steps of each group, shape ``(groups, branches)``, -1 where there are fewer."""
    order = np.lexsort((steps, -worth[steps], group))
    group, steps = group[order], steps[order]
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    found = np.full((groups, branches), -1, np.intp)
    kept = rank < branches
    found[group[kept], rank[kept]] = steps[kept]
    return found


def arms(cells: Table, hops: Hops, onward: Index, count: int) -> Table:
    """The best sum along so many steps that begin with each, the residue going up by one at each; ``(m + 1, n)``.

    A step's share is its point's cell times the neighbour scores so far; an arm ends where going on would only lose.
    Row ``m`` is 0, for steps that are not there.
    """
    m, n = len(hops.tail), cells.shape[1]
    zero = np.zeros((1, n), np.float32)
    own = cells[hops.head] * 1.0
    found = zero.repeat(m + 1, axis=0)
    for _ in range(count):
        best = np.zeros((m, n), np.float32)
        for branch in onward.T:
            best[:, :-1] = np.maximum(best[:, :-1], found[branch, 1:])
        found = np.concatenate([(own + best) * hops.worth[:, None].astype(np.float32), zero])
    return found


def residue_scores(cells: Table, hops: Hops, count: int, branches: int) -> Table:
    """How well each residue fits at each point with the residues along the chain to both sides, ``(points, n)``.

    Parameters
    ----------
    cells
        How well each residue fits at each point by itself, ``(points, n)``.
    hops
        Steps.
    count
        Steps to each side.
    branches
        Of each point the best so many are gone.

    Notes
    -----
    The two sides of a point begin with two different steps; the best pair counts, in either direction.
    """
    m, n = len(hops.tail), cells.shape[1]
    onward = best_steps(hops.before, hops.after, hops.worth, m, branches)
    outward = best_steps(hops.tail, np.arange(m), hops.worth, len(cells), branches)
    forward = arms(cells, hops, onward, count)
    backward = arms(cells[:, ::-1], hops, onward, count)[:, ::-1]
    ahead, behind = np.zeros((2, branches, len(cells), n), np.float32)
    for k in range(branches):
        ahead[k, :, :-1] = np.maximum(forward[outward[:, k], 1:], 0)
        behind[k, :, 1:] = np.maximum(backward[outward[:, k], :-1], 0)
    best = np.maximum(ahead, behind).max(axis=0)
    for one in range(branches):
        for other in range(branches):
            if one != other:
                best = np.maximum(best, ahead[one] + behind[other])
    return np.asarray(cells + best, np.float32)
