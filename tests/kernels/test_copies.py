"""Copies of a chain that complete each other, against loops, and what must not be taken."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.kernels.copies import ALIKE, AROUND, CLASH, completed
from cryoweave.kernels.metrics import superpose
from cryoweave.testing import ideal_model

CHAIN = ideal_model("H" * 20 + "C" * 4 + "E" * 10 + "C" * 4 + "H" * 22).trace_atoms().xyz
QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
NONE = np.zeros((0, 3))


def ring(error=0.0, seed=0):
    """Four copies around z, each Cα so many Å off."""
    rng = np.random.default_rng(seed)
    one = CHAIN - CHAIN.mean(axis=0) + [60.0, 0, 0]
    whole = np.stack([one @ np.linalg.matrix_power(QUARTER, k).T for k in range(4)])
    return whole + rng.normal(scale=error / np.sqrt(3), size=whole.shape)


def without(xyz, copy, first, last):
    found = xyz.copy()
    found[copy, first:last] = np.nan
    return found


def slow(xyz, others):
    """Residue by residue, by lists."""
    found, source = xyz.copy(), np.full(xyz.shape[:2], -1)
    copies, length = source.shape
    has = [[not np.isnan(xyz[c, r, 0]) for r in range(length)] for c in range(copies)]
    for c in range(copies):
        r = 0
        while r < length:
            if has[c][r]:
                r += 1
                continue
            end = r
            while end < length and not has[c][end]:
                end += 1
            best = None
            for d in range(copies):
                takes = [k for k in range(r, end) if has[d][k]]
                before = [k for k in range(r) if has[c][k] and has[d][k]][-AROUND:]
                behind = [k for k in range(end, length) if has[c][k] and has[d][k]][:AROUND]
                if d == c or not takes or len(before) < AROUND or len(behind) < AROUND:
                    continue
                pose = superpose(xyz[d][before + behind], xyz[c][before + behind])
                if pose.rmsd <= ALIKE and (best is None or (-len(takes), pose.rmsd) < best[:2]):
                    best = -len(takes), pose.rmsd, d, takes, pose
            if best is not None:
                _, _, d, takes, pose = best
                held = [*found[~np.isnan(found[..., 0])], *others]
                for k in takes:
                    at = pose.rotation @ xyz[d, k] + pose.translation
                    if min(np.linalg.norm(at - other) for other in held) >= CLASH:
                        found[c, k], source[c, k] = at, d
            r = end
    return found, source


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_it_is_what_loops_do(seed):
    rng = np.random.default_rng(seed)
    xyz = ring(error=rng.choice([0.3, 1.0, 2.0]), seed=seed)
    for _ in range(6):
        first = int(rng.integers(0, 60))
        xyz = without(xyz, int(rng.integers(4)), first, first + int(rng.integers(1, 8)))
    others = xyz[0, rng.integers(0, 60, 5)] + 1.0
    others = others[~np.isnan(others[:, 0])]
    found = completed(xyz, others)
    by_hand, source = slow(xyz, others)
    np.testing.assert_array_equal(found.source, source)
    np.testing.assert_allclose(found.xyz, by_hand, atol=1e-9)
    there = ~np.isnan(xyz[..., 0])
    np.testing.assert_array_equal(found.xyz[there], xyz[there])


def test_a_gap_is_filled_where_it_was():
    whole = ring()
    found = completed(without(whole, 2, 20, 34), NONE)
    np.testing.assert_allclose(found.xyz, whole, atol=1e-9)
    rows = np.argwhere(found.source >= 0)
    assert rows.tolist() == [[2, k] for k in range(20, 34)]
    assert {*found.source[2, 20:34]} <= {0, 1, 3}


def test_the_copy_with_most_of_it_counts():
    found = completed(without(without(without(ring(), 0, 20, 34), 1, 22, 30), 2, 20, 27), NONE)
    assert {*found.source[0, 20:34]} == {3}
    found = completed(without(ring(0.5), 0, 20, 34)[:2], NONE)
    assert {*found.source[0, 20:34]} == {1}


def test_ends_stay_open_and_what_is_missing_in_all():
    xyz = without(without(ring(), 0, 0, 6), 0, 55, 60)
    xyz[:, 30:33] = np.nan
    assert (completed(xyz, NONE).source == -1).all()
    assert (completed(without(ring(), 0, AROUND - 1, 20), NONE).source == -1).all(), "too few residues before it"


def test_a_copy_that_is_bent_there_is_not_taken():
    xyz = without(ring(), 0, 20, 34)[:2]
    assert (completed(xyz, NONE).source[0, 20:34] == 1).all()
    bent = xyz.copy()
    bent[1, 34:] += [0, 0, 9.0]
    assert (completed(bent, NONE).source == -1).all()


def test_what_would_clash_is_left_out():
    whole = ring()
    others = whole[0, [25]] + [CLASH - 0.1, 0, 0]
    found = completed(without(whole, 0, 20, 34), others)
    clash = np.linalg.norm(whole[0] - others, axis=1) < CLASH
    assert clash[25]
    assert (found.source[0, 20:34] < 0).tolist() == clash[20:34].tolist()
