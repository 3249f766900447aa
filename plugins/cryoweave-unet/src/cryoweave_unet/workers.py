"""Samples made by other processes while the network learns."""

import multiprocessing
from collections.abc import Callable
from queue import Empty, Full
from typing import Any, Protocol

from cryoweave.errors import StageError

AHEAD = 12
"""Samples of each process that wait for the network."""
PATIENCE = 5.0
"""Seconds between looks at whether a process still lives."""


class Samples(Protocol):
    """Where samples come from; to be pickled."""

    def sample(self, i: int) -> Any:
        """The ``i``-th sample, always the same."""


class Workers:
    """An iterator over samples in their order; a context that ends the processes.

    Parameters
    ----------
    source
        Of the samples.
    first
        Number of the first.
    count
        Processes.
    begin
        Called first in each; to be pickled.

    Raises
    ------
    StageError
        From ``next``, if a sample could not be made.
    """

    def __init__(self, source: Samples, first: int, count: int, begin: Callable[[], object] | None = None) -> None:
        # Not forked: threads of the kernels do not survive that.
        context = multiprocessing.get_context("spawn")
        self._queues: list[Any] = [context.Queue(AHEAD) for _ in range(max(1, count))]
        self._stop = context.Event()
        self._next = 0
        self._processes = [
            context.Process(
                target=_produce, args=(source, first + i, len(self._queues), queue, self._stop, begin), daemon=True
            )
            for i, queue in enumerate(self._queues)
        ]

    def __enter__(self) -> "Workers":
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for process in self._processes:
            process.terminate()
            process.join()

    def __iter__(self) -> "Workers":
        return self

    def __next__(self) -> Any:
        at = self._next % len(self._queues)
        self._next += 1
        while True:
            try:
                found = self._queues[at].get(timeout=PATIENCE)
                break
            except Empty:
                if not self._processes[at].is_alive():
                    raise StageError("a process that makes samples ended", "is there memory enough?") from None
        if isinstance(found, str):
            raise StageError(f"a sample could not be made: {found}")
        return found


def _produce(source: Samples, first: int, step: int, queue: Any, stop: Any, begin: Callable[[], object] | None) -> None:
    i = first
    try:
        if begin is not None:
            begin()
        while not stop.is_set():
            sample = source.sample(i)
            i += step
            while not stop.is_set():
                try:
                    queue.put(sample, timeout=1.0)
                    break
                except Full:
                    continue
    except KeyboardInterrupt:
        return
    except Exception as error:
        queue.put(f"sample {i}: {type(error).__name__}: {error}")
