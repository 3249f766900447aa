"""Chains, each the path of a travelling salesman."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import connected_components
from cryoweave.kernels.routes import find_routes, linked_pieces
from cryoweave_deeptracer.stages import TraceParams

ALL, APART = 1e5, 1e3
"""Costs of leaving a point out, and of going where there is no bond; a bond costs 0 to 100. Every point is visited."""
WORTH = 100.0
"""Of each point on a fragment, in its score."""
HOT, COLD = 100.0, 1.0
"""Temperatures of the search, in units of cost."""


class Fragment(NamedTuple):
    """A piece of a path."""

    rank: int
    """0 for the shortest path through its chain, 1 for the next, …"""
    score: float
    nodes: NDArray[np.int64]


def traced(bonds: BondGraph, params: TraceParams, ctx: Context) -> Traces:
    """For each chain the pieces of its path that follow bonds; each search gives a candidate, the best first."""
    if not len(bonds):
        raise StageError("there is no bond to follow", "make them with a longer `longest`, or look at the points")
    kept = bonds.mean >= params.confidence
    pairs, costs = bonds.pairs[kept], bond_costs(bonds, params)[kept]
    label = connected_components(len(bonds.points), pairs)
    chains = np.flatnonzero(np.bincount(label) >= params.fewest)
    found: list[Fragment] = []
    for done, chain in enumerate(chains):
        ctx.progress(done, len(chains))
        found += walked(np.flatnonzero(label == chain), pairs, costs, params, ctx)
    found = sorted((one for one in found if len(one.nodes) >= params.fewest), key=lambda one: (one.rank, -one.score))
    if not found:
        raise StageError(
            f"no chain has {params.fewest} points", "set a lower `confidence`, or look at the points and the maps"
        )
    ctx.note("chains by connection", len(chains))
    ctx.note("fragments", sum(one.rank == found[0].rank for one in found))
    order = np.concatenate([one.nodes for one in found])
    fragment = np.repeat(np.arange(len(found), dtype=np.int32), [len(one.nodes) for one in found])
    candidate = np.array([one.rank for one in found], np.int32)
    score = np.array([one.score for one in found])
    return Traces(bonds.points.xyz[order], bonds.points.weight[order], fragment, candidate, score)


def bond_costs(bonds: BondGraph, params: TraceParams) -> NDArray[np.float64]:
    """0 for a bond of the ideal length with full confidence, 100 for one that is worth nothing."""
    closeness = np.exp(-((bonds.length - params.ideal) ** 2) / (2 * params.width**2))
    return np.asarray(100 - 100 * closeness * np.minimum(bonds.mean, 1))


def walked(
    nodes: NDArray[np.intp],
    pairs: NDArray[np.int32],
    costs: NDArray[np.float64],
    params: TraceParams,
    ctx: Context,
) -> list[Fragment]:
    """Paths through all points of one chain, cut where no bond joins two."""
    place = np.full(int(nodes.max()) + 1, -1, np.int32)
    place[nodes] = np.arange(len(nodes))
    inside = np.isin(pairs[:, 0], nodes)
    mine, price = place[pairs[inside]], costs[inside]
    found = find_routes(
        len(nodes),
        mine,
        price,
        vehicles=1,
        drop=ALL,
        apart=APART,
        restarts=params.restarts,
        steps=params.effort * len(nodes),
        hot=HOT,
        cold=COLD,
        seed=ctx.seed,
        progress=ctx.progress,
    )
    return [
        Fragment(rank, WORTH * len(piece) - cost, nodes[piece].astype(np.int64))
        for rank, solution in enumerate(found)
        for piece, cost in linked_pieces(solution.routes, mine, price)
    ]
