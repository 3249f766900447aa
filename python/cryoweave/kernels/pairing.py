"""Which residue of a model is which residue of a reference: by their sequences, never by trust in numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.data.residues import letter_of
from cryoweave.kernels.align import align_sequences

CLOSE = 3.0
"""Å; a Cα this close to a reference Cα counts as found: the field's convention (phenix.chain_comparison)."""


@dataclass(frozen=True)
class Chain:
    """Rows of one chain in a table of trace atoms, their residue numbers and letters."""

    rows: NDArray[np.intp]
    numbers: NDArray[np.int32]
    letters: str


def own_residues(ours: Model, native: Model) -> NDArray[np.intp]:
    """For each model residue the row of the reference residue that it claims to be.

    Chains are mapped one to one, those first whose claims lie nearest: for copies of one sequence this finds out which
    copy a chain is.

    Parameters
    ----------
    ours, native
        Tables of trace atoms, one a residue (`Model.trace_atoms`), of the model and of the reference, in one frame.

    Returns
    -------
    Rows of ``native``, shape ``(len(ours),)``; -1 where there is none.
    """
    claims = []
    aligned: dict[tuple[str, bytes, str, bytes], NDArray[np.intp]] = {}
    theirs_all = chains_of(native)
    for i, mine in enumerate(chains_of(ours)):
        for j, theirs in enumerate(theirs_all):
            key = (mine.letters, mine.numbers.tobytes(), theirs.letters, theirs.numbers.tobytes())
            if key not in aligned:  # copies of one chain are aligned once
                aligned[key] = _align(mine, theirs)
            pairs = _rows(mine, theirs, aligned[key])
            if len(pairs):
                gaps = np.linalg.norm(ours.xyz[pairs[:, 0]] - native.xyz[pairs[:, 1]], axis=1)
                claims.append((-int((gaps <= CLOSE).sum()), -len(pairs), i, j, pairs))
    own = np.full(len(ours), -1, dtype=np.intp)
    used: set[tuple[str, int]] = set()
    for _, _, i, j, pairs in sorted(claims, key=lambda claim: claim[:4]):
        if ("model", i) not in used and ("reference", j) not in used:
            used |= {("model", i), ("reference", j)}
            own[pairs[:, 0]] = pairs[:, 1]
    return own


def chains_of(trace: Model) -> list[Chain]:
    """The chains of a table of trace atoms, residues in the order of their numbers."""
    chains = []
    for name in dict.fromkeys(trace.chain.tolist()):
        rows = np.flatnonzero(trace.chain == name)
        rows = rows[np.lexsort((trace.insertion_code[rows], trace.residue_number[rows]))]
        letters = "".join(letter_of(residue) for residue in trace.residue_name[rows])
        chains.append(Chain(rows, trace.residue_number[rows], letters))
    return chains


def align_chain(mine: Chain, theirs: Chain) -> NDArray[np.intp]:
    """Rows of residues that the alignment pairs and whose letters agree, shape ``(k, 2)``.

    None if under half of the shorter chain's letters agree. An alignment places the short pieces of a broken model
    badly. So when one shift of the residue numbers, voted for by the alignment, explains at least as many letters, it
    is taken instead.
    """
    return _rows(mine, theirs, _align(mine, theirs))


def _align(mine: Chain, theirs: Chain) -> NDArray[np.intp]:
    """As `align_chain`, but places in the chains."""
    empty = np.zeros((0, 2), dtype=np.intp)
    if not mine.letters.strip("X") or not theirs.letters.strip("X"):
        return empty
    most = min(len(letters) - letters.count("X") for letters in (mine.letters, theirs.letters))
    aligned = _shifted(mine, theirs, np.int32(0))
    if len(aligned) < most:  # else no alignment could explain more
        aligned = _same_letters(mine, theirs, align_sequences(mine.letters, theirs.letters, identity=True))
        if len(aligned):
            shifts = mine.numbers[aligned[:, 0]] - theirs.numbers[aligned[:, 1]]
            found, votes = np.unique(shifts, return_counts=True)
            shifted = _shifted(mine, theirs, found[votes.argmax()])
            aligned = shifted if len(shifted) >= len(aligned) else aligned
    return empty if 2 * len(aligned) < min(len(mine.letters), len(theirs.letters)) else aligned


def _shifted(mine: Chain, theirs: Chain, shift: np.int32) -> NDArray[np.intp]:
    """Residues whose numbers differ by so much and whose letters agree."""
    _, a, b = np.intersect1d(mine.numbers - shift, theirs.numbers, return_indices=True)
    return _same_letters(mine, theirs, np.column_stack((a, b)))


def _rows(mine: Chain, theirs: Chain, places: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.column_stack((mine.rows[places[:, 0]], theirs.rows[places[:, 1]]))


def _same_letters(mine: Chain, theirs: Chain, pairs: NDArray[np.integer]) -> NDArray[np.intp]:
    """The pairs of residues with the same letter."""
    a, b = (np.array(list(chain.letters), dtype=np.str_) for chain in (mine, theirs))
    first, second = a[pairs[:, 0]], b[pairs[:, 1]]
    return np.asarray(pairs[(first == second) & (first != "X")], dtype=np.intp)
