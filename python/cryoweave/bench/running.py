"""One attempt at a cell: a process of its own, and from how that ended, how the cell ended."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryoweave.bench.outcome import MARKER, Outcome, State, read_outcome, write_outcome
from cryoweave.bench.process import Ended, Limits, watched
from cryoweave.bench.worker import ERROR, RUN, SPEC, VALIDATION
from cryoweave.errors import InputError
from cryoweave.pipeline.events import now
from cryoweave.pipeline.outputs import SCORES
from cryoweave.pipeline.record import RECORD

OUTPUT = "output.txt"


def run_cell(folder: str | Path, limits: Limits, command: Sequence[str] = ()) -> Outcome:
    """Run the cell whose ``cell-input.json`` lies in a folder, and write ``cell.json`` there when it ended.

    Parameters
    ----------
    folder
        The cell's.
    limits
        What it may take; beyond them it is killed with all its children.
    command
        Another program than ours, for tests.

    Raises
    ------
    InputError
        If the folder cannot be read or written.
    """
    folder = Path(folder)
    try:
        spec = json.loads((folder / SPEC).read_bytes())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} is no cell: {error}", "let `cryoweave bench run` make it") from error
    if not spec["key"]:  # what is unfit was so when it was planned
        return read_outcome(folder) or Outcome(spec["cell"], "", State.UNFIT)
    for name in (MARKER, ERROR):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / VALIDATION, ignore_errors=True)
    program = [*(command or (sys.executable, "-m", "cryoweave.bench.worker"))]
    lenders = _lenders(folder) if spec["reuse"] else []
    begun = now()
    ended = watched([*program, str(folder), str(os.getpid()), *lenders], limits)
    _write_output(folder / OUTPUT, ended.output)
    outcome = Outcome(cell=spec["cell"], key=spec["key"], started=begun, **_told(folder, ended, limits))
    write_outcome(folder, outcome)
    return outcome


def _lenders(folder: Path) -> list[str]:
    """Runs of other cells on the same map."""
    own = folder / RUN
    records = sorted(folder.parents[1].glob(f"*/*/{RUN}/{RECORD}"))
    return [str(record.parent) for record in records if record.parent != own]


def _write_output(path: Path, output: bytes) -> None:
    try:
        path.write_bytes(output)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}", "make room, or choose another folder") from error


def _told(folder: Path, ended: Ended, limits: Limits) -> dict[str, Any]:
    taken = {
        "exit_code": ended.exit_code,
        "seconds": round(ended.seconds, 3),
        "cpu_seconds": round(ended.cpu_seconds, 3),
        "peak_mb": round(ended.peak / 1e6, 1),
    }
    state, error, hint = _judged(folder, ended, limits)
    return {"state": state, "error": error, "hint": hint, **taken}


def _judged(folder: Path, ended: Ended, limits: Limits) -> tuple[State, str, str]:
    if ended.broke == "memory" and limits.bytes is not None:
        what = f"it held more than the {limits.bytes / 1e9:.3g} GB that it may"
        return State.OUT_OF_MEMORY, what, "give more with --memory-limit, or fewer -j"
    if ended.broke == "time" and limits.seconds is not None:
        return State.TIMED_OUT, f"it took more than the {limits.seconds:g} s that it may", "give more with --time-limit"
    if ended.exit_code < 0:
        name = signal.Signals(-ended.exit_code).name
        hint = "the system kills so when memory runs out" if name == "SIGKILL" else f"what it printed is in {OUTPUT}"
        return State.CRASHED, f"the process was ended by {name}", hint
    if ended.exit_code:
        try:
            told = json.loads((folder / ERROR).read_bytes())
            return State.FAILED, str(told["error"]), str(told["hint"])
        except (OSError, ValueError, KeyError, TypeError):
            return State.FAILED, f"exit code {ended.exit_code} without a word", f"what it printed is in {OUTPUT}"
    if not (folder / VALIDATION / SCORES).is_file():
        return State.NO_RESULT, "it ended well and left no scores", f"what it printed is in {OUTPUT}"
    return State.DONE, "", ""
