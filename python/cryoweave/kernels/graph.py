"""Graphs over points: neighbours, contacts, spanning trees and their refinement.

Edges are int32 ``(m, 2)`` pairs of node numbers. Every function raises ``InputError`` where an edge names a node that
does not exist or joins a node to itself, a weight or coordinate is not finite, or lengths differ.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError


def integers(name: str, values: ArrayLike, columns: int | None = None) -> NDArray[np.int32]:
    """As int32, refusing what would not fit; an empty list has the right shape."""
    array = np.asarray(values)
    if array.size == 0:
        return np.empty((0,) if columns is None else (0, columns), np.int32)
    if array.dtype != np.int32:
        if not np.issubdtype(array.dtype, np.integer):
            raise InputError(f"{name} must be whole numbers, not {array.dtype}")
        if array.min() < -(2**31) or array.max() >= 2**31:
            raise InputError(f"{name} must fit in 32 bits")
    return array.astype(np.int32, copy=False)


def _points(values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    return array.reshape(0, 3) if array.size == 0 else array


def neighbour_pairs(
    xyz: ArrayLike, radius: float, *, progress: Callable[[int, int], object] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """All pairs of points at most a radius apart.

    Parameters
    ----------
    xyz
        Points, ``(n, 3)``, Å.
    radius
        Å; pairs exactly this far apart count.
    progress
        Called now and then with ``(done, total)``, in chunks of points.

    Returns
    -------
    pairs
        int32 ``(m, 2)``, ``i < j``, sorted.
    distances
        float64 ``(m,)``, Å.
    """
    return _core.neighbour_pairs(_points(xyz), radius, progress)


def nearest(xyz: ArrayLike, query: ArrayLike, k: int = 1) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The ``k`` points nearest to each query position.

    Parameters
    ----------
    xyz
        Points, ``(n, 3)``, Å.
    query
        Positions, ``(q, 3)``, Å.
    k
        From 1 to ``n``.

    Returns
    -------
    indices
        int32 ``(q, k)``, nearest first; of points equally far, the lower index first.
    distances
        float64 ``(q, k)``, Å.
    """
    return _core.nearest(_points(xyz), _points(query), k)


def contact_edges(voxels_zyx: ArrayLike, owner: ArrayLike, shape_zyx: Sequence[int]) -> NDArray[np.int32]:
    """Pairs of owners of which any two voxels are 26-neighbours: edges that follow continuous density, not a radius.

    Parameters
    ----------
    voxels_zyx
        Voxels, each once, int ``(n, 3)``.
    owner
        Who owns each, int ``(n,)``; a negative owner is nobody.
    shape_zyx
        Of the map.

    Returns
    -------
    int32 ``(m, 2)``, ``i < j``, sorted, each pair once.
    """
    shape = [int(size) for size in shape_zyx]
    return _core.contact_edges(integers("voxels_zyx", voxels_zyx, 3), integers("owner", owner), shape)


def connected_components(n: int, edges: ArrayLike) -> NDArray[np.int32]:
    """The component of each of ``n`` nodes, int32 ``(n,)``; components are numbered by their first node."""
    return _core.connected_components(n, integers("edges", edges, 2))


def minimum_spanning_tree(n: int, edges: ArrayLike, weights: ArrayLike) -> NDArray[np.int32]:
    """The edges of the minimum spanning forest of ``n`` nodes.

    Parameters
    ----------
    n
        How many nodes.
    edges
        int ``(m, 2)``; repeated pairs are allowed.
    weights
        ``(m,)``, of any sign.

    Returns
    -------
    Ascending indices into ``edges``, int32. Of equal weights, the edge that comes first is preferred.
    """
    return _core.minimum_spanning_tree(n, integers("edges", edges, 2), np.asarray(weights, dtype=np.float64))


def local_spanning_edges(
    xyz: ArrayLike,
    edges: ArrayLike,
    weights: ArrayLike,
    radius: float,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> NDArray[np.int32]:
    """The edges that are in the minimum spanning forest of the ball around any point.

    For each point, the forest is that of the edges with both ends at most ``radius`` from it. Together with the minimum
    spanning tree of the whole, these are edges that a refined tree may be made of.

    Parameters
    ----------
    xyz
        Nodes, ``(n, 3)``, Å.
    edges
        int ``(m, 2)``.
    weights
        ``(m,)``, of any sign; usually the edges' lengths.
    radius
        Å.
    progress
        Called now and then with ``(done, total)``, in chunks of points.

    Returns
    -------
    Ascending indices into ``edges``, int32. Of equal weights, the edge that comes first is preferred.
    """
    weights = np.asarray(weights, dtype=np.float64)
    return _core.local_spanning_edges(_points(xyz), integers("edges", edges, 2), weights, radius, progress)


def longest_path(n: int, edges: ArrayLike, weights: ArrayLike) -> tuple[NDArray[np.int32], float]:
    """The heaviest path of a tree or forest.

    Parameters
    ----------
    n
        How many nodes.
    edges
        int ``(m, 2)``, without a cycle.
    weights
        ``(m,)``, none below zero.

    Returns
    -------
    path
        Its nodes in order, from the lower-numbered end, int32. Empty if there are no nodes.
    weight
        The sum of its weights.

    Raises
    ------
    InputError
        Also if an edge closes a cycle or a weight is negative.
    """
    return _core.longest_path(n, integers("edges", edges, 2), np.asarray(weights, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class RefinedTree:
    """The best tree of one trajectory of :func:`tabu_trees`."""

    edges: NDArray[np.int32]
    """Its edges: ascending indices into the candidate edges."""
    score: float
    """The sum of the squared scores of its first 100 branches."""
    branches: tuple[NDArray[np.int32], ...]
    """Its nodes as the path of highest score, then the branch of highest score that hangs on what was taken before, and
    so on. A branch begins with the node that it hangs on."""

    @property
    def path(self) -> NDArray[np.int32]:
        """The nodes of the path of highest score, in order."""
        return self.branches[0] if self.branches else np.empty(0, np.int32)


def tabu_trees(
    n: int,
    edges: ArrayLike,
    lengths: ArrayLike,
    scores: ArrayLike,
    start: ArrayLike,
    frozen: ArrayLike | None = None,
    *,
    rounds: int = 5000,
    neighbours: int = 30,
    tabu: int = 100,
    stretch: float = 1.01,
    trajectories: int = 10,
    similarity: float = 0.95,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> list[RefinedTree]:
    """Refine a spanning tree by tabu search, towards few long paths of high score.

    Each round draws random moves (cut a tree edge that is not frozen, add a candidate edge that rejoins the halves) and
    makes the best that is not tabu, better or not. The list of past moves forbids them and their reverse; it is emptied
    when a new best is found. A trajectory's result must have a longest path unlike those of earlier trajectories; moves
    to trees that are too alike are made only if there is no other.

    Defaults are those of Terashi & Kihara, Nat Commun 9:1618 (2018).

    Parameters
    ----------
    n
        How many nodes.
    edges
        Candidate edges, int ``(m, 2)``.
    lengths
        ``(m,)``, Å, none below zero: they bound a tree.
    scores
        ``(m,)``, none below zero: of them paths are made. Usually (lowest density along the edge) × length.
    start
        The tree to start from, ``n - 1`` indices into ``edges``; usually the minimum spanning tree by length.
    frozen
        Edges that are never cut, bool ``(m,)``; none if absent.
    rounds
        Steps of each trajectory.
    neighbours
        Random moves that a step chooses from.
    tabu
        Moves that are remembered.
    stretch
        A tree's length is at most this many times the start's.
    trajectories
        Searches, one after the other, each unlike the earlier.
    similarity
        Limit of Kendall's |tau| between the longest paths of two trajectories: concordant less discordant pairs of the
        nodes that both have, divided by the pairs of nodes of the longer. From 1 on, anything goes.
    seed
        Same seed, same result, whatever the number of threads.
    progress
        Called now and then with ``(rounds done, rounds in all)``.

    Returns
    -------
    The best tree of each trajectory, in order. A trajectory that met no tree unlike the earlier ones gives none.

    Raises
    ------
    InputError
        Also if ``start`` is not a spanning tree, or a length or score is negative.
    """
    edges = integers("edges", edges, 2)
    found = _core.tabu_trees(
        n,
        edges,
        np.asarray(lengths, dtype=np.float64),
        np.asarray(scores, dtype=np.float64),
        integers("start", start),
        np.zeros(len(edges), np.bool_) if frozen is None else np.asarray(frozen, dtype=np.bool_),
        (rounds, neighbours, tabu, stretch, trajectories, similarity, seed),
        progress,
    )
    return [RefinedTree(tree, score, tuple(branches)) for tree, score, branches in found]


def skeleton(n: int, edges: ArrayLike, lengths: ArrayLike, shortest: float) -> list[NDArray[np.int32]]:
    """Cut the side branches off a forest; what stays comes as paths between its ends and forks.

    Parameters
    ----------
    n
        How many nodes.
    edges
        int ``(m, 2)``, without a cycle.
    lengths
        ``(m,)``, Å, none below zero.
    shortest
        Å; a branch from a leaf to the first fork that is shorter is cut, the shortest first. A component without a fork
        has no side branch and stays whole.

    Returns
    -------
    Nodes along each path, in the order of the paths' first nodes; paths that meet at a fork share it.

    Raises
    ------
    InputError
        If an edge closes a cycle or names a node that is not there, or a length is not finite or below zero.
    """
    return _core.skeleton(n, integers("edges", edges, 2), np.asarray(lengths, dtype=np.float64), shortest)


class SegmentOrder(NamedTuple):
    """A chain through path segments."""

    cost: float
    """Joins between neighbours and penalties of what is left out."""
    segments: NDArray[np.int64]
    """The segments that are taken, in the chain's order."""
    backward: NDArray[np.bool_]
    """Which of them are gone through from their last node to the first."""


def order_segments(
    join: ArrayLike,
    skip: ArrayLike,
    *,
    restarts: int = 8,
    steps: int = 30_000,
    hot: float = 6.0,
    cold: float = 0.2,
    seed: int = 0,
    progress: Callable[[int, int], object] | None = None,
) -> list[SegmentOrder]:
    """Find one chain through segments: which to take, in which order and direction.

    Simulated annealing over turning a stretch, moving a stretch, leaving a segment out and taking one in.

    Parameters
    ----------
    join
        Cost of going from one end to another, ``(2 n, 2 n)``, symmetric; segment ``s`` has the ends ``2 s`` (its first
        node) and ``2 s + 1`` (its last).
    skip
        Cost of leaving each segment out, ``(n,)``.
    restarts
        Searches, each from its own random order; they run in parallel.
    steps
        Changes that each search tries.
    hot, cold
        Temperature at the start and at the end, in units of cost.
    seed
        Same seed, same result, whatever the number of threads.
    progress
        Called now and then with ``(restarts done, restarts in all)``.

    Returns
    -------
    The orders found, lowest cost first, each once; an order and its reverse are one.

    Raises
    ------
    InputError
        If there is no segment, shapes do not fit, costs are not finite or not symmetric.
    """
    costs, penalties = np.asarray(join, dtype=np.float64), np.asarray(skip, dtype=np.float64)
    if costs.shape != (2 * len(penalties),) * 2:
        raise InputError(
            f"{len(penalties)} segments need joins of shape {(2 * len(penalties),) * 2}, not {costs.shape}"
        )
    if not np.array_equal(costs, costs.T):
        raise InputError("joins must be symmetric and finite")
    found = _core.order_segments(costs.ravel(), penalties, (restarts, steps, hot, cold, seed), progress)
    return [SegmentOrder(cost, (entries // 2).astype(np.int64), entries % 2 == 1) for cost, entries in found]
