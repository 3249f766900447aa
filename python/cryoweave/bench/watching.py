"""A cell in a process of its own: limits, how it ended, and the marker that says so."""

import collections
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import psutil

from cryoweave.bench.worker import ERROR, RUN, SPEC, VALIDATION
from cryoweave.errors import InputError
from cryoweave.pipeline.events import now
from cryoweave.pipeline.outputs import SCORES
from cryoweave.pipeline.record import RECORD

MARKER, OUTPUT = "cell.json", "output.txt"
KEPT_OUTPUT = 200_000
"""Bytes of a cell's output that are kept: of what it printed last."""
_LAST_WORDS = 5.0
"""Seconds that what a process printed may take to arrive once it has ended."""
_LOOK = (0.02, 0.5)
"""Seconds between two looks at a process: at first, and after a while."""


class State(StrEnum):
    """How a cell ended."""

    DONE = "done"
    FAILED = "failed"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out of memory"
    TIMED_OUT = "timed out"
    NO_RESULT = "no result"
    UNFIT = "unfit"


@dataclass(frozen=True)
class Limits:
    """What a cell may take.

    Parameters
    ----------
    seconds
        Of wall time; None for no limit.
    bytes
        Of memory that the process and its children hold together; None for no limit.
    """

    seconds: float | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What ``cell.json`` says.

    Parameters
    ----------
    cell, key
        Which cell, and the digest of all that decided its result.
    state
        How it ended.
    error, hint
        What went wrong.
    exit_code
        Of the process; negative for the signal that killed it.
    seconds, cpu_seconds
        Of the process and its children.
    peak_mb
        The most memory that they held together, in MB of 10⁶ bytes.
    started
        When.
    """

    cell: str
    key: str
    state: State
    error: str = ""
    hint: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    started: str = ""


def read_outcome(folder: Path) -> Outcome | None:
    """How a cell ended; None if it did not, or its marker cannot be read."""
    try:
        entries = json.loads((folder / MARKER).read_bytes())
        return Outcome(**{**entries, "state": State(entries["state"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


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
    ended = _watched([*program, str(folder), str(os.getpid()), *lenders], limits)
    _write_output(folder / OUTPUT, ended.output)
    outcome = Outcome(cell=spec["cell"], key=spec["key"], started=begun, **_told(folder, ended, limits))
    write_outcome(folder, outcome)
    return outcome


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write ``cell.json``: last, so that it says that all else is there."""
    from cryoweave.io.tables import write_json

    write_json(folder / MARKER, asdict(outcome))


def _lenders(folder: Path) -> list[str]:
    """Runs of other cells on the same map."""
    own = folder / RUN
    records = sorted(folder.parents[1].glob(f"*/*/{RUN}/{RECORD}"))
    return [str(record.parent) for record in records if record.parent != own]


@dataclass
class _Ended:
    """How a process ended, and what it took."""

    exit_code: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak: int = 0
    broke: State | None = None
    output: bytes = b""


_ALIVE: dict[int, bool] = {}
"""Process groups of cells that run now; whether they were told to stop."""


def kill_all() -> None:
    """Kill all cells that this process watches; none of them gets a marker, for none has ended by itself."""
    for group in list(_ALIVE):
        _ALIVE[group] = True
        _kill(group)


def _watched(command: Sequence[str], limits: Limits) -> _Ended:
    ended = _Ended()
    start = time.monotonic()
    seen: set[psutil.Process] = set()
    tail = _Tail()
    with tail.end as output:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(command, **streams, start_new_session=True)
    _ALIVE[process.pid] = False
    try:
        _until_end(process, limits, ended, start, tail, seen)
    finally:
        # Children that outlive the process would go on unwatched, and hold its output open.
        _kill(process.pid)
        _kill_each(seen)
        stopped = _ALIVE.pop(process.pid)
        process.wait()
    tail.join()
    if stopped:
        raise CancelledError
    ended.seconds, ended.output = time.monotonic() - start, tail.text()
    return ended


def _until_end(
    process: "subprocess.Popen[bytes]",
    limits: Limits,
    ended: _Ended,
    start: float,
    tail: "_Tail",
    seen: set[psutil.Process],
) -> None:
    """Look at the process until it ends, which it is made to beyond the limits; ``seen`` gets all its children.

    Whoever closes their output has mostly ended: there is no need to wait for the next look then.
    """
    least, most = _LOOK
    pause, silent = least, False
    watched = psutil.Process(process.pid)
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = ended.exit_code = os.waitstatus_to_exitcode(status)
            ended.cpu_seconds = usage.ru_utime + usage.ru_stime
            ended.peak = max(ended.peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
            return
        held = _memory(watched, seen)
        ended.peak = max(ended.peak, held)
        if ended.broke is None:
            if limits.bytes is not None and held > limits.bytes:
                ended.broke = State.OUT_OF_MEMORY
            elif limits.seconds is not None and time.monotonic() - start > limits.seconds:
                ended.broke = State.TIMED_OUT
        if ended.broke:
            _kill(process.pid)
        if silent:
            time.sleep(pause)
        elif tail.closed.wait(pause):
            silent, pause = True, least
        pause = min(most, 1.2 * pause)


def _memory(process: psutil.Process, seen: set[psutil.Process]) -> int:
    held = 0
    with suppress(psutil.Error):
        children = process.children(recursive=True)
        seen.update(children)
        for one in (process, *children):
            with suppress(psutil.Error):
                held += one.memory_info().rss
    return held


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _kill_each(processes: set[psutil.Process]) -> None:
    for one in processes:
        with suppress(psutil.Error):
            one.kill()


class _Tail:
    """The end of what a process prints, read in a thread so that it never waits for a reader."""

    def __init__(self) -> None:
        reader, writer = os.pipe()
        self._reader = reader
        self.end: IO[bytes] = os.fdopen(writer, "wb", buffering=0)
        self._chunks: collections.deque[bytes] = collections.deque()
        self._held = 0
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with os.fdopen(self._reader, "rb", buffering=0) as stream:
            while chunk := stream.read(65_536):
                self._chunks.append(chunk)
                self._held += len(chunk)
                while self._held - len(self._chunks[0]) >= KEPT_OUTPUT:
                    self._held -= len(self._chunks.popleft())
        self.closed.set()

    def join(self) -> None:
        self._thread.join(_LAST_WORDS)

    def text(self) -> bytes:
        return b"".join(self._chunks)[-KEPT_OUTPUT:]


def _write_output(path: Path, output: bytes) -> None:
    try:
        path.write_bytes(output)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}", "make room, or choose another folder") from error


def _told(folder: Path, ended: _Ended, limits: Limits) -> dict[str, Any]:
    taken = {
        "exit_code": ended.exit_code,
        "seconds": round(ended.seconds, 3),
        "cpu_seconds": round(ended.cpu_seconds, 3),
        "peak_mb": round(ended.peak / 1e6, 1),
    }
    state, error, hint = _judged(folder, ended, limits)
    return {"state": state, "error": error, "hint": hint, **taken}


def _judged(folder: Path, ended: _Ended, limits: Limits) -> tuple[State, str, str]:
    if ended.broke is State.OUT_OF_MEMORY and limits.bytes is not None:
        most = f"{limits.bytes / 1e9:.3g} GB"
        return ended.broke, f"it held more than the {most} that it may", "give more with --memory-limit, or fewer -j"
    if ended.broke is State.TIMED_OUT and limits.seconds is not None:
        return ended.broke, f"it took more than the {limits.seconds:g} s that it may", "give more with --time-limit"
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
