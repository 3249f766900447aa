"""What a detector says of the amino acids, as log-odds at places along a chain."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from cryoweave.data import PointCloud, Sequence, SequenceSet
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.kernels.graph import nearest

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
"""The amino acids in the order of all tables of log-odds."""
SHORTEST = 5
"""Residues below which a chain could lie anywhere."""
WINDOW = 9
"""Residues over which log-odds of names are averaged for a confidence."""
CLOSE = 3.0
"""Å: a place takes what the nearest point says up to this far."""
FLOOR = 0.01
"""Added to every probability, so that no single point forbids a residue."""
DOUBTFUL = 0.01
"""Chance that a shuffled sequence fits as well from which on a user is warned."""


def kinds_of(letters: str) -> NDArray[np.intp]:
    """Column of each residue of a sequence in tables of log-odds; an unknown one has the column behind the last."""
    return np.array([LETTERS.find(letter) % (len(LETTERS) + 1) for letter in letters], np.intp)


def require_protein(sequences: SequenceSet | None) -> None:
    """Raise StageError if sequences are given and none is a protein's, or one has less than `SHORTEST` residues."""
    proteins = [one for one in sequences or () if one.molecule == "protein"]
    if sequences is not None and not proteins:
        raise StageError("no sequence is a protein", "give the sequences of the proteins in the map")
    for one in proteins:
        require_length(one)


def require_length(sequence: Sequence) -> None:
    """Raise StageError if a chain is so short that it fits by chance."""
    if len(sequence) < SHORTEST:
        raise StageError(
            f"{sequence.name} has {len(sequence)} residues: a chain of less than {SHORTEST} could lie anywhere",
            "leave it out of the sequences",
        )


def shuffled(letters: str, rng: np.random.Generator) -> str:
    """The same residues in another order: a sequence that is not in the map."""
    return "".join(rng.permutation(list(letters)))


def chance(score: float, decoys: NDArray[np.float64]) -> float:
    """The chance that the best place of a sequence that is not in the map scores so well.

    Best scores of many places follow Gumbel's distribution (Karlin & Altschul 1990, PNAS 87, 2264, for alignments); its
    two numbers are those that the decoys' mean and deviation give. Few decoys know the deviation badly: the chance is
    at least that of a further one by Student's distribution.

    Parameters
    ----------
    score
        Of the best place of the sequence.
    decoys
        The same of shuffled ones, at least two.
    """
    scale = max(float(np.std(decoys, ddof=1)) * np.sqrt(6) / np.pi, 1e-6)
    place = float(np.mean(decoys)) - np.euler_gamma * scale
    gumbel = -np.expm1(-np.exp(-np.clip((score - place) / scale, -50, 700)))
    further = np.std(decoys, ddof=1) * np.sqrt(1 + 1 / len(decoys))
    return float(max(gumbel, stdtr(len(decoys) - 1, (np.mean(decoys) - score) / max(further, 1e-6))))


def named(odds: NDArray[np.float64]) -> NDArray[np.float32]:
    """How sure the residues of a chain are of their names, 0 to 1: by the mean log-odds of each and its neighbours.

    Parameters
    ----------
    odds
        Of each residue at its place, in the order of the chain, ``(n,)``.
    """
    window = np.ones(min(WINDOW, len(odds)))
    mean = np.convolve(odds, window, "same") / np.convolve(np.ones(len(odds)), window, "same")
    return (1 / (1 + np.exp(-2 * mean))).astype(np.float32)


def doubts(
    sequences: SequenceSet,
    best: Mapping[int, float],
    scores: Callable[[list[str]], Iterable[float]],
    many: int,
    rng: np.random.Generator,
    warn: Callable[[str], object],
) -> dict[int, float]:
    """Of each chain the chance that a shuffled sequence fits as well; a user is warned of those that do.

    Parameters
    ----------
    sequences
        All of them; those with equal letters are copies.
    best
        Score of the best place of each chain, by its number over all copies; sequences of which no chain has one are
        left out.
    scores
        Of the best places of other letters on the same traces.
    many
        Shuffled sequences for each, at least two.
    rng
        Shuffles.
    warn
        Gets a line for each sequence that is doubtful.
    """
    found: dict[int, float] = {}
    for sequence, numbers in sequences.alike():
        if not any(number in best for number in numbers):
            continue
        decoys = np.array(list(scores([shuffled(sequence.letters, rng) for _ in range(many)])))
        own = {number: chance(best.get(number, 0.0), decoys) for number in numbers}
        found |= own
        if min(own.values()) > DOUBTFUL:
            warn(
                f"{sequence.name}: shuffled sequences fit the traces about as well "
                f"(chance {min(own.values()):.2g}); is it in the map?"
            )
    return found


class AminoEvidence:
    """Log-odds of each amino acid at detected points; the reference is the mean over the points.

    So a network that calls one amino acid too often everywhere does no harm.

    Parameters
    ----------
    points
        With probabilities for the twenty amino acids, named by their three letters. Points of other detectors, without
        them, say nothing: then all log-odds are 0.
    """

    def __init__(self, points: PointCloud | None) -> None:
        names = {letter: name for name, letter in AMINO_ACIDS.items()}
        self._xyz = np.zeros((0, 3))
        if points is None or not len(points) or not {*AMINO_ACIDS} <= {*points.classes}:
            return
        columns = [points.classes.index(names[letter]) for letter in LETTERS]
        probability = points.probabilities[:, columns].astype(np.float64) + FLOOR
        reference = np.average(probability, axis=0, weights=np.maximum(points.weight, 1e-6))
        self._xyz, self._odds = points.xyz, np.log(probability / reference)

    @classmethod
    def required(cls, points: PointCloud) -> "AminoEvidence":
        """Of points that must say something of amino acids; StageError if they do not."""
        found = cls(points)
        if not len(found):
            raise StageError(
                "the points say nothing of amino acids",
                "take a detector with all twenty, or a threader that reads density",
            )
        return found

    def __len__(self) -> int:
        """Points that say something."""
        return len(self._xyz)

    def log_odds(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """At places ``(n, 3)`` in Å: shape ``(n, 20)`` in the order of ``LETTERS``."""
        found = np.zeros((len(xyz), len(LETTERS)))
        if len(self._xyz) and len(xyz):
            index, distance = nearest(self._xyz, xyz)
            close = distance[:, 0] <= CLOSE
            found[close] = self._odds[index[close, 0]]
        return found
