"""Motions that a search found, with what speaks for each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.registration import Motions
from cryoweave.kernels.rigid import standing_out

Column = NDArray[np.float64]
LEAST_FOR_Z = 10


@dataclass(frozen=True)
class Found:
    """Motions of one model, best first, and other numbers of each by name."""

    motions: Motions
    score: Column
    measures: dict[str, Column]

    def judged(self) -> "Found":
        """With ``z``: by how many robust standard deviations a score exceeds the median; NaN for fewer than ten."""
        z = standing_out(self.score)
        z = z if len(z) >= LEAST_FOR_Z and z.any() else np.full(len(z), np.nan)
        return Found(self.motions, self.score, {**self.measures, "z": z})

    def select(self, which: NDArray[np.intp]) -> "Found":
        """Those that indices name."""
        measures = {name: column[which] for name, column in self.measures.items()}
        return Found(self.motions.select(which), self.score[which], measures)


def sorted_by(score: Column, motions: Motions, measures: dict[str, Column]) -> Found:
    """Best first; of equal ones the earlier."""
    return Found(motions, score, measures).select(np.argsort(-score, kind="stable"))
