"""A chain of the sequences and what is placed of it."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Sequence
from cryoweave_emodelx.hops import Index, Table

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""


class Chain:
    """A chain of the sequences and what is placed of it."""

    def __init__(self, sequence: Sequence, scores: Table, own: Table) -> None:
        """How well its residues fit at points: with their neighbours, ``(n, points)``, and alone, ``(points, n)``."""
        self.letters, self.scores, self.own = sequence.letters, scores, own
        self.point = np.full(len(sequence), -1, np.intp)
        self.xyz = np.full((len(sequence), 3), np.nan)

    def placed(self) -> Index:
        """Indices of the residues that have a place."""
        return np.flatnonzero(~np.isnan(self.xyz[:, 0]))

    def put(self, residue: Index, point: Index, xyz: NDArray[np.float64]) -> None:
        """Give residues their places."""
        self.point[residue] = point
        self.xyz[residue] = xyz[point]

    def distance(self, xyz: NDArray[np.float64]) -> float:
        """Å from the middle of some points to that of what is placed."""
        there = self.placed()
        return float(np.linalg.norm(xyz.mean(axis=0) - self.xyz[there].mean(axis=0))) if len(there) else 0.0
