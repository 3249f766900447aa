"""Our refiner: Cα atoms come back into density, registers too, and the confidence says when they do not."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.testing import StageContract, ideal_model, sequences_of, simulated_map
from cryoweave_mainmast.pool import one_chain
from cryoweave_mainmast.refined import are_bonded, filled, register_confidence

STRUCTURE = "E" * 10 + "CCC" + "H" * 20
MODEL = ideal_model(STRUCTURE, letters=("AGLKFWSTEVRDYINQ" * 3)[: len(STRUCTURE)])
CALPHA = MODEL.trace_atoms().xyz
DENSITY = simulated_map(MODEL, resolution=3.0)
SEQUENCES = sequences_of(MODEL)


def threading(xyz, residue=None, score=(0.0,)):
    """One candidate for each score, all alike."""
    residue = np.arange(len(xyz)) if residue is None else residue
    k, n = len(score), len(residue)
    return Threading(
        sequences=SEQUENCES,
        candidate=np.repeat(np.arange(k), n),
        chain=np.zeros(k * n),
        residue=np.tile(residue, k),
        xyz=np.tile(xyz, (k, 1)),
        confidence=np.ones(k * n),
        score=np.array(score),
        origin=tuple(f"candidate {i}" for i in range(k)),
    )


MOVED = CALPHA + np.random.default_rng(1).normal(0, 0.8, CALPHA.shape)


class TestRefine(StageContract):
    stage_id = "mainmast.refine"

    def inputs(self):
        return {"density": DENSITY, "threading": threading(MOVED, score=(2.0, 1.0))}


def best(found):
    rows = found.rows_of(0)
    return found.residue[rows], found.xyz[rows]


def test_moved_calpha_come_back():
    residue, xyz = best(run_stage("mainmast.refine", density=DENSITY, threading=threading(MOVED)))
    before = np.linalg.norm(MOVED - CALPHA, axis=1)
    after = np.linalg.norm(xyz - CALPHA[residue], axis=1)
    assert np.median(after) < 0.5 < np.median(before)
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)[np.diff(residue) == 1]
    assert steps == pytest.approx(3.8, abs=0.25)


def test_residues_left_out_inside_are_put_back():
    kept = np.delete(np.arange(len(CALPHA)), [20, 21])
    residue, _ = best(run_stage("mainmast.refine", density=DENSITY, threading=threading(CALPHA[kept], kept)))
    assert {20, 21} <= set(residue.tolist())


def test_where_nothing_is_worth_placing_it_says_so():
    with pytest.raises(StageError, match="no candidate holds residues") as refused:
        run_stage(
            "mainmast.refine",
            density=DENSITY,
            threading=threading(MOVED),
            params={"base": 0, "weight": 0, "end_gap": 0},
        )
    assert refused.value.hint


def test_filled_keeps_to_short_gaps_with_room():
    residue = np.array([3, 4, 7, 20, 22])
    xyz = np.array([[0.0, 0, 0], [3.8, 0, 0], [15.2, 0, 0], [30, 0, 0], [50, 0, 0]])
    whole, places = filled(residue, xyz)
    assert whole.tolist() == [3, 4, 5, 6, 7, 20, 22]
    np.testing.assert_allclose(places[:5, 0], [0, 3.8, 7.6, 11.4, 15.2])
    assert are_bonded(whole, places).tolist() == [True, True, True, True, False, False]


def test_confidence_against_every_other_register():
    rng = np.random.default_rng(0)
    match = rng.normal(0, 0.3, (30, 30))
    sure = match + 4 * np.eye(30)
    residue, node, bonded = np.arange(30), np.arange(30, dtype=np.int32), np.ones(29, bool)
    assert register_confidence(sure, residue, node, bonded).min() > 0.9
    assert register_confidence(match, residue, node, bonded).mean() < 0.5
    shifted = register_confidence(sure, residue[1:], node[:-1], bonded)
    assert shifted.max() < 0.1


def test_confidence_does_not_look_across_a_break():
    match = np.zeros((20, 20))
    match[:10, :10] = 5 * np.eye(10)
    residue, node = np.arange(20), np.arange(20, dtype=np.int32)
    bonded = np.ones(19, bool)
    bonded[9] = False
    confidence = register_confidence(match, residue, node, bonded)
    assert confidence[:10].min() > 0.9
    np.testing.assert_allclose(confidence[10:], 1 / 11, rtol=1e-5)


def test_only_one_chain_is_taken_and_the_plan_says_so():
    one_chain(SEQUENCES, density=None, params=None)
    with pytest.raises(StageError, match="one protein chain"):
        one_chain(SequenceSet((SEQUENCES.sequences[0], Sequence("second", "ACDE"))))
