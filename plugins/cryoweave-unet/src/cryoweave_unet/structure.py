"""Secondary structure from Cα positions."""

import numpy as np
from numpy.typing import NDArray

from cryoweave_unet.classes import STRUCTURE

HELIX, STRAND, COIL = (STRUCTURE.index(name) for name in ("helix", "strand", "coil"))
BOND = 4.3
"""Å: two Cα of one chain that are farther apart are not neighbours in sequence."""
WINDOWS = {HELIX: ((5.5, 0.5), (5.3, 0.5), (6.4, 0.6)), STRAND: ((6.7, 0.6), (9.9, 0.9), (12.4, 1.1))}
"""Distance to the second, third and fourth residue onwards and its tolerance, in Å: P-SEA (Labesse et al. 1997,
doi 10.1093/bioinformatics/13.3.291)."""
LEAST = {HELIX: 5, STRAND: 3}
"""Shortest stretch, as P-SEA has it."""


def secondary_structure(calpha: NDArray[np.float64], chain: NDArray[np.str_]) -> NDArray[np.int8]:
    """Helix, strand or coil of each residue, as an index into ``STRUCTURE``.

    Parameters
    ----------
    calpha
        Positions in Å in the order of the sequence, shape ``(n, 3)``.
    chain
        Chain of each.
    """
    n = len(calpha)
    found = np.full(n, COIL, np.int8)
    joined = np.zeros(n, bool)
    if n > 1:
        joined[1:] = (chain[1:] == chain[:-1]) & (np.linalg.norm(np.diff(calpha, axis=0), axis=1) < BOND)
    run = np.cumsum(~joined)
    for kind in (HELIX, STRAND):
        marked = np.zeros(n, bool)
        fits = np.zeros((n, 3), bool)
        for k, (distance, tolerance) in enumerate(WINDOWS[kind]):
            onward = k + 2
            if n > onward:
                same = run[onward:] == run[:-onward]
                apart = np.linalg.norm(calpha[onward:] - calpha[:-onward], axis=1)
                fits[: n - onward, k] = same & (np.abs(apart - distance) < tolerance)
        seeds = np.flatnonzero(fits[:, 1] & (fits[:, 0] | fits[:, 2]))
        for offset in range(4):
            marked[seeds + offset] = True
        for first, last in _stretches(marked & (found == COIL), run):
            if last - first >= LEAST[kind]:
                found[first:last] = kind
    return found


def _stretches(marked: NDArray[np.bool_], run: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Begin and end of each stretch of marked residues that follow one another in one run."""
    stretches: list[tuple[int, int]] = []
    for i in np.flatnonzero(marked).tolist():
        if stretches and stretches[-1][1] == i and run[i] == run[i - 1]:
            stretches[-1] = (stretches[-1][0], i + 1)
        else:
            stretches.append((i, i + 1))
    return stretches
