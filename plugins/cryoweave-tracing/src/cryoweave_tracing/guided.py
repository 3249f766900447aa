"""Routes by OR-Tools' routing solver with guided local search, as DeepMainmast finds them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from cryoweave.errors import StageError
from cryoweave.kernels.routes import APART, Routes

MOST = 3000
"""Points beyond which the solver's matrix of all pairs and its time are out of reach."""
Progress = Callable[[int, int], object]


def guided_routes(
    nodes: int,
    pairs: NDArray[np.int32],
    costs: NDArray[np.float64],
    vehicles: int,
    drop: float,
    start: Sequence[NDArray[np.int64]],
    limits: tuple[float, int],
    progress: Progress,
) -> Routes:
    """Routes over all points at once; costs are cut to whole numbers, as published.

    It ends after ``limits[0]`` seconds, or when ``limits[1]`` solutions in a row brought nothing better. The search
    itself uses no chance, so the result is the same on every machine as long as the second limit ends it.
    """
    if nodes > MOST:
        raise StageError(
            f"OR-Tools' routing is not for {nodes} points (at most {MOST})", "take solver = ours, or cut the map"
        )
    manager = pywrapcp.RoutingIndexManager(nodes + 1, vehicles, 0)
    model = pywrapcp.RoutingModel(manager)
    matrix = cost_matrix(nodes, pairs, costs)
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(matrix.tolist()))
    for node in range(1, nodes + 1):
        model.AddDisjunction([manager.NodeToIndex(node)], int(drop))
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.AUTOMATIC
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(int(1000 * limits[0]))
    watch = Watch(model, limits[1], progress)
    model.AddAtSolutionCallback(watch.solution)
    model.AddSearchMonitor(model.solver().CustomLimit(watch.enough))
    if start:
        model.CloseModelWithParameters(parameters)
        given = [[int(node) + 1 for node in route] for route in start]
        first = model.ReadAssignmentFromRoutes([*given, *[[]] * (vehicles - len(given))], True)
        found = model.SolveFromAssignmentWithParameters(first, parameters)
    else:
        found = model.SolveWithParameters(parameters)
    watch.told()
    if found is None:
        raise StageError("OR-Tools found no routes in its time", "give it more `seconds`, or take solver = ours")
    return routes_of(model, manager, found, vehicles, matrix, drop)


def cost_matrix(nodes: int, pairs: NDArray[np.int32], costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of all points and the depot, which is node 0 and free to reach."""
    matrix = np.full((nodes + 1, nodes + 1), int(APART), np.int64)
    i, j = pairs.T + 1
    matrix[i, j] = matrix[j, i] = costs.astype(np.int64)
    matrix[0], matrix[:, 0] = 0, 0
    return matrix


class Watch:
    """Ends the search when it is told to, or brings nothing better any more."""

    def __init__(self, model: pywrapcp.RoutingModel, patience: int, progress: Progress) -> None:
        self._model, self._patience, self._progress = model, patience, progress
        self._best: int | None = None
        self._since = 0
        self._told: BaseException | None = None

    def solution(self) -> None:
        """After each solution, better or not: guided local search goes through worse ones."""
        try:
            cost = self._model.CostVar().Max()
            better = self._best is None or cost < self._best
            self._best, self._since = (cost, 0) if better else (self._best, self._since + 1)
        except BaseException as told:  # Ctrl-C can come at any line
            self._told = told

    def enough(self) -> bool:
        """Asked all the time; an exception must not pass through the solver and waits for `told`."""
        try:
            self._progress(0, 0)
        except BaseException as told:
            self._told = told
        return self._told is not None or self._since >= self._patience

    def told(self) -> None:
        """Raise what came while the solver worked."""
        if self._told is not None:
            raise self._told


def routes_of(
    model: pywrapcp.RoutingModel,
    manager: pywrapcp.RoutingIndexManager,
    found: pywrapcp.Assignment,
    vehicles: int,
    matrix: NDArray[np.int64],
    drop: float,
) -> Routes:
    """The solver's answer as ours."""
    routes = []
    for vehicle in range(vehicles):
        at, route = found.Value(model.NextVar(model.Start(vehicle))), []
        while not model.IsEnd(at):
            route.append(manager.IndexToNode(at) - 1)
            at = found.Value(model.NextVar(at))
        if route:
            routes.append(np.array(route, np.int64))
    left = len(matrix) - 1 - sum(len(route) for route in routes)
    joins = sum(int(matrix[route[:-1] + 1, route[1:] + 1].sum()) for route in routes)
    return Routes(float(joins + drop * left), routes)
