"""Mean shift of every voxel above the threshold: ours against the same in NumPy, batched over all voxels.

The NumPy version is the fastest of those that we tried: the ball of voxels around each point gathered by one index, one
exponential a voxel, everything else as matrix products in float32; climbs that arrived leave the batch. (A separable
kernel on a box of voxels, three vectors of exponentials a point, took 1.4 times as long.) In the largest box
NumPy climbs from a sample only, every eighth batch of voxels, and the time of these climbs is scaled up to all.
"""

from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.peaks import mean_shift

BANDWIDTH = 2.0 / bench.VOXEL
ALLOW = 10.0 / bench.VOXEL
TOLERANCE = 0.001
STEEPNESS = 6.0 / BANDWIDTH**2
"""The kernel is exp(-STEEPNESS r²), r in voxels."""
RADIUS = 6 * BANDWIDTH / np.sqrt(12)
"""Voxels beyond six standard deviations of the kernel do not count, as in ours."""
REACH = int(np.ceil(RADIUS))
BATCH = 256
"""Points at a time: their windows fit the cache; other sizes were slower."""


def sample(climbs: int, every: int) -> NDArray[np.bool_]:
    """Which of the climbs are in the sample: every so many batches, one."""
    batches = np.arange(climbs) // BATCH
    return np.equal(batches % every, 0)


def prepared(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The map with a margin, and in it the voxels above the threshold."""
    padded = np.pad(np.maximum(values, 0), REACH + 1)
    return padded, np.argwhere(values > bench.THRESHOLD).astype(np.float64) + (REACH + 1)


def numpy_mean_shift(values: NDArray[np.float32], every: int) -> NDArray[np.float64]:
    """End points, in voxels, of the climbs from a sample of the voxels above the threshold."""
    padded, start = prepared(values)
    start = start[sample(len(start), every)]
    ends = start.copy()
    climbing = np.arange(len(start))
    while len(climbing):
        before = ends[climbing]
        after = ends[climbing] = step(padded, before)
        arrived = ((after - before) ** 2).sum(1) < TOLERANCE
        too_far = ((after - start[climbing]) ** 2).sum(1) > ALLOW**2
        climbing = climbing[~(arrived | too_far)]
    return ends - (REACH + 1)


def step(padded: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the points move: the mean position in the ball, weighted by density times kernel."""
    offsets = np.stack(np.meshgrid(*[np.arange(-REACH, REACH + 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    offsets = offsets[(offsets**2).sum(1) <= (RADIUS + np.sqrt(0.75)) ** 2]
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    jumps = offsets @ strides
    ball = offsets.astype(np.float32)
    outward = np.float32(-STEEPNESS) * (ball**2).sum(1)
    slopes = np.float32(2 * STEEPNESS) * ball.T
    moments = np.column_stack([np.ones(len(ball), np.float32), ball])
    flat = padded.ravel()
    moved = np.empty_like(at)
    for first in range(0, len(at), BATCH):
        part = slice(first, first + BATCH)
        centre = np.rint(at[part]).astype(np.int64)
        # |offset - away|² without |away|², which is the same for the whole ball and cancels.
        weights = (at[part] - centre).astype(np.float32) @ slopes
        weights += outward
        np.exp(weights, out=weights)
        weights *= flat[(centre @ strides)[:, None] + jumps]
        sums = weights @ moments
        moved[part] = centre + sums[:, 1:] / sums[:, :1]
    return moved


def ours(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same by our kernel."""
    return mean_shift(values, bench.THRESHOLD, BANDWIDTH, ALLOW, tolerance=TOLERANCE)[1]


def main() -> None:
    """The table."""
    bench.row("box", "climbs", "NumPy s", "ours 1 s", "ours 2 s", "ratio 1", "ratio 2", "µs a climb", "same ends")
    for edge, rounds, every in ((64, 5, 1), (128, 3, 1), (256, 3, 8)):
        values = bench.protein_map(edge)
        best, found = bench.by_turns(
            {
                "prepared": partial(prepared, values),
                "numpy": partial(numpy_mean_shift, values, every),
                "one": bench.with_threads(1, ours, values),
                "two": bench.with_threads(2, ours, values),
            },
            rounds,
        )
        climbs = len(found["one"])
        sampled = sample(climbs, every)
        best["numpy"] += (best["numpy"] - best["prepared"]) * (1 / sampled.mean() - 1)
        same = (np.abs(found["numpy"] - found["one"][sampled]).max(axis=1) < 0.01).mean()
        bench.row(
            f"{edge}³", climbs, best["numpy"], best["one"], best["two"],
            best["numpy"] / best["one"], best["numpy"] / best["two"], best["one"] / climbs * 1e6, f"{same:.2%}",
        )  # fmt: skip


if __name__ == "__main__":
    main()
