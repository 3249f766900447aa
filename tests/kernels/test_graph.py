from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels import graph

seeds = st.integers(0, 2**32 - 1)


def random_points(rng, n):
    return rng.normal(size=(n, 3)) * 5 + rng.integers(0, 2, (n, 1)) * 1000


def random_tree(rng, n):
    edges = [(int(rng.integers(0, i)), i) for i in range(1, n)]
    names = rng.permutation(n)
    return names[np.array(edges, int).reshape(-1, 2)].astype(np.int32)


def distances_in_tree(n, edges, weights):
    """All pairs, by walking from every node."""
    links = [[] for _ in range(n)]
    for (a, b), w in zip(edges.tolist(), weights, strict=True):
        links[a].append((b, w))
        links[b].append((a, w))
    distance = np.full((n, n), -np.inf)
    for start in range(n):
        distance[start, start] = 0
        stack = [start]
        while stack:
            node = stack.pop()
            for other, w in links[node]:
                if distance[start, other] == -np.inf:
                    distance[start, other] = distance[start, node] + w
                    stack.append(other)
    return distance


def slow_branches(n, edges, weights):
    """Weights of the longest path, then of the longest branch that hangs on what was taken, by searching them all."""
    weight = {frozenset(e): w for e, w in zip(edges.tolist(), weights, strict=True)}
    links = {node: [b if a == node else a for a, b in edges.tolist() if node in (a, b)] for node in range(n)}
    distance = distances_in_tree(n, edges, weights)

    def way(start, end):
        path = [start]
        while path[-1] != end:
            here = path[-1]
            path.append(min(links[here], key=lambda other: distance[other, end] if other not in path else np.inf))
        return path

    a, b = np.unravel_index(np.argmax(distance), distance.shape)
    taken, lengths = set(way(int(a), int(b))), [distance.max()]

    def far(node, came):
        onward = [(weight[frozenset((node, o))] + far(o, node)[0], far(o, node)[1]) for o in links[node] if o != came]
        best = max(onward, default=(0, []), key=lambda found: found[0])
        return best[0], [node, *best[1]]

    while len(taken) < n:
        found = []
        for node in taken:
            for other in links[node]:
                if other not in taken:
                    length, nodes = far(other, node)
                    found.append((length + weight[frozenset((node, other))], nodes))
        length, nodes = max(found, key=lambda branch: branch[0])
        lengths.append(length)
        taken.update(nodes)
    return lengths


def kendall(a, b):
    rank = {node: i for i, node in enumerate(b)}
    shared = [rank[node] for node in a if node in rank]
    signs = sum(1 if x < y else -1 for x, y in combinations(shared, 2))
    longer = max(len(a), len(b))
    return signs / (longer * (longer - 1) / 2)


def problem(seed, n=60, reach=3.0):
    """Points, edges between near ones, lengths, scores and the spanning tree of the largest component."""
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0, 6, (n, 3))
    edges, lengths = graph.neighbour_pairs(xyz, reach)
    labels = graph.connected_components(n, edges)
    keep = labels == np.bincount(labels).argmax()
    number = np.cumsum(keep) - 1
    inside = keep[edges[:, 0]]
    edges, lengths = number[edges[inside]].astype(np.int32), lengths[inside]
    n = int(keep.sum())
    scores = lengths * rng.uniform(0.1, 1, len(edges))
    return n, edges, lengths, scores, graph.minimum_spanning_tree(n, edges, lengths)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(0, 80), st.floats(0.1, 8.0))
def test_neighbour_pairs_equal_scipy(seed, n, radius):
    xyz = random_points(np.random.default_rng(seed), n)
    pairs, distances = graph.neighbour_pairs(xyz, radius)
    expected = sorted(cKDTree(xyz).query_pairs(radius)) if n else []
    np.testing.assert_array_equal(pairs, np.array(expected, int).reshape(-1, 2))
    np.testing.assert_allclose(distances, np.linalg.norm(xyz[pairs[:, 0]] - xyz[pairs[:, 1]], axis=1))


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 200), st.integers(1, 20), st.booleans())
def test_nearest_equal_a_sort_of_all(seed, n, k, on_a_lattice):
    rng = np.random.default_rng(seed)
    xyz, query = random_points(rng, n), random_points(rng, 15)
    if on_a_lattice:
        xyz, query = xyz.round(), query.round()
    k = min(k, n)
    indices, distances = graph.nearest(xyz, query, k)
    squares = ((query[:, None] - xyz) ** 2).sum(-1)
    order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    np.testing.assert_allclose(distances, np.sqrt(np.take_along_axis(squares, order, 1)))
    if on_a_lattice:
        np.testing.assert_array_equal(indices, order)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 6))
def test_contacts_equal_the_slow_twin(seed, owners):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 7, 3))
    voxels = np.argwhere(rng.random(shape) < 0.4)
    rng.shuffle(voxels)
    owner = rng.integers(-1, owners, len(voxels))
    expected = {
        (min(a, b), max(a, b))
        for (v, a), (w, b) in combinations(zip(voxels, owner.tolist(), strict=True), 2)
        if a != b and min(a, b) >= 0 and np.abs(v - w).max() <= 1
    }
    found = graph.contact_edges(voxels, owner, shape)
    np.testing.assert_array_equal(found, np.array(sorted(expected), int).reshape(-1, 2))


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 60), st.integers(0, 120))
def test_components_and_spanning_trees_equal_scipy(seed, n, m):
    rng = np.random.default_rng(seed)
    edges = np.array([e for e in rng.integers(0, n, (m, 2)) if e[0] != e[1]], np.int32).reshape(-1, 2)
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    weights = rng.integers(1, 6, len(edges)).astype(float)
    table = sparse.csr_matrix((weights, edges.T), shape=(n, n))
    _, expected = csgraph.connected_components(table, directed=False)
    labels = graph.connected_components(n, edges)
    np.testing.assert_array_equal(labels, np.unique(expected, return_index=True)[1].argsort().argsort()[expected])
    tree = graph.minimum_spanning_tree(n, edges, weights)
    assert weights[tree].sum() == csgraph.minimum_spanning_tree(table).sum()
    assert len(tree) == n - len(set(labels))
    np.testing.assert_array_equal(graph.connected_components(n, edges[tree]), labels)


def test_a_large_spanning_tree_equals_scipy_on_any_number_of_threads():
    rng = np.random.default_rng(5)
    xyz = rng.uniform(0, 40, (20_000, 3))
    edges, lengths = graph.neighbour_pairs(xyz, 2.2)
    expected = csgraph.minimum_spanning_tree(sparse.csr_matrix((lengths, edges.T), shape=(len(xyz),) * 2))
    _core.set_threads(1)
    one = graph.minimum_spanning_tree(len(xyz), edges, lengths)
    _core.set_threads(2)
    np.testing.assert_array_equal(one, graph.minimum_spanning_tree(len(xyz), edges, lengths))
    np.testing.assert_array_equal(
        edges[one], np.sort(np.array(expected.nonzero()).T, axis=1)[np.lexsort(expected.nonzero()[::-1])]
    )
    same = graph.minimum_spanning_tree(len(xyz), edges, np.floor(lengths))
    assert np.floor(lengths)[same].sum() == pytest.approx(
        csgraph.minimum_spanning_tree(sparse.csr_matrix((np.floor(lengths) + 1, edges.T), shape=(len(xyz),) * 2)).sum()
        - len(same)
    )


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(0.5, 4.0))
def test_local_spanning_edges_equal_one_tree_for_each_ball(seed, radius):
    rng = np.random.default_rng(seed)
    xyz = rng.uniform(0, 5, (30, 3))
    edges, lengths = graph.neighbour_pairs(xyz, 2.5)
    expected = set()
    for centre in xyz:
        inside = np.linalg.norm(xyz - centre, axis=1) <= radius
        those = np.flatnonzero(inside[edges].all(1))
        expected |= set(those[graph.minimum_spanning_tree(len(xyz), edges[those], lengths[those])].tolist())
    assert graph.local_spanning_edges(xyz, edges, lengths, radius).tolist() == sorted(expected)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 25), st.floats(0, 1))
def test_the_longest_path_is_the_longest_of_all(seed, n, kept):
    rng = np.random.default_rng(seed)
    edges = random_tree(rng, n)
    edges = edges[rng.random(len(edges)) <= kept]
    weights = rng.uniform(0, 1, len(edges))
    path, length = graph.longest_path(n, edges, weights)
    distance = distances_in_tree(n, edges, weights)
    assert length == pytest.approx(distance.max())
    assert distance[path[0], path[-1]] == pytest.approx(length)
    neighbours = {frozenset(e) for e in edges.tolist()}
    assert all(frozenset(step) in neighbours for step in zip(path.tolist(), path.tolist()[1:], strict=False))
    assert path[0] <= path[-1]


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(0, 40))
def test_refined_trees_keep_every_promise(seed, rounds):
    n, edges, lengths, scores, tree = problem(seed, n=40)
    rng = np.random.default_rng(seed)
    frozen = rng.random(len(edges)) < 0.2
    search = {"neighbours": 8, "tabu": 5, "stretch": 1.2, "trajectories": 3, "seed": seed}
    found = graph.tabu_trees(n, edges, lengths, scores, tree, frozen, rounds=rounds, similarity=0.8, **search)
    start = sum(length**2 for length in slow_branches(n, edges[tree], scores[tree])[:100])
    assert found[0].score >= start * (1 - 1e-9), "never worse than the start"
    for result in found:
        assert len(result.edges) == n - 1
        assert set(graph.connected_components(n, edges[result.edges])) == {0}
        assert lengths[result.edges].sum() <= 1.2 * lengths[tree].sum() * (1 + 1e-9)
        assert set(np.intersect1d(tree, np.flatnonzero(frozen))) <= set(result.edges)
        slow = slow_branches(n, edges[result.edges], scores[result.edges])
        assert result.score == pytest.approx(sum(length**2 for length in slow[:100]))
        steps = [frozenset(s) for b in result.branches for s in zip(b.tolist(), b.tolist()[1:], strict=False)]
        assert sorted(map(sorted, steps)) == sorted(map(sorted, edges[result.edges].tolist()))
        assert result.branches[0] is result.path
    for a, b in combinations(found, 2):
        assert abs(kendall(a.path.tolist(), b.path.tolist())) <= 0.8 + 1e-12


def test_every_score_on_the_way_is_that_of_the_tree():
    """One round, one neighbour: the only move is made, and a better tree's score must be what the slow twin says."""
    n, edges, lengths, scores, tree = problem(7, n=50)
    start = sum(length**2 for length in slow_branches(n, edges[tree], scores[tree]))
    better = 0
    for seed in range(150):
        settings = {"rounds": 1, "neighbours": 1, "stretch": 3.0, "trajectories": 1, "seed": seed}
        (result,) = graph.tabu_trees(n, edges, lengths, scores, tree, **settings)
        changed = set(result.edges.tolist()) != set(tree.tolist())
        slow = sum(length**2 for length in slow_branches(n, edges[result.edges], scores[result.edges]))
        assert result.score == pytest.approx(slow)
        assert changed == (slow > start)
        better += changed
    assert 10 < better < 140


def test_only_a_hundred_branches_count():
    n = 300
    star = np.array([[0, i] for i in range(1, n)], np.int32)
    weights = np.random.default_rng(0).uniform(1, 2, n - 1)
    (result,) = graph.tabu_trees(n, star, weights, weights, np.arange(n - 1), rounds=1, trajectories=1)
    high = np.sort(weights)[::-1]
    assert result.score == pytest.approx((high[0] + high[1]) ** 2 + (high[2:101] ** 2).sum())
    assert len(result.branches) == n - 2


def test_same_seed_same_trees_on_any_number_of_threads():
    n, edges, lengths, scores, tree = problem(3, n=9000, reach=0.45)
    assert n > 5000, "large enough for rounds to be shared between threads"
    settings = {"rounds": 12, "trajectories": 2, "similarity": 1.0, "stretch": 1.1}
    seen = []
    _core.set_threads(1)
    one = graph.tabu_trees(n, edges, lengths, scores, tree, progress=lambda *p: seen.append(p), **settings)
    _core.set_threads(2)
    two = graph.tabu_trees(n, edges, lengths, scores, tree, **settings)
    other = graph.tabu_trees(n, edges, lengths, scores, tree, seed=1, **settings)
    assert [t.score for t in one] == [t.score for t in two] != [t.score for t in other]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.edges, b.edges)
        np.testing.assert_array_equal(a.path, b.path)
    assert all(done <= total and total in (0, 24) for done, total in seen)


def test_memory_order_and_integer_types_do_not_matter():
    n, edges, lengths, scores, tree = problem(11)
    wide = np.asfortranarray(edges.astype(np.int64))
    doubled = np.repeat(lengths, 2)[::2]
    np.testing.assert_array_equal(graph.minimum_spanning_tree(n, wide, doubled), tree)
    a = graph.tabu_trees(n, edges, lengths, scores, tree, rounds=5)
    b = graph.tabu_trees(n, wide, doubled, scores, tree.astype(np.int64), rounds=5)
    assert [t.score for t in a] == [t.score for t in b]


def test_graphs_of_nothing_are_nothing():
    assert graph.neighbour_pairs([], 1.0)[0].shape == (0, 2)
    assert graph.contact_edges([], [], (0, 0, 0)).shape == (0, 2)
    assert graph.connected_components(0, []).shape == (0,)
    assert graph.minimum_spanning_tree(3, [], []).shape == (0,)
    assert graph.local_spanning_edges([], [], [], 1.0).shape == (0,)
    assert graph.longest_path(0, [], [])[0].shape == (0,)
    assert graph.nearest([[0, 0, 0]], [])[0].shape == (0, 1)
    assert graph.tabu_trees(0, [], [], [], [], trajectories=1)[0].path.shape == (0,)


def test_what_has_no_meaning_is_refused():
    with pytest.raises(InputError, match="point 1"):
        graph.neighbour_pairs([[0, 0, 0], [np.nan, 0, 0]], 1.0)
    with pytest.raises(InputError, match="point 0"):
        graph.nearest([[0, 0, 0]], [[0, np.inf, 0]])
    with pytest.raises(InputError, match="columns"):
        graph.neighbour_pairs([[0, 0]], 1.0)
    with pytest.raises(InputError, match="does not exist"):
        graph.connected_components(2, [[0, 2]])
    with pytest.raises(InputError, match="to itself"):
        graph.connected_components(2, [[1, 1]])
    with pytest.raises(InputError, match="32 bits"):
        graph.connected_components(2, [[0, 2**32]])
    with pytest.raises(InputError, match="whole numbers"):
        graph.connected_components(2, [[0.0, 1.0]])
    with pytest.raises(InputError, match="not finite"):
        graph.minimum_spanning_tree(2, [[0, 1]], [np.nan])
    with pytest.raises(InputError, match="cycle"):
        graph.longest_path(3, [[0, 1], [1, 2], [2, 0]], [1, 1, 1])
    with pytest.raises(InputError, match="negative"):
        graph.longest_path(2, [[0, 1]], [-1])
    with pytest.raises(InputError, match="twice"):
        graph.contact_edges([[0, 0, 0], [0, 0, 0]], [0, 1], (1, 1, 1))
    with pytest.raises(InputError, match="spanning tree"):
        graph.tabu_trees(3, [[0, 1], [1, 2]], [1, 1], [1, 1], [0])
    with pytest.raises(InputError, match="stretch"):
        graph.tabu_trees(2, [[0, 1]], [1], [1], [0], stretch=0.5)
