from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.align import align_matrix, align_sequences, thread_gapped, thread_path, thread_paths

seeds = st.integers(0, 2**32 - 1)


def gap_cost(length, open_, extend):
    return open_ + extend * (length - 1) if length else 0.0


def end_cost(rows, columns, open_, extend, mode):
    """Semiglobal: one of the two sequences may stand out at no cost."""
    costs = gap_cost(rows, open_[0], extend[0]), gap_cost(columns, open_[1], extend[1])
    return {"global": sum(costs), "semiglobal": min(costs), "local": 0.0}[mode]


def slow_align(scores, open_, extend, mode):
    """Best score by trying every previous match of every match; `open_` and `extend` are (rows, columns)."""
    m, n = scores.shape

    def at_an_end(rows, columns):
        return end_cost(rows, columns, open_, extend, mode)

    def between(rows, columns):
        return gap_cost(rows, open_[0], extend[0]) + gap_cost(columns, open_[1], extend[1])

    @cache
    def ending_at(i, j):
        options = [-at_an_end(i, j)]
        options += [ending_at(p, q) - between(i - p - 1, j - q - 1) for p in range(i) for q in range(j)]
        return max(options) + scores[i, j]

    nothing = -at_an_end(m, n) if mode == "global" else 0.0
    return max([nothing] + [ending_at(i, j) - at_an_end(m - 1 - i, n - 1 - j) for i in range(m) for j in range(n)])


def score_of_pairs(pairs, scores, open_, extend, mode):
    m, n = scores.shape
    if not pairs:
        return -end_cost(m, n, open_, extend, mode) if mode == "global" else 0.0
    total = sum(scores[i, j] for i, j in pairs)
    for (i, j), (k, l) in pairwise(pairs):
        assert i < k
        assert j < l
        total -= gap_cost(k - i - 1, open_[0], extend[0]) + gap_cost(l - j - 1, open_[1], extend[1])
    first, last = pairs[0], (m - 1 - pairs[-1][0], n - 1 - pairs[-1][1])
    return total - sum(end_cost(*out, open_, extend, mode) for out in (first, last))


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(0, 7), st.integers(0, 7), st.sampled_from(["global", "local", "semiglobal"]), st.booleans())
def test_align_matrix_equals_the_slow_twin(seed, m, n, mode, single):
    rng = np.random.default_rng(seed)
    scores = rng.normal(0.3, 2, (m, n)).astype(np.float32 if single else np.float64)
    open_, extend = tuple(rng.uniform(1, 4, 2)), tuple(rng.uniform(0, 1, 2))
    pairs, score = align_matrix(scores, open_, extend, mode)
    exact = scores.astype(float)
    assert score == pytest.approx(slow_align(exact, open_, extend, mode), abs=1e-9)
    assert score == pytest.approx(score_of_pairs(pairs.tolist(), exact, open_, extend, mode), abs=1e-9)
    assert pairs.dtype == np.int32
    assert pairs.shape[1] == 2


@given(seeds, st.sampled_from(["global", "local", "semiglobal"]))
def test_transposing_swaps_the_pairs(seed, mode):
    scores = np.random.default_rng(seed).normal(0, 2, (6, 9))
    ours = align_matrix(scores, (2.0, 3.0), (0.5, 0.25), mode)
    swapped = align_matrix(scores.T, (3.0, 2.0), (0.25, 0.5), mode)
    assert ours.score == pytest.approx(swapped.score)
    np.testing.assert_array_equal(ours.pairs, swapped.pairs[:, ::-1])


@pytest.mark.parametrize(
    ("scores", "gap", "mode", "message"),
    [
        ([[0.0, np.nan]], 1.0, "global", "row 0, column 1"),
        ([[0.0, 1e10]], 1.0, "global", "1e9"),
        ([[0.0]], -1.0, "global", "gap_open"),
        ([[0.0]], 0.5, "global", "at most gap_open"),
        ([[0.0]], 1.0, "sideways", "sideways"),
        ([0.0], 1.0, "global", "2 axes"),
    ],
)
def test_align_matrix_refuses(scores, gap, mode, message):
    with pytest.raises(InputError, match=message):
        align_matrix(scores, gap, 1.0, mode)


def test_a_model_with_holes_finds_its_place_in_the_reference():
    reference = "GSHMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"
    kept = [*range(4, 20), *range(27, 50), *range(55, 70)]
    model = "".join(reference[i] for i in kept)
    for identity in (False, True):
        pairs = align_sequences(model, reference.lower(), identity=identity)
        # A letter beside a hole may equally well be matched on its other side.
        assert len(pairs) == len(kept)
        assert np.mean(pairs[:, 1] == kept) > 0.95


def test_unknown_letters_are_not_evidence():
    np.testing.assert_array_equal(align_sequences("WXW", "WAW"), [[0, 0], [1, 1], [2, 2]])
    assert len(align_sequences("XXX", "XXX", identity=True)) == 0
    assert align_sequences("", "ACD").shape == (0, 2)


def slow_thread(match, xyz, ideal, weight, max_skip):
    n, length = match.shape

    @cache
    def ending_at(r, k):
        if r == 0:
            return match[k, 0]
        first = max(r - 1, k - max_skip if max_skip else 0)
        steps = [
            ending_at(r - 1, j) - weight * abs(np.linalg.norm(xyz[j] - xyz[k]) - ideal)
            for j in range(first, k)
            if j >= r - 1
        ]
        return max(steps, default=-np.inf) + match[k, r]

    return max(ending_at(length - 1, k) for k in range(length - 1, n))


def score_of_threading(nodes, match, xyz, ideal, weight):
    steps = np.linalg.norm(np.diff(xyz[nodes], axis=0), axis=1)
    return match[nodes, np.arange(len(nodes))].sum() - weight * np.abs(steps - ideal).sum()


def walk(rng, n):
    return np.cumsum(rng.normal(0, 1, (n, 3)), axis=0)


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 12), st.integers(0, 30), st.integers(0, 4))
def test_thread_path_equals_the_slow_twin(seed, residues, spare, max_skip):
    rng = np.random.default_rng(seed)
    xyz = walk(rng, residues + spare)
    match = rng.normal(0, 2, (residues + spare, residues)).astype(np.float32)
    ideal, weight = rng.uniform(0, 4), rng.choice([0.0, 0.1, 1.0])
    nodes, score = thread_path(match, xyz, ideal, weight, max_skip)
    exact = match.astype(float)
    assert score == pytest.approx(slow_thread(exact, xyz, ideal, weight, max_skip), abs=1e-4)
    assert score == pytest.approx(score_of_threading(nodes, exact, xyz, ideal, weight), abs=1e-9)
    assert (np.diff(nodes) > 0).all()
    assert not max_skip or (np.diff(nodes) <= max_skip).all()


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(0, 50))
def test_blocks_that_are_not_looked_at_could_not_win(seed, max_skip):
    """Paths of several blocks; the twin looks at every predecessor."""
    rng = np.random.default_rng(seed)
    n, residues = 200, 12
    xyz = walk(rng, n)
    match = (rng.normal(0, 1, (n, residues)) * rng.choice([0, 5], (n, 1), p=[0.9, 0.1])).astype(np.float32)
    ideal, weight = 3.5, rng.choice([0.01, 0.9])
    steps = weight * np.abs(np.linalg.norm(xyz[:, None] - xyz, axis=2) - ideal)
    ahead = np.arange(n) - np.arange(n)[:, None]
    steps[(ahead <= 0) | ((ahead > max_skip) if max_skip else False)] = np.inf
    best = match[:, 0].astype(float)
    for r in range(1, residues):
        best = (best[:, None] - steps).max(axis=0) + match[:, r]
    assert thread_path(match, xyz, ideal, weight, max_skip).score == pytest.approx(best.max(), abs=1e-3)


def test_a_stack_gives_what_its_matrices_give():
    rng = np.random.default_rng(3)
    xyz, stack = walk(rng, 50), rng.normal(size=(5, 50, 12)).astype(np.float32)
    nodes, scores = thread_paths(stack, xyz)
    for i, match in enumerate(stack):
        one = thread_path(match, xyz)
        np.testing.assert_array_equal(nodes[i], one.nodes)
        assert scores[i] == one.score
    assert thread_paths(stack[:0], xyz).nodes.shape == (0, 12)


def slow_cost(j, k, left_out, xyz, stretch, p):
    d = np.linalg.norm(xyz[j] - xyz[k])
    broken = stretch[j] != stretch[k]
    if not broken and p["max_skip"] and k - j > p["max_skip"] * (left_out + 1):
        return np.inf
    if left_out == 0 and not broken:
        return p["distance_weight"] * abs(d - p["ideal_distance"])
    excess = max(0.0, d - p["reach"] * (left_out + 1) - p["slack"])
    gap = gap_cost(left_out, p["residue_gap_open"], p["residue_gap_extend"])
    return gap + p["distance_weight"] * excess


def slow_gapped(match, xyz, breaks, p):
    n, length = match.shape
    stretch = np.cumsum(breaks)

    @cache
    def ending_at(r, k):
        options = [-p["end_gap"] * r]
        for j in range(k):
            options += [ending_at(q, j) - slow_cost(j, k, r - q - 1, xyz, stretch, p) for q in range(r)]
        return max(options) + match[k, r]

    ends = [ending_at(r, k) - p["end_gap"] * (length - 1 - r) for r in range(length) for k in range(n)]
    return max([-p["end_gap"] * length, *ends])


def score_of_gapped(nodes, match, xyz, breaks, p):
    stretch = np.cumsum(breaks)
    placed = [(r, k) for r, k in enumerate(nodes) if k >= 0]
    ends = len(nodes) if not placed else placed[0][0] + len(nodes) - 1 - placed[-1][0]
    total = sum(match[k, r] for r, k in placed) - p["end_gap"] * ends
    for (q, j), (r, k) in pairwise(placed):
        assert j < k
        total -= slow_cost(j, k, r - q - 1, xyz, stretch, p)
    return total


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 9), st.integers(0, 10), st.integers(0, 3))
def test_thread_gapped_equals_the_slow_twin(seed, residues, n, max_skip):
    rng = np.random.default_rng(seed)
    xyz = 2 * walk(rng, n) if n else np.zeros((0, 3))
    match = rng.normal(0, 3, (n, residues)).astype(np.float32)
    breaks = rng.random(n) < 0.2
    p = {
        "ideal_distance": rng.uniform(0, 4),
        "distance_weight": rng.choice([0.0, 0.3, 1.0]),
        "residue_gap_open": rng.choice([0.0, 0.5, 3.0]),
        "residue_gap_extend": rng.choice([0.0, 0.2, 2.0]),
        "end_gap": rng.choice([0.0, 0.5]),
        "reach": rng.choice([0.4, 1.0, 3.8]),
        "slack": rng.choice([0.0, 1.0]),
        "max_skip": max_skip,
    }
    nodes, score = thread_gapped(match, xyz, breaks, **p)
    exact = match.astype(float)
    assert score == pytest.approx(slow_gapped(exact, xyz, breaks, p), abs=1e-4)
    assert score == pytest.approx(score_of_gapped(nodes.tolist(), exact, xyz, breaks, p), abs=1e-9)


def all_costs(k, left_out, xyz, stretch, p):
    """`slow_cost` of every node before k at once."""
    d = np.linalg.norm(xyz[:k] - xyz[k], axis=1)
    bonded = stretch[:k] == stretch[k]
    excess = np.maximum(0.0, d - p["reach"] * (left_out + 1) - p["slack"])
    cost = gap_cost(left_out, p["residue_gap_open"], p["residue_gap_extend"]) + p["distance_weight"] * excess
    if left_out == 0:
        cost[bonded] = p["distance_weight"] * np.abs(d - p["ideal_distance"])[bonded]
    if p["max_skip"]:
        cost[bonded & (k - np.arange(k) > p["max_skip"] * (left_out + 1))] = np.inf
    return cost


def full_gapped(match, xyz, breaks, p):
    """Best score by every pair of nodes and every number of residues left out."""
    n, length = match.shape
    stretch, ends = np.cumsum(breaks), -p["end_gap"] * np.arange(length)
    best = np.zeros((n, length))
    for k in range(n):
        row = ends.copy()
        for left_out in range(length - 1 if k else 0):
            reached = best[:k, : length - 1 - left_out] - all_costs(k, left_out, xyz, stretch, p)[:, None]
            row[left_out + 1 :] = np.maximum(row[left_out + 1 :], reached.max(axis=0))
        best[k] = row + match[k]
    return max(-p["end_gap"] * length, float((best + ends[::-1]).max(initial=-np.inf)))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 90), st.integers(1, 130), st.sampled_from([0, 1, 3, 9]))
def test_blocks_of_nodes_that_are_not_looked_at_could_not_win(seed, residues, n, max_skip):
    """Long paths, folded up, with every kind of break; nodes near and far, matches that tell much or nothing."""
    rng = np.random.default_rng(seed)
    xyz = walk(rng, n) * rng.choice([0.3, 1.0, 3.8]) / rng.choice([1.0, 2.0], (n, 1))
    breaks = rng.random(n) < rng.choice([0.0, 0.03, 0.3, 1.0])
    match = rng.normal(rng.choice([-1.0, 0.5, 2.0]), rng.choice([0.0, 1.0, 4.0]), (n, residues)).astype(np.float32)
    p = {
        "ideal_distance": rng.choice([0.0, 1.0, 3.7]),
        "distance_weight": rng.choice([0.0, 0.3, 1.0, 5.0]),
        "residue_gap_open": rng.choice([0.0, 1.0, 8.0]),
        "residue_gap_extend": rng.choice([0.0, 0.2, 2.0, 6.0]),
        "end_gap": rng.choice([0.0, 0.5, 2.0]),
        "reach": rng.choice([0.2, 1.0, 3.8]),
        "slack": rng.choice([0.0, 1.0]),
        "max_skip": max_skip,
    }
    nodes, score = thread_gapped(match, xyz, breaks, **p)
    exact = match.astype(float)
    assert score == pytest.approx(full_gapped(exact, xyz, breaks, p), abs=2e-3)
    assert score == pytest.approx(score_of_gapped(nodes.tolist(), exact, xyz, breaks, p), abs=1e-6)


def test_a_gap_spans_what_its_residues_can_span():
    """Two stretches 19 Å apart, whose sequences are 5 residues apart."""
    xyz = np.zeros((8, 3))
    xyz[:, 0] = np.r_[0:4, 8:12] * 3.8
    match = np.full((8, 12), -5.0, np.float32)
    for node, residue in enumerate([*range(4), *range(8, 12)]):
        match[node, residue] = 2.0
    breaks = np.arange(8) == 4
    nodes, score = thread_gapped(match, xyz, breaks, residue_gap_open=2.0, residue_gap_extend=0.5)
    np.testing.assert_array_equal(nodes, [0, 1, 2, 3, -1, -1, -1, -1, 4, 5, 6, 7])
    assert score == pytest.approx(16 - 2 - 3 * 0.5)


def calls():
    rng = np.random.default_rng(5)
    match, xyz = rng.normal(size=(300, 120)).astype(np.float32), walk(rng, 300)
    stack = rng.normal(size=(4, 300, 120)).astype(np.float32)
    return {
        "align": lambda f: align_matrix(f(match), 1.0, 0.5, "semiglobal"),
        "path": lambda f: thread_path(f(match), f(xyz)),
        "paths": lambda f: thread_paths(f(stack), f(xyz)),
        "gapped": lambda f: thread_gapped(f(match), f(xyz), f(xyz[:, 0] > 3)),
    }


@pytest.mark.parametrize("name", calls())
def test_strides_and_threads_change_nothing(name):
    call = calls()[name]
    threads = _core.threads()
    try:
        results = []
        for number in (1, 2):
            _core.set_threads(number)
            results += [call(np.ascontiguousarray), call(np.asfortranarray), call(lambda a: np.repeat(a, 2, 0)[::2])]
    finally:
        _core.set_threads(threads)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("thread", [thread_path, thread_gapped])
def test_what_cannot_be_threaded_is_refused(thread):
    match, xyz = np.zeros((4, 2), np.float32), np.zeros((4, 3))
    with pytest.raises(InputError, match="one row a node"):
        thread(match[:3], xyz)
    with pytest.raises(InputError, match="no residues"):
        thread(match[:, :0], xyz)
    with pytest.raises(InputError, match="point 1"):
        thread(match, np.where(np.arange(4)[:, None] == 1, np.inf, xyz))
    with pytest.raises(InputError, match="row 2, column 0"):
        thread(np.where(np.arange(4)[:, None] == 2, np.nan, match), xyz)
    with pytest.raises(InputError, match="distance_weight"):
        thread(match, xyz, distance_weight=-1.0)
    with pytest.raises(InputError, match="max_skip"):
        thread(match, xyz, max_skip=-1)
    with pytest.raises(InputError, match="3 columns"):
        thread(match, xyz[:, :2])


def test_more_residues_than_nodes():
    with pytest.raises(InputError, match="fewer nodes"):
        thread_path(np.zeros((3, 4), np.float32), np.zeros((3, 3)))
    assert (thread_gapped(np.ones((3, 4), np.float32), np.zeros((3, 3)), ideal_distance=0.0).nodes >= 0).sum() == 3


def test_what_progress_raises_stops_the_work():
    class Stop(Exception):  # noqa: N818
        pass

    def progress(done, total):
        raise Stop

    rng = np.random.default_rng(0)
    match, xyz = rng.normal(size=(3000, 800)).astype(np.float32), walk(rng, 3000)
    with pytest.raises(Stop):
        thread_gapped(match, xyz, np.ones(3000, bool), distance_weight=50.0, progress=progress)
