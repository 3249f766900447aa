"""Whether OR-Tools, an optional dependency of several plugins, is there."""

import importlib.util

from cryoweave.errors import PluginError
from cryoweave.host.records import CheckResult

HOW_TO_GET = "pip install 'cryoweave[solve]'"
MISSING = "OR-Tools is not installed"


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
