"""Motions that a search found, with what speaks for each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.registration import Motions

Column = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """Motions of one model, best first, and other numbers of each by name."""

    motions: Motions
    score: Column
    measures: dict[str, Column]

    def select(self, which: NDArray[np.intp]) -> "Found":
        """Those that indices name."""
        measures = {name: column[which] for name, column in self.measures.items()}
        return Found(self.motions.select(which), self.score[which], measures)


def sorted_by(score: Column, motions: Motions, measures: dict[str, Column]) -> Found:
    """Best first; of equal ones the earlier."""
    return Found(motions, score, measures).select(np.argsort(-score, kind="stable"))


def distinct(motions: Motions, xyz: NDArray[np.float64], apart: float, most: int) -> NDArray[np.intp]:
    """The first ``most`` motions that leave these points at least ``apart`` (RMSD, Å) from where those before do."""
    kept: list[int] = []
    placed: list[NDArray[np.float64]] = []
    for at in range(len(motions.translation)):
        here = xyz @ motions.rotation[at].T + motions.translation[at]
        if all(np.mean(np.sum((here - other) ** 2, axis=1)) >= apart**2 for other in placed):
            kept.append(at)
            placed.append(here)
        if len(kept) == most:
            break
    return np.array(kept, np.intp)
