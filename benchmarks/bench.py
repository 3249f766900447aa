"""What the benchmarks share: maps of any size, timing by turns, tables.

Imported before NumPy, it keeps NumPy's matrix products to one thread: all else that we compare with has one thread, and
on a busy machine the idle threads of OpenBLAS made it ten times slower.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave import _core, load_map
from cryoweave.kernels.grid import upsample2

DEMO = Path(__file__).resolve().parents[1] / "examples" / "emd2566"
THRESHOLD = 0.162
"""Density at which the demo's map is traced."""
VOXEL = 1.34 / 2
"""Å, of the demo's map at double sampling."""


def protein_map(edge: int) -> NDArray[np.float32]:
    """A cube of the demo's map at double sampling: cut out of its middle, or laid side by side."""
    values = upsample2(load_map(DEMO / "2566_3J6B_9.mrc.gz").values)
    for axis, length in enumerate(values.shape):
        if length < edge:
            values = np.concatenate([values] * -(-edge // length), axis=axis)
        first = (values.shape[axis] - edge) // 2 if length >= edge else 0
        values = values.take(range(first, first + edge), axis=axis)
    return np.ascontiguousarray(values)


def by_turns(runs: Mapping[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Seconds of the fastest of several runs of each, and what each gave.

    They take turns, so that a busy machine harms all alike.
    """
    best = dict.fromkeys(runs, float("inf"))
    given = {}
    for _ in range(rounds):
        for name, run in runs.items():
            started = time.perf_counter()
            given[name] = run()
            best[name] = min(best[name], time.perf_counter() - started)
    return best, given


def with_threads(threads: int, run: Callable[..., Any], *inputs: Any) -> Callable[[], Any]:
    """A run with this many threads of ours."""

    def threaded() -> Any:
        _core.set_threads(threads)
        return run(*inputs)

    return threaded


def row(*cells: object) -> None:
    """One line of a table: numbers to the right, three digits that count."""
    print("  ".join(f"{cell:>12.3g}" if isinstance(cell, float) else f"{cell!s:>12}" for cell in cells), flush=True)
