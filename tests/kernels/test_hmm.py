"""Hidden Markov models of sequences through points, against all paths of small ones."""

from functools import partial
from itertools import pairwise, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.hmm import Breaks, Costs, Geometry, Transitions, posterior, trace_sequence, visits, viterbi

seeds = st.integers(0, 2**32 - 1)
NOTHING = -np.inf


def random_transitions(rng, states, share=0.5, rest=True):
    pairs = [(a, b) for a, b in permutations(range(states), 2) if rng.random() < share]
    far = rng.normal(-3, 1, states) if rest else np.full(states, NOTHING)
    return Transitions(
        np.array(pairs, np.int32).reshape(-1, 2),
        rng.normal(0, 1, len(pairs)).astype(np.float32),
        far.astype(np.float32),
    )


def dense(transitions, states, own=NOTHING):
    table = np.repeat(transitions.rest[:, None].astype(float), states, axis=1)
    np.fill_diagonal(table, own)
    for (a, b), value in zip(transitions.pairs, transitions.values, strict=True):
        table[a, b] = value
    return table


def log_probability(path, emission, sequence, initial, table):
    steps = sum(table[a, b] for a, b in pairwise(path))
    return initial[path[0]] + steps + sum(emission[kind, s] for kind, s in zip(sequence, path, strict=True))


def slow_once(emission, sequence, initial, table):
    """The published rule: each state's best path is carried along, and no state on it is gone to."""
    states = emission.shape[1]
    best = {s: (initial[s] + emission[sequence[0], s], [s]) for s in range(states)}
    for kind in sequence[1:]:
        onward = {}
        for to in range(states):
            ways = [(v + table[s, to], s) for s, (v, path) in best.items() if to not in path]
            ways = [way for way in ways if way[0] > NOTHING]
            if ways and emission[kind, to] > NOTHING:
                value, s = max(ways)
                onward[to] = (value + emission[kind, to], [*best[s][1], to])
        if not onward:
            break
        best = onward
    return max(best.values())


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(2, 6), st.integers(1, 5), st.booleans())
def test_viterbi_finds_the_best_of_all_paths(seed, states, length, rest):
    rng = np.random.default_rng(seed)
    emission = rng.normal(0, 1, (3, states)).astype(np.float32)
    sequence, initial = rng.integers(0, 3, length), rng.normal(0, 1, states).astype(np.float32)
    transitions = random_transitions(rng, states, rest=rest)
    table = dense(transitions, states)
    found = viterbi(emission, sequence, initial, transitions, once=False)
    scores = [log_probability(p, emission, sequence, initial, table) for p in product(range(states), repeat=length)]
    if len(found.states) == length:
        assert found.log_probability == pytest.approx(max(scores), abs=1e-5)
        own = log_probability(found.states.tolist(), emission, sequence, initial, table)
        assert own == pytest.approx(max(scores), abs=1e-5)
    else:
        assert max(scores) == NOTHING


@settings(max_examples=80, deadline=None)
@given(seeds, st.integers(2, 7), st.integers(1, 8))
def test_viterbi_without_a_state_twice_follows_the_published_rule(seed, states, length):
    rng = np.random.default_rng(seed)
    emission = rng.normal(0, 1, (4, states)).astype(np.float32)
    emission[rng.random(emission.shape) < 0.1] = NOTHING
    sequence, initial = rng.integers(0, 4, length), rng.normal(0, 1, states).astype(np.float32)
    transitions = random_transitions(rng, states)
    found = viterbi(emission, sequence, initial, transitions)
    value, path = slow_once(emission.astype(float), sequence, initial, dense(transitions, states))
    if value == NOTHING:
        assert len(found.states) == 0
        return
    assert found.log_probability == pytest.approx(value, abs=1e-5)
    assert found.states.tolist() == path
    assert len(set(path)) == len(path)


def test_a_path_ends_where_no_state_is_left():
    transitions = Transitions.only(2, [(0, 1)], [0.0])
    found = viterbi(np.zeros((1, 2)), [0, 0, 0], [0.0, NOTHING], transitions)
    assert found.states.tolist() == [0, 1]


def slow_posterior(emission, sequence, layers, breaks, allowed=lambda path: True):
    """Weights of all ways to place or leave out each residue, summed; -1 is a residue left out."""
    length, states = len(sequence), emission.shape[1]
    found, total = np.zeros((length, states)), 0.0
    for path in product(range(-1, states), repeat=length):
        placed = [i for i in range(length) if path[i] >= 0]
        if not placed or not allowed(path):
            continue
        weight = np.exp(sum(emission[sequence[i], path[i]] for i in placed))
        for out in (placed[0], length - 1 - placed[-1]):
            weight *= np.exp(-breaks.end * out) if out else 1.0
        for i, j in pairwise(placed):
            way = np.exp(-breaks.open - breaks.extend * (j - i - 1))
            if j - i <= len(layers):
                way += np.exp(layers[j - i - 1][path[i], path[j]])
            weight *= way
        total += weight
        for i in placed:
            found[i, path[i]] += weight
    return found / total if total else found


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 4), st.integers(1, 4), st.integers(1, 3), st.booleans())
def test_the_posterior_is_the_share_of_all_paths(seed, states, length, advance, rest):
    rng = np.random.default_rng(seed)
    emission = rng.normal(0, 1, (3, states)).astype(np.float32)
    sequence = rng.integers(0, 3, length)
    layers = [random_transitions(rng, states, rest=rest) for _ in range(advance)]
    breaks = Breaks(*rng.uniform(0, 3, 3))
    shares = posterior(emission, sequence, layers, breaks)
    wanted = slow_posterior(emission.astype(float), sequence, [dense(one, states) for one in layers], breaks)
    np.testing.assert_allclose(shares, wanted, atol=2e-5)


def test_without_breaks_every_residue_is_placed():
    rng = np.random.default_rng(3)
    layers = [random_transitions(rng, 5)]
    never = Breaks(np.inf, np.inf, np.inf)
    shares = posterior(rng.normal(0, 1, (2, 5)), [0, 1, 1, 0, 1, 0], layers, never)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    nothing = Transitions.only(5, np.zeros((0, 2)), [])
    assert not posterior(np.zeros((1, 5)), [0, 0], [nothing], never).any()


def test_no_rounds_of_messages_is_the_posterior():
    rng = np.random.default_rng(4)
    emission, layers, breaks = rng.normal(0, 1, (2, 6)), [random_transitions(rng, 6)], Breaks(1, 3, 0.5)
    (belief,) = visits(emission, [([0, 1, 0], 1)], layers, breaks, rounds=0)
    np.testing.assert_array_equal(belief.shares, posterior(emission, [0, 1, 0], layers, breaks))
    assert not belief.messages.any()


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_messages_tell_of_states_that_hold_one_residue(seed):
    """Residues without bonds are a matching, for which the marginals of all matchings are known by counting them."""
    rng = np.random.default_rng(seed)
    states, length = 4, 3
    emission = rng.normal(0, 1, (length, states)).astype(np.float32)
    layers = [Transitions.only(states, np.zeros((0, 2)), [])]
    free = Breaks(0.0, 0.0, 0.0)
    (belief,) = visits(emission, [(range(length), 1)], layers, free, rounds=60)

    def once(path):
        placed = [s for s in path if s >= 0]
        return len(set(placed)) == len(placed)

    exact = slow_posterior(emission.astype(float), range(length), [np.full((4, 4), NOTHING)], free, once)
    without = posterior(emission, range(length), layers, free)
    assert np.abs(belief.shares - exact).max() < 0.1
    assert np.abs(belief.shares - exact).mean() < np.abs(without - exact).mean()
    assert belief.shares.sum(axis=0).max() < 1.01


def test_copies_share_the_states_between_them():
    emission = np.array([[0.0, 0.0, -9.0], [-9.0, -9.0, 0.0]])
    layers = [Transitions.only(3, np.zeros((0, 2)), [])]
    breaks = Breaks(3.0, 0.0, 3.0)
    (two,) = visits(emission, [([0, 1], 2)], layers, breaks)
    np.testing.assert_allclose(two.shares[0, :2], 0.5, atol=0.05)
    np.testing.assert_allclose(two.messages[0, :2], 0, atol=0.2)
    again = visits(emission, [([0, 1], 2)], layers, breaks, rounds=0, messages=[two.messages])
    np.testing.assert_allclose(again[0].shares, two.shares, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(seeds, st.booleans())
def test_residues_are_looked_for_on_the_states_with_the_best_odds(seed, rest):
    """With a kind for each residue the last messages can be told to `posterior` as part of the emission."""
    rng = np.random.default_rng(seed)
    length, states, keep = 5, 12, 3
    emission = rng.normal(0, 2, (length, states)).astype(np.float32)
    layers, breaks = [random_transitions(rng, states, rest=rest) for _ in range(2)], Breaks(1, 3, 0.5)
    run = partial(visits, emission, [(range(length), 1)], layers, breaks)
    (few,) = run(rounds=3, keep=keep)
    looked = np.isfinite(few.messages)
    np.testing.assert_array_equal(looked.sum(axis=1), keep)
    assert not few.shares[~looked].any()
    np.testing.assert_allclose(few.shares, posterior(emission + few.messages, range(length), layers, breaks), atol=1e-6)
    (one,) = run(rounds=1, keep=6)
    (all_,) = run(rounds=0)
    for row, own in zip(np.isfinite(one.messages), all_.shares, strict=True):
        assert own[row].min() >= own[~row].max()
    (two,) = visits(emission, [(range(length), 2)], layers, breaks, rounds=3, keep=keep)
    np.testing.assert_array_equal(np.isfinite(two.messages).sum(axis=1), 2 * keep)
    (again,) = run(rounds=2, messages=[few.messages])
    np.testing.assert_array_equal(np.isfinite(again.messages), looked)
    (whole,) = run(rounds=3)
    np.testing.assert_array_equal(run(rounds=3, keep=states)[0].shares, whole.shares)


# The beam.

STEP = 0.5


def random_shape(rng, layers):
    spans = rng.normal(0, 1, (layers, 20)).astype(np.float32)
    return Geometry(STEP, spans, rng.normal(0, 1, 30).astype(np.float32), rng.normal(0, 1, 12).astype(np.float32))


def at(table, distance):
    place = distance / STEP
    return np.interp(place, range(len(table)), table) if place <= len(table) - 1 else NOTHING


def dihedral(a, b, c, d):
    first, axis, last = b - a, c - b, d - c
    one, other = np.cross(first, axis), np.cross(axis, last)
    return np.arctan2(np.cross(one, other) @ axis / np.linalg.norm(axis), one @ other)


def around(table, angle):
    place = (angle / (2 * np.pi) + 0.5) * len(table)
    low, part = int(place), place - int(place)
    return table[low % len(table)] * (1 - part) + table[(low + 1) % len(table)] * part


def score_of(path, emission, sequence, xyz, shape, costs, bonds):
    """Of one way; each step is the better of a span and a gap, so the best over both for every step."""
    placed = [i for i in range(len(path)) if path[i] >= 0]
    if not placed:
        return 0.0
    total = -costs.end * (placed[0] + len(path) - 1 - placed[-1])
    total += sum(emission[sequence[i], path[i]] for i in placed)
    ways = [(total, 0)]  # with the bonds in a row that lead here
    for k, (i, j) in enumerate(pairwise(placed)):
        a, b = path[i], path[j]
        far = np.linalg.norm(xyz[a] - xyz[b])
        excess = max(0.0, far - costs.reach * (j - i))
        gap = -costs.gap_open - costs.gap_extend * (j - i - 1) - min(costs.excess[0] * excess, costs.excess[1])
        onward = [(value + gap, 0) for value, _ in ways]
        if j - i <= len(shape.spans):
            for value, row in ways:
                more = at(shape.spans[j - i - 1], far)
                if j - i > 1:
                    onward.append((value + more, 0))
                    continue
                more += bonds[a, b]
                if row >= 1:
                    more += at(shape.bend, np.linalg.norm(xyz[path[placed[k - 1]]] - xyz[b]))
                if row >= 2:
                    four = [xyz[path[placed[m]]] for m in (k - 2, k - 1, k)]
                    more += around(shape.twist, dihedral(*four, xyz[b]))
                onward.append((value + more, row + 1))
        ways = onward
    return max(value for value, _ in ways)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 4), st.integers(1, 3))
def test_the_beam_finds_the_best_of_all_ways_of_few(seed, length, layers):
    rng = np.random.default_rng(seed)
    states = 4
    xyz = rng.uniform(0, 5, (states, 3))
    emission = rng.normal(0.5, 1.5, (3, states)).astype(np.float32)
    sequence = rng.integers(0, 3, length)
    shape, costs = random_shape(rng, layers), Costs(0.5, 2.0, 0.5, 2.0, (0.7, 1.5), per_point=100, waiting=100)
    bonds = random_transitions(rng, states)
    found = trace_sequence(emission, sequence, xyz, shape, costs=costs, bonds=bonds)
    table = dense(bonds, states)
    rules = (emission.astype(float), sequence, xyz, shape, costs, table)
    ways = list(product(range(-1, states), repeat=length))
    ways = [p for p in ways if len({s for s in p if s >= 0}) == sum(s >= 0 for s in p)]
    best = max(score_of(p, *rules) for p in ways)
    assert found.score == pytest.approx(score_of(found.nodes.tolist(), *rules), abs=1e-4)
    assert found.score <= best + 1e-4
    if length <= 2:  # longer ones may lose the best where one waits behind a gap for each point
        assert found.score == pytest.approx(best, abs=1e-4)


def helix(n):
    turn = np.radians(100) * np.arange(n)
    return np.stack([2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.5 * np.arange(n)], axis=1)


def bonded_only():
    spans = np.full((1, 20), NOTHING, np.float32)
    spans[0, 7:9] = 1.0
    return Geometry(STEP, spans, np.zeros(40, np.float32), np.zeros(36, np.float32))


def test_the_beam_follows_a_helix_and_passes_over_false_points():
    rng = np.random.default_rng(0)
    chain = helix(40)
    xyz = np.concatenate([chain, rng.uniform(-8, 60, (60, 3))])
    order = rng.permutation(len(xyz))
    emission = np.where(np.arange(len(xyz)) == np.arange(40)[:, None], 1.0, -1.0)[:, order]
    found = trace_sequence(emission, range(40), xyz[order], bonded_only())
    assert order[found.nodes].tolist() == list(range(40))


def test_steering_is_not_in_the_score():
    xyz = np.array([[0.0, 0, 0], [3.8, 0, 0], [0, 3.8, 0]])
    emission = np.ones((1, 3))
    more = np.array([[5.0, 0, 0], [0, 0, 5.0]])
    found = trace_sequence(emission, [0, 0], xyz, bonded_only(), more=more)
    assert found.nodes.tolist() == [0, 2]
    assert found.score == pytest.approx(2 + float(at(bonded_only().spans[0], 3.8)))


def test_what_gains_nothing_is_left_out():
    found = trace_sequence(np.full((1, 3), -1.0), [0, 0], np.eye(3), bonded_only())
    assert found.nodes.tolist() == [-1, -1]
    assert found.score == 0


def test_a_point_beside_a_visited_one_is_taken():
    xyz = np.array([[0.0, 0, 0], [0.5, 0, 0], [4.0, 0, 0]])
    emission = np.array([[2.0, -9, -9], [-9, -9, 2.0], [-9, 2.0, -9]])
    apart = trace_sequence(emission, [0, 1, 2], xyz, bonded_only(), costs=Costs(apart=1.0))
    near = trace_sequence(emission, [0, 1, 2], xyz, bonded_only())
    assert near.nodes.tolist() == [0, 2, 1]
    assert apart.nodes.tolist() == [0, 2, -1]


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(5)
    xyz, emission = rng.uniform(0, 25, (300, 3)), rng.normal(0, 1, (20, 300)).astype(np.float32)
    sequence, shape = rng.integers(0, 20, 50), random_shape(rng, 3)
    transitions = random_transitions(rng, 300, share=0.02)
    before, found = _core.threads(), []
    for threads in (1, 2):
        _core.set_threads(threads)
        traced = trace_sequence(emission, sequence, xyz, shape)
        path = viterbi(emission, sequence, np.zeros(300), transitions)
        (belief,) = visits(emission, [(sequence, 2)], [transitions], Breaks(1, 3, 1), rounds=3)
        found.append((traced.nodes.tolist(), traced.score, path.states.tolist(), belief.shares.tobytes()))
    _core.set_threads(before)
    assert found[0] == found[1]


GOOD = Transitions.only(3, [(0, 1)], [0.0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"emission": np.full((2, 3), np.nan)}, "finite"),
        ({"emission": np.full((2, 3), np.inf)}, "finite"),
        ({"emission": np.zeros((2, 0)), "initial": [], "transitions": Transitions.none(0)}, "no states"),
        ({"emission": np.zeros(3)}, "2 axes"),
        ({"sequence": []}, "no residues"),
        ({"sequence": [0, 2]}, "no emission"),
        ({"sequence": [0, -1]}, "no emission"),
        ({"initial": [0.0, np.nan, 0]}, "logarithm"),
        ({"initial": [0.0]}, "differ"),
        ({"transitions": Transitions.only(3, [(0, 3)], [0.0])}, "does not exist"),
        ({"transitions": Transitions.only(3, [(1, 1)], [0.0])}, "itself"),
        ({"transitions": Transitions.only(3, [(0, 1), (0, 1)], [0.0, 1.0])}, "twice"),
        ({"transitions": Transitions.only(3, [(0, 1)], [np.nan])}, "logarithm"),
        ({"transitions": Transitions.only(3, [(0, 1)], [0.0, 1.0])}, "length"),
        ({"transitions": Transitions.none(4)}, "differ"),
    ],
)
def test_what_makes_no_model_is_refused(change, says):
    given_ = {"emission": np.zeros((2, 3)), "sequence": [0, 1], "initial": np.zeros(3), "transitions": GOOD} | change
    with pytest.raises(InputError, match=says):
        viterbi(**given_)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers": []}, "no transitions"),
        ({"breaks": Breaks(-1, 0, 0)}, "end"),
        ({"breaks": Breaks(0, np.nan, 0)}, "open"),
        ({"pace": 0}, "pace"),
        ({"keep": 0}, "keep"),
        ({"sequences": []}, "no sequences"),
        ({"messages": []}, "0 tables"),
        ({"messages": [np.zeros((3, 3))]}, "differ"),
    ],
)
def test_what_cannot_be_believed_is_refused(change, says):
    usual = {"emission": np.zeros((1, 3)), "sequences": [([0, 0], 1)], "layers": [GOOD], "breaks": Breaks(1, 1, 1)}
    with pytest.raises(InputError, match=says):
        visits(**(usual | change))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"xyz": np.full((3, 3), np.nan)}, "finite"),
        ({"xyz": np.zeros((2, 3))}, "differ"),
        ({"geometry": Geometry(0.0, np.zeros((1, 2)), np.zeros(2), np.zeros(2))}, "step"),
        ({"geometry": Geometry(0.5, np.zeros((1, 2)), np.zeros(0), np.zeros(2))}, "empty"),
        ({"costs": Costs(end=-1)}, "end"),
        ({"costs": Costs(width=0)}, "width"),
        ({"more": np.zeros((2, 2))}, "differ"),
        ({"bonds": Transitions.none(2)}, "differ"),
    ],
)
def test_what_the_beam_cannot_follow_is_refused(change, says):
    usual = {"emission": np.zeros((1, 3)), "sequence": [0, 0], "xyz": np.eye(3), "geometry": bonded_only()}
    with pytest.raises(InputError, match=says):
        trace_sequence(**(usual | change))
