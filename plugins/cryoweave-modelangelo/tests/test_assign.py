"""Sequences on chains, chains without: contracts, copies, rules, and the profile against its slow twin."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import PointCloud, Sequence, SequenceSet
from cryoweave.data.model import joined_models
from cryoweave.errors import StageError
from cryoweave.host import registry
from cryoweave.io import read_model
from cryoweave.kernels.align import align_matrix
from cryoweave.kernels.bonds import bond_graph
from cryoweave.kernels.evidence import LETTERS, kinds_of, named
from cryoweave.testing import StageContract, ideal_model, sequences_of
from cryoweave_modelangelo.assign import Member
from cryoweave_modelangelo.profile import EXTEND, OPEN, background, emissions, gap_costs, matches
from cryoweave_modelangelo.stages import AssignParams

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "emd2566" / "3J6B_9.pdb"
MODEL = ideal_model("H" * 24 + "C" * 4 + "E" * 10)
SEQUENCES = sequences_of(MODEL)


def detected(model=MODEL, seed=0, **params):
    perfect = {"error": 0.2, "missing": 0, "false": 0, "accuracy": 0.7}
    points = run_stage("model.points", model=model, params=perfect | params, seed=seed)
    return points, run_stage("modelangelo.chains", bonds=bond_graph(points))


def judged(threading, model):
    whole = run_stage("compare.reference", model=run_stage("build.calpha", threading=threading), reference=model).whole
    return whole["right_residue"]


class TestAssign(StageContract):
    stage_id = "modelangelo.assign"

    def inputs(self):
        points, traces = detected()
        return {"points": points, "traces": traces, "sequences": SEQUENCES}


class TestLetters(StageContract):
    stage_id = "modelangelo.letters"

    def inputs(self):
        return dict(zip(("points", "traces"), detected(), strict=True))


@pytest.mark.parametrize("seed", range(3))
def test_residues_are_named_whatever_the_direction_of_the_trace(seed):
    points, traces = detected(seed=seed)
    back = replace(
        traces, xyz=traces.xyz[::-1], weight=traces.weight[::-1], fragment=np.zeros(len(traces.xyz), np.int32)
    )
    for one in (traces, back):
        found = run_stage("modelangelo.assign", points=points, traces=one, sequences=SEQUENCES)
        assert judged(found, MODEL) == 1
        assert found.confidence.min() > 0.3


def test_copies_and_other_sequences_get_their_chains():
    """Two copies far apart and a third chain: each copy holds residues of one place alone."""
    other = ideal_model("E" * 12 + "H" * 18, letters="WYFHMCPWGRNDQEKWYFHMCPRGRNDQEK", chain="C")
    second = replace(MODEL, xyz=MODEL.xyz + np.array([60, 0, 0]), chain=np.full(len(MODEL), "B"))
    third = replace(other, xyz=other.xyz + np.array([0, 70, 0]))
    model = joined_models([MODEL, second, third])
    points, traces = detected(model)
    sequences = SequenceSet((replace(SEQUENCES.sequences[0], copies=2), sequences_of(other).sequences[0]))
    twice = SequenceSet((SEQUENCES.sequences[0], replace(SEQUENCES.sequences[0], name="B"), sequences.sequences[1]))
    found = run_stage("modelangelo.assign", points=points, traces=traces, sequences=sequences)
    again = run_stage("modelangelo.assign", points=points, traces=traces, sequences=twice)
    assert np.array_equal(found.xyz, again.xyz)
    assert judged(found, model) > 0.95
    for chain in (0, 1):
        xyz = found.xyz[found.chain == chain]
        assert len(xyz) >= 36
        assert np.ptp(xyz[:, 0]) < 60


@pytest.mark.parametrize("seed", range(4))
def test_pieces_far_along_the_sequence_belong_to_the_copy_that_lies_there(seed):
    """Of both copies the middle is not seen, so that nothing joins the pieces, and each fits either copy."""
    native = read_model(EXAMPLE)
    shift = np.array([0, 150, 0])
    second = replace(native, xyz=native.xyz + shift, chain=np.full(len(native), "B"))
    points, _ = detected(joined_models([native, second]), seed=seed)
    trace = native.trace_atoms().xyz
    both = np.concatenate([trace, trace + shift])
    residue = np.linalg.norm(points.xyz[:, None] - both[None], axis=2).argmin(axis=1) % len(trace)
    seen = (residue < 70) | (residue > 115)
    known = {"probabilities": points.probabilities[seen], "classes": points.classes}
    left = PointCloud(points.xyz[seen], points.weight[seen], **known)
    traces = run_stage("modelangelo.chains", bonds=bond_graph(left))
    sequences = SequenceSet((replace(sequences_of(native).sequences[0], copies=2),))
    found = run_stage("modelangelo.assign", points=left, traces=traces, sequences=sequences)
    middle = both[:, 1].mean()
    sides = [(found.xyz[found.chain == number, 1] > middle).mean() for number in (0, 1)]
    assert min(sides) == 0
    assert max(sides) == 1


def test_missing_points_break_a_chain_and_the_pieces_are_joined():
    points, _ = detected()
    kept = np.linalg.norm(points.xyz - MODEL.trace_atoms().xyz[18], axis=1) > 5
    fewer = PointCloud(
        points.xyz[kept], points.weight[kept], probabilities=points.probabilities[kept], classes=points.classes
    )
    traces = run_stage("modelangelo.chains", bonds=bond_graph(fewer))
    assert len(traces) >= 2
    found = run_stage("modelangelo.assign", points=fewer, traces=traces, sequences=SEQUENCES)
    assert judged(found, MODEL) > 0.8
    filled = run_stage("modelangelo.assign", points=fewer, traces=traces, sequences=SEQUENCES, params={"fill": 0})
    assert len(filled.xyz) < len(found.xyz)
    assert (found.confidence == 0).sum() == len(found.xyz) - len(filled.xyz)
    lines = np.array([origin.startswith("on the line") for origin in found.origins()])
    assert np.array_equal(lines, found.confidence == 0)
    assert {*found.origins()} >= {"chain 1 of the traces", "chain 2 of the traces"}


def test_a_piece_goes_on_where_names_do_not_tell():
    points, traces = detected(accuracy=0.99)
    silent = np.linalg.norm(points.xyz - MODEL.trace_atoms().xyz[-1], axis=1) < 12
    table = points.probabilities.copy()
    table[silent] = np.roll(table[silent], 7, axis=1)  # all wrong
    mute = replace(points, probabilities=table)
    counts = [
        len(run_stage("modelangelo.assign", points=mute, traces=traces, sequences=SEQUENCES, params={"extend": n}).xyz)
        for n in (0, 1, 100)
    ]
    assert counts[0] < counts[1] < counts[2] == len(MODEL.trace_atoms())


def test_places_out_of_reach_and_taken_residues_never_match():
    one = Member(Sequence("a", "ACDEFGHIKL"))
    xyz = np.array([[0.0, 0, 0], [3.8, 0, 0], [50, 0, 0]])
    match = np.zeros((3, len(LETTERS) + 1))
    one.row[2] = 0
    found = one.scores(match, np.arange(3), xyz, 3.0)
    assert (found[:, 2] < -100).all()
    assert (found[1, [0, 1, 3, 4]] == 0).all()
    assert (found[2, [1, 3]] < -100).all()
    rules = AssignParams(ends=30, gap=3)
    assert one.joins(np.array([5, 6]), np.array([1, 2]), xyz, rules)
    assert not one.joins(np.array([7, 8]), np.array([1, 2]), xyz, rules)
    assert not one.joins(np.array([4, 5]), np.array([2, 2]), xyz, rules)


@pytest.mark.parametrize("seed", range(5))
def test_a_wrong_sequence_gets_no_model(seed):
    points, traces = detected(accuracy=0.5)
    wrong = "".join(np.random.default_rng(seed).permutation([*SEQUENCES.sequences[0].letters * 5]))
    with pytest.raises(StageError, match="no chain fits any sequence"):
        run_stage(
            "modelangelo.assign", points=points, traces=traces, sequences=SequenceSet((Sequence("wrong", wrong),))
        )


def test_without_sequences_letters_are_the_likeliest_and_chains_their_own():
    points, traces = detected(accuracy=0.99)
    found = run_stage("modelangelo.letters", points=points, traces=traces)
    assert [one.name for one in found.sequences] == ["1"]
    letters = found.sequences.sequences[0].letters
    own = np.array([*SEQUENCES.sequences[0].letters])
    assert max(np.mean(own == [*letters]), np.mean(own[::-1] == [*letters])) > 0.85
    assert len(found.xyz) == len(MODEL.trace_atoms())
    model = run_stage("build.calpha", threading=found)
    assert set(model.chain) == {"1"}


def test_emissions_and_matches():
    odds = np.random.default_rng(0).normal(size=(5, 20))
    chance = emissions(odds)
    np.testing.assert_allclose(chance.sum(axis=1), 1)
    np.testing.assert_allclose(emissions(np.zeros((1, 20)))[0], background())
    score = matches(odds)
    assert score.shape == (5, 21)
    np.testing.assert_allclose(np.exp(score[:, :20]) * background(), chance * (1 - 2 * OPEN))
    np.testing.assert_allclose(np.exp(score[:, 20]), 1 - 2 * OPEN)


def slow_best(chance, kinds):
    """The score of the best path, by looking at every set of matches with gaps of one kind between."""
    nodes, residues = len(chance), len(kinds)
    odds = np.log(chance / background())
    best = 0.0
    cells = [(i, j) for i in range(nodes) for j in range(residues)]
    for size in range(1, min(nodes, residues) + 1):
        for pairs in itertools.combinations(cells, size):
            steps = [(b[0] - a[0], b[1] - a[1]) for a, b in itertools.pairwise(pairs)]
            if any(x < 1 or y < 1 or (x > 1 and y > 1) for x, y in steps):
                continue
            total = sum(odds[i, kinds[j]] for i, j in pairs) + math.log(1 - 2 * OPEN)
            for x, y in steps:
                gap = max(x, y) - 1
                total += (
                    math.log(OPEN) + (gap - 1) * math.log(EXTEND) + math.log(1 - EXTEND)
                    if gap
                    else math.log(1 - 2 * OPEN)
                )
            best = max(best, total)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_alignment_is_the_best_path_of_the_model(seed):
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2.5, (4, 20))
    letters = "".join(rng.choice(list(LETTERS), 4))
    scores = matches(odds)[:, kinds_of(letters)]
    assert align_matrix(scores, *gap_costs(), mode="local").score == pytest.approx(
        slow_best(emissions(odds), kinds_of(letters))
    )


def test_confidence_follows_the_neighbours():
    sure = named(np.concatenate((np.full(20, 2.0), np.full(20, -2.0))))
    assert sure[0] > 0.95
    assert sure[-1] < 0.05
    assert 0.3 < sure[19] < 0.7


def test_what_cannot_be_named_is_told():
    points, traces = detected()
    mute = PointCloud(points.xyz, points.weight)
    for stage, more in (("modelangelo.assign", {"sequences": SEQUENCES}), ("modelangelo.letters", {})):
        with pytest.raises(StageError, match="say nothing of amino acids"):
            run_stage(stage, points=mute, traces=traces, **more)
    with pytest.raises(StageError, match="no sequence is a protein"):
        run_stage(
            "modelangelo.assign", points=points, traces=traces, sequences=SequenceSet((Sequence("r", "ACGU", "rna"),))
        )
    with pytest.raises(StageError, match="no chain fits any sequence") as error:
        run_stage("modelangelo.assign", points=points, traces=traces, sequences=SequenceSet((Sequence("w", "W" * 30),)))
    assert "cryoweave identify" in error.value.hint
    with pytest.raises(StageError, match="no chain has 100 points"):
        run_stage("modelangelo.letters", points=points, traces=traces, params={"fewest": 100})


@pytest.mark.parametrize("name", ["modelangelo", "modelangelo-unknown"])
def test_recipes_are_there(name):
    recipe = registry().recipe(name)
    assert [step.stage for step in recipe.steps][4] == "modelangelo.chains"
