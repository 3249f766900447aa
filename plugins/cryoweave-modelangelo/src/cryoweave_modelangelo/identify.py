"""What `cryoweave identify` needs before it searches: HMMER, and the chains of a run."""

import importlib.util
from importlib.metadata import version
from pathlib import Path

from cryoweave.data import PointCloud, Traces
from cryoweave.errors import InputError, PluginError
from cryoweave.host import CheckResult
from cryoweave.io import store

INSTALL = "pip install 'cryoweave-modelangelo[identify]'"


def check_hmmer() -> CheckResult:
    """Whether pyhmmer is installed."""
    if importlib.util.find_spec("pyhmmer") is None:
        return CheckResult(False, "pyhmmer is not installed", INSTALL)
    return CheckResult(True, f"pyhmmer {version('pyhmmer')}")


def require_hmmer() -> None:
    """Say what to do where pyhmmer is missing."""
    found = check_hmmer()
    if not found.ok:
        raise PluginError(found.message, found.hint)


def chains_of(run: Path) -> tuple[PointCloud, Traces]:
    """The last traces of a run, and the last points before them.

    Raises
    ------
    InputError
        If it is no run folder, or the run made no traces on points.
    """
    steps = sorted(run.glob("stages/*-*"))
    if not steps:
        raise InputError(f"{run} is no run folder", "give the folder of `cryoweave run modelangelo-unknown -o FOLDER`")
    traces = [step for step in steps if (step / "traces.tsv").is_file()]
    points = [step for step in steps if (step / "points.tsv").is_file() and not (step / "bonds.tsv").is_file()]
    points = [step for step in points if traces and step < traces[-1]]
    if not points:
        raise InputError(
            f"the run in {run} has no traces on detected points",
            "run `cryoweave run modelangelo-unknown`, or another recipe with points and traces",
        )
    return store.load(PointCloud, points[-1]), store.load(Traces, traces[-1])
