"""Pieces of sequences on traces, and the best set of them, against all sets."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data import PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.kernels.evidence import shuffled
from cryoweave.kernels.fragments import Conflicts
from cryoweave.testing import StageContract, ideal_model, sequences_of
from cryoweave_tracing.assemble import as_choice, chosen_fragments
from cryoweave_tracing.choice import Choice
from cryoweave_tracing.packing import best_packing, greedy
from cryoweave_tracing.stages import AssembleParams, UngappedParams
from cryoweave_tracing.ungapped import (
    Fragment,
    alternatives,
    alternatives_of_rounds,
    distinct,
    doubt_of,
    register_share,
)

seeds = st.integers(0, 2**32 - 1)
rng = np.random.default_rng(8)
FOLD = "H" * 20 + "C" * 5 + "E" * 10 + "C" * 4 + "H" * 15
MODEL = ideal_model(FOLD, letters="".join(rng.choice(list(AMINO_ACIDS.values()), len(FOLD))))
CALPHA = MODEL.trace_atoms().xyz
POINTS: PointCloud = run_stage(
    "model.points", model=MODEL, params={"error": 0.1, "missing": 0.0, "false": 0.0, "accuracy": 0.8}
)
SEQUENCES = sequences_of(MODEL)
OFF, FAR = np.array([0.4, 0, 0]), np.array([0, 40.0, 0])


def traces_of(*paths):
    return Traces(
        xyz=np.concatenate(paths),
        weight=np.ones(sum(map(len, paths))),
        fragment=np.repeat(np.arange(len(paths)), [len(one) for one in paths]),
        candidate=np.zeros(len(paths)),
        score=np.zeros(len(paths)),
    )


def threaded(*paths, sequences=SEQUENCES, **params):
    return run_stage("thread.ungapped", points=POINTS, traces=traces_of(*paths), sequences=sequences, params=params)


@pytest.mark.parametrize("back", [False, True])
def test_a_trace_finds_its_residues_in_either_direction(back):
    path = CALPHA[10:40]
    found = threaded(path[::-1] if back else path)
    rows = found.rows_of(0)
    assert found.residue[rows].tolist() == list(range(10, 40))
    np.testing.assert_array_equal(found.xyz[rows], path)
    assert found.origin[0] == f"trace 0, {'backward' if back else 'forward'}"
    assert found.confidence[rows][0] > 0.99
    assert (np.diff(found.score) <= 0).all()


def test_a_piece_ends_where_the_trace_leaps():
    path = np.concatenate([CALPHA[:15], CALPHA[30:45]])
    for number in range(len(found := threaded(path))):
        rows = found.rows_of(number)
        assert np.linalg.norm(np.diff(found.xyz[rows], axis=0), axis=1).max() <= 7


def test_pieces_inside_of_better_ones_are_left_out():
    def piece(first, points, score):
        return Fragment(0, first, np.array(points), score, 1.0, "given")

    xyz = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0], [2, 0, 0]])
    whole, part, other, alike = piece(5, [0, 1, 2, 3], 4), piece(6, [1, 2], 1), piece(5, [1, 2], 1), piece(6, [1, 4], 1)
    assert distinct([part, whole, other, alike], xyz) == [whole, other]


def test_one_threading_holds_the_fragments_of_fewer_rounds():
    traces = traces_of(CALPHA[:25] + OFF, CALPHA[20:50][::-1], CALPHA[5:45])
    rounds = (3, 1, 12)
    together = alternatives_of_rounds(POINTS, traces, SEQUENCES, UngappedParams(), rounds, _context())
    assert [*together] == [*rounds]
    assert len({len(one) for one in together.values()}) == len(rounds)
    for many, found in together.items():
        alone = alternatives(POINTS, traces, SEQUENCES, UngappedParams(rounds=many), _context())
        assert found.origin == alone.origin
        for name in ("candidate", "chain", "residue", "xyz", "confidence", "score"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))


def test_the_share_of_a_register_is_its_part_of_all():
    odds = np.array([[1.0, 0, 0, 2], [0, 3, 0, 0]])
    sums = [1 + 3, 0, 0]
    assert register_share(odds, 0) == pytest.approx(np.exp(4) / np.exp(sums).sum())


def test_points_without_amino_acids_and_sequences_without_proteins_are_refused():
    plain = PointCloud(CALPHA, np.ones(len(CALPHA)))
    with pytest.raises(StageError, match="nothing of amino acids"):
        run_stage("thread.ungapped", points=plain, traces=traces_of(CALPHA), sequences=SEQUENCES)
    rna = SequenceSet((Sequence("r", "ACGU", molecule="rna"),))
    with pytest.raises(StageError, match="no sequence is a protein"):
        threaded(CALPHA, sequences=rna)
    with pytest.raises(StageError, match="no 60 residues fit"):
        threaded(CALPHA, shortest=60)


def test_a_sequence_that_is_not_in_the_map_is_doubted(caplog):
    with caplog.at_level("WARNING"):
        right = threaded(CALPHA)
    assert not caplog.records
    assert right.confidence.max() > 0.99
    warned = 0
    for seed in range(5):
        other = shuffled(SEQUENCES.sequences[0].letters, np.random.default_rng(seed))
        caplog.clear()
        both = SequenceSet((*SEQUENCES.sequences, Sequence("other", other)))
        with caplog.at_level("WARNING"):
            found = threaded(CALPHA, sequences=both)
        names = [one.message.partition(":")[0] for one in caplog.records]
        assert names in ([], ["other"])
        warned += len(names)
        before = alternatives(POINTS, traces_of(CALPHA), both, UngappedParams(), _context())
        np.testing.assert_array_equal(found.chain, before.chain)
        share = found.confidence[found.chain == 1] / before.confidence[found.chain == 1]
        assert np.ptp(share) < 1e-5
        assert (share[0] < 0.951) == bool(names)
        np.testing.assert_allclose(found.confidence[found.chain == 0], before.confidence[found.chain == 0], rtol=1e-3)
    assert warned >= 4, "one in twenty is as good by chance"


def test_all_copies_are_doubted_alike():
    letters = SEQUENCES.sequences[0].letters
    three = SequenceSet((Sequence("A", letters), Sequence("B", "A" * 40), Sequence("C", letters)))
    found = doubt_of(POINTS, traces_of(CALPHA), three, UngappedParams(), _context())
    assert sorted(found) == [0, 1, 2]
    assert found[0] == found[2] < 1e-3


# Assembly.


def random_choice(seed, n, copies):
    rng = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(n) for b in range(a + 1, n) if rng.random() < 0.5], np.int32).reshape(-1, 2)
    clash = rng.random(len(pairs)) < 0.4
    sequence = rng.integers(0, len(copies), n)
    same = sequence[pairs[:, 0]] == sequence[pairs[:, 1]] if len(pairs) else np.zeros(0, bool)
    kept = clash | same
    conflicts = Conflicts(pairs[kept], clash[kept], np.ones(int(kept.sum()), bool))
    return Choice(rng.uniform(0.5, 5, n), sequence, np.array(copies), conflicts)


def fits(choice, copy):
    for (a, b), clash in zip(choice.conflicts.pairs, choice.conflicts.clash, strict=True):
        if copy[a] >= 0 and copy[b] >= 0 and (clash or copy[a] == copy[b]):
            return False
    return True


def slow_best(choice):
    ways = product(*(range(-1, int(choice.copies[s])) for s in choice.sequence))
    return max(choice.score[np.array(copy) >= 0].sum() for copy in ways if fits(choice, copy))


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 7), st.sampled_from([(1,), (2,), (1, 2), (3, 1)]))
def test_the_best_set_of_all_is_found_and_proven(seed, n, copies):
    choice = random_choice(seed, n, copies)
    found = best_packing(choice, np.full(n, -1), 10.0, 0, lambda *_: None)
    copy = np.full(n, -1)
    copy[found.chosen] = found.copy
    assert fits(choice, copy)
    best = slow_best(choice)
    assert choice.score[found.chosen].sum() == pytest.approx(best, rel=1e-4)
    assert found.bound == pytest.approx(best, rel=1e-4)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 12), st.sampled_from([(1,), (2, 1)]))
def test_greedy_sets_go_together(seed, n, copies):
    choice = random_choice(seed, n, copies)
    assert fits(choice, greedy(choice, np.full(n, -1)))


def test_more_fragments_than_the_solver_gets_are_gone_through():
    choice = random_choice(3, 40, (2,))
    whole, copy, bound = chosen_fragments(choice, AssembleParams(), _context())
    parts, other, loose = chosen_fragments(choice, AssembleParams(stock=12), _context())
    state = np.full(40, -1)
    state[parts] = other
    assert fits(choice, state)
    assert choice.score[parts].sum() > 0.8 * choice.score[whole].sum()
    assert bound <= loose
    assert len(copy) == len(whole)


def _context():
    from cryoweave.host import Context

    return Context()


def fragments(*rows, sequences=SEQUENCES, score=None):
    """(chain, first residue, places) of each."""
    counts = [len(xyz) for _, _, xyz in rows]
    return Threading(
        sequences=sequences,
        candidate=np.repeat(np.arange(len(rows)), counts),
        chain=np.repeat([chain for chain, _, _ in rows], counts),
        residue=np.concatenate([first + np.arange(len(xyz)) for _, first, xyz in rows]),
        xyz=np.concatenate([xyz for _, _, xyz in rows]),
        confidence=np.linspace(0.1, 0.9, sum(counts)),
        score=np.array(score or [float(n) for n in counts]),
        origin=tuple(f"trace {i}, forward" for i in range(len(rows))),
    )


def test_fragments_that_agree_are_one_chain_and_their_places_are_averaged():
    pool = fragments((0, 0, CALPHA[:20]), (0, 12, CALPHA[12:35] + OFF), (0, 3, CALPHA[30:42]), score=[20, 23, 5])
    found = run_stage("assemble.fragments", threading=pool)
    assert found.residue.tolist() == list(range(35))
    np.testing.assert_allclose(found.xyz[:12], CALPHA[:12])
    np.testing.assert_allclose(found.xyz[12:20], CALPHA[12:20] + OFF / 2)
    assert found.score.tolist() == [43.0]
    assert found.confidence[12] == pytest.approx(max(pool.confidence[12], pool.confidence[20]))


def test_copies_are_told_apart_by_what_cannot_be_in_one_chain():
    two = SequenceSet((Sequence("A", SEQUENCES.sequences[0].letters, copies=2),))
    there = CALPHA + FAR
    pool = fragments((0, 0, CALPHA[:20]), (0, 0, there[:20]), (0, 22, CALPHA[22:]), (0, 22, there[22:]), sequences=two)
    found = run_stage("assemble.fragments", threading=pool)
    for chain in (0, 1):
        own = found.xyz[found.chain == chain]
        truth = np.concatenate([CALPHA[:20], CALPHA[22:]])
        assert min(np.abs(own - truth).max(), np.abs(own - truth - FAR).max()) < 1e-6
    one = run_stage("assemble.fragments", threading=fragments((0, 0, CALPHA[:20]), (0, 0, there[:20])))
    assert len(one.residue) == 20


def test_a_candidate_of_several_chains_is_no_fragment():
    both = SequenceSet((*SEQUENCES.sequences, Sequence("B", "A" * 30)))
    pool = fragments((0, 0, CALPHA[:5]), (1, 0, CALPHA[10:15]), sequences=both)
    mixed = Threading(
        both, np.zeros(10, int), pool.chain, pool.residue, pool.xyz, pool.confidence, np.ones(1), ("trace 0",)
    )
    with pytest.raises(StageError, match="no fragment: it holds 2 chains"):
        run_stage("assemble.fragments", threading=mixed)


def test_conflicts_are_looked_for_between_fragments():
    choice = as_choice(fragments((0, 0, CALPHA[:10]), (0, 20, CALPHA[:10])), AssembleParams(), _context())
    assert choice.conflicts.clash.tolist() == [True]


class TestUngappedContract(StageContract):
    stage_id = "thread.ungapped"

    def inputs(self):
        return {"points": POINTS, "traces": traces_of(CALPHA[:30], CALPHA[30:]), "sequences": SEQUENCES}


class TestAssembleContract(StageContract):
    stage_id = "assemble.fragments"

    def inputs(self):
        return {"threading": threaded(CALPHA[:30], CALPHA[28:])}
