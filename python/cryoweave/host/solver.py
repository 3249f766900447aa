"""OR-Tools, an optional dependency of several plugins: whether it is there, and how its solvers can be interrupted."""

import importlib.util
from collections.abc import Callable
from threading import Thread
from typing import TypeVar

from cryoweave.errors import PluginError
from cryoweave.host.records import CheckResult

HOW_TO_GET = "pip install 'cryoweave[solve]'"
MISSING = "OR-Tools is not installed"
POLL, LAST = 0.05, 1.0
"""Seconds between looks at whether the run is to stop, and that a solver gets to end then."""
Result = TypeVar("Result")


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


def watched(work: Callable[[], Result], stop: Callable[[], object], progress: Callable[[int, int], object]) -> Result:
    """Run a solver in a thread of its own, so that this one can be interrupted.

    Parameters
    ----------
    work
        Calls the solver; what it returns or raises is returned or raised.
    stop
        Ends the solver; called when ``progress`` raises, which is raised then.
    progress
        Called with ``(0, 0)`` all the time.
    """
    result: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # raised where it is waited for
            failed.append(error)

    worker = Thread(target=run, daemon=True)
    worker.start()
    try:
        while worker.is_alive():
            progress(0, 0)
            worker.join(POLL)
    except BaseException:
        stop()
        worker.join(LAST)
        raise
    if failed:
        raise failed[0]
    return result[0]
