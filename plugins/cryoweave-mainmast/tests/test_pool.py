"""Pools of threadings, and which sequences can be threaded."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.data import Sequence, SequenceSet
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave_mainmast.pool import Candidate, pooled, the_sequence

SEQUENCES = SequenceSet((Sequence("a", "ACDEFGHIKL"),))


def candidate(score, residue, xyz, origin="here"):
    return Candidate(score, origin, np.array(residue), np.array(xyz, float))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 8))
def test_confidence_is_the_share_of_the_pool_that_agrees(seed, count, keep):
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        residue = np.flatnonzero(rng.random(10) < 0.7)
        found.append(candidate(rng.normal(), residue, rng.normal(0, 2, (len(residue), 3)), str(number)))
    if not any(len(c.residue) for c in found):
        return
    pool = pooled(SEQUENCES, found, keep, Context())
    kept = sorted(found, key=lambda c: -c.score)[:keep]
    assert pool.origin == tuple(c.origin for c in kept)
    assert pool.score.tolist() == [c.score for c in kept]
    for rank, mine in enumerate(kept):
        rows = pool.rows_of(rank)
        np.testing.assert_array_equal(pool.residue[rows], mine.residue)
        np.testing.assert_array_equal(pool.xyz[rows], mine.xyz)
        for residue, xyz, confidence in zip(mine.residue, mine.xyz, pool.confidence[rows], strict=True):
            agree = 0
            for other in kept:
                at = np.flatnonzero(other.residue == residue)
                agree += bool(len(at)) and np.linalg.norm(other.xyz[at[0]] - xyz) <= 3
            assert confidence == pytest.approx(agree / len(kept))


def test_a_residue_that_others_leave_out_has_little_confidence():
    everything = candidate(2.0, range(10), np.zeros((10, 3)))
    gapped = candidate(1.0, [0, 1, 8, 9], np.zeros((4, 3)))
    pool = pooled(SEQUENCES, [gapped, everything], 9, Context())
    np.testing.assert_array_equal(pool.confidence[pool.rows_of(0)], [1, 1] + [0.5] * 6 + [1, 1])
    np.testing.assert_array_equal(pool.confidence[pool.rows_of(1)], 1)


def test_equal_scores_keep_their_order():
    same = [candidate(1.0, [0], np.zeros((1, 3)), name) for name in "abc"]
    assert pooled(SEQUENCES, same, 2, Context()).origin == ("a", "b")


def test_the_findings_are_noted():
    ctx = Context()
    pooled(SEQUENCES, [candidate(1.23456, [0, 3], np.zeros((2, 3)), "tree 7")], 5, ctx)
    assert ctx.facts == {
        "threadings in the pool": 1,
        "best threading": "tree 7",
        "best threading score": 1.235,
        "residues placed": 2,
    }


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ((Sequence("a", "ACDE"), Sequence("b", "ACDE")), "2 chains: a .protein., b .protein."),
        ((Sequence("a", "ACDE", copies=3),), "3 chains"),
        ((Sequence("r", "ACGU", molecule="rna"),), "1 chain: r .rna."),
        ((), "0 chains"),
        ((Sequence("a", "WCDE"),), "4 residues"),
    ],
)
def test_only_one_protein_chain_can_be_threaded(sequences, message):
    with pytest.raises(StageError, match=message) as refused:
        the_sequence(SequenceSet(sequences))
    assert refused.value.hint


def test_five_residues_are_enough():
    assert the_sequence(SequenceSet((Sequence("a", "ACDEF"),))).letters == "ACDEF"
