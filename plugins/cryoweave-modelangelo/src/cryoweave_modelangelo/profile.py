"""A chain as a profile of amino acids: what a hidden Markov model emits and how it moves, as in the paper's."""

import math

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.evidence import LETTERS

COMPOSITION = {
    "A": 8.25, "C": 1.38, "D": 5.46, "E": 6.72, "F": 3.86, "G": 7.07, "H": 2.27, "I": 5.91, "K": 5.80, "L": 9.65,
    "M": 2.41, "N": 4.06, "P": 4.74, "Q": 3.93, "R": 5.53, "S": 6.65, "T": 5.36, "V": 6.86, "W": 1.10, "Y": 2.92,
}  # fmt: skip
"""Per cent of the residues in UniProtKB/Swiss-Prot (release statistics 2023)."""
OPEN, EXTEND = 0.05, 0.5
"""Chance that a gap of either kind begins behind a residue, and that it goes on (δ and γ; Jamali et al. 2024 and its
program)."""


def background() -> NDArray[np.float64]:
    """Share of each amino acid, in the order of ``LETTERS``, shape ``(20,)``."""
    share = np.array([COMPOSITION[letter] for letter in LETTERS])
    return np.asarray(share / share.sum())


def emissions(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance of each amino acid at points whose log-odds are given.

    Parameters
    ----------
    odds
        Natural logarithms, ``(n, 20)``, as `AminoEvidence` gives them.

    Returns
    -------
    Shape ``(n, 20)``; each row adds up to 1.
    """
    weighed = background() * np.exp(odds)
    return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))


def matches(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score of each amino acid at each point, of an unknown one in the last column; shape ``(n, 21)``.

    Log-odds of the emission against the background, with what going on without a gap costs.
    """
    score = np.log(emissions(odds) / background())
    return np.concatenate([score, np.zeros((len(odds), 1))], axis=1) + math.log(1 - 2 * OPEN)


def gap_costs() -> tuple[float, float]:
    """Cost of the first point or residue that is left out, and of each more: the best path's, of either kind."""
    return -math.log(OPEN * (1 - EXTEND) / (1 - 2 * OPEN)), -math.log(EXTEND)
