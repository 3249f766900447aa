"""Pieces without gaps and their conflicts, against all that there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.fragments import fragment_conflicts, ungapped

seeds = st.integers(0, 2**32 - 1)


def slow_pieces(scores, breaks, most, shortest):
    nodes, residues = scores.shape
    taken, found = np.zeros(scores.shape, bool), []
    while len(found) < most:
        best = None
        for i in range(nodes):
            for j in range(residues):
                for length in range(1, min(nodes - i, residues - j) + 1):
                    k = np.arange(length)
                    if taken[i + k, j + k].any() or breaks[i + 1 : i + length].any():
                        break
                    score = float(scores[i + k, j + k].astype(float).sum())
                    if length >= shortest and score > 0 and (best is None or score > best[3] + 1e-9):
                        best = (i, j, length, score)
        if best is None:
            break
        i, j, length, _ = best
        taken[i + np.arange(length), j + np.arange(length)] = True
        found.append(best)
    return found


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 8), st.integers(1, 8), st.integers(1, 4), st.integers(0, 5))
def test_pieces_are_the_best_of_all_one_after_the_other(seed, nodes, residues, shortest, most):
    rng = np.random.default_rng(seed)
    scores, breaks = rng.normal(0, 1, (nodes, residues)).astype(np.float32), rng.random(nodes) < 0.2
    found = ungapped(scores, breaks, most=most, shortest=shortest)
    wanted = slow_pieces(scores, breaks, most, shortest)
    assert [(int(a), int(b), int(c)) for a, b, c in zip(*found[:3], strict=True)] == [w[:3] for w in wanted]
    np.testing.assert_allclose(found.score, [w[3] for w in wanted], rtol=1e-6)


def test_a_planted_piece_is_found_first():
    scores = np.full((60, 40), -1.0, np.float32)
    scores[np.arange(20, 32), np.arange(5, 17)] = 2.0
    found = ungapped(scores, most=3)
    assert (found.node[0], found.residue[0], found.length[0], found.score[0]) == (20, 5, 12, 24.0)
    assert len(found.node) == 1


def slow_conflicts(fragments, reach, same, clash):
    """(sequence, residues, places) of each; all residues are compared."""
    found = []
    for a in range(len(fragments)):
        for b in range(a + 1, len(fragments)):
            (s, r, x), (t, q, y) = fragments[a], fragments[b]
            distance = np.linalg.norm(x[:, None] - y, axis=2)
            forward = np.abs(r[:, None] - q)
            equal = (s == t) & (forward == 0)
            clashes = bool(((distance < clash) & ~equal).any())
            far = distance > np.where(forward == 0, same, reach * forward)
            chain = clashes or (s == t and bool(far.any()))
            if clashes or chain:
                found.append(((a, b), clashes, chain))
    return found


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(2, 6))
def test_conflicts_are_those_of_all_residues(seed, count):
    rng = np.random.default_rng(seed)
    fragments = []
    for _ in range(count):
        residues = np.sort(rng.choice(14, rng.integers(1, 6), replace=False))
        start = rng.uniform(0, 12, 3)
        places = start + 3.8 * np.cumsum(rng.normal(0, 0.6, (len(residues), 3)), axis=0)
        fragments.append((int(rng.integers(0, 2)), residues, places))
    found = fragment_conflicts(
        [f[0] for f in fragments],
        [len(f[1]) for f in fragments],
        np.concatenate([f[1] for f in fragments]),
        np.concatenate([f[2] for f in fragments]),
    )
    # Up to 13 residues forward; beyond ten only ends are compared, so a conflict may be missed, and none invented.
    wanted = {pair: (clash, chain) for pair, clash, chain in slow_conflicts(fragments, 5.0, 3.5, 2.5)}
    ours = {
        tuple(p): (bool(c), bool(d)) for p, c, d in zip(found.pairs.tolist(), found.clash, found.chain, strict=True)
    }
    assert all(wanted.get(pair) == kinds for pair, kinds in ours.items())
    for pair in wanted.keys() - ours.keys():
        (_, r, x), (_, q, y) = (fragments[i] for i in pair)
        near = np.abs(r[:, None] - q) <= 10
        distance = np.linalg.norm(x[:, None] - y, axis=2)
        assert not (near & (distance > np.where(r[:, None] == q, 3.5, 5.0 * np.abs(r[:, None] - q)))).any()


def test_overlapping_fragments_that_agree_are_no_conflict():
    chain = np.arange(12)[:, None] * [3.8, 0, 0]
    residues = np.concatenate([np.arange(0, 8), np.arange(4, 12)])
    places = np.concatenate([chain[:8], chain[4:] + np.array([0.5, 0, 0])])
    assert not len(fragment_conflicts([0, 0], [8, 8], residues, places).pairs)
    shifted = fragment_conflicts([0, 0], [8, 8], residues, np.concatenate([chain[:8], chain[3:11]]))
    assert shifted.clash.tolist() == [True]
    other = fragment_conflicts([0, 1], [8, 8], residues, np.concatenate([chain[:8], chain[4:] + np.array([0, 50, 0])]))
    assert not len(other.pairs)


def test_results_do_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(1)
    before, found = _core.threads(), []
    sequence, residue = rng.integers(0, 2, 200), np.tile(np.arange(6), 200)
    places, scores = rng.uniform(0, 60, (1200, 3)), rng.normal(0, 1, (80, 90))
    for threads in (1, 2):
        _core.set_threads(threads)
        conflicts, pieces = fragment_conflicts(sequence, [6] * 200, residue, places), ungapped(scores, most=50)
        found.append([array.tobytes() for array in (*conflicts, *pieces)])
    _core.set_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: ungapped([[np.nan]]), "finite"),
        (lambda: ungapped([1.0]), "2 axes"),
        (lambda: ungapped([[1.0]], [False, False]), "length"),
        (lambda: ungapped([[1.0]], shortest=0), "shortest"),
        (lambda: fragment_conflicts([0], [2], [1, 1], np.zeros((2, 3))), "ascend"),
        (lambda: fragment_conflicts([0], [2], [-1, 1], np.zeros((2, 3))), "negative"),
        (lambda: fragment_conflicts([0], [1], [0, 1], np.zeros((2, 3))), "cover"),
        (lambda: fragment_conflicts([0, 0], [2, 0], [0, 1], np.zeros((2, 3))), "no residue"),
        (lambda: fragment_conflicts([0], [3, -1], [0, 1], np.zeros((2, 3))), "length"),
        (lambda: fragment_conflicts([0], [1], [0], [[np.inf, 0, 0]]), "finite"),
        (lambda: fragment_conflicts([0], [1], [0], np.zeros((1, 3)), clash=0), "clash"),
    ],
)
def test_what_are_no_fragments_is_refused(call, says):
    with pytest.raises(InputError, match=says):
        call()


def test_nothing_has_no_pieces_and_no_conflicts():
    assert len(ungapped(np.zeros((0, 5))).node) == 0
    assert len(ungapped(np.zeros((5, 0))).node) == 0
    assert len(fragment_conflicts([], [], [], np.zeros((0, 3))).pairs) == 0
