"""Routes against every way there is, and by what must hold of any."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.routes import APART, find_routes

seeds = st.integers(0, 2**32 - 1)


def cost_of(routes, nodes, edges, costs, drop, apart=APART):
    """Added up link by link."""
    table = {frozenset(edge): cost for edge, cost in reversed(list(zip(edges.tolist(), costs, strict=True)))}
    joins = sum(table.get(frozenset(pair), apart) for r in routes for pair in pairwise(r))
    return joins + drop * (nodes - sum(len(r) for r in routes))


def a_graph(seed, n):
    rng = np.random.default_rng(seed)
    edges = np.array([(i, j) for i in range(n) for j in range(i + 1, n) if rng.random() < 0.6]).reshape(-1, 2)
    return edges.astype(np.int32), rng.uniform(0, 300, len(edges))


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_no_single_tour_of_a_small_graph_is_better(seed):
    edges, costs = a_graph(seed, 6)
    best = min(cost_of([order[:k]], 6, edges, costs, 150.0) for order in permutations(range(6)) for k in range(1, 7))
    found = find_routes(6, edges, costs, drop=150.0, steps=50_000, restarts=4, hot=150, cold=1)
    assert found[0].cost == pytest.approx(best)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 4))
def test_costs_are_what_the_routes_cost(seed, vehicles):
    edges, costs = a_graph(seed, 25)
    found = find_routes(25, edges, costs, vehicles=vehicles, drop=120.0, steps=5000, seed=seed % 99)
    for one in found:
        assert one.cost == pytest.approx(cost_of([r.tolist() for r in one.routes], 25, edges, costs, 120.0))
        visited = np.concatenate(one.routes) if one.routes else np.zeros(0)
        assert len(set(visited.tolist())) == len(visited)
        assert len(one.routes) <= vehicles
    assert [one.cost for one in found] == sorted(one.cost for one in found)


def walk(n=300, seed=0):
    """A chain with steps of 3.8 Å that does not come back on itself."""
    rng = np.random.default_rng(seed)
    xyz = [np.zeros(3)]
    while len(xyz) < n:
        step = rng.normal(size=3)
        after = xyz[-1] + 3.8 * step / np.linalg.norm(step)
        if np.linalg.norm(np.reshape(xyz[:-1], (-1, 3)) - after, axis=1).min(initial=9) > 4.5:
            xyz.append(after)
    return np.array(xyz)


def test_a_long_chain_is_found_whole_among_wrong_links():
    xyz = walk()
    edges, length = neighbour_pairs(xyz, 7.0)
    costs = 100 - 100 * np.exp(-((length - 3.8) ** 2) / 2)
    found = find_routes(len(xyz), edges, costs, steps=4_000_000)[0]
    assert found.cost < 1
    assert found.routes[0].tolist() == list(range(len(xyz)))


def test_same_result_for_any_number_of_threads_and_another_for_another_seed():
    edges, costs = a_graph(3, 60)
    before = _core.threads()
    _core.set_threads(1)
    one = find_routes(60, edges, costs, vehicles=3, restarts=3, steps=20_000, seed=5)
    _core.set_threads(2)
    two = find_routes(60, edges, costs, vehicles=3, restarts=3, steps=20_000, seed=5)
    _core.set_threads(before)
    assert repr(one) == repr(two)
    assert repr(one) != repr(find_routes(60, edges, costs, vehicles=3, restarts=3, steps=20_000, seed=6))


def test_a_start_is_never_made_worse():
    edges, costs = a_graph(4, 40)
    first = find_routes(40, edges, costs, vehicles=2, steps=200_000)[0]
    again = find_routes(40, edges, costs, vehicles=2, steps=1000, hot=1, cold=0.1, start=first.routes)[0]
    assert again.cost <= first.cost + 1e-9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0, "edges": [], "costs": []}, "no nodes"),
        ({"edges": [[0, 3]]}, "does not exist"),
        ({"edges": [[1, 1]]}, "itself"),
        ({"costs": [np.inf]}, "not finite"),
        ({"costs": [[1.0]]}, "one axis"),
        ({"costs": []}, "differ in length"),
        ({"vehicles": 0}, "vehicles must be positive"),
        ({"drop": np.nan}, "drop must be positive"),
        ({"hot": 0}, "hot must be positive"),
        ({"start": [[0, 0]]}, "twice"),
        ({"start": [[5]]}, "does not exist"),
        ({"start": [[-1]]}, "below 0"),
        ({"start": [[0], [1]]}, "no more than vehicles"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        find_routes(**{"nodes": 3, "edges": [[0, 1]], "costs": [1.0]} | arguments)
