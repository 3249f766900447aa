"""A run as a person sees it on stderr: a bar per stage on a terminal, plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, Protocol

from cryoweave.cli import console
from cryoweave.pipeline.words import NEVER_RAN

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_ROOM = 50
PAUSE = 30.0
"""Seconds after which plain lines say that a stage still runs."""


class Show(Protocol):
    """Takes the events of a run."""

    def __call__(self, event: Mapping[str, Any]) -> None: ...


class Lines:
    """Plain lines, for logs and pipes.

    Parameters
    ----------
    err
        Where to print.
    """

    def __init__(self, err: "Console") -> None:
        self._err = err
        self._steps: list[str] = []
        self._running: tuple[str, float] | None = None
        self._moved = (0, 0)

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Print what a person wants to know of an event."""
        step = event.get("step", "")
        match event["event"]:
            case "run_started":
                self._steps = event["steps"]
            case "stage_started":
                again = "" if event["reason"] == NEVER_RAN else f", since {event['reason']}"
                self.started(f"{self.number(step)} {step}", f"({event['stage']}): running{again}")
            case "stage_finished":
                self.ended(f"{self.number(step)} {step} done in {seconds(event['seconds'])}{_findings(event)}")
            case "stage_reused":
                self.ended(f"{self.number(step)} {step} kept: {event['reason']}{_findings(event)}")
            case "stage_left_out":
                self.line(f"{step} is left out: {event['reason']}")
            case "stage_failed":
                self._running = None
            case "run_finished" if event.get("report"):
                self.line(f"how far it came: {event['report']}")
            case "progress":
                self.moved(event["done"], event["total"])
            case "log" if event["level"] not in ("INFO", "DEBUG", "ERROR"):
                self.line(f"{event['level'].lower()}: {event['message']}", "yellow")

    def number(self, step: str) -> str:
        """Which of how many."""
        return f"[{self._steps.index(step) + 1}/{len(self._steps)}]"

    def line(self, text: str, style: str = "") -> None:
        """One line."""
        self._err.print(text, style=style or None, markup=False, soft_wrap=True)

    def started(self, title: str, why: str) -> None:
        """A stage begins."""
        self._running, self._moved = (title, time.monotonic()), (0, 0)
        self.line(f"{title} {why}")

    def moved(self, done: int, total: int) -> None:
        """A stage goes on; :meth:`remind` tells it."""
        self._moved = (done, total)

    def remind(self) -> None:
        """Say which stage runs, for how long and how far it is."""
        if self._running is None:
            return
        title, began = self._running
        done, total = self._moved
        share = f", {done / total:.0%} done" if total else ""
        self.line(f"{title} has been running for {seconds(round(time.monotonic() - began, 1))}{share}")

    def ended(self, text: str) -> None:
        """A stage has its result."""
        self._running = None
        self.line(text)


class Bars(Lines):
    """A bar for the stage that runs.

    Parameters
    ----------
    err
        Where to print.
    bars
        The bars' display.
    """

    def __init__(self, err: "Console", bars: "Progress") -> None:
        super().__init__(err)
        self._bars = bars
        self._task: TaskID | None = None

    def started(self, title: str, why: str) -> None:
        """A new bar."""
        self._task = self._bars.add_task(title if len(why) > _ROOM else f"{title} {why}", total=None)

    def moved(self, done: int, total: int) -> None:
        """The bar grows."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total or None)

    def ended(self, text: str) -> None:
        """A line takes the bar's place."""
        if self._task is not None:
            self._bars.remove_task(self._task)
            self._task = None
        self.line(text)


@contextmanager
def watching(quiet: bool) -> Iterator[Show | None]:
    """What to hand to a run as ``progress``; None if only errors shall be seen.

    What a stage prints meanwhile goes to standard error: the other is for what the user asked for.
    """
    with redirect_stdout(sys.stderr), _shown(quiet) as show:
        yield show


@contextmanager
def _shown(quiet: bool) -> Iterator[Show | None]:
    err = console.err()
    if quiet:
        yield None
    elif not err.is_terminal:
        lines = Lines(err)
        with _reminded(lines):
            yield lines
    else:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=err, transient=True) as bars:
            yield Bars(err, bars)


@contextmanager
def _reminded(lines: Lines) -> Iterator[None]:
    """Remind from a thread of its own, since many stages are silent until they are done."""
    ended = threading.Event()

    def remind() -> None:
        while not ended.wait(PAUSE):
            lines.remind()

    reminder = threading.Thread(target=remind, daemon=True)
    reminder.start()
    try:
        yield
    finally:
        ended.set()
        reminder.join()


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "?"
    return f"{value:.2f} s" if value < 60 else f"{int(value // 60)} min {int(value % 60)} s"


def _findings(event: Mapping[str, Any]) -> str:
    facts = event.get("facts") or {}
    texts = [
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in facts.items()
        if value is not None
    ]
    return f" ({', '.join(texts[:4])})" if texts else ""
