"""A ranked pool of threadings, and how much they agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Sequence, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import require_length

SAME_PLACE = 3.0
"""Å within which two threadings agree on a residue."""


@dataclass(frozen=True)
class Candidate:
    """One threading.

    Parameters
    ----------
    score
        The higher the better.
    origin
        Which trace, direction and parameters.
    residue
        Indices of the residues that are placed, ascending.
    xyz
        Their positions, Å.
    """

    score: float
    origin: str
    residue: NDArray[np.intp]
    xyz: NDArray[np.float64]


def the_sequence(sequences: SequenceSet) -> Sequence:
    """The single protein chain that these threaders can place."""
    if len(sequences) != 1 or sequences.sequences[0].copies != 1 or sequences.sequences[0].molecule != "protein":
        chains = sum(sequence.copies for sequence in sequences)
        raise StageError(
            f"this step threads one protein chain, and the sequences name {chains} chain{'s' * (chains != 1)}: "
            + ", ".join(f"{s.name} ({s.molecule})" for s in sequences),
            "give a FASTA file with one protein sequence, and the density of that chain cut out of the map",
        )
    sequence = sequences.sequences[0]
    require_length(sequence)
    return sequence


def one_chain(sequences: SequenceSet, **_others: object) -> None:
    """Refuse before the first step what `the_sequence` would refuse."""
    the_sequence(sequences)


def pooled(
    sequences: SequenceSet,
    found: list[Candidate],
    keep: int,
    ctx: Context,
    confidence: list[NDArray[np.float32]] | None = None,
) -> Threading:
    """The best candidates as one value, best first.

    Without confidences of its own, that of a residue is the share of the pool that has it within 3 Å of its place.
    """
    best = sorted(range(len(found)), key=lambda i: -found[i].score)[:keep]
    found, known = [found[i] for i in best], confidence and [confidence[i] for i in best]
    ctx.note("threadings in the pool", len(found))
    ctx.note("best threading", found[0].origin)
    ctx.note("best threading score", round(found[0].score, 3))
    ctx.note("residues placed", len(found[0].residue))
    counts = [len(candidate.residue) for candidate in found]
    return Threading(
        sequences=sequences,
        candidate=np.repeat(np.arange(len(found)), counts),
        chain=np.zeros(sum(counts), np.int32),
        residue=np.concatenate([candidate.residue for candidate in found]),
        xyz=np.concatenate([candidate.xyz for candidate in found]),
        confidence=np.concatenate(known or agreement(found, sum(len(sequence) for sequence in sequences))),
        score=np.array([candidate.score for candidate in found]),
        origin=tuple(candidate.origin for candidate in found),
    )


def agreement(found: list[Candidate], length: int) -> list[NDArray[np.floating]]:
    """For each residue of each candidate, the share of all candidates that have it within 3 Å of the same place."""
    places = np.full((len(found), length, 3), np.inf)
    for row, candidate in zip(places, found, strict=True):
        row[candidate.residue] = candidate.xyz
    shares = []
    for candidate in found:
        distance = np.linalg.norm(places[:, candidate.residue] - candidate.xyz, axis=2)
        shares.append((distance <= SAME_PLACE).mean(axis=0))
    return shares
