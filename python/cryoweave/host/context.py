"""What a running stage gets besides its inputs and parameters."""

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import numpy as np

Fact = str | int | float
Item = TypeVar("Item")
Result = TypeVar("Result")
CUT_SHORT = "cut short by the time budget"
"""Name of the finding by which a result is known that another run, with more time, would have made better."""
Spread = Callable[[Callable[[Any, Any], Any], Any, Sequence[Any]], Iterator[Any]]
"""``spread(work, shared, parts)``: results of ``work(shared, part)`` in the parts' order, worked out by many machines.

What is shared goes to each of them once. ``work`` is a function of a module; all it takes and gives can be pickled."""
POLL = 0.1
"""Seconds between looks at whether the run is to stop, while workers work."""


def silent(done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Context:
    """The world as a stage sees it.

    Parameters
    ----------
    seed
        Seed of this stage; the same seed gives the same result.
    threads
        Threads that the stage may use, at least 1.
    device
        ``cpu`` or the accelerator that the run chose.
    scratch
        An empty folder for the stage's own files; gone after the stage.
    log
        Goes to the run's log.
    progress
        Call it with units done and units in all (0 while unknown). It raises ``KeyboardInterrupt`` when the run is
        to stop, so a long loop that calls it can be cancelled.
    until
        Second of the monotonic clock at which searches are to end, infinite without a time budget.
    spread
        By which a long search can be split over the run's workers; None if it has none. Results do not depend on it.
    facts
        Small findings that belong into the record and the report, by name; see :meth:`note`.
    """

    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    scratch: Path = Path()
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("cryoweave.stage"))
    progress: Callable[[int, int], None] = silent
    until: float = math.inf
    spread: Spread | None = None
    facts: dict[str, Fact] = field(default_factory=dict)

    def rng(self) -> np.random.Generator:
        """A fresh generator; every call gives the same stream."""
        return np.random.default_rng(self.seed)

    def note(self, name: str, value: Fact) -> None:
        """Keep a finding, e.g. ``ctx.note("points", 1184)``."""
        self.facts[name] = value
        self.log.info("%s: %s", name, value)

    def time_left(self) -> float:
        """Seconds that a search may still take, 0 if there are none, infinite without a time budget.

        A stage that looks at it says so by ``Stage.anytime``, always gives a result, and calls :meth:`cut_short` if it
        would have gone on.
        """
        return max(0.0, self.until - time.monotonic())

    def cut_short(self, what: str) -> None:
        """Say what was left out because time was up; the result then serves no run that has more of it.

        Said more than once, all of it counts.
        """
        before = self.facts.get(CUT_SHORT)
        self.note(CUT_SHORT, f"{before}, {what}" if before else what)

    def over(self, work: Callable[[Item, "Context"], Result], items: Sequence[Item]) -> Iterator[Result]:
        """Results of ``work(item, ctx)`` in the order of the items, computed on all of the stage's threads.

        For parameter sweeps. The context that ``work`` gets keeps its facts to itself, and its progress only says when
        to stop; hand it to the kernels, so that an interrupt stops them too.
        """
        stop = Event()

        def stop_when_told(_done: int, _total: int) -> None:
            if stop.is_set():
                raise KeyboardInterrupt

        inner = replace(self, progress=stop_when_told, facts={})
        workers = ThreadPoolExecutor(self.threads)
        try:
            futures = [workers.submit(work, item, inner) for item in items]
            for done, future in enumerate(futures):
                while not future.done():
                    self.progress(done, len(futures))
                    wait([future], POLL)
                yield future.result()
            self.progress(len(futures), len(futures))
        finally:
            stop.set()
            workers.shutdown(cancel_futures=True)
