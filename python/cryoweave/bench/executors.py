"""Where cells run: here, or on a Dask cluster."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def local(jobs: int) -> Iterator[Executor]:
    """So many cells at once on this machine: each is a process, which a thread watches."""
    with ThreadPoolExecutor(jobs, thread_name_prefix="cell") as executor:
        yield executor
