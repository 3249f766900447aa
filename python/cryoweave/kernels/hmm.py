"""Sequences through points in space as hidden Markov models: residues are the steps, points the states.

Logarithms may be -inf for what cannot be, never NaN or +inf. Every function raises ``InputError`` where lengths differ,
an index is out of range, a logarithm is none, or there is no residue or no point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import integers

Progress = Callable[[int, int], object]
_Listed = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Transitions:
    """Log probabilities of going from one of ``n`` states to another.

    Parameters
    ----------
    pairs
        (from, to), int ``(m, 2)``, each once, no state to itself.
    values
        Of each pair, float32 ``(m,)``.
    rest
        From each state to any that is not listed, float32 ``(n,)``.
    """

    pairs: NDArray[np.int32]
    values: NDArray[np.float32]
    rest: NDArray[np.float32]

    @classmethod
    def only(cls, n: int, pairs: ArrayLike, values: ArrayLike) -> "Transitions":
        """Those that are listed, and no other."""
        return cls(integers("pairs", pairs, 2), _single(values), np.full(n, -np.inf, np.float32))

    @classmethod
    def none(cls, n: int) -> "Transitions":
        """Values of 0 for all."""
        return cls(np.zeros((0, 2), np.int32), np.zeros(0, np.float32), np.zeros(n, np.float32))

    def arrays(self) -> _Listed:
        """As the core takes them."""
        return integers("pairs", self.pairs, 2), _single(self.values), _single(self.rest)


class StatePath(NamedTuple):
    """The result of `viterbi`."""

    states: NDArray[np.int32]
    """Of each residue from the first on; shorter than the sequence if no state was left to go to."""
    log_probability: float
    """Of path and residues together."""


class Breaks(NamedTuple):
    """Costs of leaving residues out other than by a transition; all may be infinite."""

    end: float
    """Of each residue before the first placed one and behind the last."""
    open: float
    """Of going from any state to any other."""
    extend: float
    """Of each residue left out there."""


class Belief(NamedTuple):
    """How likely each residue of a sequence is on each state, shapes ``(residues, states)``, float32."""

    shares: NDArray[np.float32]
    """Share of the paths; for several copies of a sequence, that of each."""
    messages: NDArray[np.float32]
    """Logarithm of what other residues' claims leave of a state, 0 or less; -inf where it was not looked for."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """Log-odds of a chain's shape against points anywhere.

    Parameters
    ----------
    step
        Å of a bin of the tables of distances, which begin at zero; in between they are interpolated.
    spans
        Of the distance of two residues that follow each other in the path, shape ``(most residues forward, bins)``.
    bend
        Of the distance of residues i and i + 2 with bonds in between, shape ``(bins,)``.
    twist
        Of the dihedral angle of four residues with bonds in between, equal bins around the circle from -180° on.
    """

    step: float
    spans: NDArray[np.float32]
    bend: NDArray[np.float32]
    twist: NDArray[np.float32]


@dataclass(frozen=True)
class Costs:
    """What `trace_sequence` pays for what is no bond, and how many hypotheses it keeps.

    Parameters
    ----------
    end
        For each residue left out at the ends.
    gap_open, gap_extend
        For a step that follows no span, and for each residue left out there.
    reach
        Å that the chain spans for each residue that it goes forward in such a step: 3.8 for Cα.
    excess
        For each Å that it would have to span more, and the most that this comes to.
    apart
        Å: a point this close to a visited one counts as visited.
    per_point, width, waiting
        Hypotheses kept for each residue and point, for each residue, and behind all gaps.
    """

    end: float = 1.0
    gap_open: float = 6.0
    gap_extend: float = 0.5
    reach: float = 3.8
    excess: tuple[float, float] = (0.5, 6.0)
    apart: float = 0.0
    per_point: int = 6
    width: int = 20_000
    waiting: int = 64


class Traced(NamedTuple):
    """The result of `trace_sequence`."""

    nodes: NDArray[np.int32]
    """The point of each residue, or -1."""
    score: float
    """Sum of all log-odds less all costs, without the additions to the emission."""


def viterbi(
    emission: ArrayLike,
    sequence: ArrayLike,
    initial: ArrayLike,
    transitions: Transitions,
    *,
    once: bool = True,
    progress: Progress | None = None,
) -> StatePath:
    """The likeliest path of states for a sequence (Viterbi 1967, IEEE Trans. Inf. Theory 13, 260).

    Parameters
    ----------
    emission
        Log probability of each kind of residue on each state, shape ``(kinds, states)``.
    sequence
        Kind of each residue, int ``(residues,)``.
    initial
        Log probability of each state for the first residue, shape ``(states,)``.
    transitions
        Between states.
    once
        Carry the best path to each state along and go to no state that is on it. What is found is then the likeliest
        extension of the best paths so far, not the likeliest of all paths without a state twice.
    progress
        Called now and then with residues done and in all.

    Notes
    -----
    Time grows with residues * (transitions + states²/64), memory with residues * states + states²/8 bytes if ``once``.
    """
    found = _core.viterbi(
        _table(emission), integers("sequence", sequence), _single(initial), transitions.arrays(), once, progress
    )
    return StatePath(*found)


def posterior(
    emission: ArrayLike, sequence: ArrayLike, layers: Sequence[Transitions], breaks: Breaks
) -> NDArray[np.float32]:
    """Forward–backward: the share of all paths, by their probability, that has a residue on a state.

    Parameters
    ----------
    emission, sequence
        As in `viterbi`.
    layers
        ``layers[a]`` leads from a residue to the one ``a + 1`` later: the ``a`` in between are left out.
    breaks
        Other ways to leave residues out.

    Returns
    -------
    Shape ``(residues, states)``. What is missing to 1 in a row are paths without the residue; all is 0 if there is no
    path. A path may be on a state more than once.
    """
    listed = [layer.arrays() for layer in layers]
    return _core.posterior(_table(emission), integers("sequence", sequence), listed, list(breaks))


def visits(
    emission: ArrayLike,
    sequences: Sequence[tuple[ArrayLike, int]],
    layers: Sequence[Transitions],
    breaks: Breaks,
    *,
    rounds: int = 40,
    pace: float = 0.25,
    keep: int | None = None,
    messages: Sequence[NDArray[np.float32]] | None = None,
    progress: Progress | None = None,
) -> list[Belief]:
    """As `posterior` for several sequences, where no state may hold two residues.

    Forward–backward over each sequence, and messages between residues that claim the same state, in turn: loopy belief
    propagation (Kschischang et al. 2001, IEEE Trans. Inf. Theory 47, 498), which is no exact method.

    Parameters
    ----------
    emission, layers, breaks
        As in `posterior`.
    sequences
        Kinds of residues, and copies, of each.
    rounds, pace
        How often messages are sent, and the share of a new message in the one that is sent.
    keep
        States that each residue is looked for on in the end for each copy of its sequence, those with the best odds:
        half as many in every round as in the one before, until there are so few. All if absent. Time then grows with
        the residues of all copies * ``keep`` and not with residues * states.
    messages
        Of an earlier call, to go on from; what is -inf there is not looked at.
    progress
        Called now and then with residues done and in all rounds.

    Returns
    -------
    One for each sequence.
    """
    start = [None] * len(sequences) if messages is None else [_table(told) for told in messages]
    if len(start) != len(sequences):
        raise InputError(f"{len(start)} tables of messages for {len(sequences)} sequences")
    given = [(integers("sequence", one), copies, told) for (one, copies), told in zip(sequences, start, strict=True)]
    listed = [layer.arrays() for layer in layers]
    states = _table(emission).shape[1]
    most = states if keep is None else keep
    found = _core.visits(_table(emission), given, listed, list(breaks), (rounds, pace, most), progress)
    return [Belief(*one) for one in found]


def trace_sequence(
    emission: ArrayLike,
    sequence: ArrayLike,
    xyz: ArrayLike,
    geometry: Geometry,
    *,
    costs: Costs | None = None,
    bonds: Transitions | None = None,
    more: NDArray[np.float32] | None = None,
    progress: Progress | None = None,
) -> Traced:
    """One chain's best way through points of which some are missing and some false: a beam search.

    Residues and points may be left out; no point is visited twice. The score of a way is the sum of what residues gain
    on their points and of the log-odds of its shape, less costs.

    Parameters
    ----------
    emission
        Gain of each kind of residue on each point, shape ``(kinds, points)``; -inf forbids.
    sequence
        Kind of each residue, int ``(residues,)``.
    xyz
        Points, ``(points, 3)``, Å.
    geometry
        The chain's shape.
    costs
        The defaults if absent.
    bonds
        Further log-odds of each bond in the direction from N to C.
    more
        Added to the emission, shape ``(residues, points)``: the messages of `visits`. It steers the search and is not
        in the score.
    progress
        Called now and then with residues done and in all.

    Returns
    -------
    The best way found, which need not be the best there is; all nodes are -1 if none gains anything.
    """
    points = np.asarray(xyz, np.float64).reshape(-1, 3)
    costs = costs or Costs()
    bonds = bonds or Transitions.none(len(points))
    tables = (geometry.step, _table(geometry.spans), _single(geometry.bend), _single(geometry.twist))
    paid = [costs.end, costs.gap_open, costs.gap_extend, costs.reach, *costs.excess, costs.apart]
    kept = [costs.per_point, costs.width, costs.waiting]
    own = integers("sequence", sequence)
    found = _core.trace_sequence(
        _table(emission),
        own,
        None if more is None else _table(more),
        points,
        bonds.arrays(),
        tables,
        paid,
        kept,
        progress,
    )
    return Traced(*found)


def _single(values: ArrayLike) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)


def _table(values: ArrayLike) -> NDArray[np.float32]:
    array = np.ascontiguousarray(values, np.float32)
    if array.ndim != 2:
        raise InputError(f"a table must have 2 axes, not the shape {array.shape}")
    return array
