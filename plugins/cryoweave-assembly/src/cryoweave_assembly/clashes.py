"""Which placements stand in each other's way."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

CLOSE = 3.0
"""Å between Cα (or P) that count as a clash: Wang et al. 2024, doi 10.1038/s41592-024-02479-0."""
CELL = 1.0
"""Å of the lattice on which distances are taken."""
CELLS = 150_000_000
"""Most cells of the lattice; a wider one gets larger cells."""


def clash_shares(traces: Sequence[NDArray[np.float64]], progress: Callable[[int, int], object]) -> NDArray[np.float64]:
    """Share of residues of one placement that are closer than 3 Å to another, the larger of both ways.

    Distances are taken between the nearest points of a lattice of 1 Å.

    Parameters
    ----------
    traces
        Cα and P of each placement, shape ``(residues, 3)``.

    Returns
    -------
    Symmetric, zero on the diagonal, shape ``(n, n)``.
    """
    n = len(traces)
    stacked = np.concatenate(traces)
    low = stacked.min(axis=0) - 2 * CLOSE
    extent = np.ptp(stacked, axis=0) + 4 * CLOSE
    cell = max(CELL, float(np.cbrt(np.prod(extent) / CELLS)))
    shape = np.ceil(extent / cell).astype(np.int64) + 1
    steps = np.array([shape[1] * shape[2], shape[2], 1])
    index = np.rint((stacked - low) / cell).astype(np.int64) @ steps
    counts = np.array([len(trace) for trace in traces])
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    reach = int(CLOSE / cell)
    ball = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = ball[np.sum((ball * cell) ** 2, axis=1) < CLOSE**2] @ steps
    taken = np.zeros(int(np.prod(shape)), bool)
    share = np.zeros((n, n))
    for i in range(n):
        progress(i, n)
        near = (index[starts[i] : starts[i] + counts[i], None] + ball).reshape(-1)
        taken[near] = True
        share[i] = np.add.reduceat(taken[index], starts, dtype=np.int64) / counts
        taken[near] = False
    share = np.maximum(share, share.T)
    np.fill_diagonal(share, 0.0)
    return share
