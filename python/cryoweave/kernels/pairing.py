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


@dataclass(frozen=True)
class _Claim:
    """Rows of both tables, shape ``(k, 2)``, that one chain of the model would pair; and what speaks for it."""

    chain: int
    pairs: NDArray[np.intp]
    close: int
    gap: float
    """Median distance of the pairs, Å."""
    spare: bool
    """Only if the place that the residues' numbers name is taken."""


def own_residues(ours: Model, native: Model) -> NDArray[np.intp]:
    """For each model residue the row of the reference residue that it claims to be.

    Each chain of the model goes to one of the reference, those first whose claims lie nearest: for copies of one
    sequence this finds out which copy a chain is. Several may go to one reference chain, as the fragments of a broken
    model do, if no two claim the same residue; a chain that claims one that is taken goes elsewhere or nowhere.

    Parameters
    ----------
    ours, native
        Tables of trace atoms, one a residue (`Model.trace_atoms`), of the model and of the reference, in one frame.

    Returns
    -------
    Rows of ``native``, shape ``(len(ours),)``; -1 where there is none.
    """
    claims = _claims(ours, native)
    in_place = any(claim.close for claim in claims)  # else distances mean nothing, and the files' order decides

    def order(claim: _Claim) -> tuple[bool, int, int, float]:
        return claim.spare, -claim.close, -len(claim.pairs), claim.gap if in_place else 0.0

    own = np.full(len(ours), -1, dtype=np.intp)
    taken = np.zeros(len(native), dtype=np.bool_)
    settled: set[int] = set()
    for claim in sorted(claims, key=order):
        mine, theirs = claim.pairs.T
        if claim.chain not in settled and not taken[theirs].any():
            settled.add(claim.chain)
            taken[theirs] = True
            own[mine] = theirs
    return own


def _claims(ours: Model, native: Model) -> list[_Claim]:
    """Of each chain of the model on each of the reference, in their order."""
    claims = []
    placed: dict[tuple[str, bytes, str, bytes], tuple[NDArray[np.intp], NDArray[np.intp], bool]] = {}
    theirs_all = chains_of(native)
    for i, mine in enumerate(chains_of(ours)):
        for theirs in theirs_all:
            key = (mine.letters, mine.numbers.tobytes(), theirs.letters, theirs.numbers.tobytes())
            if key not in placed:  # copies of one chain are aligned once
                numbered = len(_shifted(mine, theirs, np.int32(0))) == len(mine.letters)
                placed[key] = _align(mine, theirs), _repeats(mine, theirs), numbered
            aligned, starts, numbered = placed[key]
            if len(aligned):
                claims.append(_nearest_way(i, ours, native, _rows(mine, theirs, aligned)[None]))
            if len(starts):
                there = theirs.rows[starts[:, None] + np.arange(len(mine.rows))]
                ways = np.stack(np.broadcast_arrays(mine.rows, there), axis=-1)
                claims.append(_nearest_way(i, ours, native, ways, spare=numbered))
    return claims


def _nearest_way(chain: int, ours: Model, native: Model, ways: NDArray[np.intp], spare: bool = False) -> _Claim:
    """Of several ways to pair a chain, shape ``(ways, k, 2)``, the one that lies nearest."""
    gaps = np.linalg.norm(ours.xyz[ways[..., 0]] - native.xyz[ways[..., 1]], axis=2)
    close, gap = (gaps <= CLOSE).sum(axis=1), np.median(gaps, axis=1)
    best = int(np.lexsort((gap, -close))[0])
    return _Claim(chain, ways[best], int(close[best]), float(gap[best]), spare)


def _repeats(mine: Chain, theirs: Chain) -> NDArray[np.intp]:
    """Where the other chain spells all of a chain out.

    A fragment of a few residues may fit in several places, and an alignment takes any of them.
    """
    starts: list[int] = []
    start = theirs.letters.find(mine.letters) if "X" not in mine.letters else -1
    while start >= 0:
        starts.append(start)
        start = theirs.letters.find(mine.letters, start + 1)
    return np.array(starts, dtype=np.intp)


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
