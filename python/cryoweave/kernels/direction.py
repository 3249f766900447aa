"""Whether a chain of Cα runs from N to C terminus or back, by where its Cβ and O lie."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave.data import ProbabilityMaps
from cryoweave.kernels.grid import interpolate

_Points = NDArray[np.float64]
BENT = 6.0
"""Å between the Cα before and after, below which a chain is bent as in helices."""
OFFSETS = {
    "CB": {True: (1.00, 1.10, 0.19), False: (1.32, 0.71, 0.10)},
    "O": {True: (-0.29, -0.76, 2.01), False: (-1.41, 1.22, 1.15)},
}
"""Å from a Cα to its residue's Cβ and O, where the chain is bent and where not: away from both neighbours, along the
normal (step out × step in), and along the chain. Means over 26,787 (28,866) residues of 60 complexes of the
docking benchmark. Seen along the chain an L-amino acid has Cβ on one side, and O lies ahead: so they tell N to C."""
FLOOR = 0.02
"""Added to every probability, so that no single place decides alone."""
STEP, WIDTH = 3.8, 0.6
"""Å between the Cα of neighbours (trans peptide), and how far detected lengths lie from it."""
NEAR = (2.4, 5.2)
"""Å between points that may be neighbours."""
SHARPEST = 4.2
"""Å between the Cα before and after at least: 5.0 in the tightest turns, less what detected points are off."""
UNKNOWN = 1e-3
"""Added to the weights of all third points: where they are hardly bonded, nothing is known."""


def chain_odds(maps: ProbabilityMaps, xyz: ArrayLike) -> _Points:
    """Log-odds at each inner point of a chain that it runs N to C in this order: Cβ and O where they belong.

    Parameters
    ----------
    maps
        With the classes ``CB`` and ``O``.
    xyz
        Along a chain, Å, shape ``(n, 3)``.

    Returns
    -------
    Natural logarithm, shape ``(n - 2,)``; empty for fewer than three points.
    """
    points = np.asarray(xyz, np.float64).reshape(-1, 3)
    return _odds(maps, points[:-2], points[1:-1], points[2:])


def bond_odds(maps: ProbabilityMaps, xyz: ArrayLike, pairs: ArrayLike, worth: ArrayLike) -> NDArray[np.float32]:
    """Log-odds of bonds that the chain runs N to C from the first point to the second: as the bonds beside them tell.

    A bond by itself has no sides; with a third point bonded to one of its ends it has. Of all third points at an end
    the mean counts, by the square of their bonds' worth, and the two ends count half each, as each inner point of a
    chain is an end of two bonds.

    Parameters
    ----------
    maps
        With the classes ``CB`` and ``O``.
    xyz
        Points, Å, shape ``(n, 3)``.
    pairs
        Two points for each bond, each pair once, int, shape ``(m, 2)``.
    worth
        How likely each bond is the chain's by its main chain, 0 to 1, shape ``(m,)``; its length is seen to here.

    Returns
    -------
    float32, shape ``(m,)``, natural logarithm; 0 for bonds that are shorter or longer than `NEAR`.

    Notes
    -----
    Time and memory grow with points times the square of the bonds of each.
    """
    points, ends = np.asarray(xyz, np.float64).reshape(-1, 3), np.asarray(pairs, np.intp).reshape(-1, 2)
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    usable = np.flatnonzero((length >= NEAR[0]) & (length <= NEAR[1]))
    weight = (np.asarray(worth, np.float64) * np.exp(-((length - STEP) ** 2) / (2 * WIDTH**2))) ** 2
    one, middle, other, first, second = _bends(points, ends, usable)
    odds = _odds(maps, points[one], points[middle], points[other])
    total, known = np.zeros((2, len(ends) * 2))
    for bond, mate, start in ((first, second, one), (second, first, middle)):
        # From `one` over `middle` to `other`: is this the way from the bond's first point to its second?
        sign = np.where(ends[bond, 0] == start, 1.0, -1.0)
        slot = 2 * bond + (ends[bond, 1] == middle)
        total += np.bincount(slot, weight[mate] * sign * odds, len(total))
        known += np.bincount(slot, weight[mate], len(known))
    return np.asarray((total / (known + UNKNOWN)).reshape(-1, 2).mean(axis=1), np.float32)


def _bends(points: _Points, ends: NDArray[np.intp], usable: NDArray[np.intp]) -> tuple[NDArray[np.intp], ...]:
    """All pairs of bonds that share a point: the points in a row, and the two bonds."""
    bond = np.tile(usable, 2)
    middle, outer = np.concatenate([ends[usable], ends[usable, ::-1]]).T
    order = np.lexsort((outer, middle))
    bond, middle, outer = bond[order], middle[order], outer[order]
    later = np.searchsorted(middle, middle, side="right") - np.arange(len(middle)) - 1
    first = np.repeat(np.arange(len(middle)), later)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    wide = np.linalg.norm(points[outer[first]] - points[outer[second]], axis=1) >= SHARPEST
    first, second = first[wide], second[wide]
    return outer[first], middle[first], outer[second], bond[first], bond[second]


def _odds(maps: ProbabilityMaps, before: _Points, at: _Points, after: _Points) -> _Points:
    found = np.zeros(len(at))
    for name in OFFSETS if len(at) else ():
        one = maps.of(name)
        here, there = (interpolate(one.values, one.frame, xyz) + FLOOR for xyz in places(before, at, after, name))
        found += np.log(here.astype(np.float64) / there)
    return found


def places(before: _Points, at: _Points, after: _Points, name: str) -> tuple[_Points, _Points]:
    """Where an atom of a residue belongs if the chain runs this way, and if the other, ``(n, 3)`` each.

    Parameters
    ----------
    before, at, after
        Three Cα in a row, Å, ``(n, 3)`` each.
    name
        ``CB`` or ``O``.
    """
    backward, forward = _unit(at - before), _unit(after - at)
    across = after - before
    bent = np.linalg.norm(across, axis=1) < BENT
    away, aside, along = np.where(bent[:, None], OFFSETS[name][True], OFFSETS[name][False]).T[:, :, None]
    outwards = at + away * _unit(backward - forward)
    turned = aside * _unit(np.cross(forward, backward)) + along * _unit(across)
    return outwards + turned, outwards - turned


def _unit(vectors: _Points) -> _Points:
    # Of length 1; 0 where there is no length, as between the sides of a straight chain.
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9))
