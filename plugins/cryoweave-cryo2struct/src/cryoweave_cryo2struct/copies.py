"""Chains of one sequence, whose pieces may have been mixed up."""

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cryoweave.kernels.hmm import Costs, Geometry
from cryoweave.kernels.metrics import superpose
from cryoweave_cryo2struct.placed import Placed

SWEEPS = 10
"""Times along the chains; one or two are enough."""
LEAST = 1e-6
"""Gain from which on an exchange counts."""
FEWEST = 20
"""Residues that two copies must share to be compared."""
ALIKE, CLEAR = 4.0, 0.2
"""Å within which residues of copies that are laid on each other are alike, and share that an exchange must bring."""
LOSS = 30.0
"""What links may lose for it: a leap of some Å beyond a chain's reach."""


@dataclass
class Copies:
    """Chains of one sequence: the point of each residue, -1 without one, and confidences, ``(copies, residues)``."""

    nodes: NDArray[np.intp]
    confidence: NDArray[np.float32]

    @classmethod
    def of(cls, found: list[Placed]) -> "Copies":
        """All that was placed."""
        length = max(int(one.residue[-1]) for one in found) + 1
        made = cls(np.full((len(found), length), -1), np.zeros((len(found), length), np.float32))
        for own, sure, one in zip(made.nodes, made.confidence, found, strict=True):
            own[one.residue], sure[one.residue] = one.node, one.confidence
        return made

    def exchange(self, rows: NDArray[np.intp], order: NDArray[np.intp], cut: int) -> None:
        """Give the chains ``rows`` from a residue on the rests of the chains ``order``."""
        for table in (self.nodes, self.confidence):
            table[rows, cut:] = table[order, cut:]

    def placed(self, found: list[Placed]) -> list[Placed]:
        """The chains as they are now."""
        each = zip(found, self.nodes, self.confidence, strict=True)
        rows = [(one, np.flatnonzero(own >= 0), own, sure) for one, own, sure in each]
        return [replace(one, residue=r, node=own[r], confidence=sure[r]) for one, r, own, sure in rows if len(r)]


def untangled(found: list[Placed], xyz: NDArray[np.float64], shape: Geometry, costs: Costs) -> list[Placed]:
    """The same residues on the same points, with the rests of chains exchanged where that is better.

    The beam takes one chain after the other, and each takes the best stretches of all copies. What a residue gains on
    its point is the same in every copy; so behind any residue the rests of all copies may change places, and the
    assignment of rests to beginnings with the best sum of link scores does. Then, of three copies or more, two exchange
    their rests where that makes them more like the others.

    Parameters
    ----------
    found
        Chains of one sequence.
    xyz
        The points, Å.
    shape, costs
        What a link scores.
    """
    copies = Copies.of(found)
    length = copies.nodes.shape[1]
    for _ in range(SWEEPS):
        changed = False
        for cut in range(1, length):
            links = link_scores(copies.nodes, cut, xyz, shape, costs)
            to = linear_sum_assignment(links, maximize=True)[1]
            if links[np.arange(len(to)), to].sum() > np.trace(links) + LEAST:
                copies.exchange(np.arange(len(to)), to, cut)
                changed = True
        if not changed:
            break
    while best := likest(copies.nodes, xyz, shape, costs):
        (a, b), cut = best
        copies.exchange(np.array([a, b]), np.array([b, a]), cut)
    return copies.placed(found)


def likest(
    nodes: NDArray[np.intp], xyz: NDArray[np.float64], shape: Geometry, costs: Costs
) -> tuple[tuple[int, int], int] | None:
    """The two chains and the cut whose exchange makes them most like the others; none if none does so clearly.

    An exchange may not cost more than `LOSS` in links.
    """
    best: tuple[float, float, tuple[int, int], int] | None = None
    for a, b in combinations(range(len(nodes)), 2):
        others = [k for k in range(len(nodes)) if k not in (a, b)]
        now = sum(likeness(nodes[one], nodes[others], xyz) for one in (a, b))
        if not others or now > 2 - CLEAR:
            continue
        for cut in range(1, nodes.shape[1]):
            links = link_scores(nodes[[a, b]], cut, xyz, shape, costs)
            gain = float(links[0, 1] + links[1, 0] - np.trace(links))
            if gain < -LOSS:
                continue
            mixed = np.array([np.r_[nodes[a, :cut], nodes[b, cut:]], np.r_[nodes[b, :cut], nodes[a, cut:]]])
            more = sum(likeness(one, nodes[others], xyz) for one in mixed) - now
            if more > CLEAR and (best is None or (round(more, 2), gain) > best[:2]):
                best = round(more, 2), gain, (a, b), cut
    return None if best is None else best[2:]


def likeness(own: NDArray[np.intp], others: NDArray[np.intp], xyz: NDArray[np.float64]) -> float:
    """Share of the residues that a chain has alike, laid on it, with the one of the others that is most like it."""
    found = 0.0
    for other in others:
        both = np.flatnonzero((own >= 0) & (other >= 0))
        if len(both) >= FEWEST:
            laid = superpose(xyz[own[both]], xyz[other[both]])
            moved = xyz[own[both]] @ laid.rotation.T + laid.translation
            found = max(found, float((np.linalg.norm(moved - xyz[other[both]], axis=1) < ALIKE).mean()))
    return found


def link_scores(
    nodes: NDArray[np.intp], cut: int, xyz: NDArray[np.float64], shape: Geometry, costs: Costs
) -> NDArray[np.float64]:
    """Of the last placed residue before a cut of each chain (rows) with the first one behind it of each (columns).

    What begins or ends at the cut scores nothing.
    """
    before, behind = nodes[:, :cut] >= 0, nodes[:, cut:] >= 0
    last, first = cut - 1 - before[:, ::-1].argmax(axis=1), cut + behind.argmax(axis=1)
    chains = np.arange(len(nodes))
    apart = xyz[nodes[chains, last]][:, None] - xyz[nodes[chains, first]][None]
    distance = np.linalg.norm(apart, axis=2)
    forward = first[None, :] - last[:, None]
    each, most = costs.excess
    excess = np.minimum(each * np.maximum(distance - costs.reach * forward, 0), most)
    score = -(costs.gap_open + costs.gap_extend * (forward - 1) + excess)
    place = distance / shape.step
    for steps, row in enumerate(shape.spans, start=1):
        known = np.flatnonzero(np.isfinite(row))
        if not len(known):
            continue
        span = np.interp(place, known, row[known], left=-np.inf, right=-np.inf)
        score = np.where(forward == steps, np.maximum(score, span), score)
    begun, goes_on = np.any(before, axis=1), np.any(behind, axis=1)
    return np.where(begun[:, None] & goes_on[None, :], score, 0.0)
