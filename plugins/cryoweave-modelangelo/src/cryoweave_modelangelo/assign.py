"""Sequences on chains: each chain a profile, the best stretch first, chains joined by the paper's rules."""

import heapq
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.align import align_matrix
from cryoweave.kernels.chains import LINE, bridged, out_of_reach
from cryoweave.kernels.evidence import AminoEvidence, kinds_of, named, require_protein
from cryoweave.kernels.graph import nearest
from cryoweave_modelangelo.profile import gap_costs, matches
from cryoweave_modelangelo.stages import AssignParams

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""
NEVER = -1000.0
"""Score of a residue where it cannot be."""
FAR = 25.0
"""Å: a piece whose points are on average farther from what a copy holds is hardly of it."""
AGAIN = 0.5
"""Share of a piece's residues that all begun copies must hold already for an empty copy to begin with it."""
Rows = NDArray[np.intp]
Scores = NDArray[np.float64]


class Piece(NamedTuple):
    """A stretch of a chain of points on a stretch of a sequence."""

    score: float
    near: bool
    """Whether it joins what its chain holds."""
    away: float
    """Mean Å to the nearest point that its chain holds; 0 where it holds none."""
    member: int
    """Chain, counted over all copies of all sequences."""
    residue: Rows
    at: Rows
    """Where along the rows each residue is."""
    rows: Rows
    """Points that were tried, in the direction of the sequence."""


class Member:
    """One copy of a sequence, and at which point each residue is; -1: at none."""

    def __init__(self, sequence: Sequence) -> None:
        self.letters, self.kinds = sequence.letters, kinds_of(sequence.letters)
        self.row = np.full(len(sequence), -1, np.intp)

    def placed(self) -> Rows:
        """Residues that have a place."""
        return np.flatnonzero(self.row >= 0)

    def scores(self, match: NDArray[np.float64], rows: Rows, xyz: NDArray[np.float64], slack: float) -> Scores:
        """Of each residue at each point, ``(points, residues)``; never where it has a place or is out of reach."""
        found = match[rows][:, self.kinds]
        there = self.placed()
        if len(there):
            own = np.full((len(self.kinds), 3), np.nan)
            own[there] = xyz[self.row[there]]
            found[out_of_reach(xyz[rows], own, STEP, slack)] = NEVER
            found[:, there] = NEVER
        return found

    def away(self, rows: Rows, xyz: NDArray[np.float64]) -> float:
        """Mean Å from some points to the nearest that is placed; 0 if nothing is."""
        there = self.placed()
        return float(nearest(xyz[self.row[there]], xyz[rows])[1].mean()) if len(there) else 0.0

    def joins(self, residue: Rows, rows: Rows, xyz: NDArray[np.float64], params: AssignParams) -> bool:
        """Whether a piece's end is near enough, in space and along the sequence, to an end of what is placed."""
        there = self.placed()
        for end in (0, -1):
            gap = np.abs(there - residue[end]) - 1
            away = np.linalg.norm(xyz[self.row[there]] - xyz[rows[end]], axis=1)
            if np.any((gap <= params.gap) & (away <= params.ends)):
                return True
        return False


def check(params: AssignParams, sequences: SequenceSet | None = None, **_inputs: object) -> None:
    """Whether there is a protein among the sequences."""
    require_protein(sequences)


def assigned(
    points: PointCloud, traces: Traces, sequences: SequenceSet, params: AssignParams, ctx: Context
) -> Threading:
    """Chains of the first candidate named by sequences, the best stretch first, then what is left of all chains."""
    check(params, sequences)
    if not len(traces):
        raise StageError("there are no traces to name", "look at the points and the tracing before")
    evidence = AminoEvidence.required(points)
    task = Assignment(traces, matches(evidence.log_odds(traces.xyz)), sequences, params)
    task.fill(ctx)
    return task.threading(sequences, ctx)


class Assignment:
    """Pieces of chains on copies of sequences."""

    def __init__(
        self, traces: Traces, match: NDArray[np.float64], sequences: SequenceSet, params: AssignParams
    ) -> None:
        copies = [one for one in sequences for _ in range(one.copies)]
        self.members = {k: Member(one) for k, one in enumerate(copies) if one.molecule == "protein"}
        self.copies: dict[str, list[Member]] = {}
        for member in self.members.values():
            self.copies.setdefault(member.letters, []).append(member)
        self.traces, self.match, self.params = traces, match, params
        self.score = 0.0
        self.pieces: list[Piece] = []
        self.closed: set[int] = set()
        """Chains in which nothing is placed, nor will be."""
        # Of local alignments with n cells, n exp(-s) score s or more by chance (Karlin & Altschul 1990, doi
        # 10.1073/pnas.87.6.2264, with their K as 1): shuffled sequences on 200 points scored 10.3 at most.
        cells = 2 * len(traces.xyz) * sum(map(len, self.copies))
        self.first = math.log(cells / params.chance)

    def fill(self, ctx: Context) -> None:
        """Always the piece of the highest score.

        What is placed makes no other piece better, so a piece is worked out anew only when it comes up. A chain whose
        first piece is not good enough when it comes up will get no better one, and is left out.
        """
        _, fragments = next(self.traces.candidates())
        starts = [np.arange(len(self.traces.xyz))[self.traces.points_of(one)] for one in fragments]
        count, placed = itertools.count(), 0
        queue: list[tuple[bool, float, int, int, Piece]] = []

        def push(rows: Rows) -> None:
            ctx.progress(0, 0)
            if piece := self.best(rows):
                heapq.heappush(queue, (self.waits(piece), -piece.score, next(count), placed, piece))

        for rows in starts:
            push(rows)
        while queue:
            _, _, _, seen, piece = heapq.heappop(queue)
            if seen == placed and self.too_little_to_begin(piece):
                self.closed.add(piece.member)
                seen = -1
            if seen < placed:
                push(piece.rows)
                continue
            self.put(piece)
            placed += 1
            for rows in (piece.rows[: piece.at[0]], piece.rows[piece.at[-1] + 1 :]):
                push(rows)
        self.extend()

    def best(self, rows: Rows) -> Piece | None:
        """The best stretch on these points in either direction; none if it is too short or not good enough.

        Of equal ones that of the copy which it joins, or else of the nearest.
        """
        if len(rows) < self.params.shortest:
            return None
        found: list[Piece] = []
        for way in (rows, rows[::-1]):
            loss = self.params.turned if way[0] > way[-1] else 0.0
            fresh: set[str] = set()
            for k, member in self.members.items():
                if not len(member.placed()):
                    if k in self.closed or member.letters in fresh:
                        continue  # an empty copy like one that was tried
                    fresh.add(member.letters)
                piece = self.aligned(way, k, member, loss)
                if piece is not None and (len(member.placed()) or self.begins(piece)):
                    found.append(piece)
        return max(found, key=lambda one: (round(one.score, 6), one.near, -one.away), default=None)

    def aligned(self, rows: Rows, k: int, member: Member, loss: float) -> Piece | None:
        """The best stretch on one copy, if it may be there; its score less a loss."""
        params, xyz = self.params, self.traces.xyz
        scores = member.scores(self.match, rows, xyz, params.slack)
        pairs, score = align_matrix(scores, *gap_costs(), mode="local")
        if len(pairs) < params.shortest or score - loss < params.least:
            return None
        at, residue = (column.astype(np.intp) for column in pairs.T)
        right = float((scores[at, residue] > 0).mean())
        if len(member.placed()) and (len(at) < params.join or right < params.right):
            return None
        near, away = member.joins(residue, rows[at], xyz, params), member.away(rows[at], xyz)
        return Piece(score - loss, near, away, k, residue, at, rows)

    def begins(self, piece: Piece) -> bool:
        """Whether an empty copy may begin with a piece: the begun ones hold such residues already, or are far off."""
        return all(self.apart(piece))

    def waits(self, piece: Piece) -> bool:
        """Whether others come first: of a piece that may not begin a copy, or one far from a copy that misses it."""
        several = len(self.copies[self.members[piece.member].letters]) > 1
        return self.too_little_to_begin(piece) or (several and any(self.apart(piece)))

    def apart(self, piece: Piece) -> Iterator[bool]:
        """Of each begun copy that misses most of a piece's residues whether the piece lies apart from what it holds."""
        for one in self.copies[self.members[piece.member].letters]:
            there = one.placed()
            if len(there) and np.isin(piece.residue, there).mean() < AGAIN:
                yield one.away(piece.rows[piece.at], self.traces.xyz) > FAR

    def too_little_to_begin(self, piece: Piece) -> bool:
        """Whether a piece would be a chain's first and chance could have made it."""
        return piece.score < self.first and not len(self.members[piece.member].placed())

    def put(self, piece: Piece) -> None:
        """Give residues their places."""
        self.members[piece.member].row[piece.residue] = piece.rows[piece.at]
        self.pieces.append(piece)
        self.score += piece.score

    def extend(self) -> None:
        """Let pieces go on along their chains where names do not tell, over points and residues that are free."""
        used = np.zeros(len(self.match), bool)
        for piece in self.pieces:
            used[piece.rows[piece.at]] = True
        for piece in self.pieces:
            row = self.members[piece.member].row
            for end, step in ((0, -1), (-1, 1)):
                at, residue = int(piece.at[end]) + step, int(piece.residue[end]) + step
                for _ in range(self.params.extend):
                    inside = 0 <= at < len(piece.rows) and 0 <= residue < len(row)
                    if not inside or used[piece.rows[at]] or row[residue] >= 0:
                        break
                    row[residue] = piece.rows[at]
                    used[piece.rows[at]] = True
                    at, residue = at + step, residue + step

    def threading(self, sequences: SequenceSet, ctx: Context) -> Threading:
        """All copies as one candidate; what is filled in has confidence 0."""
        parts = [self.places_of(member) for member in self.members.values()]
        counts = [len(residue) for residue, *_ in parts]
        if not sum(counts):
            raise StageError(
                "no chain fits any sequence",
                "are these the map's sequences, and is it better than 4 Å? The recipe modelangelo-unknown builds "
                "without, and `cryoweave identify` looks for them in a database",
            )
        residue, xyz, confidence, part = (np.concatenate(column) for column in zip(*parts, strict=True))
        ctx.note("residues placed", sum(counts))
        ctx.note("score", round(self.score, 2))
        return Threading(
            sequences=sequences,
            candidate=np.zeros(sum(counts), np.int32),
            chain=np.repeat(np.array([*self.members], np.int32), counts),
            residue=residue.astype(np.int32),
            xyz=xyz,
            confidence=confidence,
            score=np.array([self.score]),
            origin=("profiles of chains, best first",),
            part=part.astype(np.int32),
            parts=(*(f"chain {k + 1} of the traces" for k in range(len(self.traces))), LINE),
        )

    def places_of(self, member: Member) -> tuple[Rows, NDArray[np.float64], NDArray[np.float32], Rows]:
        """Residues with a place, where they are, their confidence (Cα times name), and what they come from."""
        there = member.placed()
        xyz = np.full((len(member.row), 3), np.nan)
        confidence = np.zeros(len(member.row), np.float32)
        part = np.full(len(member.row), len(self.traces))
        if len(there):
            rows = member.row[there]
            xyz[there], part[there] = self.traces.xyz[rows], self.traces.fragment[rows]
            sure = named(self.match[rows, member.kinds[there]])
            confidence[there] = np.clip(self.traces.weight[rows] * sure, 0, 1)
        xyz = bridged(xyz, self.params.fill, STEP, self.params.slack)
        kept = np.flatnonzero(~np.isnan(xyz[:, 0]))
        return kept, xyz[kept], confidence[kept], part[kept]
