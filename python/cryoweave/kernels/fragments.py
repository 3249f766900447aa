"""Pieces of sequences on pieces of paths: where they fit without a gap, and which of them cannot both be in a model."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import integers

Progress = Callable[[int, int], object]


class Pieces(NamedTuple):
    """Residues on nodes, the best first."""

    node: NDArray[np.int32]
    """First node of each, ``(n,)``."""
    residue: NDArray[np.int32]
    """First residue of each, ``(n,)``."""
    length: NDArray[np.int32]
    """How many of both, ``(n,)``."""
    score: NDArray[np.float64]
    """Sum of the scores, above 0, ``(n,)``."""


class Conflicts(NamedTuple):
    """Pairs of fragments that do not go together."""

    pairs: NDArray[np.int32]
    """``(m, 2)``, the lower number first, sorted."""
    clash: NDArray[np.bool_]
    """They clash, whatever chains they are in, ``(m,)``."""
    chain: NDArray[np.bool_]
    """They cannot be in one chain, ``(m,)``; true where they clash."""


def ungapped(scores: ArrayLike, breaks: ArrayLike | None = None, *, most: int = 10, shortest: int = 5) -> Pieces:
    """The best local alignment without gaps, then the best that shares no cell with those before, and so on.

    Parameters
    ----------
    scores
        How well each residue fits at each node, shape ``(nodes, residues)``.
    breaks
        True for a node that is not bonded to the one before, shape ``(nodes,)``; none if absent.
    most
        How many at most.
    shortest
        Fewest residues of one.

    Returns
    -------
    Those that gain anything. Of equal ones the one with the lower node, then the lower residue, comes first.

    Raises
    ------
    InputError
        If a score is not finite or lengths differ.
    """
    table = np.ascontiguousarray(scores, np.float32)
    if table.ndim != 2:
        raise InputError(f"scores must have 2 axes, not the shape {table.shape}")
    broken = np.zeros(len(table), bool) if breaks is None else np.asarray(breaks, bool)
    places, gains = _core.ungapped(table, broken, most, shortest)
    node, residue, length = places.reshape(-1, 3).T
    return Pieces(node, residue, length, gains)


def fragment_conflicts(
    sequence: ArrayLike,
    length: ArrayLike,
    residue: ArrayLike,
    xyz: ArrayLike,
    *,
    reach: float = 5.0,
    same: float = 3.5,
    clash: float = 2.5,
    progress: Progress | None = None,
) -> Conflicts:
    """Which fragments cannot both be in a model, or not in one chain of it.

    Two clash if different residues of theirs are nearer than ``clash``. One chain cannot hold both if it would have one
    residue at two places more than ``same`` apart, or two residues farther apart than ``reach`` for each residue
    forward; that is looked at between their ends, and for all residues up to ten forward.

    Parameters
    ----------
    sequence
        Of which sequence each fragment is, int ``(n,)``.
    length
        Residues of each, int ``(n,)``.
    residue
        Index in its sequence of each residue of all fragments, ascending within one, int ``(sum of lengths,)``.
    xyz
        Å, ``(sum of lengths, 3)``.
    reach, same, clash
        Å; the defaults are those of Terashi et al. 2024, Nat. Methods 21, 122.
    progress
        Called now and then with fragments done and in all.

    Raises
    ------
    InputError
        If lengths differ, a fragment is empty or its residues do not ascend, or a rule is not positive.
    """
    lengths = integers("length", length)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    places = np.asarray(xyz, np.float64).reshape(-1, 3)
    pairs, kinds = _core.fragment_conflicts(
        integers("sequence", sequence), starts, integers("residue", residue), places, (reach, same, clash), progress
    )
    kinds = kinds.reshape(-1, 2)
    return Conflicts(pairs.reshape(-1, 2), kinds[:, 0], kinds[:, 1])
