"""What of this machine each of several cells may take."""

import os

import psutil

_SPARED = 0.1
"""Share of the memory for the system and for what watches the cells."""


def share_of_cores(jobs: int) -> int:
    """Threads of each of so many cells; at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // jobs)


def share_of_memory(jobs: int) -> int:
    """Bytes that each of so many cells may hold."""
    return int((1 - _SPARED) * psutil.virtual_memory().total / jobs)
