"""Our threader: chains of fragments, secondary structure, scores."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Traces
from cryoweave.kernels.evidence import LETTERS
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_mainmast.gapped import chain_of, matches, turned
from cryoweave_mainmast.helix import helicity, resampled
from cryoweave_mainmast.paths import NODE_STEP
from cryoweave_mainmast.stages import ThreadGappedParams

STRUCTURE = "E" * 12 + "H" * 22
MODEL = ideal_model(STRUCTURE, letters="A" * len(STRUCTURE))
CALPHA = MODEL.trace_atoms().xyz
DENSITY = simulated_map(MODEL, resolution=3.0)


def traces_of(*chains, score=None):
    """Each chain a candidate, each of its fragments a path."""
    fragments = [(number, path) for number, chain in enumerate(chains) for path in chain]
    return Traces(
        xyz=np.concatenate([path for _, path in fragments]),
        weight=np.ones(sum(len(path) for _, path in fragments)),
        fragment=np.repeat(np.arange(len(fragments)), [len(path) for _, path in fragments]),
        candidate=np.array([number for number, _ in fragments]),
        score=np.zeros(len(fragments)) if score is None else np.array(score, float),
    )


def threaded(traces, letters, known="", **params):
    sequences = SequenceSet((Sequence("a", letters, secondary_structure=known),))
    return run_stage("mainmast.thread_gapped", density=DENSITY, traces=traces, sequences=sequences, params=params)


def best(pool):
    rows = pool.rows_of(0)
    return pool.residue[rows], pool.xyz[rows]


def test_fragments_are_chained_with_a_break_before_each_but_the_first():
    first, second, third = (resampled(CALPHA[a:b], 0.8) for a, b in ((0, 5), (8, 12), (20, 30)))
    path, breaks = chain_of(traces_of([first, second, third]), [0, 1, 2])
    np.testing.assert_array_equal(path, np.concatenate([first, second, third]))
    assert np.flatnonzero(breaks).tolist() == [len(first), len(first) + len(second)]
    back, back_breaks = turned(path, breaks)
    np.testing.assert_array_equal(back, path[::-1])
    assert np.flatnonzero(back_breaks).tolist() == [len(third), len(third) + len(second)]


@pytest.mark.parametrize("flip", [False, True])
def test_secondary_structure_finds_the_direction_without_any_side_chain(flip):
    path = resampled(CALPHA[::-1] if flip else CALPHA, 0.8)
    pool = threaded(traces_of([path]), "X" * len(STRUCTURE), STRUCTURE, structure=3.0)
    assert pool.origin[0] == f"chain 0, {'backward' if flip else 'forward'}"
    residue, xyz = best(pool)
    # Unknown residues leave the register open by one of them, 3.8 Å.
    assert np.median(np.linalg.norm(xyz - CALPHA[residue], axis=1)) < 4.5
    blind = threaded(traces_of([path]), "X" * len(STRUCTURE), STRUCTURE, structure=0.0)
    assert blind.score[0] - blind.score[1] < pool.score[0] - pool.score[1]


def test_residues_keep_the_order_and_the_distance_of_a_chain():
    pool = threaded(traces_of([resampled(CALPHA, 0.8)]), "A" * len(STRUCTURE))
    residue, xyz = best(pool)
    assert len(residue) >= 0.9 * len(STRUCTURE)
    assert np.all(np.diff(residue) > 0)
    bonded = np.diff(residue) == 1
    bonds = np.linalg.norm(np.diff(xyz, axis=0), axis=1)[bonded]
    assert bonds.mean() == pytest.approx(3.7, abs=0.3)


def test_a_break_lets_neighbours_lie_apart():
    parts = [resampled(CALPHA[:14], 0.8), resampled(CALPHA[20:], 0.8)]
    residue, xyz = best(threaded(traces_of(parts), "A" * 28))
    steps = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    assert residue.tolist() == list(range(28))
    assert (steps > 5).sum() == 1


def test_more_residues_than_a_path_has_nodes_stay_out():
    short = resampled(CALPHA[:10], 0.8)
    residue, xyz = best(threaded(traces_of([short]), "A" * 200))
    assert len(residue) <= len(short)
    assert len(np.unique(xyz, axis=0)) == len(residue)


def test_the_traces_own_score_counts_by_its_weight():
    path = resampled(CALPHA, 0.8)
    traces = traces_of([path], [path], score=[-5.0, 2.0])
    letters = "A" * len(STRUCTURE)
    blind = threaded(traces, letters, order_weight=0.0)
    assert blind.score[0] == blind.score[1]
    weighted = threaded(traces, letters, order_weight=2.0)
    assert weighted.origin[0] == "chain 1, " + blind.origin[0].split(", ")[1]
    by_name = dict(zip(weighted.origin, weighted.score, strict=True))
    assert by_name["chain 1, forward"] - by_name["chain 0, forward"] == pytest.approx(14)
    assert np.all(np.diff(weighted.score) <= 0)


def test_an_unknown_residue_fits_anything_alike():
    path = resampled(CALPHA, 0.8)
    pool = threaded(traces_of([path]), "X" * 20, base=2.0, distance_weight=0.0, max_skip=0)
    assert pool.score[0] == pytest.approx(40.0)
    assert pool.score[1] == pytest.approx(40.0)


@pytest.mark.parametrize("known", ["", "HHCEHC"])
def test_matches_are_those_of_each_residue_by_itself(known):
    params = ThreadGappedParams(base=2.5, structure=0.7)
    path = resampled(CALPHA, NODE_STEP)
    breaks = np.arange(len(path)) == 30
    gain = np.random.default_rng(0).normal(size=(len(path), len(LETTERS)))
    sequence = Sequence("a", "AWXYAC", secondary_structure=known)
    found = matches(gain, path, breaks, sequence, params)
    turning = 2 * np.concatenate([helicity(path[:30], NODE_STEP), helicity(path[30:], NODE_STEP)]) - 1
    for place, letter in enumerate(sequence.letters):
        expected = gain[:, LETTERS.index(letter)] if letter in LETTERS else np.full(len(path), params.base)
        if known:
            expected = expected + params.structure * turning * (1 if known[place] == "H" else -1)
        np.testing.assert_array_equal(found[:, place], expected.astype(np.float32))
