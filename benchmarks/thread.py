"""A sequence along a broken path: ours, which leaves out blocks of nodes that cannot win, against every pair in NumPy.

The paths have nodes 0.8 Å apart, 7.5 of them a residue, fold up in a ball and break every hundred nodes, as traced ones
do. Costs are those of `mainmast.thread_gapped`. Without NumPy where it would take minutes.
"""

from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.align import thread_gapped

Array = NDArray[np.float64]
NODE_STEP, BROKEN = 0.8, 0.01
IDEAL, WEIGHT, OPEN, EXTEND, END, REACH, SLACK, MAX_SKIP = 3.7, 1.0, 8.0, 2.0, 2.0, 3.8, 1.0, 9
COSTS = {
    "ideal_distance": IDEAL,
    "distance_weight": WEIGHT,
    "residue_gap_open": OPEN,
    "residue_gap_extend": EXTEND,
    "end_gap": END,
    "reach": REACH,
    "slack": SLACK,
    "max_skip": MAX_SKIP,
}


def folded(nodes: int, residues: int, rng: np.random.Generator) -> Array:
    """A smooth random path that turns back where it leaves the ball of so many residues."""
    radius = 20 * (residues / 300) ** (1 / 3)
    xyz, along = np.zeros((nodes, 3)), np.array([1.0, 0.0, 0.0])
    for i in range(1, nodes):
        outside = max(0.0, float(np.linalg.norm(xyz[i - 1])) - radius)
        along = along + rng.normal(0, 0.35, 3) - 0.04 * outside * xyz[i - 1] / radius
        along /= np.linalg.norm(along)
        xyz[i] = xyz[i - 1] + NODE_STEP * along
    return xyz


def by_numpy(match: NDArray[np.float32], xyz: Array, breaks: NDArray[np.bool_]) -> float:
    """The best score, by all earlier nodes at once for each node and each number of residues left out."""
    nodes, residues = match.shape
    stretch, starts = np.cumsum(breaks), -END * np.arange(residues)
    best = np.empty((nodes, residues), np.float32)
    for k in range(nodes):
        row = starts.copy()
        distance, ahead = np.linalg.norm(xyz[:k] - xyz[k], axis=1), k - np.arange(k)
        bonded = stretch[:k] == stretch[k]
        for left_out in range(residues - 1 if k else 0):
            cost = WEIGHT * np.maximum(0.0, distance - REACH * (left_out + 1) - SLACK)
            cost += OPEN + EXTEND * (left_out - 1) if left_out else 0.0
            if left_out == 0:
                cost[bonded] = WEIGHT * np.abs(distance - IDEAL)[bonded]
            cost[bonded & (ahead > MAX_SKIP * (left_out + 1))] = np.inf
            reached = (best[:k, : residues - 1 - left_out] - cost[:, None].astype(np.float32)).max(axis=0)
            np.maximum(row[left_out + 1 :], reached, out=row[left_out + 1 :])
        best[k] = row + match[k]
    return float((best + starts[::-1]).max())


def main() -> None:
    """The table."""
    bench.row("nodes", "residues", "NumPy s", "ours s", "ratio")
    for residues, with_numpy in ((33, True), (67, True), (133, True), (267, False), (533, False), (1067, False)):
        rng, nodes = np.random.default_rng(0), 15 * residues // 2
        xyz, breaks = folded(nodes, residues, rng), rng.random(nodes) < BROKEN
        match = rng.normal(2, 1.2, (nodes, 20)).astype(np.float32)[:, rng.integers(0, 20, residues)]
        runs = {"ours": bench.with_threads(1, partial(thread_gapped, match, xyz, breaks, **COSTS))}
        if with_numpy:
            runs["numpy"] = partial(by_numpy, match, xyz, breaks)
        best, found = bench.by_turns(runs, 2)
        assert not with_numpy or np.isclose(found["numpy"], found["ours"].score, rtol=1e-5)
        theirs = best.get("numpy", float("nan"))
        bench.row(nodes, residues, theirs, best["ours"], theirs / best["ours"])


if __name__ == "__main__":
    main()
