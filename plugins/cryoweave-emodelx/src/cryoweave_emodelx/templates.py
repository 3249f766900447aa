"""Which chain of the models has which sequence."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, SequenceSet
from cryoweave.data.residues import letter_of
from cryoweave.kernels.align import align_sequences
from cryoweave.kernels.evidence import kinds_of


class Template(NamedTuple):
    """A predicted chain, residue by residue of its sequence."""

    xyz: NDArray[np.float64]
    """Cα, Å, NaN where the model has no such residue, ``(n, 3)``."""
    kinds: NDArray[np.intp]
    """Column of each residue in tables of log-odds, ``(n,)``."""
    model: str
    """Name of the model it is of."""


def templates_of(models: ModelSet, sequences: SequenceSet, identity: float) -> dict[int, Template]:
    """For each protein sequence by its place the chain that has most of its residues, at this identity or more."""
    found: dict[int, Template] = {}
    most: dict[int, int] = {}
    for model, letters, calpha in protein_chains(models):
        for place, sequence in enumerate(sequences):
            if sequence.molecule != "protein":
                continue
            mine, theirs = align_sequences(letters, sequence.letters).T
            pairs = zip(mine.tolist(), theirs.tolist(), strict=True)
            equal = sum(letters[a] == sequence.letters[b] for a, b in pairs)
            if equal >= identity * len(letters) and equal > most.get(place, 0):
                xyz = np.full((len(sequence), 3), np.nan)
                xyz[theirs] = calpha[mine]
                found[place], most[place] = Template(xyz, kinds_of(sequence.letters), model), equal
    return found


def protein_chains(models: ModelSet) -> Iterator[tuple[str, str, NDArray[np.float64]]]:
    """Model, letters and Cα of each chain of each model."""
    for title, model in models:
        trace = model.trace_atoms()
        trace = trace.select(trace.atom_name == "CA")
        for name in dict.fromkeys(trace.chain.tolist()):
            own = trace.select(trace.chain == name)
            yield title, "".join(letter_of(one) for one in own.residue_name.tolist()), own.xyz
