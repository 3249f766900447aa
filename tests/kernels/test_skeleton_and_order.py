"""Skeletons of forests and chains through segments, against slow twins."""

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import order_segments, skeleton


def random_tree(seed, n):
    rng = np.random.default_rng(seed)
    edges = np.array([[rng.integers(max(0, i - 4), i), i] for i in range(1, n)], dtype=np.int32).reshape(-1, 2)
    return edges, rng.permutation(n - 1) + 1.0


def slow_skeleton(n, edges, lengths, shortest):
    """Again and again: measure every side branch, cut the shortest; then list the edges that are left."""
    left = {frozenset(map(int, e)): length for e, length in zip(edges, lengths, strict=True)}
    while True:
        around = {i: [next(iter(e - {i})) for e in left if i in e] for i in range(n)}
        branches = []
        for leaf in (i for i in around if len(around[i]) == 1):
            path = [leaf, around[leaf][0]]
            while len(around[path[-1]]) == 2:
                path.append(next(k for k in around[path[-1]] if k != path[-2]))
            if len(around[path[-1]]) > 2:
                steps = [frozenset(p) for p in pairwise(path)]
                branches.append((sum(left[s] for s in steps), steps))
        short = [b for b in branches if b[0] < shortest]
        if not short:
            return set(left)
        for step in min(short, key=lambda b: b[0])[1]:
            del left[step]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.floats(0, 60))
def test_skeleton_keeps_the_edges_of_its_slow_twin(seed, n, shortest):
    edges, lengths = random_tree(seed, n)
    paths = skeleton(n, edges, lengths, shortest)
    kept = [frozenset(map(int, pair)) for path in paths for pair in pairwise(path)]
    assert len(kept) == len(set(kept)), "no edge twice"
    assert set(kept) == slow_skeleton(n, edges, lengths, shortest)


def test_a_cycle_is_refused():
    with pytest.raises(InputError, match="cycle"):
        skeleton(3, [[0, 1], [1, 2], [2, 0]], [1, 1, 1], 1.0)


def cost_of(join, skip, segments, backward):
    joins = sum(
        join[2 * a + (not fa), 2 * b + fb]
        for (a, fa), (b, fb) in zip(
            zip(segments, backward, strict=True), list(zip(segments, backward, strict=True))[1:], strict=False
        )
    )
    return joins + sum(skip[s] for s in range(len(skip)) if s not in segments)


def exhaustive(join, skip):
    n = len(skip)
    chains = (c for k in range(1, n + 1) for c in permutations(range(n), k))
    return min(cost_of(join, skip, c, f) for c in chains for f in product([False, True], repeat=len(c)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_the_best_order_is_that_of_exhaustive_search(seed, n):
    rng = np.random.default_rng(seed)
    join = rng.uniform(0, 10, (2 * n, 2 * n))
    join, skip = join + join.T, rng.uniform(0, 15, n)
    found = order_segments(join, skip, restarts=8, steps=4000)
    for order in found:
        assert order.cost == pytest.approx(cost_of(join, skip, order.segments.tolist(), order.backward.tolist()))
    assert found[0].cost == pytest.approx(exhaustive(join, skip))
    assert [o.cost for o in found] == sorted(o.cost for o in found)


def test_order_does_not_depend_on_threads():
    rng = np.random.default_rng(3)
    join = rng.uniform(0, 10, (40, 40))
    join, skip = join + join.T, rng.uniform(0, 15, 20)
    results = []
    for threads in (1, 2):
        _core.set_threads(threads)
        results.append([(o.cost, o.segments.tolist(), o.backward.tolist()) for o in order_segments(join, skip)])
    _core.set_threads(0)
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("join", "skip", "message"),
    [
        (np.zeros((0, 0)), [], "no segments"),
        (np.zeros((2, 4)), [1.0], "shape"),
        ([[0.0, 1.0], [2.0, 0.0]], [1.0], "symmetric"),
        ([[0.0, np.nan], [np.nan, 0.0]], [1.0], "finite"),
        (np.zeros((2, 2)), [np.inf], "finite"),
    ],
)
def test_costs_that_make_no_sense_are_refused(join, skip, message):
    with pytest.raises(InputError, match=message):
        order_segments(join, skip)
