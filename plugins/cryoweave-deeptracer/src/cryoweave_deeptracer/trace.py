"""Chains, each the path of a travelling salesman."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import connected_components
from cryoweave.kernels.routes import find_routes
from cryoweave_deeptracer.stages import TraceParams

ALL, APART = 1e5, 1e3
"""Costs of leaving a point out, and of going where there is no bond; a bond costs 0 to 100. Every point is visited."""
HOT, COLD = 100.0, 1.0
"""Temperatures of the search, in units of cost."""


def traced(bonds: BondGraph, params: TraceParams, ctx: Context) -> Traces:
    """One candidate: for each chain, longest first, the pieces of its path that follow bonds."""
    if not len(bonds):
        raise StageError("there is no bond to follow", "make them with a longer `longest`, or look at the points")
    kept = bonds.mean >= params.confidence
    pairs, costs = bonds.pairs[kept], bond_costs(bonds, params)[kept]
    label = connected_components(len(bonds.points), pairs)
    pieces: list[NDArray[np.int64]] = []
    score: list[float] = []
    chains = [chain for chain in range(int(label.max()) + 1) if np.count_nonzero(label == chain) >= params.fewest]
    for done, chain in enumerate(chains):
        ctx.progress(done, len(chains))
        for piece, cost in walked(np.flatnonzero(label == chain), pairs, costs, params, ctx):
            if len(piece) >= params.fewest:
                pieces.append(piece)
                score.append(100.0 * len(piece) - cost)
    if not pieces:
        raise StageError(
            f"no chain has {params.fewest} points", "set a lower `confidence`, or look at the points and the maps"
        )
    ctx.note("chains by connection", len(chains))
    ctx.note("fragments", len(pieces))
    best = np.argsort(-np.array(score), kind="stable")
    order = np.concatenate([pieces[one] for one in best])
    fragment = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(pieces[one]) for one in best])
    points = bonds.points
    nothing = np.zeros(len(pieces), np.int32)
    return Traces(points.xyz[order], points.weight[order], fragment, nothing, np.array(score, np.float64)[best])


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
) -> list[tuple[NDArray[np.int64], float]]:
    """The path through all points of one chain, cut where no bond joins two; each piece with its cost."""
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
    )[0]
    known = {(int(i), int(j)): float(cost) for (i, j), cost in zip(mine, price, strict=True)}
    pieces = []
    for route in found.routes:
        steps = [(min(step), max(step)) for step in pairwise(route.tolist())]
        gaps = [k + 1 for k, step in enumerate(steps) if step not in known]
        for piece in np.split(route, gaps):
            cost = sum(known[min(step), max(step)] for step in pairwise(piece.tolist()))
            pieces.append((nodes[piece].astype(np.int64), cost))
    return pieces
