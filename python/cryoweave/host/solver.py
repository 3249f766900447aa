"""OR-Tools, an optional dependency of several plugins: whether it is there, and how its solvers can be interrupted."""

import importlib.util
import math
from collections.abc import Callable
from threading import Thread
from typing import Any

from cryoweave.errors import PluginError
from cryoweave.host.records import CheckResult

HOW_TO_GET = "pip install 'cryoweave[solve]'"
MISSING = "OR-Tools is not installed"
POLL, LAST = 0.05, 1.0
"""Seconds between looks at whether the run is to stop, and that a solver gets to end then."""
WORKERS = 4
"""Searches of CP-SAT that take turns, always as many, so that the result does not depend on the machine."""


def check_solver() -> CheckResult:
    """Whether OR-Tools can be imported, and which version it is."""
    if importlib.util.find_spec("ortools") is None:
        return CheckResult(False, MISSING, HOW_TO_GET)
    from importlib.metadata import version

    return CheckResult(True, f"OR-Tools {version('ortools')}")


def require_solver() -> None:
    """Raise PluginError if the solver is missing."""
    found = check_solver()
    if not found.ok:
        raise PluginError(found.message, found.hint)


def solved(
    solver: Any,
    model: Any,
    seconds: float,
    seed: int,
    progress: Callable[[int, int], object],
    wall: float = math.inf,
) -> Any:
    """Run CP-SAT in a thread of its own, so that this one can be interrupted.

    Parameters
    ----------
    solver, model
        ``CpSolver`` and ``CpModel`` of OR-Tools.
    seconds
        Limit, in CP-SAT's deterministic seconds: the same on every machine.
    seed
        Of the solver; the same seed gives the same result on every machine.
    progress
        Called with ``(0, 0)`` all the time; what it raises ends the solver and is raised.
    wall
        Limit in seconds of a clock, e.g. what a time budget leaves. Where it ends the solver, the result depends on the
        machine.

    Returns
    -------
    The solver's status.
    """
    solver.parameters.max_deterministic_time = seconds
    if math.isfinite(wall):
        solver.parameters.max_time_in_seconds = max(0.0, wall)
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.num_workers = WORKERS
    solver.parameters.interleave_search = True
    solver.parameters.catch_sigint_signal = False
    result: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            result.append(solver.solve(model))
        except BaseException as error:  # raised where it is waited for
            failed.append(error)

    worker = Thread(target=run, daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            progress(0, 0)
            worker.join(POLL)
    except BaseException:
        solver.stop_search()
        worker.join(LAST)
        raise
    if failed:
        raise failed[0]
    return result[0]
