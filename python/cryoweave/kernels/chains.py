"""Residues of a chain: which follow each other, by their atoms first, and those missing between two placed ones."""

import itertools

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model

REACH = {"CA": 4.2, "P": 8.0, "C4'": 8.0}
"""Å from a trace atom to the next that pass as a bond: 3.8 for Cα and 0.4 more for a trace; for nucleotides the
distance of neighbours that phenix.chain_comparison takes (P–P is 7.6 at most in 40 crystal structures of RNA)."""

LINE = "on the line between its neighbours"
"""What a residue comes from that `bridged` put."""


def joined(trace: Model) -> NDArray[np.bool_]:
    """Which rows of a table of trace atoms are bonded to the row before, as far as one atom a residue tells.

    Parameters
    ----------
    trace
        Atoms as `Model.trace_atoms` gives them.

    Returns
    -------
    Shape ``(n - 1,)``: the chain is the same, and the two lie within `REACH`.
    """
    reach = np.array([REACH.get(name, 0.0) for name in trace.atom_name.tolist()])
    near = np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1) <= np.minimum(reach[1:], reach[:-1])
    return np.asarray(near & (trace.chain[1:] == trace.chain[:-1]))


def follows(trace: Model) -> NDArray[np.bool_]:
    """Which rows are the residue after the row before: bonded to it, or numbered so, an insertion code counting as one.

    Parameters
    ----------
    trace
        As for `joined`.

    Returns
    -------
    Shape ``(n - 1,)``.
    """
    step = np.diff(trace.residue_number)
    numbered = (trace.chain[1:] == trace.chain[:-1]) & ((step == 0) | (step == 1))
    return np.asarray(joined(trace) | numbered)


def bridged(xyz: NDArray[np.float64], most: int, step: float, slack: float) -> NDArray[np.float64]:
    """Missing residues put on the line between their neighbours, where a chain can be that long.

    Parameters
    ----------
    xyz
        Of all residues of a chain, Å, shape ``(n, 3)``; NaN where one is missing.
    most
        So many missing ones in a row at most; none is put before the first placed residue or behind the last.
    step, slack
        Å that the chain spans for each residue, and Å beyond that are tolerated.

    Returns
    -------
    A copy with those that could be put.
    """
    found = xyz.copy()
    for a, b in itertools.pairwise(np.flatnonzero(~np.isnan(xyz[:, 0])).tolist()):
        gap = np.arange(a + 1, b)
        apart = float(np.linalg.norm(xyz[b] - xyz[a]))
        if 0 < len(gap) <= most and apart <= step * (b - a) + slack:
            found[gap] = xyz[a] + ((gap - a) / (b - a))[:, None] * (xyz[b] - xyz[a])
    return found


def out_of_reach(xyz: NDArray[np.float64], chain: NDArray[np.float64], step: float, slack: float) -> NDArray[np.bool_]:
    """Where residues of a chain cannot lie, because of the nearest placed ones before and after them.

    Parameters
    ----------
    xyz
        Places to look at, Å, shape ``(m, 3)``.
    chain
        Of all residues of the chain, Å, shape ``(n, 3)``; NaN where one is missing.
    step, slack
        Å that the chain spans for each residue, and Å beyond that are tolerated.

    Returns
    -------
    Shape ``(m, n)``; false everywhere as long as no residue is placed.
    """
    there, residues = np.flatnonzero(~np.isnan(chain[:, 0])), np.arange(len(chain))
    found = np.zeros((len(xyz), len(chain)), np.bool_)
    if not len(there):
        return found
    after = np.searchsorted(there, residues)
    for index in (after - 1, after):
        known = (index >= 0) & (index < len(there))
        anchor = there[np.clip(index, 0, len(there) - 1)]
        away = np.linalg.norm(xyz[:, None] - chain[anchor][None], axis=2)
        found |= known & (away > step * np.abs(residues - anchor) + slack)
    return found
