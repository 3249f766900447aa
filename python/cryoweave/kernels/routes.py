"""Routes over a sparse graph: a few paths that visit many nodes at little cost."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import integers

Progress = Callable[[int, int], object]
APART = 10_000.0
"""Cost of going between nodes that have no link: more than anything that is worth it."""


class Routes(NamedTuple):
    """Paths through a graph."""

    cost: float
    """Links, ways without a link, and nodes that no route visits."""
    routes: list[NDArray[np.int64]]
    """Nodes along each route, the route with the lowest node first, from its lower end."""


def find_routes(
    nodes: int,
    edges: ArrayLike,
    costs: ArrayLike,
    *,
    vehicles: int = 1,
    drop: float = 200.0,
    apart: float = APART,
    start: Sequence[ArrayLike] = (),
    restarts: int = 2,
    steps: int = 1_000_000,
    hot: float = 50.0,
    cold: float = 0.5,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Routes]:
    """Paths through a graph that visit each node at most once.

    The sum of the costs of the links along at most ``vehicles`` routes and of a penalty for each node that none of them
    visits is to be small: the travelling-salesman problem for one vehicle and an infinite penalty, vehicle routing with
    optional nodes and free ends else.

    Parameters
    ----------
    nodes
        How many.
    edges
        Links, the same in both directions, int ``(m, 2)``; of repeated ones the first counts.
    costs
        Of each link, ``(m,)``, finite.
    vehicles
        Routes at most.
    drop
        Penalty for a node that no route visits.
    apart
        Cost of going between two nodes that have no link.
    start
        Routes to begin with, each node at most once; without them, none is visited at first.
    restarts
        Searches, each with random numbers of its own; they run in parallel.
    steps
        Changes that each search tries; 5,000 to 20,000 for each node find what is to be found.
    hot, cold
        Temperature at the start and at the end, in units of cost.
    seed
        Same seed, same result, whatever the number of threads.
    progress
        Called now and then with ``(restarts done, restarts in all)``.

    Returns
    -------
    What each search found, lowest cost first, each once.

    Raises
    ------
    InputError
        If there is no node, an edge or a route names one that is not there, or a number is not finite.

    Notes
    -----
    Simulated annealing (Kirkpatrick et al. 1983, Science 220, 671) with 2-opt, or-opt (Or 1976) and moves that take
    nodes in, leave them out and exchange them. A step costs some 0.1 µs, one that is made up to the tour's length.
    """
    values = np.asarray(costs, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(f"costs must have one axis, not the shape {values.shape}")
    routes = [[int(node) for node in np.asarray(route).tolist()] for route in start]
    if any(node < 0 for route in routes for node in route):
        raise InputError("a route to begin with names a node below 0")
    found = _core.find_routes(
        integers("edges", edges, 2), values, (nodes, vehicles, drop, apart), routes,
        (restarts, steps, hot, cold, seed), progress,
    )  # fmt: skip
    return [Routes(cost, [route.astype(np.int64) for route in routes]) for cost, routes in found]


def linked_pieces(
    routes: Sequence[NDArray[np.int64]], pairs: NDArray[np.int32], costs: NDArray[np.float64]
) -> list[tuple[NDArray[np.int64], float]]:
    """Parts of routes between nodes that no link joins, each with the sum of its links' costs.

    Parameters
    ----------
    routes
        Nodes in order.
    pairs, costs
        Links, ``i < j``, and what each costs.
    """
    known = {(int(i), int(j)): float(cost) for (i, j), cost in zip(pairs, costs, strict=True)}
    found = []
    for route in routes:
        steps = [(min(step), max(step)) for step in pairwise(route.tolist())]
        ends = [0, *(k + 1 for k, step in enumerate(steps) if step not in known), len(route)]
        found += [(route[a:b], sum(known[step] for step in steps[a : b - 1])) for a, b in pairwise(ends)]
    return found
