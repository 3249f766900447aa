"""Compact regions of a chain."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.graph import neighbour_pairs

CONTACT = 8.0
"""Å between Cα that count as a contact."""


def compact_regions(trace: NDArray[np.float64], smallest: int = 40) -> NDArray[np.intp]:
    """The region of each residue, by halving the graph of contacts as long as that raises its modularity.

    Contacts are pairs of Cα within 8 Å. A part is cut by the leading eigenvector of its modularity
    matrix (Newman 2006, doi 10.1073/pnas.0601602103) if both sides hold the fewest residues that a region may have.

    Parameters
    ----------
    trace
        Cα in sequence order, shape ``(n, 3)``.
    smallest
        Fewest residues of a region.

    Returns
    -------
    Numbers from 0 in the order of each region's first residue, shape ``(n,)``.
    """
    n = len(trace)
    contact = np.zeros((n, n))
    pairs, _ = neighbour_pairs(trace, CONTACT)
    contact[pairs[:, 0], pairs[:, 1]] = contact[pairs[:, 1], pairs[:, 0]] = 1.0
    degree = contact.sum(axis=1)
    whole = max(float(degree.sum()), 1.0)
    modularity = contact - np.outer(degree, degree) / whole
    done: list[NDArray[np.intp]] = []
    open_ = [np.arange(n)]
    while open_:
        part = open_.pop()
        side = _cut(modularity[np.ix_(part, part)])
        if min(int(side.sum()), int((~side).sum())) < smallest or not _better(modularity, part, side):
            done.append(part)
        else:
            open_ += [part[side], part[~side]]
    found = np.zeros(n, np.intp)
    for number, part in enumerate(sorted(done, key=lambda one: int(one[0]))):
        found[part] = number
    return found


def _cut(modularity: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The side of each residue by the sign of the leading eigenvector, smoothed along the chain."""
    inner = modularity - np.diag(modularity.sum(axis=1))
    vector = np.linalg.eigh(inner)[1][:, -1]
    # Single residues on the other side of their neighbours go with these.
    window = np.convolve(np.sign(vector), np.ones(9), "same")
    side = window > 0
    return np.asarray(side if side[0] else ~side)


def _better(modularity: NDArray[np.float64], part: NDArray[np.intp], side: NDArray[np.bool_]) -> bool:
    """Whether contacts between the sides are fewer than chance would have it."""
    return bool(modularity[np.ix_(part[side], part[~side])].sum() < 0)
