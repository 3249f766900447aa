"""What a stage took: wall and CPU seconds, and memory above what was there before."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass
class Taken:
    """What was measured.

    Parameters
    ----------
    seconds
        Wall time.
    cpu_seconds
        CPU time of all threads and of the child processes that ended.
    peak_mb
        Peak of resident memory above that at the start, in MB of 10⁶ bytes; None where the system does not tell.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float | None = None


@contextmanager
def measured() -> Iterator[Taken]:
    """Measure a block; the figures are there when it ended."""
    taken = Taken()
    resident = _memory("VmRSS") if _reset_peak() else None
    cpu, start = _cpu(), time.perf_counter()
    try:
        yield taken
    finally:
        taken.seconds, taken.cpu_seconds = time.perf_counter() - start, _cpu() - cpu
        peak = _memory("VmHWM")
        if resident is not None and peak is not None:
            taken.peak_mb = max(0.0, peak - resident)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _reset_peak() -> bool:
    """Let the kernel count the peak from now on; False where it cannot."""
    try:
        _CLEAR.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def _memory(name: str) -> float | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) * 1024 / 1e6 if found else None
