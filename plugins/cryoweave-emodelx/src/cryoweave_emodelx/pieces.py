"""The best stretch of a sequence along bonds: dynamic programming over steps and residues."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.graph import neighbour_pairs
from cryoweave_emodelx.hops import Hops, Index, Table

NEVER = np.float32(-1e6)
"""Score of a residue where it cannot be."""
SHORTEST = 3.0
"""Å between Cα of a chain, whatever lies between them, at least; clashes are nearer."""


class Leaps(NamedTuple):
    """Pairs of points, for residues that have none in between."""

    start: Index
    """Sorted, ``(l,)``."""
    end: Index
    """``(l,)``."""
    fewest: NDArray[np.intp]
    """Residues that must be left out between them at least, so that the chain can reach, ``(l,)``."""
    first: Index
    """Where the leaps of each point begin, and their number, ``(points + 1,)``."""

    def of(self, points: Index) -> Index:
        """The leaps that begin at some points."""
        many = self.first[points + 1] - self.first[points]
        shift = self.first[points] - np.cumsum(many) + many
        return np.asarray(np.arange(many.sum()) + np.repeat(shift, many))


class Piece(NamedTuple):
    """Residues on points, ascending."""

    score: float
    residue: Index
    point: Index


class Rules(NamedTuple):
    """What counts beside the cells."""

    bond: float
    """For each bond, times what its neighbour score is below 1."""
    gap: int
    """Residues that may be left out between two placed ones."""
    gap_open: float
    gap_extend: float
    shortest: int
    longest: int
    """Residues of a piece."""
    least: float
    """Its sum."""


def leaps_of(xyz: NDArray[np.float64], gap: int, reach: float, slack: float) -> Leaps:
    """All pairs of points that a chain can bridge with ``gap`` residues left out, or fewer."""
    pairs, length = neighbour_pairs(xyz, reach * (gap + 1) + slack)
    fewest = np.maximum(np.ceil((length - slack) / reach - 1), 1).astype(np.intp)
    pairs, fewest = pairs[length >= SHORTEST].astype(np.intp), fewest[length >= SHORTEST]
    start, end = np.concatenate([pairs, pairs[:, ::-1]]).T
    order = np.lexsort((end, start))
    start, end = start[order], end[order]
    return Leaps(start, end, np.tile(fewest, 2)[order], np.searchsorted(start, np.arange(len(xyz) + 1)))


class Sums(NamedTuple):
    """Best sums that end with each residue."""

    fresh: Table
    """At each point without a bond from the residue before, ``(residues, points)``."""
    step: Table
    """By each step, and ``NEVER`` behind the last, ``(residues, steps + 1)``."""
    point: Table
    """The best of both at each point, ``(residues, points)``."""

    def value(self, state: "State") -> float:
        """The sum that ends there."""
        return float(
            self.step[state.residue, state.step] if state.step >= 0 else self.fresh[state.residue, state.point]
        )


class State(NamedTuple):
    """A residue at a point, and how the chain came there."""

    residue: int
    point: int
    step: int
    """-1: without a bond from the residue before."""


def _largest(values: Table, group: Index, groups: int) -> Table:
    """The largest of each group of sorted groups; ``NEVER`` where there is none."""
    found = np.full(groups, NEVER, np.float32)
    if len(group):
        first = np.flatnonzero(np.concatenate([[True], np.diff(group) > 0]))
        found[group[first]] = np.maximum.reduceat(values, first)
    return found


class Aligner:
    """A graph of points, along which sequences are laid."""

    def __init__(self, hops: Hops, leaps: Leaps, points: int, rules: Rules) -> None:
        self.hops, self.leaps, self.points, self.rules = hops, leaps, points, rules
        self.bond = (rules.bond * (hops.worth - 1)).astype(np.float32)
        self.order = np.argsort(hops.head, kind="stable")
        self.heads = hops.head[self.order]

    def cost(self, gap: int) -> float:
        """Of so many residues left out."""
        return self.rules.gap_open + self.rules.gap_extend * (gap - 1)

    def best(self, cells: Table) -> Piece | None:
        """The stretch with the largest sum of ``cells (points, residues)`` and bonds that is long enough, or none.

        Ends are looked at by falling sums, and those on the way of a better one passed over.
        """
        table = self._filled(np.ascontiguousarray(cells.T, np.float32))
        ends = np.flatnonzero(table.point.ravel() > self.rules.least)
        seen = np.zeros(table.point.shape, bool)
        for end in ends[np.argsort(-table.point.ravel()[ends], kind="stable")].tolist():
            r, i = divmod(end, self.points)
            if seen[r, i]:
                continue
            piece = self._traced(table, r, i)
            seen[piece.residue, piece.point] = True
            if len(piece.residue) >= self.rules.shortest and piece.score > self.rules.least:
                return piece
        return None

    def _filled(self, cells: Table) -> Sums:
        n, m = len(cells), len(self.hops.tail)
        step = np.full((n, m + 1), NEVER, np.float32)
        fresh, point = np.empty((2, n, self.points), np.float32)
        for r in range(n):
            fresh[r] = cells[r] + np.maximum(self._leapt(point, r), 0)
            if r:
                before = _largest(step[r - 1][self.hops.before], self.hops.after, m)
                before = np.maximum(before, fresh[r - 1][self.hops.tail])
                step[r, :-1] = np.maximum(before + self.bond + cells[r][self.hops.head], NEVER)
            arrived = _largest(step[r, :-1][self.order], self.heads, self.points)
            point[r] = np.maximum(fresh[r], arrived)
        return Sums(fresh, step, point)

    def _leapt(self, point: Table, r: int) -> Table:
        """The best sum of an earlier residue at another point, less the cost of those between."""
        found = np.full(self.points, NEVER, np.float32)
        for gap in range(1, min(self.rules.gap, r - 1) + 1):
            values = point[r - 1 - gap] - np.float32(self.cost(gap))
            # A sum that does not pay for the gap is no better than to begin anew.
            rows = self.leaps.of(np.flatnonzero(values > 0))
            rows = rows[self.leaps.fewest[rows] <= gap]
            np.maximum.at(found, self.leaps.end[rows], values[self.leaps.start[rows]])
        return found

    def _traced(self, table: Sums, r: int, i: int) -> Piece:
        """Back from the last residue as long as the points are new and the piece is not too long."""
        total = float(table.point[r, i])
        state: State | None = State(r, i, self._by_step(table, r, i))
        found: list[State] = []
        taken: set[int] = set()
        while state and state.point not in taken and len(found) < self.rules.longest:
            found.append(state)
            taken.add(state.point)
            state = self._previous(table, state)
        left = table.value(state) if state else 0.0
        found.reverse()
        return Piece(total - left, np.array([one.residue for one in found]), np.array([one.point for one in found]))

    def _previous(self, table: Sums, state: State) -> State | None:
        """The residue before; none where the piece begins."""
        if state.step < 0:
            return self._leap_back(table, state)
        r, i = state.residue - 1, int(self.hops.tail[state.step])
        first, last = np.searchsorted(self.hops.after, [state.step, state.step + 1])
        earlier = self.hops.before[first:last]
        values = table.step[r][earlier]
        by_step = values.max(initial=NEVER) > table.fresh[r, i]
        return State(r, i, int(earlier[values.argmax()]) if by_step else -1)

    def _by_step(self, table: Sums, r: int, i: int) -> int:
        """The step by which the best sum comes to a point; -1 if there is no bond from the residue before."""
        steps = self.order[slice(*np.searchsorted(self.heads, [i, i + 1]))]
        if not len(steps) or table.step[r][steps].max() <= table.fresh[r, i]:
            return -1
        return int(steps[table.step[r][steps].argmax()])

    def _leap_back(self, table: Sums, state: State) -> State | None:
        """Where a leap to here began."""
        # Leaps go both ways: those from here end where those to here begin.
        rows = slice(*self.leaps.first[state.point : state.point + 2])
        start, fewest = self.leaps.end[rows], self.leaps.fewest[rows]
        best, found = 0.0, None
        for gap in range(1, min(self.rules.gap, state.residue - 1) + 1):
            r = state.residue - 1 - gap
            values = np.where(fewest <= gap, table.point[r][start], NEVER)
            if len(values) and values.max() - self.cost(gap) > best:
                best, i = float(values.max() - self.cost(gap)), int(start[values.argmax()])
                found = State(r, i, self._by_step(table, r, i))
        return found
