"""Pieces of sequences on pieces of traces, without gaps, in both directions."""

from collections.abc import Iterator
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import AminoEvidence, doubts, kinds_of, require_protein
from cryoweave.kernels.fragments import ungapped
from cryoweave_tracing.stages import UngappedParams

SHARPNESS = 0.5
"""Share of the log-odds that counts for confidence: neighbours' errors go together."""


@dataclass(frozen=True)
class Fragment:
    """Consecutive residues of one sequence on points.

    Parameters
    ----------
    chain
        The first chain of its sequence, counted over all copies of all sequences.
    first
        Index of its first residue.
    points
        Indices into the places of all traces, ``(n,)``.
    score
        Sum of the log-odds above 0.
    confidence
        Chance of this register among all of its trace's stretch, 0..1.
    origin
        Candidate and fragment of the traces, and direction.
    rank
        How many better pieces of its sequence on its trace, direction and table do without its cells.
    """

    chain: int
    first: int
    points: NDArray[np.intp]
    score: float
    confidence: float
    origin: str
    rank: int = 0


def threaded(
    points: PointCloud, traces: Traces, sequences: SequenceSet, params: UngappedParams, ctx: Context
) -> Threading:
    """Every fragment found a candidate, the best first; they are alternatives that an assembler chooses among.

    Confidences are less the chance that a shuffled sequence fits as well.
    """
    found = alternatives(points, traces, sequences, params, ctx)
    return less_sure(found, doubt_of(points, traces, sequences, params, ctx))


def alternatives(
    points: PointCloud, traces: Traces, sequences: SequenceSet, params: UngappedParams, ctx: Context
) -> Threading:
    """The fragments, with the confidence of their register alone."""
    return alternatives_of_rounds(points, traces, sequences, params, (params.rounds,), ctx)[params.rounds]


def alternatives_of_rounds(
    points: PointCloud,
    traces: Traces,
    sequences: SequenceSet,
    params: UngappedParams,
    rounds: Several[int],
    ctx: Context,
) -> dict[int, Threading]:
    """The fragments of each of several numbers of rounds, in place of that of the parameters.

    The first pieces of many rounds are those of few; but one of few may lie within a better one of many.
    """
    evidence = AminoEvidence.required(points)
    params = params.model_copy(update={"rounds": max(rounds)})
    tasks = [
        (fragment, back, chain, one)
        for fragment in range(len(traces))
        for back in (False, True)
        for chain, one in first_chains(sequences)
    ]

    def work(task: tuple[int, bool, int, Sequence], _inner: Context) -> list[Fragment]:
        fragment, back, chain, one = task
        rows = np.arange(len(traces.xyz))[traces.points_of(fragment)]
        name = f"trace {fragment}, {'backward' if back else 'forward'}"
        return pieces(evidence, traces.xyz, rows[::-1] if back else rows, chain, one, name, params)

    every = [piece for those in ctx.over(work, tasks) for piece in those]
    found = {many: distinct([piece for piece in every if piece.rank < many], traces.xyz) for many in rounds}
    if not every:
        raise StageError(
            f"no {params.shortest} residues fit any trace", "is this the detection of the given sequences?"
        )
    ctx.note("fragments", len(found[max(rounds)]))
    return {many: as_threading(sequences, those[: params.most], traces.xyz) for many, those in found.items()}


def doubt_of(
    points: PointCloud, traces: Traces, sequences: SequenceSet, params: UngappedParams, ctx: Context
) -> dict[int, float]:
    """Of each chain the chance that a shuffled sequence has a piece on the best traces that scores as well.

    Only the first candidate's traces are looked at: those of other rounds say the same again.
    """
    evidence, best_alone = AminoEvidence(points), params.model_copy(update={"rounds": 1})
    paths = [
        np.arange(len(traces.xyz))[traces.points_of(int(fragment))]
        for fragment in np.flatnonzero(traces.candidate == 0)
    ]

    def work(letters: str, inner: Context) -> float:
        inner.progress(0, 0)
        one = Sequence("one", letters)
        tries = [pieces(evidence, traces.xyz, rows[::way], 0, one, "", best_alone) for rows in paths for way in (1, -1)]
        return max((piece.score for found in tries for piece in found), default=0.0)

    def scores(letters: list[str]) -> Iterator[float]:
        return ctx.over(work, letters)

    own = first_chains(sequences)
    alike = {numbers[0]: numbers for _, numbers in sequences.alike()}
    there = zip(own, scores([one.letters for _, one in own]), strict=True)
    best = {number: score for (first, _), score in there for number in alike[first]}
    return doubts(sequences, best, scores, params.decoys, ctx.rng(), ctx.log.warning)


def less_sure(threading: Threading, doubt: dict[int, float]) -> Threading:
    """With confidences less the doubt about each chain."""
    sure = np.array([1 - doubt.get(chain, 0.0) for chain in threading.chain.tolist()], np.float32)
    return replace(threading, confidence=threading.confidence * sure)


def first_chains(sequences: SequenceSet) -> list[tuple[int, Sequence]]:
    """Each different protein with the number of its first copy among all chains."""
    require_protein(sequences)
    return [(numbers[0], one) for one, numbers in sequences.alike() if one.molecule == "protein"]


def pieces(
    evidence: AminoEvidence,
    xyz: NDArray[np.float64],
    rows: NDArray[np.intp],
    chain: int,
    sequence: Sequence,
    name: str,
    params: UngappedParams,
) -> list[Fragment]:
    """Of one sequence along one trace in one direction: by log-odds, and by those above 0 alone."""
    path = xyz[rows]
    odds = np.concatenate([evidence.log_odds(path), np.zeros((len(path), 1))], axis=1)[:, kinds_of(sequence.letters)]
    far = np.linalg.norm(np.diff(path, axis=0), axis=1) > params.longest_bond
    breaks = np.concatenate([[False], far])
    found = []
    for matrix in (odds, np.maximum(odds, 0)):
        placed = ungapped(matrix, breaks, most=params.rounds, shortest=params.shortest)
        cells = zip(placed.node, placed.residue, placed.length, strict=True)
        for rank, (node, first, length) in enumerate(cells):
            own = odds[node : node + length]
            on = own[np.arange(length), first + np.arange(length)]
            confidence = register_share(SHARPNESS * own, int(first))
            score = float(np.maximum(on, 0).sum())
            found.append(Fragment(chain, int(first), rows[node : node + length], score, confidence, name, rank))
    return found


def register_share(odds: NDArray[np.float64], first: int) -> float:
    """The share of one register among all of a stretch ``(nodes, residues)`` that lie within the sequence."""
    nodes, residues = odds.shape
    shifts = np.arange(residues - nodes + 1)
    sums = odds[np.arange(nodes)[:, None], np.arange(nodes)[:, None] + shifts].sum(axis=0)
    return float(1 / np.exp(np.clip(sums - sums[first], None, 700)).sum())


def distinct(found: list[Fragment], xyz: NDArray[np.float64]) -> list[Fragment]:
    """The best first, without those whose every residue lies in its place in a better one."""
    place = np.unique(xyz, axis=0, return_inverse=True)[1].reshape(-1)
    kept: list[Fragment] = []
    holders: dict[tuple[int, int, int], set[int]] = {}
    for one in sorted(found, key=lambda f: (-f.score, f.chain, f.first)):
        cells = [(one.chain, one.first + k, int(p)) for k, p in enumerate(place[one.points])]
        if set.intersection(*(holders.get(cell, set()) for cell in cells)):
            continue
        for cell in cells:
            holders.setdefault(cell, set()).add(len(kept))
        kept.append(one)
    return kept


def as_threading(sequences: SequenceSet, found: list[Fragment], xyz: NDArray[np.float64]) -> Threading:
    """Each fragment a candidate."""
    counts = [len(one.points) for one in found]
    return Threading(
        sequences=sequences,
        candidate=np.repeat(np.arange(len(found)), counts),
        chain=np.repeat([one.chain for one in found], counts),
        residue=np.concatenate([one.first + np.arange(len(one.points)) for one in found]),
        xyz=np.concatenate([xyz[one.points] for one in found]),
        confidence=np.repeat([one.confidence for one in found], counts).astype(np.float32),
        score=np.array([one.score for one in found]),
        origin=tuple(one.origin for one in found),
    )
