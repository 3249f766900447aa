"""Candidates of several threadings in one, and cut into short pieces."""

from collections.abc import Sequence as Several
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import SequenceSet, Threading
from cryoweave.kernels.evidence import AminoEvidence, kinds_of


class Piece(NamedTuple):
    """Residues of one chain with their places."""

    chain: int
    residue: NDArray[np.intp]
    """Ascending, ``(n,)``."""
    xyz: NDArray[np.float64]
    """Å, ``(n, 3)``."""
    confidence: NDArray[np.float64]
    """0..1, ``(n,)``."""
    part: NDArray[np.str_]
    """What each comes from, empty where there is no more to say than the origin, ``(n,)``."""
    score: float
    origin: str


def coded(texts: NDArray[np.str_]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """What residues come from, as a threading's `part` and `parts`."""
    parts, part = np.unique(texts, return_inverse=True)
    none = int("" in parts)  # it is the first
    return part.reshape(-1).astype(np.int32) - none, tuple(parts[none:].tolist())


def texts_of(threading: Threading) -> NDArray[np.str_]:
    """What each residue comes from, empty where there is no more to say than its candidate's origin."""
    return np.array([*threading.parts, ""])[threading.part]


def threading_of(sequences: SequenceSet, found: Several[Piece]) -> Threading:
    """Each piece a candidate, in their order."""
    counts = [len(one.residue) for one in found]
    empty = np.zeros(0)
    part, parts = coded(np.concatenate([np.zeros(0, np.str_), *(one.part for one in found)]))
    return Threading(
        sequences=sequences,
        candidate=np.repeat(np.arange(len(found)), counts),
        chain=np.repeat(np.array([one.chain for one in found], np.int32), counts),
        residue=np.concatenate([empty, *(one.residue for one in found)]).astype(np.int32),
        xyz=np.concatenate([np.zeros((0, 3)), *(one.xyz for one in found)]),
        confidence=np.concatenate([empty, *(one.confidence for one in found)]).astype(np.float32),
        score=np.array([one.score for one in found], np.float64),
        part=part,
        parts=parts,
        origin=tuple(one.origin for one in found),
    )


def pieces_of(threading: Threading) -> list[Piece]:
    """Each chain of each candidate a piece with its candidate's score."""
    found, texts = [], texts_of(threading)
    for number in range(len(threading)):
        rows = np.arange(len(threading.candidate))[threading.rows_of(number)]
        for chain in np.unique(threading.chain[rows]).tolist():
            own = rows[threading.chain[rows] == chain]
            own = own[np.argsort(threading.residue[own], kind="stable")]
            found.append(
                Piece(
                    chain,
                    threading.residue[own].astype(np.intp),
                    threading.xyz[own],
                    threading.confidence[own].astype(np.float64),
                    texts[own],
                    float(threading.score[number]),
                    threading.origin[number],
                )
            )
    return found


def cut(solutions: Several[Threading], evidence: AminoEvidence, length: int) -> list[Piece]:
    """All solutions in pieces of so many residues at most, the best first.

    Pieces begin at multiples of the length, so that solutions that agree give the same piece. Equal ones are one with
    the sum of their scores, as if the solver took each of them. A piece of a copy counts as one of the first copy.
    """
    merged: dict[tuple[object, ...], Piece] = {}
    for solution in solutions:
        first = first_copies(solution.sequences)
        for whole in pieces_of(solution):
            kinds = kinds_of(solution.chains()[whole.chain][0])[whole.residue]
            odds = np.maximum(odds_at(evidence, whole.xyz, kinds), 0)
            ends = np.flatnonzero((np.diff(whole.residue) > 1) | (np.diff(whole.residue // length) > 0)) + 1
            for rows in np.split(np.arange(len(whole.residue)), ends):
                one = Piece(
                    int(first[whole.chain]),
                    whole.residue[rows],
                    whole.xyz[rows],
                    whole.confidence[rows],
                    whole.part[rows],
                    float(odds[rows].sum()),
                    whole.origin,
                )
                name = (one.chain, int(one.residue[0]), len(rows), one.xyz.round(3).tobytes())
                known = merged.get(name)
                merged[name] = one if known is None else known._replace(score=known.score + one.score)
    return sorted(merged.values(), key=lambda one: -one.score)


def first_copies(sequences: SequenceSet) -> NDArray[np.intp]:
    """For each chain the first one of the same letters."""
    alike = [numbers for _, numbers in sequences.alike()]
    first = np.zeros(sum(map(len, alike)), np.intp)
    for numbers in alike:
        first[list(numbers)] = numbers[0]
    return first


def odds_at(evidence: AminoEvidence, xyz: NDArray[np.float64], kinds: NDArray[np.intp]) -> NDArray[np.float64]:
    """Log-odds of residues at their places, 0 for an unknown kind, ``(n,)``."""
    table = np.concatenate([evidence.log_odds(xyz), np.zeros((len(xyz), 1))], axis=1)
    return np.asarray(table[np.arange(len(xyz)), kinds])
