"""Sequences as kinds of residues, and what points say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, Sequence, SequenceSet
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.kernels.evidence import require_length

LETTERS = "".join(AMINO_ACIDS.values())
"""Kinds of residues by number; the number behind the last stands for an unknown one."""


@dataclass(frozen=True)
class Chains:
    """The chains of one sequence.

    Parameters
    ----------
    sequence
        What it is.
    kinds
        Kind of each residue, int32 ``(n,)``.
    numbers
        Numbers of its copies among all chains.
    """

    sequence: Sequence
    kinds: NDArray[np.int32]
    numbers: tuple[int, ...]


def proteins(sequences: SequenceSet) -> list[Chains]:
    """The chains by sequence; entries with the same letters are copies.

    Raises
    ------
    StageError
        If there is RNA or DNA among them, or a chain of less than five residues.
    """
    found = []
    for one, numbers in sequences.alike():
        if one.molecule != "protein":
            raise StageError(
                f"{one.name} is {one.molecule.upper()}, and this step traces proteins only",
                "leave it out of the sequences, and its density out of the map",
            )
        require_length(one)
        kinds = np.array([LETTERS.find(letter) % (len(LETTERS) + 1) for letter in one.letters], np.int32)
        found.append(Chains(one, kinds, numbers))
    return found


def amino_acids(points: PointCloud) -> NDArray[np.float64]:
    """Probability of each kind at each point, shape ``(points, 20)`` in the order of ``LETTERS``.

    Raises
    ------
    StageError
        If there is no point, or the points do not name the twenty amino acids.
    """
    if not len(points):
        raise StageError("there are no points to trace", "lower the detector's threshold")
    if not {*AMINO_ACIDS} <= {*points.classes}:
        raise StageError(
            "the points say nothing of amino acids, by which this step finds its way",
            "take points of a detector that names all twenty, e.g. `points.calpha` on its maps",
        )
    columns = [points.classes.index(name) for name in AMINO_ACIDS]
    return points.probabilities[:, columns].astype(np.float64)
