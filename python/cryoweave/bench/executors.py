"""Where cells run: on this machine, or on the workers of a Dask scheduler. All are `concurrent.futures` executors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from cryoweave.errors import InputError, PluginError, UsageError
from cryoweave.host.context import Spread

if TYPE_CHECKING:
    from distributed import Client

KINDS, CLUSTERS = ("local", "dask"), ("slurm",)
_EXTRA = "pip install 'cryoweave[dask]'"
_PATIENCE = 30
"""Seconds that a scheduler has to answer."""


@contextmanager
def local(jobs: int) -> Iterator[Executor]:
    """So many cells at once on this machine: each is a process, which a thread watches."""
    with ThreadPoolExecutor(jobs, thread_name_prefix="cell") as executor:
        yield executor


@contextmanager
def dask(
    jobs: int,
    *,
    scheduler: str = "",
    cluster: str = "",
    threads: int = 1,
    memory: int = 0,
    resources: Mapping[str, float] | None = None,
) -> Iterator[Executor]:
    """Cells on workers; one that dies gives its cell to another.

    Workers must see the bench's folder and the sheet's files under the same paths, and have the same installation.

    Parameters
    ----------
    jobs
        Workers to start; of no meaning with a scheduler's address.
    scheduler
        Address of one that runs.
    cluster
        ``slurm``: ask the queue for workers, as the site's ``jobqueue.yaml`` says; else they run on this machine.
    threads, memory
        Cores and bytes of each worker that a queue is asked for.
    resources
        What a worker must have free for a cell, e.g. ``{"GPU": 1}``.

    Raises
    ------
    PluginError
        If Dask, or for a cluster dask-jobqueue, is not installed.
    InputError
        If the scheduler does not answer.
    UsageError
        If there is no such kind of cluster.
    """
    if cluster and cluster not in CLUSTERS:
        raise UsageError(f"there is no cluster {cluster!r}", f"there are: {', '.join(CLUSTERS)}")
    if cluster and scheduler:
        raise UsageError("both a scheduler and a cluster are given", "give one of them")
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise PluginError(f"Dask is not installed: {error}", _EXTRA) from error
    with ExitStack() as stack:
        if scheduler:
            client = stack.enter_context(_connected(scheduler))
        elif cluster:
            found = stack.enter_context(queue(threads, memory))
            found.scale(jobs=jobs)
            client = stack.enter_context(Client(found))
        else:
            # The memory limit is the cells' own: their processes are no part of a worker.
            here = LocalCluster(n_workers=jobs, threads_per_worker=1, memory_limit=None, dashboard_address=None)
            client = stack.enter_context(Client(stack.enter_context(here)))
        needed = {"resources": dict(resources)} if resources else {}
        yield stack.enter_context(client.get_executor(pure=False, **needed))


def _connected(address: str) -> "Client":
    from distributed import Client

    try:
        return Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        hint = "start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`"
        raise InputError(f"no scheduler answers at {address}: {error}", hint) from error


def queue(threads: int, memory: int):  # type: ignore[no-untyped-def]  # dask-jobqueue has no types
    """Workers that Slurm starts, each with one cell at a time.

    Raises
    ------
    PluginError
        If dask-jobqueue is not installed.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise PluginError(f"dask-jobqueue is not installed: {error}", _EXTRA) from error
    # One process with one thread for Dask; the cores are the cell's.
    return SLURMCluster(
        cores=1,
        processes=1,
        job_cpu=threads,
        memory=f"{max(memory, 10**9)}B",
        worker_extra_args=["--memory-limit", "0"],
    )


@contextmanager
def spread_over(scheduler: str) -> Iterator[Spread]:
    """The workers of a Dask scheduler for the long searches of one run; what all parts share goes to each worker once.

    Parameters
    ----------
    scheduler
        Its address.

    Raises
    ------
    PluginError
        If Dask is not installed.
    InputError
        If the scheduler does not answer, or has no workers.
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise PluginError(f"Dask is not installed: {error}", _EXTRA) from error
    with _connected(scheduler) as client:
        if not client.scheduler_info()["workers"]:
            raise InputError(
                f"the scheduler at {scheduler} has no workers", "start some: dask worker ADDRESS --nthreads 1"
            )

        def spread(work: Callable[[Any, Any], Any], shared: Any, parts: Sequence[Any]) -> Iterator[Any]:
            there = client.scatter(shared, broadcast=True, hash=False)
            futures = [client.submit(work, there, part, pure=False) for part in parts]
            try:
                while futures:
                    yield futures[0].result()
                    del futures[0]
            finally:
                client.cancel(futures)

        yield spread
