"""Chains through points of a known model: the published path, and ours where points are missing, false or ambiguous."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model, PointCloud, ProbabilityMaps, Sequence, SequenceSet, Threading
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.hmm import Belief
from cryoweave.testing import StageContract, ideal_model, perfect_maps, sequences_of, simulated_map
from cryoweave_cryo2struct.gaps import filled
from cryoweave_cryo2struct.learn import SHARPNESS, information, learnt, raw_odds
from cryoweave_cryo2struct.learn import Model as Learnt
from cryoweave_cryo2struct.sequences import LETTERS, Chains, amino_acids, proteins
from cryoweave_cryo2struct.shape import BOND, counted, frequencies, geometry, transitions
from cryoweave_cryo2struct.stages import BeamParams, ViterbiParams
from cryoweave_cryo2struct.viterbi import log_emission, log_transitions

rng = np.random.default_rng(11)
FOLD = "H" * 18 + "C" * 4 + "E" * 9 + "C" * 3 + "H" * 14 + "C" * 3 + "E" * 8
MODEL = ideal_model(FOLD, letters="".join(rng.choice(list(LETTERS), len(FOLD))))
CALPHA = MODEL.trace_atoms().xyz
EXACT = {"error": 0.05, "missing": 0.0, "false": 0.0, "accuracy": 0.95}
MAPS = perfect_maps(MODEL, simulated_map(MODEL, resolution=3.0).frame, ("CA", "backbone", *AMINO_ACIDS))
ROUGH = {"error": 0.5, "missing": 0.1, "false": 0.1, "accuracy": 0.7}


def seen(model: Model = MODEL, seed: int = 0, **quality: float) -> PointCloud:
    points: PointCloud = run_stage("model.points", model=model, params=ROUGH | quality, seed=seed)
    return points


def right(threading: Threading, truth: np.ndarray = CALPHA) -> float:
    """Share of the residues within 3 Å of their own place."""
    rows = threading.rows_of(0)
    off = np.linalg.norm(threading.xyz[rows] - truth[threading.residue[rows]], axis=1)
    return float((off < 3).sum() / len(truth))


def test_the_published_path_finds_its_way_through_good_points():
    found = run_stage("cryo2struct.viterbi", points=seen(**EXACT), sequences=sequences_of(MODEL))
    assert right(found) > 0.95
    assert np.median(found.confidence) > 0.9
    assert len(found.residue) == len(CALPHA)
    places = {tuple(xyz) for xyz in found.xyz.tolist()}
    assert len(places) == len(CALPHA), "no point twice"


def test_ours_finds_it_where_points_are_missing_and_false():
    points, sequences = seen(), sequences_of(MODEL)
    published = run_stage("cryo2struct.viterbi", points=points, sequences=sequences)
    ours = run_stage("cryo2struct.beam", points=points, sequences=sequences)
    assert right(ours) > 0.85
    assert right(ours) > right(published) + 0.2
    assert len(np.unique(ours.residue)) == len(ours.residue)


def test_confidence_tells_right_residues_from_wrong_ones():
    points = seen(error=0.9, missing=0.3, false=0.2, accuracy=0.5, seed=3)
    found = run_stage("cryo2struct.beam", points=points, sequences=sequences_of(MODEL))
    off = np.linalg.norm(found.xyz - CALPHA[found.residue], axis=1)
    assert (off < 3).any()
    if (off >= 3).any():
        assert found.confidence[off < 3].mean() > found.confidence[off >= 3].mean()


def moved(model: Model, by: tuple[float, float, float], chain: str) -> Model:
    columns = {name: getattr(model, name) for name in model.__dataclass_fields__}
    return Model(**(columns | {"xyz": model.xyz + np.array(by), "chain": np.full(len(model), chain)}))


def joined(*models: Model) -> Model:
    return Model(**{n: np.concatenate([getattr(m, n) for m in models]) for n in MODEL.__dataclass_fields__})


def test_copies_of_a_chain_are_each_traced_in_their_own_place():
    two = joined(MODEL, moved(MODEL, (35, 10, 0), "B"))
    points = run_stage("model.points", model=two, params=ROUGH, seed=2)
    sequences = SequenceSet((Sequence("A", sequences_of(MODEL).sequences[0].letters, copies=2),))
    found = run_stage("cryo2struct.beam", points=points, sequences=sequences)
    place = np.stack([CALPHA, CALPHA + np.array([35, 10, 0])])
    in_copy = []
    for chain in (0, 1):
        rows = found.chain == chain
        off = np.linalg.norm(found.xyz[rows] - place[:, found.residue[rows]], axis=2)
        in_copy.append((off < 3).sum(axis=1) / len(CALPHA))
    shares = np.array(in_copy)
    assert sorted(shares.argmax(axis=1).tolist()) == [0, 1]
    assert shares.max(axis=1).min() > 0.7


def test_two_sequences_each_find_their_own_points():
    other = ideal_model("E" * 9 + "C" * 3 + "H" * 20, letters="".join(rng.choice(list(LETTERS), 32)), chain="B")
    both = joined(MODEL, moved(other, (30, 0, 0), "B"))
    points = run_stage("model.points", model=both, params=ROUGH, seed=4)
    found = run_stage("cryo2struct.beam", points=points, sequences=sequences_of(both))
    truth = [CALPHA, other.trace_atoms().xyz + np.array([30, 0, 0])]
    for chain, place in enumerate(truth):
        rows = found.chain == chain
        off = np.linalg.norm(found.xyz[rows] - place[found.residue[rows]], axis=1)
        assert (off < 3).sum() > 0.75 * len(place)


def test_a_sequence_that_is_not_there_gives_no_model(caplog):
    stranger = Sequence("stranger", "".join(rng.choice(list(LETTERS), len(FOLD))))
    with pytest.raises(StageError, match="no residue finds a point"):
        run_stage("cryo2struct.beam", points=seen(), sequences=SequenceSet((stranger,)))
    both = SequenceSet((stranger, *sequences_of(MODEL).sequences))
    found = run_stage("cryo2struct.beam", points=seen(), sequences=both)
    assert "stranger: 0 of 1 chains are seen clearly" in caplog.text
    own = found.chain == 1
    off = np.linalg.norm(found.xyz[own] - CALPHA[found.residue[own]], axis=1)
    assert (off < 3).sum() > 0.8 * len(CALPHA)


def test_points_that_hardly_tell_their_amino_acids_give_the_path_of_the_chain_and_a_warning(caplog):
    points = seen(error=1.2, accuracy=0.1, seed=2)
    mean = points.probabilities.mean(axis=0)

    def threaded(share):
        mixed = replace(points, probabilities=share * points.probabilities + (1 - share) * mean)
        return run_stage("cryo2struct.beam", points=mixed, sequences=sequences_of(MODEL))

    found = threaded(0.5)
    off = np.linalg.norm(found.xyz[:, None] - CALPHA, axis=2).min(axis=1)
    assert (off < 3).mean() > 0.9
    assert len(found.residue) > 0.7 * len(CALPHA)
    assert found.confidence.mean() < 0.2, "which residue is where is a guess"
    assert "points hardly tell their amino acids" in caplog.text
    with pytest.raises(StageError, match="no residue finds a point"):
        threaded(0.1)


def test_information_is_none_of_points_that_are_alike_and_all_of_sure_ones():
    assert information(np.tile(rng.random(20), (30, 1)), np.ones(30)) == pytest.approx(0, abs=1e-9)
    assert information(np.eye(20), np.ones(20)) == pytest.approx(np.log(20), abs=0.4)


def test_more_copies_than_there_are_are_warned_of(caplog):
    letters = sequences_of(MODEL).sequences[0].letters
    run_stage("cryo2struct.beam", points=seen(), sequences=SequenceSet((Sequence("A", letters, copies=2),)))
    assert "A: 1 of 2 chains are seen clearly" in caplog.text


def test_unknown_residues_are_placed_between_known_ones():
    letters = list(sequences_of(MODEL).sequences[0].letters)
    letters[20:24] = "XXXX"
    found = run_stage(
        "cryo2struct.beam", points=seen(**EXACT), sequences=SequenceSet((Sequence("A", "".join(letters)),))
    )
    assert right(found) > 0.9


@pytest.mark.parametrize("stage", ["cryo2struct.viterbi", "cryo2struct.beam"])
def test_what_cannot_be_traced_is_said(stage):
    short = SequenceSet((Sequence("tiny", "ACDE"),))
    with pytest.raises(StageError, match="tiny has 4 residues"):
        run_stage(stage, points=seen(), sequences=short)
    rna = SequenceSet((Sequence("r", "ACGUACGU", molecule="rna"),))
    with pytest.raises(StageError, match="r is RNA"):
        run_stage(stage, points=seen(), sequences=rna)
    plain = PointCloud(CALPHA, np.ones(len(CALPHA)))
    with pytest.raises(StageError, match="nothing of amino acids"):
        run_stage(stage, points=plain, sequences=sequences_of(MODEL))


def test_residues_beyond_the_points_are_left_over(caplog):
    points = seen(**EXACT)
    few = PointCloud(
        points.xyz[:30], points.weight[:30], probabilities=points.probabilities[:30], classes=points.classes
    )
    found = run_stage("cryo2struct.viterbi", points=few, sequences=sequences_of(MODEL))
    assert len(found.residue) == 30
    assert "29 residues are left over" in caplog.text


# The pieces.


def test_transitions_are_a_distribution_over_all_other_points():
    xyz = rng.uniform(0, 30, (40, 3))
    found = log_transitions(xyz, ViterbiParams())
    table = np.repeat(found.rest[:, None].astype(float), 40, axis=1)
    table[tuple(found.pairs.T)] = found.values
    np.fill_diagonal(table, -np.inf)
    np.testing.assert_allclose(np.exp(table).sum(axis=1), 1, atol=1e-5)
    distance = np.linalg.norm(xyz[:, None] - xyz, axis=2)
    density = np.exp(-0.5 * ((distance - 3.8047) / 0.362) ** 2) / (0.362 * np.sqrt(2 * np.pi)) + 1e-20
    np.fill_diagonal(density, 0)
    np.testing.assert_allclose(np.exp(table), density / density.sum(axis=1, keepdims=True), rtol=1e-3)


def test_emission_is_the_published_formula():
    probability = rng.uniform(0, 1, (5, 20))
    found = np.exp(log_emission(probability).astype(float))
    wanted = np.sqrt(probability * frequencies())
    np.testing.assert_allclose(found[:20].T, wanted / wanted.sum(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(found[20], 0.05)
    assert np.isfinite(log_emission(np.zeros((2, 20)))).all()


def test_the_shape_says_what_was_counted():
    shape = geometry(0.3, 0.2, 6)
    assert shape.spans.shape[0] == 6
    assert (shape.spans[0].argmax() + 0.5) * shape.step == pytest.approx(BOND, abs=0.15)
    angles = (np.arange(len(shape.twist)) + 0.5) / len(shape.twist) * 360 - 180
    assert angles[shape.twist.argmax()] == pytest.approx(50, abs=10), "right-handed helices"
    assert sum(counted()["letters"].values()) > 40_000
    assert frequencies().sum() == pytest.approx(1)


def test_larger_errors_widen_the_shape():
    sharp, wide = geometry(0.2, 0.2, 1), geometry(0.9, 0.2, 1)
    assert np.isfinite(wide.spans).sum() > np.isfinite(sharp.spans).sum()
    assert wide.spans.max() < sharp.spans.max()
    assert np.ptp(wide.twist) < np.ptp(sharp.twist)


def test_spans_of_points_are_read_from_the_shape():
    shape = geometry(0.5, 0.2, 3)
    xyz = np.array([[0.0, 0, 0], [3.85, 0, 0], [0, 6.05, 0], [90, 0, 0]])
    one, two, _ = transitions(xyz, shape)
    values = {tuple(pair): value for pair, value in zip(one.pairs.tolist(), one.values.tolist(), strict=True)}
    assert values[0, 1] == values[1, 0] == pytest.approx(float(np.interp(38.5, range(220), shape.spans[0])), abs=1e-4)
    assert (0, 3) not in values
    assert [0, 2] in two.pairs.tolist()


def test_sharpness_and_error_are_learnt_from_placed_residues():
    n = 300
    kinds = rng.integers(0, 20, n).astype(np.int32)
    xyz = np.cumsum(np.tile([BOND, 0, 0], (n, 1)), axis=0) + rng.normal(0, 0.6 / np.sqrt(3), (n, 3))
    # Softened probabilities: their own log-odds are half of what they are worth.
    true = np.full((n, 20), 0.02)
    drawn = [rng.choice(20, p=np.where(np.arange(20) == k, 0.62, 0.02)) for k in kinds]
    true[np.arange(n), drawn] = 0.62
    soft = np.sqrt(true)
    chain = Chains(Sequence("A", "A" * n), kinds, range(1))
    shares = np.eye(n, dtype=np.float32)
    start = Learnt.of([chain], BeamParams())
    odds = raw_odds(soft / soft.sum(axis=1, keepdims=True), np.ones(n))
    model = learnt(start, odds, xyz, [chain], [Belief(shares, 0 * shares)])
    assert 1.5 < model.sharpness < 2.6
    assert model.error == pytest.approx(0.6, abs=0.1)
    nothing = learnt(start, odds, xyz, [chain], [Belief(0 * shares, shares)])
    assert nothing == start
    assert SHARPNESS.min() < start.sharpness < SHARPNESS.max()


def test_calibrated_odds_of_all_kinds_add_up_to_one():
    model = Learnt.of(proteins(sequences_of(MODEL)), BeamParams())
    odds = model.log_odds(rng.normal(0, 2, (7, 20)), 1.7)
    np.testing.assert_allclose((model.usual * np.exp(odds)).sum(axis=1), 1)


def threading_of(residues: list[int], xyz: list[list[float]]) -> Threading:
    n = len(residues)
    zeros = np.zeros(n, np.int32)
    sequences = SequenceSet((Sequence("A", "A" * 20),))
    return Threading(sequences, zeros, zeros, residues, xyz, np.full(n, 0.5), np.ones(1), ("given",))


def test_short_gaps_are_filled_where_there_is_room():
    found = filled(threading_of([1, 3, 9], [[0, 0, 0], [7.0, 0, 0], [20, 0, 0]]), 4)
    assert found.residue.tolist() == [1, 2, 3, 9]
    np.testing.assert_allclose(found.xyz[1], [3.5, 0, 0])
    assert found.confidence[1] < found.confidence[0]
    assert [text.startswith("on the line") for text in found.origins()] == [False, True, False, False]
    wide = filled(threading_of([1, 3], [[0, 0, 0], [12.0, 0, 0]]), 4)
    assert wide.residue.tolist() == [1, 3]


def test_clusters_are_centres_of_likely_voxels():
    found = run_stage("cryo2struct.points", maps=MAPS, params={"threshold": 0.5})
    off = np.linalg.norm(found.xyz[:, None] - CALPHA, axis=2).min(axis=0)
    assert np.mean(off < 1.0) > 0.95
    assert set(found.classes) == set(AMINO_ACIDS)
    assert amino_acids(found).shape == (len(found), 20)
    with pytest.raises(StageError, match=r"no voxel is a Cα .* highest is"):
        run_stage("cryo2struct.points", maps=ProbabilityMaps(MAPS.values * np.float16(0.1), MAPS.frame, MAPS.classes))
    without = ProbabilityMaps(MAPS.values[:1], MAPS.frame, ("backbone",))
    with pytest.raises(InputError, match="no class CA"):
        run_stage("cryo2struct.points", maps=without)


class TestPointsContract(StageContract):
    stage_id = "cryo2struct.points"

    def inputs(self):
        return {"maps": MAPS}


class TestViterbiContract(StageContract):
    stage_id = "cryo2struct.viterbi"

    def inputs(self):
        return {"points": seen(), "sequences": sequences_of(MODEL)}


class TestBeamContract(StageContract):
    stage_id = "cryo2struct.beam"

    def inputs(self):
        return {"points": seen(), "sequences": sequences_of(MODEL)}
