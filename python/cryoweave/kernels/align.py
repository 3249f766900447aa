"""Alignment by dynamic programming: two sequences, or a sequence along a path in space."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError

Cost = float | tuple[float, float]
Progress = Callable[[int, int], object]


class Alignment(NamedTuple):
    """Matched elements of two sequences."""

    pairs: NDArray[np.int32]
    """Shape ``(k, 2)``: row and column of each match, both increasing."""
    score: float


class Threading(NamedTuple):
    """A sequence laid on the nodes of a path."""

    nodes: NDArray[np.int32]
    """Shape ``(n_residues,)``: each residue's node, or -1 if it was left out."""
    score: float


class Threadings(NamedTuple):
    """A sequence laid on one path by each of several matrices."""

    nodes: NDArray[np.int32]
    """Shape ``(n_matrices, n_residues)``."""
    scores: NDArray[np.float64]
    """Shape ``(n_matrices,)``."""


def align_matrix(scores: ArrayLike, gap_open: Cost, gap_extend: Cost, mode: str = "global") -> Alignment:
    """Align two sequences whose elements' scores against each other are given, with affine gaps.

    Parameters
    ----------
    scores
        Shape ``(m, n)``, float32 or float64, any strides; worked with in float64.
    gap_open, gap_extend
        A gap of length L costs ``gap_open + gap_extend * (L - 1)``; neither is negative, and ``gap_extend`` not above
        ``gap_open``. A pair gives the cost of leaving out rows and that of leaving out columns; a number is both. A gap
        of one kind may follow one of the other.
    mode
        ``"global"``: every element is matched or paid for. ``"local"``: the best-scoring stretch of both; nothing if no
        score is positive. ``"semiglobal"``: all four ends are free, that is at either end
        one sequence may stand out over the other.

    Returns
    -------
    The best alignment, of equal ones one that matches rather than leaves out, and its score.

    Raises
    ------
    InputError
        If a score is not finite or beyond 1e9, a cost out of its range or the mode unknown.

    Notes
    -----
    Gotoh 1982, J. Mol. Biol. 162, 705. Time and memory (one byte a cell) grow with m * n.
    """
    array = np.asarray(scores)
    if array.dtype != np.float32:
        array = array.astype(np.float64, copy=False)
    pairs, score = _core.align_matrix(_two_axes("scores", array), _both(gap_open), _both(gap_extend), mode)
    return Alignment(pairs, score)


def align_sequences(
    a: str, b: str, *, identity: bool = False, gap_open: Cost = 10.0, gap_extend: Cost = 0.5, mode: str = "semiglobal"
) -> NDArray[np.int32]:
    """Match the letters of two sequences, e.g. of a model and of its reference, without trusting their numbering.

    Parameters
    ----------
    a, b
        One-letter codes, any case; other letters than the twenty amino acids score -1 against everything.
    identity
        In place of BLOSUM62, score 4 for equal letters of any alphabet (nucleotides too; not ``X``) and -1 otherwise.
    gap_open, gap_extend, mode
        As in `align_matrix`; the defaults are those of EMBOSS needle, with free ends.

    Returns
    -------
    Indices into ``a`` and ``b`` of the matched letters, shape ``(k, 2)``.
    """
    one, other = _codes(a), _codes(b)
    if identity:
        equal = (one[:, None] == other) & (one[:, None] != ord("X"))
        scores = np.where(equal, np.float32(4.0), np.float32(-1.0))
    else:
        scores = _blosum62()[one][:, other]
    return align_matrix(scores, gap_open, gap_extend, mode).pairs


def thread_path(
    match: ArrayLike,
    xyz: ArrayLike,
    ideal_distance: float = 3.5,
    distance_weight: float = 0.9,
    max_skip: int = 0,
    progress: Progress | None = None,
) -> Threading:
    """Give every residue of a sequence a node of a path, in order; nodes may be passed over at no cost.

    The sum of ``match`` over residues at their nodes, less ``distance_weight * |d - ideal_distance|`` for each two
    consecutive residues that lie d apart, is the largest possible.

    Parameters
    ----------
    match
        Shape ``(n_nodes, n_residues)``, float32: how well each residue fits at each node.
    xyz
        Nodes in the path's order, shape ``(n_nodes, 3)``, Å.
    ideal_distance
        Å between consecutive residues along the path.
    distance_weight
        In units of ``match`` per Å; not negative.
    max_skip
        Consecutive residues lie at most this many nodes apart; 0: any number.
    progress
        Called now and then with the nodes done and their number.

    Returns
    -------
    Nodes, increasing, and the score. Optimal up to the rounding of float32 sums; the score itself is summed in float64.

    Raises
    ------
    InputError
        If there are fewer nodes than residues, no residues, lengths that differ or values that are not finite.

    Notes
    -----
    Defaults and terms: Terashi & Kihara 2018, Nat. Commun. 9, 1618. Time grows with n_residues * n_nodes at best (far
    predecessors that cannot win are not looked at) and with n_residues * n_nodes² / 2 at worst, memory with
    n_residues * (n_nodes - n_residues).
    """
    scores = _two_axes("match", np.asarray(match, dtype=np.float32))
    found = _core.thread_path(scores, _points(xyz), ideal_distance, distance_weight, _skip(max_skip), progress)
    return Threading(*found)


def thread_paths(
    match: ArrayLike,
    xyz: ArrayLike,
    ideal_distance: float = 3.5,
    distance_weight: float = 0.9,
    max_skip: int = 0,
    progress: Progress | None = None,
) -> Threadings:
    """As `thread_path` for several matrices on one path, in parallel.

    Parameters
    ----------
    match
        Shape ``(n_matrices, n_nodes, n_residues)``, float32; there may be no matrix at all.
    xyz, ideal_distance, distance_weight, max_skip, progress
        As in `thread_path`; progress counts the nodes of all matrices.

    Returns
    -------
    Nodes and score for each matrix.
    """
    stack = np.asarray(match, dtype=np.float32)
    if stack.ndim != 3:
        raise InputError(f"match must have 3 axes (matrix, node, residue), not the shape {stack.shape}")
    found = _core.thread_paths(stack, _points(xyz), ideal_distance, distance_weight, _skip(max_skip), progress)
    return Threadings(*found)


def thread_gapped(
    match: ArrayLike,
    xyz: ArrayLike,
    breaks: ArrayLike | None = None,
    *,
    ideal_distance: float = 3.8,
    distance_weight: float = 0.9,
    residue_gap_open: float = 5.0,
    residue_gap_extend: float = 0.5,
    end_gap: float = 0.0,
    reach: float = 3.8,
    slack: float = 1.0,
    max_skip: int = 0,
    progress: Progress | None = None,
) -> Threading:
    """Place residues on the nodes of a path that may be broken or wrong in places: both may be left out.

    Going from a residue on node j to a later one on node k, d Å away, with g residues left out between them, costs

    - g = 0 without a break in between: ``distance_weight * |d - ideal_distance|``;
    - else ``distance_weight * max(0, d - reach * (g + 1) - slack)``, and for g > 0
      ``residue_gap_open + residue_gap_extend * (g - 1)`` more.

    The sum of ``match`` over the placed residues less all costs is the largest possible.

    Parameters
    ----------
    match
        Shape ``(n_nodes, n_residues)``, float32. Only positive scores make it worth while to place a residue.
    xyz
        Nodes in the path's order, shape ``(n_nodes, 3)``, Å.
    breaks
        Shape ``(n_nodes,)``, true for a node that is not bonded to the nodes before it; none if absent.
    ideal_distance
        Å between bonded residues.
    distance_weight
        In units of ``match`` per Å.
    residue_gap_open, residue_gap_extend
        Cost of the first and of each further residue left out between two placed ones.
    end_gap
        Cost of each residue left out before the first placed one and behind the last.
    reach
        Å that the chain can span for each residue that it goes forward: 3.8 for Cα.
    slack
        Å beyond the reach that are tolerated.
    max_skip
        Without a break in between, residues whose numbers differ by n lie at most ``n * max_skip`` nodes apart; 0: any.
    progress
        Called now and then with the nodes done and their number.

    Returns
    -------
    Nodes, increasing where they are not -1, and the score. Optimal up to the rounding of float32 sums; the score itself
    is summed in float64. If nothing is worth placing, all are -1.

    Raises
    ------
    InputError
        If there are no residues, lengths differ, values are not finite, or a cost is negative.

    Notes
    -----
    Blocks of nodes that cannot win are not looked at: along traced paths time grows with n_residues * n_nodes, at worst
    with n_residues * n_nodes²; memory with n_residues * n_nodes. One path takes one thread; thread many side by side.
    """
    points = _points(xyz)
    broken = np.zeros(len(points), bool) if breaks is None else np.asarray(breaks, dtype=bool)
    costs = [ideal_distance, distance_weight, residue_gap_open, residue_gap_extend, end_gap, reach, slack]
    scores = _two_axes("match", np.asarray(match, dtype=np.float32))
    return Threading(*_core.thread_gapped(scores, points, broken, costs, _skip(max_skip), progress))


def _points(xyz: ArrayLike) -> NDArray[np.float64]:
    return cast(NDArray[np.float64], _two_axes("xyz", np.asarray(xyz, dtype=np.float64)))


def _two_axes(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim != 2:
        raise InputError(f"{name} must have 2 axes, not the shape {array.shape}")
    return array


def _skip(max_skip: int) -> int:
    if max_skip < 0:
        raise InputError(f"max_skip must be 0 (any) or more, not {max_skip}")
    return max_skip


def _both(cost: Cost) -> tuple[float, float]:
    rows, columns = cost if isinstance(cost, tuple) else (cost, cost)
    return float(rows), float(columns)


def _codes(letters: str) -> NDArray[np.uint8]:
    return np.frombuffer(letters.upper().encode("ascii", "replace"), dtype=np.uint8)


_LETTERS = "ARNDCQEGHILKMFPSTWYV"

# Henikoff & Henikoff 1992, PNAS 89, 10915; lower triangle in the order of _LETTERS, half bits.
_BLOSUM62 = """
 4
-1  5
-2  0  6
-2 -2  1  6
 0 -3 -3 -3  9
-1  1  0  0 -3  5
-1  0  0  2 -4  2  5
 0 -2  0 -1 -3 -2 -2  6
-2  0  1 -1 -3  0  0 -2  8
-1 -3 -3 -3 -1 -3 -3 -4 -3  4
-1 -2 -3 -4 -1 -2 -3 -4 -3  2  4
-1  2  0 -1 -3  1  1 -2 -1 -3 -2  5
-1 -1 -2 -3 -1  0 -2 -3 -2  1  2 -1  5
-2 -3 -3 -3 -2 -3 -3 -3 -1  0  0 -3  0  6
-1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4  7
 1 -1  1  0 -1  0  0  0 -1 -2 -2  0 -1 -2 -1  4
 0 -1  0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1  1  5
-3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1  1 -4 -3 -2 11
-2 -2 -2 -3 -2 -1 -2 -3  2 -1 -1 -2 -1  3 -3 -2 -2  2  7
 0 -3 -3 -3 -1 -2 -2 -3 -3  3  1 -2  1 -1 -2 -2  0 -3 -1  4
"""


def _blosum62() -> NDArray[np.float32]:
    """Scores by the letters' ASCII codes, shape ``(256, 256)``."""
    scores = np.full((256, 256), -1.0, np.float32)
    for one, row in zip(_LETTERS, _BLOSUM62.split("\n")[1:], strict=False):
        for other, score in zip(_LETTERS, row.split(), strict=False):
            scores[ord(one), ord(other)] = scores[ord(other), ord(one)] = float(score)
    return scores
