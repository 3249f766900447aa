"""Chains of predicted models, matched to the sequences that they are of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, SequenceSet
from cryoweave.data.residues import letter_of
from cryoweave.kernels.align import align_sequences
from cryoweave.kernels.evidence import kinds_of

PARTS = ("predicted model, on a detected point", "predicted model, without a point")
"""What a threading's residues come from that a model alone gives."""


class PredictedChain(NamedTuple):
    """A chain of a model, residue by residue of a sequence."""

    chains: tuple[int, ...]
    """Numbers of the chains of its sequence, counted over all copies of all sequences."""
    model: str
    """Name of the model it is of."""
    xyz: NDArray[np.float64]
    """Cα, Å, NaN where the model has no such residue, ``(n, 3)``."""
    kinds: NDArray[np.intp]
    """Column of each residue in tables of log-odds, ``(n,)``."""
    equal: int
    """Residues that are those of the sequence."""


def predicted_chains(models: ModelSet, sequences: SequenceSet, identity: float) -> list[PredictedChain]:
    """Each chain of the models for each protein sequence that it has, in the order of the models.

    Parameters
    ----------
    models, sequences
        What is matched; sequences of equal letters are one.
    identity
        Share of a model's residues that must be those of the sequence, aligned with it.
    """
    found = []
    for title, model in models:
        trace = model.trace_atoms()
        trace = trace.select(trace.atom_name == "CA")
        for name in dict.fromkeys(trace.chain.tolist()):
            own = trace.select(trace.chain == name)
            letters = np.array([letter_of(one) for one in own.residue_name.tolist()])
            for sequence, numbers in sequences.alike():
                if sequence.molecule != "protein":
                    continue
                mine, theirs = align_sequences("".join(letters), sequence.letters).T
                equal = int((letters[mine] == np.array([*sequence.letters])[theirs]).sum())
                if equal and equal >= identity * len(letters):
                    xyz = np.full((len(sequence), 3), np.nan)
                    xyz[theirs] = own.xyz[mine]
                    found.append(PredictedChain(numbers, title, xyz, kinds_of(sequence.letters), equal))
    return found
