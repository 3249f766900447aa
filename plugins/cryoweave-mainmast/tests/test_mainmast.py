"""The stages keep the contract, their parts do what they say, and the recipes reach what they reached."""

from pathlib import Path

import numpy as np
import pytest

import cryoweave
from cryoweave import run_stage
from cryoweave.data import PointCloud, Sequence, SequenceSet
from cryoweave.errors import CryoweaveError
from cryoweave.io.store import digest
from cryoweave.kernels.graph import order_segments
from cryoweave.testing import StageContract, ideal_model, sequences_of, simulated_map
from cryoweave_mainmast.gapped import turned
from cryoweave_mainmast.helix import helicity, resampled, restored, smoothed
from cryoweave_mainmast.link import pieces, segments_of
from cryoweave_mainmast.sidechain import LETTERS, SAMPLES, TRACED, fitted, flanks, local_axes, side_chain_table
from cryoweave_mainmast.stages import ThreadParams
from cryoweave_mainmast.threadca import path_feature, sequence_feature, weight_pairs

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
MODEL = ideal_model("H" * 24 + "CCCC" + "E" * 12)
DENSITY = simulated_map(MODEL, resolution=3.0)
SEQUENCES = sequences_of(MODEL)
THRESHOLD = float(np.quantile(DENSITY.values, 0.97))


@pytest.fixture(scope="module")
def points():
    return run_stage("peaks.meanshift", density=DENSITY, params={"threshold": THRESHOLD})


class TestTrace(StageContract):
    stage_id = "mainmast.trace"

    def params(self):
        return self.stage.params(nround=50, trajectories=2)

    def inputs(self):
        return {
            "density": DENSITY,
            "points": run_stage("peaks.meanshift", density=DENSITY, params={"threshold": THRESHOLD}),
        }


class TestSweep(StageContract):
    stage_id = "mainmast.sweep"

    def params(self):
        return self.stage.params(volumes=(80.0,), nround=(20,), trajectories=2)

    def inputs(self):
        return {"density": DENSITY, "sequences": SEQUENCES}


class TestPaths(StageContract):
    stage_id = "mainmast.paths"

    def inputs(self):
        return {"density": DENSITY, "sequences": SEQUENCES}


class TestThread(StageContract):
    stage_id = "mainmast.thread"

    def inputs(self):
        return {"traces": run_stage("mainmast.paths", density=DENSITY, sequences=SEQUENCES), "sequences": SEQUENCES}


class TestThreadGapped(StageContract):
    stage_id = "mainmast.thread_gapped"

    def inputs(self):
        traces = run_stage("mainmast.paths", density=DENSITY, sequences=SEQUENCES)
        return {"density": DENSITY, "traces": traces, "sequences": SEQUENCES}


def helix(residues=30, radius=2.3, per_residue=8):
    turn = np.arange(residues * per_residue) / per_residue
    angle = np.deg2rad(100 * turn)
    return np.column_stack((radius * np.cos(angle), radius * np.sin(angle), 1.5 * turn))


def test_a_shrunk_helix_comes_back_to_the_radius_of_its_alpha_carbons():
    found = restored(helix(radius=1.4), 0.8)
    inner = found[15:-15]
    assert np.hypot(inner[:, 0], inner[:, 1]).mean() == pytest.approx(2.3, abs=0.25)
    length = np.linalg.norm(np.diff(found, axis=0), axis=1).sum()
    assert length / 30 == pytest.approx(4.0, abs=0.4)


def test_a_line_stays_a_line_and_is_no_helix():
    line = np.column_stack((np.linspace(0, 60, 80), np.zeros(80), np.zeros(80)))
    np.testing.assert_allclose(restored(line, 0.8)[:, 1:], 0, atol=1e-9)
    assert helicity(resampled(line, 0.7), 0.7).max() < 1e-9
    assert np.median(helicity(resampled(helix(), 0.7), 0.7)) > 0.8


@pytest.mark.parametrize("nodes", [2, 3, 5, 13])
def test_short_paths_are_no_trouble(nodes):
    path = np.cumsum(np.ones((nodes, 3)), axis=0)
    assert np.isfinite(restored(path, 0.8)).all()
    assert smoothed(path, 4.0).shape == path.shape


def test_flanks_equal_a_loop_and_never_cross_a_break():
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(0, 0.6, (80, 3)), axis=0)
    breaks = np.zeros(80, bool)
    breaks[[20, 50]] = True

    def slow(i, sign):
        j = i
        for _ in range(9):
            following = j + sign
            blocked = not 0 <= following < 80 or (breaks[following] if sign == 1 else breaks[j])
            if blocked or np.linalg.norm(path[j] - path[i]) >= 3.8:
                break
            j = following
        return j

    before, behind = flanks(path, breaks)
    assert before.tolist() == [slow(i, -1) for i in range(80)]
    assert behind.tolist() == [slow(i, 1) for i in range(80)]


def test_the_side_chain_points_along_the_real_one():
    model = ideal_model("H" * 12, letters="A" * 12)
    alpha = model.xyz[model.atom_name == "CA"]
    beta = model.xyz[model.atom_name == "CB"]
    if not len(beta):
        pytest.skip("the ideal model has no Cβ")
    axes = local_axes(alpha[:-2], alpha[1:-1], alpha[2:])
    real = (beta - alpha)[1:-1]
    cosine = (axes[0] * real / np.linalg.norm(real, axis=1, keepdims=True)).sum(axis=1)
    assert cosine.min() > 0.9


def test_axes_are_orthonormal():
    rng = np.random.default_rng(1)
    axes = np.stack(local_axes(*rng.normal(size=(3, 20, 3))), axis=1)
    products = axes @ np.swapaxes(axes, 1, 2)
    np.testing.assert_allclose(products[:, [0, 1, 2], [0, 1, 2]], 1, atol=1e-9)
    np.testing.assert_allclose(products[:, 2, :2], 0, atol=1e-9)


def test_the_table_opens_and_log_odds_equal_their_slow_twin():
    stats = pytest.importorskip("scipy.stats")
    table = side_chain_table(TRACED)
    assert table.mean.shape == (20, len(SAMPLES))
    samples = np.random.default_rng(2).normal(size=(50, len(SAMPLES)))
    standard = np.clip((samples - samples.mean(axis=0)) / samples.std(axis=0), -3.5, 3.5)
    covariance = np.linalg.inv(table.precision)
    slow = np.column_stack([stats.multivariate_normal.logpdf(standard, mean, covariance) for mean in table.mean])
    slow -= np.log(np.exp(slow).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(table.log_odds(samples), slow, atol=1e-6)


def test_fitting_finds_the_distributions_that_made_the_samples():
    rng = np.random.default_rng(3)
    means = rng.normal(0, 2, (20, 4))
    letters = np.array(list(LETTERS * 200))
    samples = means[[LETTERS.index(c) for c in letters]] + rng.normal(size=(len(letters), 4))
    table = fitted(samples, letters, prior=1e-9, ridge=0.0)
    np.testing.assert_allclose(table.mean, means, atol=0.35)
    np.testing.assert_allclose(table.precision, np.eye(4), atol=0.1)


def test_segments_join_straight_rather_than_sharply():
    line = np.column_stack((np.linspace(5, 35, 40), np.full(40, 20.0), np.full(40, 20.0)))
    fork = np.column_stack((np.full(20, 20.0), np.linspace(21, 36, 20), np.full(20, 20.0)))
    xyz = np.concatenate([line, fork])
    edges = [[i, i + 1] for i in range(39)] + [[19, 40]] + [[i, i + 1] for i in range(40, 59)]
    density = simulated_map(MODEL, resolution=3.0)
    cloud = PointCloud(xyz=xyz, weight=np.ones(len(xyz)), edges=np.array(edges))
    segments = segments_of(cloud, density, 2.0, 8.0)
    np.testing.assert_array_equal(segments.join, segments.join.T)
    assert len(segments.paths) == 3
    best = order_segments(segments.join, segments.skip)[0]
    assert sum(map(len, pieces(segments, best, 7.0))) >= 40


def test_turning_twice_changes_nothing():
    path, breaks = np.random.default_rng(4).normal(size=(9, 3)), np.array([0, 0, 1, 0, 0, 1, 0, 0, 0], bool)
    again = turned(*turned(path, breaks))
    np.testing.assert_array_equal(again[0], path)
    np.testing.assert_array_equal(again[1], breaks)
    assert turned(path, breaks)[1].sum() == 2


def test_path_feature_equals_its_loop():
    rng = np.random.default_rng(5)
    xyz, weight = np.cumsum(rng.normal(size=(40, 3)), axis=0), rng.random(40).astype(np.float32)
    params = ThreadParams()
    raw = [
        sum(
            weight[j]
            / params.fw
            * np.exp(-((d := np.linalg.norm(xyz[i] - xyz[j])) ** 2) / (2 * params.fw**2))
            * (d <= 6)
            for j in range(40)
        )
        for i in range(40)
    ]
    np.testing.assert_allclose(path_feature(xyz, weight, params), (raw - np.mean(raw)) / np.std(raw), rtol=1e-6)


def test_secondary_structure_decides_how_many_weights_are_tried():
    plain, known = Sequence("a", "ACDEF"), Sequence("a", "ACDEF", secondary_structure="HHEEC")
    assert len(weight_pairs(plain)) == 1
    assert len(weight_pairs(known)) == 16
    assert sequence_feature(plain, 1, 1).mean() == pytest.approx(0)
    assert not np.allclose(sequence_feature(known, 1.3, 0.7), sequence_feature(known, 1.0, 1.0))


@pytest.mark.parametrize(
    "sequences",
    [
        SequenceSet((Sequence("a", "ACDE"), Sequence("b", "ACDE"))),
        SequenceSet((Sequence("r", "ACGU", molecule="rna"),)),
        SequenceSet((Sequence("a", "ACDE", copies=2),)),
    ],
)
def test_other_than_one_protein_chain_is_refused_clearly(sequences):
    with pytest.raises(CryoweaveError, match="one protein chain") as refused:
        run_stage("mainmast.sweep", density=DENSITY, sequences=sequences)
    assert refused.value.hint


def ran(recipe, folder, **more):
    return cryoweave.run(
        recipe,
        map=EXAMPLE / "2566_3J6B_9.mrc.gz",
        sequences=EXAMPLE / "3J6B_9.fasta",
        reference=EXAMPLE / "3J6B_9.pdb",
        output=folder,
        **more,
    )


PAPER = {
    "points.threshold": 0.162,
    "points.filter": 0.3,
    "trace.dkeep": 1.0,
    "trace.ntb": 10,
    "trace.rlocal": 5.0,
    "trace.nround": 50,
}


def test_the_published_chain_reaches_the_original_on_a_real_map(tmp_path):
    assert ran("mainmast", tmp_path / "run", settings=PAPER).scores.whole["recall"] >= 0.667


def test_ours_keeps_what_it_reached_whatever_the_threads(tmp_path):
    one = ran("mainmast-plus", tmp_path / "one", threads=1)
    two = ran("mainmast-plus", tmp_path / "two", threads=2)
    assert digest(one.model) == digest(two.model)
    assert one.scores.whole["recall"] >= 0.85
    assert one.scores.whole["precision"] >= 0.8
