"""A chain of the sequences and what is placed of it."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Sequence
from cryoweave.kernels.chains import out_of_reach
from cryoweave_emodelx.hops import Index, Table
from cryoweave_emodelx.pieces import NEVER

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""


class Chain:
    """A chain of the sequences and what is placed of it."""

    def __init__(self, sequence: Sequence, cells: Table, own: Table) -> None:
        self.letters, self.cells, self.own = sequence.letters, cells, own
        self.point = np.full(len(sequence), -1, np.intp)
        self.xyz = np.full((len(sequence), 3), np.nan)

    def placed(self) -> Index:
        """Indices of the residues that have a place."""
        return np.flatnonzero(~np.isnan(self.xyz[:, 0]))

    def put(self, residue: Index, point: Index, xyz: NDArray[np.float64]) -> None:
        """Give residues their places."""
        self.point[residue] = point
        self.xyz[residue] = xyz[point]

    def open_cells(self, xyz: NDArray[np.float64], used: NDArray[np.bool_], slack: float) -> Table:
        """What may still be placed, where the chain can reach from the nearest placed residues to both sides."""
        there = self.placed()
        found = np.where(used[:, None], NEVER, self.cells)
        if len(there):
            found[out_of_reach(xyz, self.xyz, STEP, slack)] = NEVER
            found[:, there] = NEVER
        return found

    def distance(self, xyz: NDArray[np.float64]) -> float:
        """Å from the middle of some points to that of what is placed."""
        there = self.placed()
        return float(np.linalg.norm(xyz.mean(axis=0) - self.xyz[there].mean(axis=0))) if len(there) else 0.0
