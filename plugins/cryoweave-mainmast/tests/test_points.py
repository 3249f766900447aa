"""Cα and amino acids from density alone."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Traces
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.testing import StageContract, ideal_model, sequences_of, simulated_map
from cryoweave_mainmast.helix import resampled
from cryoweave_mainmast.points import joined
from cryoweave_mainmast.stages import DensityPointsParams

MODEL = ideal_model("E" * 10 + "CCC" + "H" * 20)
CALPHA = MODEL.trace_atoms().xyz
DENSITY = simulated_map(MODEL, resolution=3.0)


def traces_of(*paths):
    nodes = [resampled(path, 0.8) for path in paths]
    counts = [len(one) for one in nodes]
    return Traces(
        xyz=np.concatenate(nodes),
        weight=np.ones(sum(counts)),
        fragment=np.repeat(np.arange(len(nodes)), counts),
        candidate=np.arange(len(nodes)),
        score=-np.arange(len(nodes), dtype=float),
    )


def test_calpha_are_found_along_a_path():
    found = run_stage("mainmast.points", density=DENSITY, traces=traces_of(CALPHA))
    distance = np.linalg.norm(found.xyz[:, None] - CALPHA, axis=2).min(axis=0)
    assert np.mean(distance < 1.5) > 0.85
    assert set(found.classes) == set(AMINO_ACIDS)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, atol=1e-5)


def test_only_the_best_candidates_are_looked_along():
    far = CALPHA + np.array([0, 0, 3.0])
    both = traces_of(CALPHA, far)
    one = run_stage("mainmast.points", density=DENSITY, traces=both, params={"candidates": 1})
    alone = run_stage("mainmast.points", density=DENSITY, traces=traces_of(CALPHA), params={"candidates": 1})
    np.testing.assert_array_equal(one.xyz, alone.xyz)


def test_what_paths_agree_on_weighs_more():
    xyz = np.array([[0.0, 0, 0], [10, 0, 0]])
    odds = np.zeros((2, 20))
    odds[:, 3] = 2.0
    found = joined([(xyz, odds), (xyz[:1] + 0.3, odds[:1])], DensityPointsParams())
    assert found.weight.tolist() == [1.0, 0.5]
    np.testing.assert_allclose(found.xyz[0], 0.15)
    assert found.probabilities.argmax(axis=1).tolist() == [3, 3]


def test_paths_of_nothing_are_refused():
    short = Traces(CALPHA[:3], np.ones(3), np.zeros(3), np.zeros(1), np.zeros(1))
    with pytest.raises(StageError, match="no path has 5 nodes"):
        run_stage("mainmast.points", density=DENSITY, traces=short)


def test_tracers_run_without_a_network():
    paths = run_stage("mainmast.paths", density=DENSITY, sequences=sequences_of(MODEL))
    found = run_stage("mainmast.points", density=DENSITY, traces=paths)
    distance = np.linalg.norm(found.xyz[:, None] - CALPHA, axis=2).min(axis=0)
    assert np.mean(distance < 2) > 0.7
    bonds = run_stage("edges.bonds", points=found, density=DENSITY)
    assert len(run_stage("trace.routes", bonds=bonds))


class TestPointsContract(StageContract):
    stage_id = "mainmast.points"

    def inputs(self):
        return {"density": DENSITY, "traces": traces_of(CALPHA)}
