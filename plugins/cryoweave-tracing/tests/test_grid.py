"""Many settings put together: pieces of solutions, their ranking, and parts of predicted models."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import BondGraph, ModelSet, PointCloud, Sequence, SequenceSet, Threading
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError, UsageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import AminoEvidence, kinds_of, shuffled
from cryoweave.kernels.predicted import PARTS
from cryoweave.testing import StageContract, ideal_model, sequences_of
from cryoweave_tracing import grid
from cryoweave_tracing.grid import daq
from cryoweave_tracing.pool import Piece, cut, first_copies, odds_at, pieces_of, threading_of
from cryoweave_tracing.predicted import GAP, WEIGHT, placed_residues, poses, predicted_pieces, templates
from cryoweave_tracing.routes import routes
from cryoweave_tracing.stages import GridParams

rng = np.random.default_rng(8)
FOLD = "H" * 20 + "C" * 5 + "E" * 10 + "C" * 4 + "H" * 15
MODEL = ideal_model(FOLD, letters="".join(rng.choice(list(AMINO_ACIDS.values()), len(FOLD))))
CALPHA = MODEL.trace_atoms().xyz
POINTS: PointCloud = run_stage(
    "model.points", model=MODEL, params={"error": 0.1, "missing": 0.0, "false": 0.0, "accuracy": 0.8}
)
BONDS: BondGraph = run_stage("edges.bonds", points=POINTS)
SEQUENCES = sequences_of(MODEL)
EVIDENCE = AminoEvidence(POINTS)
SMALL = {"vehicles": (1, 3), "rounds": (5,), "effort": 500, "seconds": 2.0}
MOTION = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def piece(first, last, score=1.0, shift=0.0, chain=0):
    residue = np.arange(first, last)
    part = np.where(residue % 7 < 2, "on a line", "")
    return Piece(chain, residue, CALPHA[first:last] + shift, np.ones(len(residue)), part, score, "toy")


def moved_model():
    return ModelSet(("model",), (replace(MODEL, xyz=MODEL.xyz @ MOTION.T + 30),))


def test_a_pool_goes_through_a_threading_and_back():
    own = [piece(3, 9, 2.0), piece(1, 30, 1.0)]
    back = pieces_of(threading_of(SEQUENCES, own))
    for one, other in zip(own, back, strict=True):
        assert (one.chain, one.score, one.origin) == (other.chain, other.score, other.origin)
        np.testing.assert_array_equal(one.residue, other.residue)
        np.testing.assert_array_equal(one.xyz, other.xyz)
        np.testing.assert_array_equal(one.part, other.part)


def test_cut_solutions_agree_where_they_are_alike():
    one, other = threading_of(SEQUENCES, [piece(3, 27)]), threading_of(SEQUENCES, [piece(8, 40)])
    found = cut([one, other], EVIDENCE, 10)
    spans = {(int(p.residue[0]), int(p.residue[-1]) + 1): p for p in found}
    assert set(spans) == {(3, 10), (8, 10), (10, 20), (20, 27), (20, 30), (30, 40)}
    letters = kinds_of(SEQUENCES.sequences[0].letters)
    for (a, b), p in spans.items():
        alone = float(np.maximum(odds_at(EVIDENCE, CALPHA[a:b], letters[a:b]), 0).sum())
        assert p.score == pytest.approx(alone * (2 if (a, b) == (10, 20) else 1))
        np.testing.assert_array_equal(p.part, piece(a, b).part)
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)


def test_a_piece_in_a_copy_counts_as_in_the_first():
    twice = SequenceSet((Sequence("A", SEQUENCES.sequences[0].letters, copies=2), Sequence("B", "ACDEF", copies=2)))
    assert first_copies(twice).tolist() == [0, 0, 2, 2]
    solution = threading_of(twice, [piece(0, 10, chain=1)])
    assert [p.chain for p in cut([solution], EVIDENCE, 10)] == [0]


def test_amino_acids_are_the_mean_over_all_residues():
    kinds = kinds_of(SEQUENCES.sequences[0].letters)
    table = EVIDENCE.log_odds(CALPHA)
    by_hand = sum(table[k, kinds[k]] for k in range(5, 25)) / len(kinds)
    assert daq(threading_of(SEQUENCES, [piece(5, 25)]), EVIDENCE) == pytest.approx(by_hand)


def test_the_best_candidate_is_first_and_right():
    found: Threading = run_stage("assemble.grid", bonds=BONDS, sequences=SEQUENCES, params=SMALL)
    assert len(found) == 3  # two settings and all together
    assert (np.diff(found.score) <= 0).all()
    rows = found.rows_of(0)
    away = np.linalg.norm(found.xyz[rows] - CALPHA[found.residue[rows]], axis=1)
    assert np.mean(away < 3) > 0.9
    assert len(away) > 0.8 * len(CALPHA)


def test_each_setting_is_routed_once(monkeypatch):
    routed = []

    def counted(bonds, params, ctx):
        routed.append(params.vehicles)
        return routes(bonds, params, ctx)

    monkeypatch.setattr(grid, "routes", counted)
    run_stage("assemble.grid", bonds=BONDS, sequences=SEQUENCES, params=SMALL)
    assert sorted(routed) == [1, 3]


@pytest.mark.parametrize("extra", [{"pooled": True}, {"gapped": True}])
def test_our_variants_find_the_chain(extra):
    found = run_stage("assemble.grid", bonds=BONDS, sequences=SEQUENCES, params={**SMALL, **extra})
    rows = found.rows_of(0)
    assert np.mean(np.linalg.norm(found.xyz[rows] - CALPHA[found.residue[rows]], axis=1) < 3) > 0.9
    assert len(found) == (1 if extra.get("pooled") else 3)


def test_the_grid_doubts_a_sequence_that_is_not_in_the_map(caplog):
    other = shuffled(SEQUENCES.sequences[0].letters, np.random.default_rng(0))
    both = SequenceSet((*SEQUENCES.sequences, Sequence("other", other)))
    with caplog.at_level("WARNING"):
        found = run_stage("assemble.grid", bonds=BONDS, sequences=both, params=SMALL)
    assert ["other" in one.message for one in caplog.records] == [True]
    assert found.confidence[found.chain == 0].max() > 0.9
    assert found.confidence[found.chain == 1].max(initial=0.0) < 0.96


def test_a_model_is_laid_on_the_points_from_a_seed_in_register():
    known = templates(moved_model(), SEQUENCES)
    threading = threading_of(SEQUENCES, [piece(2, 20), piece(24, 50)])
    ((count, found),) = predicted_pieces(known, threading, POINTS.xyz, EVIDENCE, 30, Context())
    assert count == 18 + 26
    assert found.residue.tolist() == list(range(2, 50))
    assert np.linalg.norm(found.xyz - CALPHA[found.residue], axis=1).max() < 1.5
    odds = odds_at(EVIDENCE, found.xyz, kinds_of(SEQUENCES.sequences[0].letters)[found.residue])
    assert found.score == pytest.approx(WEIGHT * np.maximum(odds, 0).sum())
    assert not predicted_pieces(known, threading, POINTS.xyz, EVIDENCE, len(CALPHA) + 1, Context())


def test_a_seed_out_of_register_lays_no_model():
    known = templates(moved_model(), SEQUENCES)
    wrong = piece(12, 21)._replace(residue=np.arange(19, 28))  # a helix on the helix's end and the loop
    assert not list(poses(known[0], [wrong], placed_residues(known[0], [wrong]), Context()))


def test_two_seeds_of_one_pose_give_one_fragment_and_long_gaps_stay_open():
    known = templates(moved_model(), SEQUENCES)
    threading = threading_of(SEQUENCES, [piece(2, 12), piece(12 + GAP, 32), piece(33 + GAP, 54)])
    ((_, found),) = predicted_pieces(known, threading, POINTS.xyz, EVIDENCE, 20, Context())
    assert found.residue.tolist() == [*range(2, 32), *range(33 + GAP, 54)]


def test_settings_are_also_tried_without_models():
    small = {**SMALL, "vehicles": (1,), "aligned": (20,)}
    found = run_stage("assemble.grid", bonds=BONDS, sequences=SEQUENCES, models=moved_model(), params=small)
    assert len(found) == 3
    assert sum("20 aligned" in one for one in found.origin) == 1
    assert sum("5 alignments:" in one for one in found.origin) == 1


def test_residues_of_models_alone_say_so():
    known = templates(moved_model(), SEQUENCES)
    threading = threading_of(SEQUENCES, [piece(2, 20), piece(24, 50)])
    gone = np.linalg.norm(POINTS.xyz - CALPHA[21], axis=1) > 1.0
    ((_, found),) = predicted_pieces(known, threading, POINTS.xyz[gone], EVIDENCE, 30, Context())
    assert found.part[18:22].tolist() == [PARTS[0], PARTS[1], PARTS[0], PARTS[0]]
    assert {*found.part[:18], *found.part[22:]} == {""}


def test_what_residues_come_from_goes_all_the_way():
    threading = threading_of(SEQUENCES, [piece(2, 20), piece(15, 50)._replace(confidence=np.full(35, 0.5))])
    put = run_stage("assemble.fragments", threading=threading)
    assert put.residue.tolist() == list(range(2, 50))
    assert put.parts == ("on a line",)
    assert (put.part >= 0).tolist() == (put.residue % 7 < 2).tolist()
    best = grid.ranked([put, threading_of(SEQUENCES, [piece(0, 40)])], EVIDENCE, None, Context())
    assert (best.part >= 0).tolist() == (best.residue % 7 < 2).tolist()


def test_the_surest_fragment_says_where_a_residue_comes_from():
    low = piece(2, 20)._replace(confidence=np.full(18, 0.5), part=np.full(18, "low"))
    put = run_stage("assemble.fragments", threading=threading_of(SEQUENCES, [low, piece(10, 30, 2.0)]))
    said = dict(zip(put.residue.tolist(), put.origins(), strict=True))
    assert {said[k] for k in range(2, 10)} == {"low"}
    assert {said[k] for k in range(10, 30)} == {"on a line", put.origin[0]}
    assert put.confidence.tolist() == [0.5] * 8 + [1.0] * 20


def test_what_cannot_be_is_said():
    with pytest.raises(UsageError, match="rounds of 1 or more"):
        run_stage("assemble.grid", bonds=BONDS, sequences=SEQUENCES, params={"rounds": ()})
    other = SequenceSet((Sequence("A", "W" * 30),))
    with pytest.raises(StageError, match="no chain of the models"):
        run_stage("assemble.grid", bonds=BONDS, sequences=other, models=moved_model(), params=SMALL)


class TestGridContract(StageContract):
    stage_id = "assemble.grid"

    def params(self):
        return GridParams(**SMALL)

    def inputs(self):
        return {"bonds": BONDS, "sequences": SEQUENCES}
