"""Minimum spanning tree of points joined to their neighbours, about 15 edges a point: ours against SciPy."""

from collections.abc import Callable
from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree as scipy_tree

from cryoweave.kernels.graph import minimum_spanning_tree, neighbour_pairs

EDGES_EACH = 15


def random_graph(points: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Edges and their lengths: points spread evenly in a cube whose edge is the cubic root of their number."""
    xyz = np.random.default_rng(0).random((points, 3)) * points ** (1 / 3)
    radius = (2 * EDGES_EACH / (4 / 3 * np.pi)) ** (1 / 3)
    return neighbour_pairs(xyz, radius)


def by_scipy(points: int, edges: NDArray[np.int32], lengths: NDArray[np.float64]) -> float:
    """Length of the tree from the same edge list; SciPy needs it as a sparse matrix."""
    graph = csr_array((lengths, (edges[:, 0], edges[:, 1])), shape=(points, points))
    return float(scipy_tree(graph).sum())


def main() -> None:
    """The table."""
    bench.row("points", "edges", "matrix s", "SciPy s", "ours 1 s", "ours 2 s", "ratio 1", "ratio 2", "bare ratio 1")
    for points, rounds in ((10_000, 9), (100_000, 7), (1_000_000, 3)):
        edges, lengths = random_graph(points)
        graph = csr_array((lengths, (edges[:, 0], edges[:, 1])), shape=(points, points))
        ours: Callable[[], NDArray[np.int32]] = partial(minimum_spanning_tree, points, edges, lengths)
        assert np.isclose(lengths[ours()].sum(), by_scipy(points, edges, lengths), rtol=1e-12)
        best, _ = bench.by_turns(
            {
                "both": partial(by_scipy, points, edges, lengths),
                "bare": partial(scipy_tree, graph),
                "one": bench.with_threads(1, ours),
                "two": bench.with_threads(2, ours),
            },
            rounds,
        )
        bench.row(
            points, len(edges), best["both"] - best["bare"], best["bare"], best["one"], best["two"],
            best["both"] / best["one"], best["both"] / best["two"], best["bare"] / best["one"],
        )  # fmt: skip


if __name__ == "__main__":
    main()
