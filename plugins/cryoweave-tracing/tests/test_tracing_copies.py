"""Fragments of equal chains: whose they are, against all ways, and a ring of four."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Threading
from cryoweave.host import Context
from cryoweave.kernels.evidence import LETTERS
from cryoweave.kernels.fragments import Conflicts
from cryoweave.testing import ideal_model
from cryoweave_tracing.assemble import as_choice
from cryoweave_tracing.choice import Choice
from cryoweave_tracing.copies import STEP, Copies, compact, links
from cryoweave_tracing.pool import first_copies
from cryoweave_tracing.stages import AssembleParams
from cryoweave_tracing.ungapped import first_chains

seeds = st.integers(0, 2**32 - 1)
FOLD = "H" * 16 + "C" * 4 + "H" * 16 + "C" * 4 + "E" * 8


def random_state(seed, n, copies):
    """Fragments in copies, without a conflict in one, and what speaks against each two."""
    rng = np.random.default_rng(seed)
    sequence = rng.integers(0, len(copies), n)
    copy = rng.integers(0, np.array(copies)[sequence])
    pairs = np.array([(a, b) for a in range(n) for b in range(a + 1, n)], np.int32).reshape(-1, 2)
    a, b = pairs.T
    apart = (sequence[a] == sequence[b]) & (copy[a] != copy[b]) & (rng.random(len(pairs)) < 0.4)
    conflicts = Conflicts(pairs[apart], np.zeros(int(apart.sum()), bool), np.ones(int(apart.sum()), bool))
    link = rng.random((n, n))
    link = np.where(sequence[:, None] == sequence[None], link + link.T, 0)
    np.fill_diagonal(link, 0)
    return Choice(np.ones(n), sequence, np.array(copies), conflicts), copy, link


def slow_cost(choice, copy, link):
    """Infinite with a conflict."""
    if any(copy[a] == copy[b] for a, b in choice.conflicts.pairs):
        return np.inf
    n = len(copy)
    same = [
        (a, b) for a in range(n) for b in range(a) if (choice.sequence[a], copy[a]) == (choice.sequence[b], copy[b])
    ]
    return sum(link[a, b] for a, b in same)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(1, 10), st.sampled_from([(2,), (3,), (2, 1), (2, 3)]))
def test_an_exchange_keeps_conflicts_apart_and_gains_what_it_says(seed, n, copies):
    choice, copy, link = random_state(seed, n, copies)
    state = Copies(choice, copy, link)
    rng = np.random.default_rng(seed)
    one = int(rng.choice(np.flatnonzero(choice.sequence == choice.sequence[0])))
    many = copies[choice.sequence[one]]
    here, other = int(copy[one]), int((copy[one] + 1) % many)
    if here == other:
        return
    before = state.cost()
    assert before == pytest.approx(slow_cost(choice, copy, link))
    moved = state.bound_to(np.arange(n) == one, here, other)
    gain = state.gain(moved, here, other)
    state.exchange(moved, here, other)
    assert state.copy[one] == other
    assert state.cost() == pytest.approx(before - gain)
    assert slow_cost(choice, state.copy, link) == pytest.approx(state.cost())


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(1, 7), st.sampled_from([(2,), (3,), (2, 1)]))
def test_the_copies_found_are_the_best_of_all(seed, n, copies):
    choice, copy, link = random_state(seed, n, copies)
    found = compact(choice, copy, link, np.arange(n, dtype=float), Context())
    ways = product(*(range(copies[s]) for s in choice.sequence))
    best = min(slow_cost(choice, np.array(way), link) for way in ways)
    assert slow_cost(choice, found, link) <= best + 0.05 * (1 + best)
    np.testing.assert_array_equal(found, compact(choice, copy, link, np.arange(n, dtype=float), Context()))


def test_a_link_is_the_share_to_which_the_chain_is_pulled_straight():
    two = SequenceSet((Sequence("A", "A" * 9, copies=2), Sequence("B", "C" * 9)))
    xyz = np.zeros((7, 3))
    xyz[2:, 0] = 7.6
    threading = Threading(
        two, np.repeat([0, 1, 2], [2, 3, 2]), [0, 0, 1, 1, 1, 2, 2], [0, 1, 5, 6, 7, 0, 1], xyz, np.ones(7), np.ones(3),
        ("a", "b", "c"),
    )  # fmt: skip
    link, first = links(threading, np.array([0, 0, 1]), np.arange(3))
    expected = np.zeros((3, 3))
    expected[0, 1] = expected[1, 0] = (7.6 / (4 * STEP)) ** 2
    np.testing.assert_allclose(link, expected)
    assert first.tolist() == [0, 5, 0]


def test_entries_of_equal_letters_are_copies():
    sequences = SequenceSet((Sequence("A", "ACDEF"), Sequence("B", "GHIKL"), Sequence("C", "ACDEF", copies=2)))
    assert [(chain, one.name) for chain, one in first_chains(sequences)] == [(0, "A"), (1, "B")]
    assert first_copies(sequences).tolist() == [0, 1, 0, 0]
    pool = Threading(
        sequences, np.repeat(np.arange(4), 5), np.repeat(np.arange(4), 5), np.tile(np.arange(5), 4),
        np.arange(60.0).reshape(20, 3) * 5, np.ones(20), np.ones(4), tuple("abcd"),
    )  # fmt: skip
    choice = as_choice(pool, AssembleParams(), Context())
    assert choice.sequence.tolist() == [0, 1, 0, 0]
    assert choice.copies.tolist() == [3, 1]
    found = run_stage("assemble.fragments", threading=pool)
    assert np.unique(found.chain).tolist() == [0, 1, 2, 3]


def ring(letters):
    """Four copies of a chain about an axis, as near as they may be, ``(4, n, 3)``."""
    one = ideal_model(FOLD, letters=letters).trace_atoms()
    quarter = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for radius in range(10, 40):
        away = one.xyz - one.xyz.mean(axis=0) + [radius, 0, 0]
        if np.linalg.norm(away[:, None] - away @ quarter.T, axis=2).min() > 5:
            break
    return np.array([away @ np.linalg.matrix_power(quarter, k).T for k in range(4)])


SPANS = ((0, 8), (9, 16), (20, 36), (40, 48))


@pytest.mark.parametrize("seed", range(5))
def test_mixed_up_copies_find_each_other(seed):
    rng = np.random.default_rng(seed)
    truth = ring("A" * len(FOLD))
    owner = np.repeat(np.arange(4), len(SPANS))
    counts = [last - first for first, last in SPANS] * 4
    rows = [np.arange(first, last) for first, last in SPANS]
    pool = Threading(
        SequenceSet((Sequence("A", "A" * len(FOLD), copies=4),)), np.repeat(np.arange(16), counts),
        np.zeros(sum(counts)), np.tile(np.concatenate(rows), 4),
        np.concatenate([chain[own] for chain in truth for own in rows]), np.ones(sum(counts)), np.ones(16), ("t",) * 16,
    )  # fmt: skip
    choice = as_choice(pool, AssembleParams(), Context())
    pairs = np.array([(a, b) for a in range(16) for b in range(a + 1, 16) if a % 4 == b % 4], np.int32)
    only_places = Conflicts(pairs, np.zeros(len(pairs), bool), np.ones(len(pairs), bool))
    choice = Choice(choice.score, choice.sequence, choice.copies, only_places)
    mixed = np.array([rng.permutation(4) for _ in SPANS]).T.ravel()
    link = links(pool, choice.sequence, np.arange(16))
    found = compact(choice, mixed, *link, Context(seed=seed))
    assert Copies(choice, found, link[0]).cost() < Copies(choice, mixed, link[0]).cost()
    names = {(int(a), int(b)) for a, b in zip(owner, found, strict=True)}
    assert len(names) == 4, "each chain is one copy"


@pytest.mark.parametrize("entries", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_a_ring_of_four_is_four_whole_chains(entries, seed):
    """Helices side by side with loops that are missing in all: only that a chain is compact tells whose each is."""
    rng = np.random.default_rng(seed)
    letters = "".join(rng.choice(list(LETTERS), len(FOLD)))
    truth = ring(letters)
    sequences = SequenceSet(tuple(Sequence(name, letters, copies=4 // entries) for name in "ABCD"[:entries]))
    spans = [(chain, *span) for chain in range(4) for span in SPANS]
    rng.shuffle(spans)
    counts = [last - first for _, first, last in spans]
    pool = Threading(
        sequences,
        np.repeat(np.arange(len(spans)), counts),
        np.zeros(sum(counts)),
        np.concatenate([np.arange(first, last) for _, first, last in spans]),
        np.concatenate([truth[chain, first:last] + rng.normal(0, 0.3, 3) for chain, first, last in spans]),
        np.ones(sum(counts)),
        np.array(counts) + rng.random(len(counts)),
        tuple(f"trace {i}" for i in range(len(spans))),
    )
    found = run_stage("assemble.fragments", threading=pool)
    owners = []
    for chain in range(4):
        rows = found.chain == chain
        assert rows.sum() == 39
        off = np.linalg.norm(found.xyz[rows] - truth[:, found.residue[rows]], axis=2)
        assert (off < 3).all(axis=1).sum() == 1, "all of a chain lies in one copy"
        owners.append(int((off < 3).all(axis=1).argmax()))
    assert sorted(owners) == [0, 1, 2, 3]
