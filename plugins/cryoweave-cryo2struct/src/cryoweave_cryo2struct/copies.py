"""Chains of one sequence, whose pieces may have been mixed up."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cryoweave.kernels.hmm import Costs, Geometry
from cryoweave_cryo2struct.placed import Placed

SWEEPS = 10
"""Times along the chains; one or two are enough."""
LEAST = 1e-6
"""Gain from which on an exchange counts."""


def untangled(found: list[Placed], xyz: NDArray[np.float64], shape: Geometry, costs: Costs) -> list[Placed]:
    """The same residues on the same points, with the ends of chains exchanged wherever their links then score better.

    The beam takes one chain after the other, and each takes the best stretches of all copies. What a residue gains on
    its point is the same in every copy; so behind any residue the rests of all copies may change places, and the
    assignment of rests to beginnings with the best sum of link scores does.

    Parameters
    ----------
    found
        Chains of one sequence.
    xyz
        The points, Å.
    shape, costs
        What a link scores.
    """
    length = max(int(one.residue[-1]) for one in found) + 1
    nodes = np.full((len(found), length), -1)
    confidence = np.zeros(nodes.shape, np.float32)
    for own, sure, one in zip(nodes, confidence, found, strict=True):
        own[one.residue], sure[one.residue] = one.node, one.confidence
    for _ in range(SWEEPS):
        changed = False
        for cut in range(1, length):
            links = link_scores(nodes, cut, xyz, shape, costs)
            to = linear_sum_assignment(links, maximize=True)[1]
            if links[np.arange(len(to)), to].sum() > np.trace(links) + LEAST:
                nodes[:, cut:], confidence[:, cut:] = nodes[to, cut:], confidence[to, cut:]
                changed = True
        if not changed:
            break
    placed = [np.flatnonzero(own >= 0) for own in nodes]
    each = zip(found, placed, nodes, confidence, strict=True)
    return [
        replace(one, residue=residue, node=own[residue], confidence=sure[residue]) for one, residue, own, sure in each
    ]


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
