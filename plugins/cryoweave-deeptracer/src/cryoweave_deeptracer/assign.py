"""Residues on traces, by the amino acids that a detector saw."""

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.align import thread_gapped
from cryoweave.kernels.chains import LINE, bridged, out_of_reach
from cryoweave.kernels.evidence import AminoEvidence, doubts, kinds_of, named, require_protein
from cryoweave.kernels.graph import nearest
from cryoweave_deeptracer.stages import AssignParams

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""
NEVER = np.float32(-1000)
"""Score of a residue where it cannot be."""
SHAKEN = 0.3
"""How far the order of pieces is changed by chance in further tries."""
AWAY = 0.02
"""For each Å from the middle of what is placed of a chain: of several copies the nearer one gets a piece."""
MARGIN = 20.0
"""Å: copies so much farther off than the nearest one that is begun are not tried."""


Part = NDArray[np.intp]


class Piece(NamedTuple):
    """A stretch of a trace on a stretch of a chain."""

    score: float
    chain: int
    residue: NDArray[np.intp]
    node: NDArray[np.intp]
    """Where along the part each residue is."""
    part: Part
    """Points of the trace that was tried."""


class Chain:
    """A chain of the sequences and what is placed of it."""

    def __init__(self, sequence: Sequence) -> None:
        self.letters, self.kinds = sequence.letters, kinds_of(sequence.letters)
        self.xyz = np.full((len(sequence), 3), np.nan)
        self.confidence = np.zeros(len(sequence), np.float32)
        self.near: NDArray[np.float64] | None = None
        """Å from each point to the nearest placed residue; none without one."""

    def placed(self) -> NDArray[np.intp]:
        """Indices of the residues that have a place."""
        return np.flatnonzero(~np.isnan(self.xyz[:, 0]))

    def matches(self, odds: NDArray[np.float64], xyz: NDArray[np.float64], params: AssignParams) -> NDArray[np.float32]:
        """How well each residue fits at each node, shape ``(n_nodes, n_residues)``; placed ones not at all.

        Nor those that the chain could not reach from the nearest placed ones before and after them.
        """
        columns = np.concatenate((odds, np.zeros((len(odds), 1))), axis=1) + params.base
        found = np.take(columns.astype(np.float32), self.kinds, axis=1)
        there = self.placed()
        if len(there):
            found[out_of_reach(xyz, self.xyz, STEP, params.slack)] = NEVER
            found[:, there] = NEVER
        return found

    def distance(self, xyz: NDArray[np.float64]) -> float:
        """Å from the middle of some points to that of what is placed."""
        there = self.placed()
        return float(np.linalg.norm(xyz.mean(axis=0) - self.xyz[there].mean(axis=0))) if len(there) else 0.0

    def put(self, piece: Piece, xyz: NDArray[np.float64], confidence: NDArray[np.float32]) -> None:
        """Give residues their places."""
        self.xyz[piece.residue] = xyz[piece.part[piece.node]]
        self.confidence[piece.residue] = confidence
        apart = nearest(self.xyz[piece.residue], xyz)[1][:, 0]
        self.near = apart if self.near is None else np.minimum(self.near, apart)


def check(params: AssignParams, sequences: SequenceSet | None = None, **_inputs: object) -> None:
    """Whether there is a protein among the sequences."""
    require_protein(sequences)


def assigned(
    points: PointCloud, traces: Traces, sequences: SequenceSet, params: AssignParams, ctx: Context
) -> Threading:
    """Pieces of traces of all candidates placed on chains, the best first; of several tries the best of all."""
    check(params, sequences)
    if not len(traces):
        raise StageError("there are no traces to assign", "look at the points and the tracing before")
    evidence = AminoEvidence.required(points)
    owner = np.unique(traces.xyz, axis=0, return_inverse=True)[1].reshape(-1)
    parts = [owner[traces.points_of(fragment)] for fragment in range(len(traces))]
    xyz = np.zeros((int(owner.max()) + 1, 3))
    xyz[owner] = traces.xyz
    odds = evidence.log_odds(xyz)
    fresh = Assignment(sequences, xyz, odds, params)
    first = list(ctx.over(lambda part, inner: fresh.best(part, inner), parts))
    rng = ctx.rng()
    factors = [np.ones(len(parts)), *rng.uniform(1 - SHAKEN, 1 + SHAKEN, (params.tries - 1, len(parts)))]

    def work(factor: NDArray[np.float64], inner: Context) -> Assignment:
        return Assignment(sequences, xyz, odds, params).filled(first, factor, inner)

    found = max(ctx.over(work, factors), key=lambda one: one.score)
    doubt = doubt_of(sequences, found, parts, ctx)
    return as_threading(sequences, found, params, doubt, ctx)


def doubt_of(sequences: SequenceSet, found: "Assignment", parts: list[Part], ctx: Context) -> dict[int, float]:
    """Of each chain the chance that a shuffled sequence fits the best trace as well."""

    def work(letters: str, inner: Context) -> float:
        other = Assignment(SequenceSet((Sequence("decoy", letters),)), found.xyz, found.odds, found.params)
        pieces = [other.best(part, inner) for part in parts]
        return max((piece.score for piece in pieces if piece), default=0.0)

    def scores(letters: list[str]) -> Iterator[float]:
        return ctx.over(work, letters)

    return doubts(sequences, found.best_of, scores, found.params.decoys, ctx.rng(), ctx.log.warning)


class Assignment:
    """Pieces of traces on chains."""

    def __init__(
        self, sequences: SequenceSet, xyz: NDArray[np.float64], odds: NDArray[np.float64], params: AssignParams
    ) -> None:
        members = [sequence for sequence in sequences for _ in range(sequence.copies)]
        self.chains = {c: Chain(sequence) for c, sequence in enumerate(members) if sequence.molecule == "protein"}
        self.xyz, self.odds, self.params = xyz, odds, params
        self.used = np.zeros(len(xyz), bool)
        self.pieces = dict.fromkeys(self.chains, 0)
        self.best_of: dict[int, float] = {}
        self.score = 0.0

    def best(self, part: Part, ctx: Context) -> Piece | None:
        """The best stretch of residues on a trace as things stand."""
        return best_piece(part, self.xyz, self.chains, self.odds, self.params, ctx)

    def filled(self, first: list[Piece | None], factor: NDArray[np.float64], ctx: Context) -> "Assignment":
        """Always the piece with the highest score, times its part's factor.

        What is placed makes no other piece better, so a piece is worked out anew only when it comes up and its chain or
        its part is not as it was.
        """
        # The second entry differs always: pieces themselves cannot be compared.
        heap = [(-piece.score * factor[i], i, i, 0, piece) for i, piece in enumerate(first) if piece]
        heapq.heapify(heap)
        count = len(first)
        while heap:
            ctx.progress(0, 0)
            _, _, i, seen, piece = heapq.heappop(heap)
            number = self.as_it_was(piece, seen)
            if number is None:
                left = unused(piece.part, self.used, self.params.fewest)
            else:
                self.put(piece._replace(chain=number))
                left = remains(piece, self.params.fewest)
            for part in left:
                if again := self.best(part, ctx):
                    count += 1
                    heapq.heappush(heap, (-again.score * factor[i], count, i, self.pieces[again.chain], again))
        return self

    def as_it_was(self, piece: Piece, seen: int) -> int | None:
        """The chain to which a piece can go that was found when its own had so many; empty copies are alike."""
        if self.used[piece.part].any():
            return None
        if self.pieces[piece.chain] == seen:
            return piece.chain
        letters = self.chains[piece.chain].letters
        alike = (number for number, chain in self.chains.items() if chain.letters == letters)
        return None if seen else next((number for number in alike if not self.pieces[number]), None)

    def put(self, piece: Piece) -> None:
        """Place a piece."""
        chain = self.chains[piece.chain]
        chain.put(piece, self.xyz, confidence_of(piece, chain, self.odds))
        self.used[piece.part[piece.node]] = True
        self.pieces[piece.chain] += 1
        self.best_of[piece.chain] = max(piece.score, self.best_of.get(piece.chain, 0.0))
        self.score += piece.score


def best_piece(
    part: Part,
    xyz: NDArray[np.float64],
    chains: dict[int, Chain],
    odds: NDArray[np.float64],
    params: AssignParams,
    ctx: Context,
) -> Piece | None:
    """The best stretch of residues on a trace, of all chains and both directions; none if it is not good enough."""
    found: Piece | None = None
    for way in (part, part[::-1]):
        trace = xyz[way]
        for number, chain in worth_trying(chains, way):
            laid = thread_gapped(
                chain.matches(odds[way], trace, params),
                trace,
                ideal_distance=STEP,
                distance_weight=params.distance,
                residue_gap_open=params.gap_open,
                residue_gap_extend=params.gap_extend,
                progress=ctx.progress,
            )
            residue = np.flatnonzero(laid.nodes >= 0)
            if len(residue) < params.fewest or laid.score < params.least:
                continue
            node = laid.nodes[residue].astype(np.intp)
            score = float(laid.score) - AWAY * chain.distance(trace[node])
            if found is None or score > found.score:
                found = Piece(score, number, residue, node, way)
    return found


def worth_trying(chains: dict[int, Chain], part: Part) -> Iterator[tuple[int, Chain]]:
    """Of equal chains the first of which nothing is placed, since all those fit alike, and the ones not too far off."""
    empty: set[str] = set()
    away = {number: float(chain.near[part].min()) for number, chain in chains.items() if chain.near is not None}
    least: dict[str, float] = {}
    for number, apart in away.items():
        letters = chains[number].letters
        least[letters] = min(apart, least.get(letters, np.inf))
    for number, chain in chains.items():
        if number not in away and chain.letters not in empty:
            empty.add(chain.letters)
            yield number, chain
        elif number in away and away[number] <= least[chain.letters] + MARGIN:
            yield number, chain


def remains(piece: Piece, fewest: int) -> list[Part]:
    """The stretches of the trace before and after what was placed."""
    parts = (piece.part[: piece.node[0]], piece.part[piece.node[-1] + 1 :])
    return [part for part in parts if len(part) >= fewest]


def unused(part: Part, used: NDArray[np.bool_], fewest: int) -> list[Part]:
    """The stretches of a trace between points that hold a residue already."""
    taken = np.flatnonzero(used[part])
    return [one for one in np.split(np.delete(part, taken), taken - np.arange(len(taken))) if len(one) >= fewest]


def confidence_of(piece: Piece, chain: Chain, odds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The chance of each residue against all other amino acids, by the mean log-odds of its neighbourhood."""
    odds = odds[piece.part[piece.node]]
    columns = np.concatenate((odds, np.zeros((len(odds), 1))), axis=1)
    return named(columns[np.arange(len(odds)), chain.kinds[piece.residue]])


def as_threading(
    sequences: SequenceSet, assignment: Assignment, params: AssignParams, doubt: dict[int, float], ctx: Context
) -> Threading:
    """All chains as one candidate; confidences less the chance that a shuffled sequence fits as well."""
    chains, score = assignment.chains, assignment.score
    traced = []
    for number, chain in chains.items():
        traced.append(chain.placed())
        chain.xyz = bridged(chain.xyz, params.fill, STEP, params.slack)
        chain.confidence *= 1 - doubt.get(number, 0.0)
    placed = [chain.placed() for chain in chains.values()]
    on_line = np.concatenate([~np.isin(rows, before) for rows, before in zip(placed, traced, strict=True)])
    count = sum(len(rows) for rows in placed)
    if not count:
        raise StageError("no residue fits any trace", "is this the density of the given sequences?")
    ctx.note("residues placed", count)
    ctx.note("score", round(score, 2))
    return Threading(
        sequences=sequences,
        candidate=np.zeros(count, np.int32),
        chain=np.repeat(np.array([*chains], np.int32), [len(rows) for rows in placed]),
        residue=np.concatenate(placed).astype(np.int32),
        xyz=np.concatenate([chain.xyz[rows] for chain, rows in zip(chains.values(), placed, strict=True)]),
        confidence=np.concatenate([c.confidence[rows] for c, rows in zip(chains.values(), placed, strict=True)]),
        score=np.array([score]),
        origin=("pieces of traces, best first",),
        part=np.where(on_line, 0, -1),
        parts=(LINE,),
    )
