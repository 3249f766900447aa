"""Chains of one sequence: what is missing in one and placed in another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import superpose

AROUND = 12
"""Residues before a gap, and as many behind it, by which a copy is laid on; ours."""
ALIKE = 1.5
"""Å, RMSD of these at most; ours: of EMD-0093's 51 residues none was wrong, with 2 Å 3 of 55."""
CLASH = 2.5
"""Å between different residues at least: Terashi et al. 2024, doi 10.1038/s41592-023-02099-0."""


class Completed(NamedTuple):
    """Copies with what they take from each other."""

    xyz: NDArray[np.float64]
    """Å, NaN where nothing is placed, ``(copies, residues, 3)``."""
    source: NDArray[np.intp]
    """The copy that a residue is taken from, -1 for all others, ``(copies, residues)``."""


def completed(xyz: NDArray[np.float64], others: NDArray[np.float64]) -> Completed:
    """Residues missing between placed ones, taken from the copy that is most like the chain around them.

    A copy is laid on the chain by twelve residues before the gap and twelve behind it which both have. The one with the
    most of the missing residues counts, and of equal ones that with the lowest RMSD. What would clash is left out.

    Parameters
    ----------
    xyz
        Places of all residues of each copy, Å, shape ``(copies, residues, 3)``; NaN where one is missing.
    others
        Places that residues must not clash with, those of other chains, Å, shape ``(m, 3)``.
    """
    there = ~np.isnan(xyz[..., 0])
    found, source = xyz.copy(), np.full(there.shape, -1)
    for one in range(len(xyz)):
        ends = np.flatnonzero(np.diff(there[one].astype(np.int8), prepend=1, append=1))
        for gap in ends.reshape(-1, 2).tolist():
            laid = [_laid(xyz, there, one, other, *gap) for other in range(len(xyz)) if other != one]
            best = min((part for part in laid if part is not None), key=lambda part: part.rank, default=None)
            if best is None:
                continue
            held = np.concatenate([found[~np.isnan(found[..., 0])], others])
            free = nearest(held, best.xyz)[1][:, 0] >= CLASH
            residue = best.residue[free]
            found[one, residue], source[one, residue] = best.xyz[free], best.rank[2]
    return Completed(found, source)


class _Part(NamedTuple):
    rank: tuple[int, float, int]
    """The lower the better; the copy comes last."""
    residue: NDArray[np.intp]
    xyz: NDArray[np.float64]


def _laid(
    xyz: NDArray[np.float64], there: NDArray[np.bool_], one: int, other: int, first: int, last: int
) -> _Part | None:
    """What a copy has between two residues of a chain that it is laid on around them; none if it does not fit there."""
    both = np.flatnonzero(there[one] & there[other])
    around = np.concatenate([both[both < first][-AROUND:], both[both >= last][:AROUND]])
    residue = first + np.flatnonzero(there[other, first:last])
    if not len(residue) or len(around) < 2 * AROUND:
        return None
    pose = superpose(xyz[other, around], xyz[one, around])
    if pose.rmsd > ALIKE:
        return None
    at = xyz[other, residue] @ pose.rotation.T + pose.translation
    return _Part((-len(residue), pose.rmsd, other), residue, at)
