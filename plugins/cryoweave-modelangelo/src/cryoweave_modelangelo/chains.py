"""Chains by flood fill: each Cα joined to the one before and the one after, the best bonds first."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, ProbabilityMaps, Traces
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import walks
from cryoweave.kernels.candidates import apart
from cryoweave.kernels.direction import OFFSETS, chain_odds
from cryoweave_modelangelo.stages import ChainsParams

STEP, WIDTH = 3.8, 0.5
"""Å between the Cα of neighbours (trans peptide), and how far detected lengths lie from it (.28 to .5 on four maps)."""


def chained(bonds: BondGraph, maps: ProbabilityMaps | None, params: ChainsParams, ctx: Context) -> Traces:
    """One candidate, the longest chain first; each runs from N to C as far as Cβ and O tell.

    A chain's score is the sum of its points' probabilities.
    """
    if not len(bonds):
        raise StageError("there is no bond to follow", "make them with a longer `longest`, or look at the points")
    if maps is not None and not {*OFFSETS} <= {*maps.classes}:
        raise InputError("the maps lack CB or O, which tell the direction", "make them with unet.maps, or give none")
    if maps is not None and not maps.of("CB").values.any():
        raise InputError("the maps have no Cβ anywhere", "is it the map of a protein at 5 Å or better?")
    points = bonds.points
    kept = np.zeros(len(points), bool)
    order = np.argsort(-points.weight, kind="stable")
    kept[order[apart(points.xyz[order], params.double)]] = True
    links = joined(bonds, bond_scores(bonds), kept, params, ctx)
    paths = [one for one in walks(len(points), links) if len(one) >= params.fewest]
    if not paths:
        raise StageError(
            f"no chain has {params.fewest} points", "set a lower `least`, or look at the points and the maps"
        )
    weight = points.weight.astype(np.float64)
    paths.sort(key=lambda one: (-weight[one].sum(), one[0]))
    odds = [0.0 if maps is None else float(chain_odds(maps, points.xyz[one]).sum()) for one in paths]
    paths = [one[::-1] if against < 0 else one for one, against in zip(paths, odds, strict=True)]
    rows = np.concatenate(paths)
    ctx.note("chains", len(paths))
    ctx.note("points in chains", len(rows))
    sure = sum(len(one) for one, side in zip(paths, odds, strict=True) if abs(side) >= params.sure)
    ctx.note("points in chains of known direction", sure)
    return Traces(
        points.xyz[rows],
        points.weight[rows],
        np.repeat(np.arange(len(paths), dtype=np.int32), [len(one) for one in paths]),
        np.zeros(len(paths), np.int32),
        np.array([weight[one].sum() for one in paths]),
    )


def bond_scores(bonds: BondGraph) -> NDArray[np.float64]:
    """How good each bond is, 0 to 1: the least main-chain probability along it, less for a length off 3.8 Å."""
    closeness = np.exp(-((bonds.length - STEP) ** 2) / (2 * WIDTH**2))
    return np.asarray(np.minimum(bonds.least, 1) * closeness)


def joined(
    bonds: BondGraph, score: NDArray[np.float64], kept: NDArray[np.bool_], params: ChainsParams, ctx: Context
) -> list[tuple[int, int]]:
    """The best bonds first, as long as both ends have a place free, no bend is too sharp and no ring closes."""
    xyz = bonds.points.xyz
    beside: list[list[int]] = [[] for _ in range(len(xyz))]
    other_end = list(range(len(xyz)))  # of the end of a chain: where the chain's other end is
    sharpest = np.cos(np.radians(params.bend))

    def bends_well(at: int, towards: int) -> bool:
        steps = xyz[[*beside[at], towards]] - xyz[at]
        return all(
            step @ steps[-1] <= sharpest * np.linalg.norm(step) * np.linalg.norm(steps[-1]) for step in steps[:-1]
        )

    links = []
    order = np.argsort(-score, kind="stable")
    usable = (score >= params.least) & kept[bonds.pairs].all(axis=1)
    for done, k in enumerate(order[usable[order]].tolist()):
        if done % 1000 == 0:
            ctx.progress(done, len(order))
        i, j = (int(end) for end in bonds.pairs[k])
        if max(len(beside[i]), len(beside[j])) < 2 and other_end[i] != j and bends_well(i, j) and bends_well(j, i):
            beside[i].append(j)
            beside[j].append(i)
            far_i, far_j = other_end[i], other_end[j]
            other_end[far_i], other_end[far_j] = far_j, far_i
            links.append((i, j))
    return links
