"""Fragments that are alternatives, and what speaks against having two of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.fragments import Conflicts


@dataclass(frozen=True)
class Choice:
    """Fragments to choose from.

    Parameters
    ----------
    score
        Of each, ``(n,)``.
    sequence
        Of which sequence each is, ``(n,)``.
    copies
        How many chains each sequence has.
    conflicts
        Between fragments.
    """

    score: NDArray[np.float64]
    sequence: NDArray[np.intp]
    copies: NDArray[np.intp]
    conflicts: Conflicts

    def only(self, kept: NDArray[np.intp]) -> "Choice":
        """The same with these fragments only, which ascend."""
        place = np.full(len(self.score), -1)
        place[kept] = np.arange(len(kept))
        pairs = place[self.conflicts.pairs]
        both = (pairs >= 0).all(axis=1)
        conflicts = Conflicts(pairs[both], self.conflicts.clash[both], self.conflicts.chain[both])
        return Choice(self.score[kept], self.sequence[kept], self.copies, conflicts)
