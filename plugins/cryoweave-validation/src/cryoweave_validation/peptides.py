"""The amino acids of a model, residue by residue: positions by atom name, peptide bonds, torsions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, Metric, Model, ScoreTable
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS
from cryoweave.errors import NotApplicableError
from cryoweave_validation.atoms import residue_rows

PEPTIDE_BOND = 2.0
"""Å; C and N of neighbours closer than this are bonded, as cctbx has it. The ideal is 1.33 (Engh & Huber 1991, Acta
Cryst. A47, 392)."""
KNOWN = (*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS)
"""L amino acids and glycine: what an ideal geometry is known for."""

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Peptides:
    """The amino acids of a model, a row each, in the model's order.

    Parameters
    ----------
    chain, residue_number, insertion_code, residue_name
        Identity, shape ``(n,)``.
    names
        Atoms that were asked for.
    xyz
        Their positions in Å, shape ``(n, len(names), 3)``: of the first alternative location; NaN where missing.
    """

    chain: NDArray[np.str_]
    residue_number: NDArray[np.int32]
    insertion_code: NDArray[np.str_]
    residue_name: NDArray[np.str_]
    names: tuple[str, ...]
    xyz: Rows

    def __len__(self) -> int:
        return len(self.chain)

    def at(self, name: str) -> Rows:
        """Positions of one atom, shape ``(n, 3)``."""
        return np.asarray(self.xyz[:, self.names.index(name)])

    def known(self) -> NDArray[np.bool_]:
        """Residues whose name is that of an L amino acid or glycine."""
        return np.isin(self.residue_name, KNOWN)

    def follows(self) -> NDArray[np.bool_]:
        """Whether the row before is the residue before: its C within 2.0 Å of this N."""
        length = np.linalg.norm(self.at("N")[1:] - self.at("C")[:-1], axis=1)
        bonded = (length < PEPTIDE_BOND) & (self.chain[1:] == self.chain[:-1])
        return np.concatenate((np.zeros(min(1, len(self)), bool), bonded))

    def consecutive(self) -> NDArray[np.bool_]:
        """Whether the row before is numbered as the residue before: one less, or the same with an insertion code."""
        step = np.diff(self.residue_number)
        numbered = (self.chain[1:] == self.chain[:-1]) & ((step == 0) | (step == 1))
        return np.concatenate((np.zeros(min(1, len(self)), bool), numbered))

    def table(
        self,
        residues: Mapping[str, Rows],
        whole: Mapping[str, float],
        metrics: Mapping[str, Metric],
        curves: Mapping[str, Curve] | None = None,
    ) -> ScoreTable:
        """A score table of these residues."""
        return ScoreTable(
            chain=self.chain,
            residue_number=self.residue_number,
            insertion_code=self.insertion_code,
            residue_name=self.residue_name,
            residues=residues,
            whole=whole,
            metrics=metrics,
            curves=curves or {},
        )


def peptides(model: Model, names: Sequence[str]) -> Peptides:
    """The amino acids: residues named as one, or with N, CA and C.

    Raises
    ------
    StageError
        If there is none.
    """
    residue, first = residue_rows(model)
    amino = np.isin(model.residue_name, [*KNOWN, "UNK"])[first]
    backbone = np.ones(len(first), bool)
    for name in ("N", "CA", "C"):
        present = np.zeros(len(first), bool)
        present[residue[(model.atom_name == name) & (model.element == name[0])]] = True
        backbone &= present
    kept = np.flatnonzero(amino | backbone)
    if not len(kept):
        raise NotApplicableError("the model has no amino acid", "give a model of a protein")
    row = np.full(len(first), -1)
    row[kept] = np.arange(len(kept))
    xyz = np.full((len(kept), len(names), 3), np.nan)
    usable = (row[residue] >= 0) & (model.residue_name == model.residue_name[first][residue])
    for at, name in enumerate(names):
        found = np.flatnonzero(usable & (model.atom_name == name))[::-1]  # of several, the first in the file stays
        xyz[row[residue[found]], at] = model.xyz[found]
    origin = first[kept]
    return Peptides(
        model.chain[origin],
        model.residue_number[origin],
        model.insertion_code[origin],
        model.residue_name[origin],
        tuple(names),
        xyz,
    )


def previous(values: Rows) -> Rows:
    """Each row's predecessor; NaN in the first."""
    shifted = np.full_like(values, np.nan)
    shifted[1:] = values[:-1]
    return shifted


def following(values: Rows) -> Rows:
    """Each row's successor; NaN in the last."""
    shifted = np.full_like(values, np.nan)
    shifted[:-1] = values[1:]
    return shifted


def share(part: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    """Rows of the second mask that the first has too, as a share; NaN if there is none."""
    return float((part & of).sum() / of.sum()) if of.any() else float("nan")
