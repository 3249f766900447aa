"""A process within limits of time and memory, watched with all its children until it ends."""

import collections
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Literal

import psutil

KEPT_OUTPUT = 200_000
"""Bytes of a process's output that are kept: of what it printed last."""
_LAST_WORDS = 5.0
"""Seconds that what a process printed may take to arrive once it has ended."""
_LOOK = (0.02, 0.5)
"""Seconds between two looks at a process: at first, and after a while."""


@dataclass(frozen=True)
class Limits:
    """What a process may take.

    Parameters
    ----------
    seconds
        Of wall time; None for no limit.
    bytes
        Of memory that the process and its children hold together; None for no limit.
    """

    seconds: float | None = None
    bytes: int | None = None


@dataclass
class Ended:
    """How a process ended, and what it took.

    Parameters
    ----------
    exit_code
        Negative for the signal that killed it.
    seconds, cpu_seconds
        Of the process and its children.
    peak
        The most bytes that they held together.
    broke
        The limit for which it was killed; empty if for none.
    output
        What it printed last.
    """

    exit_code: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak: int = 0
    broke: Literal["", "memory", "time"] = ""
    output: bytes = b""


_ALIVE: dict[int, bool] = {}
"""Process groups that are watched now; whether they were told to stop."""


def kill_all() -> None:
    """Kill all that are watched now: `watched` raises CancelledError, for none of them has ended by itself."""
    for group in list(_ALIVE):
        _ALIVE[group] = True
        _kill(group)


def watched(command: Sequence[str], limits: Limits) -> Ended:
    """Run a command, and kill it with all its children beyond the limits.

    Raises
    ------
    CancelledError
        If `kill_all` ended it.
    """
    watch = _Watch(command, limits)
    try:
        watch.until_end()
    finally:
        stopped = watch.end()
    if stopped:
        raise CancelledError
    return watch.ended


class _Watch:
    """A process that runs, and what was seen of it."""

    def __init__(self, command: Sequence[str], limits: Limits) -> None:
        self.ended = Ended()
        self._limits = limits
        self._begun = time.monotonic()
        self._children: set[psutil.Process] = set()
        self._tail = _Tail()
        with self._tail.end as output:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
            self._process = subprocess.Popen(command, **streams, start_new_session=True)
        _ALIVE[self._process.pid] = False

    def until_end(self) -> None:
        """Look at it until it ends, which it is made to beyond the limits.

        Whoever closes their output has mostly ended: there is no need to wait for the next look then.
        """
        least, most = _LOOK
        pause, silent = least, False
        while not self._has_ended():
            self._hold_to_limits()
            if silent:
                time.sleep(pause)
            elif self._tail.closed.wait(pause):
                silent, pause = True, least
            pause = min(most, 1.2 * pause)

    def end(self) -> bool:
        """End what is left of it, and say whether it was told to stop."""
        # Children that outlive the process would go on unwatched, and hold its output open.
        _kill(self._process.pid)
        for child in self._children:
            with suppress(psutil.Error):
                child.kill()
        stopped = _ALIVE.pop(self._process.pid)
        self._process.wait()
        self._tail.join()
        self.ended.seconds, self.ended.output = time.monotonic() - self._begun, self._tail.text()
        return stopped

    def _has_ended(self) -> bool:
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if not pid:
            return False
        self._process.returncode = self.ended.exit_code = os.waitstatus_to_exitcode(status)
        self.ended.cpu_seconds = usage.ru_utime + usage.ru_stime
        self.ended.peak = max(self.ended.peak, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
        return True

    def _hold_to_limits(self) -> None:
        held, limits = self._memory(), self._limits
        self.ended.peak = max(self.ended.peak, held)
        if not self.ended.broke:
            if limits.bytes is not None and held > limits.bytes:
                self.ended.broke = "memory"
            elif limits.seconds is not None and time.monotonic() - self._begun > limits.seconds:
                self.ended.broke = "time"
        if self.ended.broke:
            _kill(self._process.pid)

    def _memory(self) -> int:
        """Bytes that it holds with all its children."""
        held = 0
        with suppress(psutil.Error):
            process = psutil.Process(self._process.pid)
            children = process.children(recursive=True)
            self._children.update(children)
            for one in (process, *children):
                with suppress(psutil.Error):
                    held += one.memory_info().rss
        return held


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


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
