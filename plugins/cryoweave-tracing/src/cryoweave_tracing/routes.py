"""Fragments by vehicle routing over bonds."""

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, Traces
from cryoweave.errors import StageError, UsageError
from cryoweave.host import Context
from cryoweave.host.solver import require_solver
from cryoweave.kernels.bonds import directed
from cryoweave.kernels.routes import APART, Routes, find_routes, linked_pieces
from cryoweave_tracing.stages import RoutesParams

HOT, COLD = 0.5, 0.005
"""Temperatures at a search's start and end, over the cost of leaving a point out."""
WARM = 0.2
"""Temperature at the start of a search that begins with routes."""
GOOD = 100.0
"""Cost of a bond that is worth nothing; one of the ideal length with the main chain all along it costs nothing."""

SHORTEST = 5.0
"""Seconds that OR-Tools gets for a round even if no time is left, so that it finds any routes."""


def check(params: RoutesParams, **_inputs: object) -> None:
    """Whether there is a round, and the solver is there if it is asked for."""
    if not params.widths or min(params.widths) <= 0:
        raise UsageError("trace.routes needs at least one width above 0", "set widths, e.g. 3,2,1,0.5")
    if params.solver == "ortools":
        require_solver()


def routes(bonds: BondGraph, params: RoutesParams, ctx: Context) -> Traces:
    """What each round found, the last round's best first; each search of ours gives a candidate."""
    check(params)
    if not len(bonds):
        raise StageError("there is no bond to follow", "make them with a longer `longest`, or look at the points")
    usable = bonds.least > 0.01
    if not usable.any():
        raise StageError("no bond has main chain or density all along it", "look at the points and the map")
    rounds: list[tuple[Routes, NDArray[np.float64]]] = []
    start: list[NDArray[np.int64]] = []
    each, less = 0.0, []
    for number, width in enumerate(params.widths):
        ctx.progress(number, len(params.widths))
        if number and ctx.time_left() <= 0:
            less.append(f"{len(params.widths) - number} of {len(params.widths)} rounds")
            break
        began, own = time.monotonic(), affordable(params, each, ctx)
        costs = bond_costs(bonds, width, params.ideal)[usable]
        found = solved(len(bonds.points), bonds.pairs[usable], costs, start, own, ctx)
        each = (time.monotonic() - began) / own.restarts
        if own != params:
            less.append(f"some searches at {width:g} Å")
        ctx.note(f"cost at {width:g} Å", round(found[0].cost, 1))
        start = found[0].routes
        rounds += [(one, costs) for one in found[::-1]]
    if less:
        ctx.cut_short(", ".join(less))
    traces = as_traces(bonds, bonds.pairs[usable], rounds[::-1], params)
    last = traces.fragment < np.count_nonzero(traces.candidate == 0)
    ctx.note("fragments", int(np.count_nonzero(traces.candidate == 0)))
    ctx.note("points on routes", int(last.sum()))
    return traces


def affordable(params: RoutesParams, each: float, ctx: Context) -> RoutesParams:
    """With so many restarts, or seconds of OR-Tools, as the time budget leaves; at least one, or some seconds.

    A restart of the last round took ``each`` seconds, 0 in the first round.
    """
    left = ctx.time_left()
    if params.solver == "ortools":
        return params.model_copy(update={"seconds": min(params.seconds, max(left, SHORTEST))})
    if left > each * params.restarts:
        return params
    return params.model_copy(update={"restarts": max(1, min(params.restarts, int(left / max(each, 1e-3))))})


def bond_costs(bonds: BondGraph, width: float, ideal: float) -> NDArray[np.float64]:
    """What each bond costs: 100 for none, less for the main chain along it, most at the ideal length."""
    closeness = np.exp(-((bonds.length - ideal) ** 2) / (2 * width**2))
    return np.asarray(GOOD - GOOD * np.minimum(bonds.least, 1) * closeness)


def solved(
    nodes: int,
    pairs: NDArray[np.int32],
    costs: NDArray[np.float64],
    start: Sequence[NDArray[np.int64]],
    params: RoutesParams,
    ctx: Context,
) -> list[Routes]:
    """One round, by the solver that is asked for, best first."""
    if params.solver == "ortools":
        from cryoweave_tracing.guided import guided_routes

        limits = (params.seconds, params.patience)
        return [guided_routes(nodes, pairs, costs, params.vehicles, params.drop, start, limits, ctx.progress)]
    return find_routes(
        nodes,
        pairs,
        costs,
        vehicles=params.vehicles,
        drop=params.drop,
        apart=APART,
        start=start,
        restarts=params.restarts,
        steps=params.effort * nodes,
        hot=(WARM if len(start) else HOT) * params.drop,
        cold=COLD * params.drop,
        seed=ctx.seed,
        progress=ctx.progress,
    )


def as_traces(
    bonds: BondGraph,
    pairs: NDArray[np.int32],
    rounds: Sequence[tuple[Routes, NDArray[np.float64]]],
    params: RoutesParams,
) -> Traces:
    """Each solution a candidate; routes cut where no bond joins two points, and turned N to C where maps say so.

    A fragment's score is what leaving all of its points out would cost more.
    """
    forward = {(int(i), int(j)): float(f) for (i, j), f in zip(bonds.pairs, bonds.forward, strict=True)}
    nodes: list[NDArray[np.int64]] = []
    candidate: list[int] = []
    score: list[float] = []
    for number, (found, costs) in enumerate(rounds):
        linked = [one for one in linked_pieces(found.routes, pairs, costs) if len(one[0]) >= params.fewest]
        gains = [params.drop * len(piece) - cost for piece, cost in linked]
        for one in np.argsort(-np.array(gains), kind="stable"):
            nodes.append(directed(linked[one][0], forward))
            candidate.append(number)
            score.append(gains[one])
    if not candidate or candidate[0] != 0:
        raise StageError(
            f"no route has {params.fewest} points", "set fewer vehicles or a lower `fewest`, or look at the points"
        )
    order = np.concatenate(nodes)
    fragment = np.repeat(np.arange(len(nodes), dtype=np.int32), [len(one) for one in nodes])
    return Traces(
        bonds.points.xyz[order], bonds.points.weight[order], fragment, np.array(candidate, np.int32), np.array(score)
    )
