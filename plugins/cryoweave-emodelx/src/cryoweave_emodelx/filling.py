"""Pieces on chains, the best first; equal chains begin with the same residues, each in a place of its own."""

import heapq
import itertools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.host import Context
from cryoweave.kernels.chains import out_of_reach
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.stretches import Rules, Stretch, Ways, best_stretches
from cryoweave_emodelx.chain import STEP, Chain
from cryoweave_emodelx.connect import Ground
from cryoweave_emodelx.hops import Hops
from cryoweave_emodelx.stages import AlignParams

AWAY = 0.02
"""For each Å from the middle of what is placed of a chain: of several copies the nearer one gets a piece."""
ALIKE = 0.5
"""Of what residues are worth in the copies that have them: what they are worth at least where another one begins."""
MARGIN = 20.0
"""Å: points so much farther from a copy than from another are not looked at for it, as long as there are others."""


def globule(residues: int) -> float:
    """Å of radius of gyration of a folded chain: Skolnick, Kolinski, Ortiz 1997, J. Mol. Biol. 265, 217."""
    return float(2.2 * residues**0.38)


class Segment(NamedTuple):
    """Residues ``first`` to ``last``, the last not among them, that have no place, and the best piece of them."""

    first: int
    last: int
    piece: Stretch


class Copies:
    """Equal chains, by number."""

    def __init__(self, numbers: list[int]) -> None:
        self.empty, self.started = numbers, list[int]()
        self.offered = 0
        """Pieces that wait to be the first of a copy."""
        self.sought = 0
        """So many residues that all begun copies have were looked for elsewhere."""


class Assembly:
    """Chains, and what is placed of them."""

    def __init__(
        self, xyz: NDArray[np.float64], hops: Hops, ways: Ways, chains: dict[int, Chain], params: AlignParams
    ) -> None:
        self.xyz, self.hops, self.ways, self.chains, self.params = xyz, hops, ways, chains, params
        self.used = np.zeros(len(xyz), bool)
        self.near: dict[int, NDArray[np.float64]] = {}
        equal: dict[str, list[int]] = {}
        for number, chain in chains.items():
            equal.setdefault(chain.letters, []).append(number)
        self.copies = {letters: Copies(numbers) for letters, numbers in equal.items()}

    def ground(self) -> Ground:
        """What gaps are closed on."""
        return Ground(self.xyz, self.hops, self.ways.bond, self.used)

    def score(self) -> float:
        """What the amino acids say of the placed residues by themselves, without their neighbours."""
        total = 0.0
        for chain in self.chains.values():
            there = np.flatnonzero(chain.point >= 0)
            total += float(chain.own[chain.point[there], there].sum(dtype=np.float64))
        return total

    def fill(self, threshold: float, ctx: Context) -> None:
        """Always the piece with the highest score above a threshold of its residues, until none is left.

        Copies look at points near them first, then at all that are left.
        """
        Round(self, threshold, bounded=True).run(ctx)
        if any(len(one.started) > 1 for one in self.copies.values()):
            Round(self, threshold, bounded=False).run(ctx)

    def put(self, number: int, piece: Stretch) -> None:
        """Place a piece on a chain."""
        self.chains[number].put(piece.residue, piece.point, self.xyz)
        self.used[piece.point] = True
        apart = nearest(self.xyz[piece.point], self.xyz)[1][:, 0]
        self.near[number] = np.minimum(self.near.get(number, np.inf), apart)

    def room(self, number: int) -> NDArray[np.bool_]:
        """Points that are about as near to a chain as to any of its copies, ``(points,)``."""
        others = [one for one in self.copies[self.chains[number].letters].started if one != number]
        found = np.ones(len(self.xyz), bool)
        for other in others:
            found &= self.near[number] <= self.near[other] + MARGIN
        return found


class Round:
    """All pieces above one threshold.

    What is placed makes no other piece better, so a piece is worked out anew only when it comes up and cannot be placed
    any more. A placed piece parts its chain in two: their best pieces have nothing to do with each other.
    """

    def __init__(self, assembly: Assembly, threshold: float, bounded: bool) -> None:
        self.all, self.bounded = assembly, bounded
        p = assembly.params
        gaps = (p.gap, p.gap_open, p.gap_extend)
        self.rules = Rules(threshold, *gaps, p.shortest, p.longest, p.least, STEP, p.slack)
        self.segments: dict[int, list[Segment]] = {}
        self.heap: list[tuple[float, int, int, Stretch | None]] = []
        self.order = itertools.count()

    def run(self, ctx: Context) -> None:
        """The best first."""
        groups = [*self.all.copies.values()]
        for copies in groups:
            copies.sought = 0
            self.next_copy(copies)
        while self.heap:
            ctx.progress(int(self.all.used.sum()), 0)
            _, number, _, first = heapq.heappop(self.heap)
            if first:
                self.begin(self.all.copies[self.all.chains[number].letters], first)
            else:
                self.go_on(number)
            for copies in groups if not self.heap else ():
                self.any_piece(copies)

    def next_copy(self, copies: Copies) -> None:
        """First pieces for empty copies if there are some; else those that are begun go on."""
        if not copies.started:
            self.any_piece(copies)
        elif not self.same_piece(copies):
            for number in copies.started:
                if number not in self.segments:
                    self.segments[number] = []
                    self.look(number, 0, len(self.all.chains[number].letters))

    def push(self, score: float, number: int, first: Stretch | None = None) -> None:
        """Chain ``number`` has a piece of that score; or it is to begin a chain like that."""
        heapq.heappush(self.heap, (-score, number, next(self.order), first))

    def any_piece(self, copies: Copies) -> bool:
        """The best piece of all residues for an empty copy."""
        if not copies.empty or not self.bounded:
            return False
        chain = self.all.chains[copies.empty[0]]
        return self.offer(copies, self.pieces(chain, slice(0, len(chain.letters)), self.all.used, self.rules))

    def same_piece(self, copies: Copies) -> bool:
        """Pieces for the empty copies of residues that all others have: where these fit again there is another copy."""
        if not copies.empty or not self.bounded:
            return False
        chains = [self.all.chains[number] for number in copies.started]
        there = np.flatnonzero(np.all([chain.point >= 0 for chain in chains], axis=0))
        run = max(np.split(there, np.flatnonzero(np.diff(there) > self.rules.gap + 1) + 1), key=len)
        if len(run) < max(2 * copies.sought, self.rules.shortest):
            return False
        copies.sought = len(run)
        worth = np.mean([(chain.scores[run, chain.point[run]] - self.rules.threshold).sum() for chain in chains])
        least = max(self.rules.least, ALIKE * float(worth))
        rules = self.rules._replace(most=len(copies.empty), least=least)
        chain = self.all.chains[copies.empty[0]]
        return self.offer(copies, self.pieces(chain, slice(run[0], run[-1] + 1), self.all.used, rules))

    def offer(self, copies: Copies, pieces: list[Stretch]) -> bool:
        """First pieces come up for empty copies; whether there is one."""
        copies.offered = len(pieces)
        for piece in pieces:
            self.push(piece.score, copies.empty[0], piece)
        return bool(pieces)

    def begin(self, copies: Copies, piece: Stretch) -> None:
        """A piece that was offered goes to a copy that is begun, if it fits it and is near, or to an empty one."""
        copies.offered -= 1
        if not self.all.used[piece.point].any():
            number = self.owner(copies, piece)
            self.all.put(number, piece)
            if number in copies.empty:
                copies.empty.remove(number)
                copies.started.append(number)
        if not copies.offered:
            self.next_copy(copies)

    def owner(self, copies: Copies, piece: Stretch) -> int:
        """The nearest copy that can take a piece, if it is no farther off than such a chain is wide, or an empty."""
        xyz, slack = self.all.xyz[piece.point], self.all.params.slack
        able = []
        for number in copies.started:
            chain = self.all.chains[number]
            beyond = out_of_reach(xyz, chain.xyz, STEP, slack)[np.arange(len(xyz)), piece.residue]
            if np.isnan(chain.xyz[piece.residue, 0]).all() and not beyond.any():
                able.append((chain.distance(xyz), number))
        width = 2 * globule(len(self.all.chains[copies.empty[0]].letters))
        return min((one for one in able if one[0] <= width), default=(0.0, copies.empty[0]))[1]

    def go_on(self, number: int) -> None:
        """The best piece of a chain that is begun is placed, or worked out anew."""
        chain, best = self.all.chains[number], self.best(number)
        self.segments[number].remove(best)
        fits = bool((chain.point[best.first : best.last] < 0).all())
        if fits and not self.closed(number)[best.piece.point].any():
            self.all.put(number, best.piece)
        self.look(number, best.first, best.last)
        copies = self.all.copies[chain.letters]
        if not copies.offered:
            self.same_piece(copies)

    def look(self, number: int, first: int, last: int) -> None:
        """The best piece of each stretch of some residues that has no place yet; the best of all comes up."""
        chain, closed = self.all.chains[number], self.closed(number)
        free = np.isnan(chain.xyz[first:last, 0])
        edges = first + np.flatnonzero(np.diff(np.concatenate([[False], free, [False]])))
        for a, b in edges.reshape(-1, 2).tolist():
            # The placed neighbours say how far the chain reaches.
            rows = slice(max(a - 1, 0), min(b + 1, len(chain.letters)))
            if b - a >= self.rules.shortest:
                found = self.pieces(chain, rows, closed, self.rules)
                self.segments[number] += [Segment(a, b, piece) for piece in found]
        if self.segments[number]:
            piece = self.best(number).piece
            self.push(piece.score - AWAY * chain.distance(self.all.xyz[piece.point]), number)

    def best(self, number: int) -> Segment:
        """The segment of a chain with the best piece."""
        return max(self.segments[number], key=lambda one: (one.piece.score, -one.first))

    def closed(self, number: int) -> NDArray[np.bool_]:
        """Points on which a chain gets no residue now, ``(points,)``."""
        return self.all.used | ~self.all.room(number) if self.bounded else self.all.used

    def pieces(self, chain: Chain, rows: slice, closed: NDArray[np.bool_], rules: Rules) -> list[Stretch]:
        """The best pieces of some residues of a chain."""
        found = best_stretches(chain.scores[rows], self.all.ways, self.all.xyz, closed, chain.xyz[rows], rules)
        return [piece._replace(residue=piece.residue + rows.start) for piece in found]
