"""Stretches of a sequence along bonded points, by dynamic programming over steps and residues."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave import _core
from cryoweave.kernels.graph import neighbour_pairs

Index = NDArray[np.int32]
SHORTEST = 3.0
"""Å between Cα of a chain, whatever lies between them, at least; clashes are nearer."""


class Ways(NamedTuple):
    """Bonds as steps, each in both directions, and leaps over residues without a point; one piece of memory each."""

    tail: Index
    """The point that each step leaves, ascending, ``(m,)``."""
    head: Index
    """The point that it comes to, ``(m,)``."""
    bond: NDArray[np.float32]
    """What it gains; not above 0, ``(m,)``."""
    before: Index
    """With `after` all pairs of steps that may follow each other, ``(t,)``."""
    after: Index
    """Ascending, ``(t,)``."""
    start: Index
    """The points where leaps begin, ascending, ``(l,)``."""
    end: Index
    """Where they end, ``(l,)``."""
    fewest: Index
    """Residues left out between at least, so that the chain can reach; ascending for each start, ``(l,)``."""


class Rules(NamedTuple):
    """What a stretch costs and how long it may be."""

    threshold: float
    """Taken from each score."""
    gap: int
    """Residues that may be left out between two placed ones."""
    gap_open: float
    """The cost of the first."""
    gap_extend: float
    """Of each more."""
    shortest: int
    longest: int
    """Residues of a stretch."""
    least: float
    """Its sum is above this."""
    step: float
    """Å that the chain spans for each residue."""
    slack: float
    """Å beyond that are tolerated between placed residues."""
    most: int = 1
    """Stretches that are wanted."""
    share: float = 0.0
    """What each is worth at least, as a share of the best."""


class Stretch(NamedTuple):
    """Residues on points, ascending."""

    score: float
    residue: NDArray[np.intp]
    """``(k,)``."""
    point: NDArray[np.intp]
    """``(k,)``."""


def leaps(xyz: NDArray[np.float64], gap: int, step: float, slack: float) -> tuple[Index, Index, Index]:
    """All pairs of points that a chain can bridge with ``gap`` residues left out, or fewer.

    Parameters
    ----------
    xyz
        Å, ``(n, 3)``.
    gap
        Residues left out at most.
    step, slack
        As in `Rules`.

    Returns
    -------
    `start`, `end` and `fewest` of `Ways`, each pair both ways. Points nearer than `SHORTEST` are none.
    """
    pairs, length = neighbour_pairs(xyz, step * (gap + 1) + slack)
    far = length >= SHORTEST
    pairs, length = pairs[far], length[far]
    fewest = np.tile(np.maximum(np.ceil((length - slack) / step - 1), 1).astype(np.int32), 2)
    start, end = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((end, fewest, start))
    return np.ascontiguousarray(start[order]), np.ascontiguousarray(end[order]), fewest[order]


def best_stretches(
    scores: NDArray[np.float32],
    ways: Ways,
    xyz: NDArray[np.float64],
    used: NDArray[np.bool_],
    chain: NDArray[np.float64],
    rules: Rules,
) -> list[Stretch]:
    """The stretch with the largest sum of scores and bonds that is long enough, and further ones beside it.

    Parameters
    ----------
    scores
        How well each residue fits at each point, ``(residues, points)``.
    ways
        How the chain may go from point to point.
    xyz
        Å, ``(points, 3)``.
    used
        Points that hold a residue already, ``(points,)``.
    chain
        Å, where residues are placed already, NaN elsewhere, ``(residues, 3)``: they are not placed again, and the
        others only where the chain can reach from the nearest placed ones before and after them.
    rules
        Costs and limits.

    Returns
    -------
    The stretch whose end has the largest sum, if there is one, then those of the same table that share no point with
    better ones: what they would be worth on the points left is not worked out anew. Ends on the way of a better one
    that was too short or too poor are passed over. A way back from an end stops before it would come to a point twice,
    so the score may be less than that of the best of all stretches that visit no point twice.

    Raises
    ------
    InputError
        If lengths differ, an index is out of range or not sorted, a score is not finite, a bond gains
        or a cost is below 0.

    Notes
    -----
    Only sums above 0 are kept. Time and memory go with their number, but for one look at each score.
    """
    found = _core.best_stretches(
        np.ascontiguousarray(scores, np.float32),
        (ways.tail, ways.head, ways.bond),
        (ways.before, ways.after),
        (ways.start, ways.end, ways.fewest),
        (xyz, used, chain),
        (rules.threshold, rules.gap_open, rules.gap_extend, rules.least, rules.share, rules.step, rules.slack),
        (rules.gap, rules.shortest, rules.longest, rules.most),
    )
    return [Stretch(score, residue.astype(np.intp), point.astype(np.intp)) for score, residue, point in found]
