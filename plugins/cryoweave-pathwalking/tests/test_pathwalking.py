"""Pseudo-atoms and paths: the contract, a helix, costs as published, input that cannot be walked."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, PointCloud, Sequence, SequenceSet
from cryoweave.data.model import joined_models
from cryoweave.errors import CryoweaveError
from cryoweave.host import Context, registry
from cryoweave.testing import StageContract, ideal_model, sequences_of, simulated_map
from cryoweave_pathwalking.points import check, clustered
from cryoweave_pathwalking.stages import PointsParams, TraceParams
from cryoweave_pathwalking.walk import bond_costs

MODEL = ideal_model("E" * 14)
TRACE = MODEL.trace_atoms()


def at_calpha(model=MODEL):
    trace = model.trace_atoms()
    order = np.random.default_rng(0).permutation(len(trace))
    return PointCloud(trace.xyz[order], np.ones(len(trace)))


class TestPoints(StageContract):
    stage_id = "pathwalking.points"

    def inputs(self):
        return {"density": simulated_map(MODEL), "sequences": sequences_of(MODEL)}


class TestTrace(StageContract):
    stage_id = "pathwalking.trace"

    def inputs(self):
        return {"density": simulated_map(MODEL), "points": at_calpha()}

    def params(self):
        return TraceParams(effort=2000)

    may_be_empty = ("density",)


def test_as_many_pseudo_atoms_as_residues_in_the_density():
    density = simulated_map(MODEL)
    found = run_stage("pathwalking.points", density=density, sequences=sequences_of(MODEL))
    assert len(found) == len(TRACE)
    gap = np.linalg.norm(found.xyz[:, None] - MODEL.xyz[None], axis=2).min(axis=1)
    assert gap.max() < 2.5
    assert np.linalg.norm(found.xyz[:, None] - found.xyz[None] + 99 * np.eye(len(found))[..., None], axis=2).min() > 1
    more = run_stage("pathwalking.points", density=density, params={"atoms": 30})
    assert len(more) == 30


def test_centres_are_those_of_far_clusters():
    rng = np.random.default_rng(1)
    middles = np.array([[0, 0, 0], [50, 0, 0], [0, 50, 0], [0, 0, 50.0]])
    xyz = np.concatenate([rng.normal(middle, 1, (200, 3)) for middle in middles])
    weight = rng.random(len(xyz))
    found = clustered(xyz, weight, 4, PointsParams(), Context())
    means = [np.average(part, axis=0, weights=w) for part, w in zip(np.split(xyz, 4), np.split(weight, 4), strict=True)]
    np.testing.assert_allclose(found[np.argsort(found @ [1, 2, 3])], np.array(means), atol=0.05)


def test_a_chain_is_walked_whole():
    found = run_stage("pathwalking.trace", density=simulated_map(MODEL), points=at_calpha())
    assert len(found) == 1
    path = np.linalg.norm(found.xyz[:, None] - TRACE.xyz[None], axis=2).argmin(axis=1).tolist()
    assert path in (list(range(len(TRACE))), list(range(len(TRACE)))[::-1])


def test_two_subunits_are_two_paths():
    both = joined_models(
        [MODEL, replace(MODEL, xyz=MODEL.xyz + np.array([0, 0, 30.0]), chain=np.full(len(MODEL), "B"))]
    )
    density, far = simulated_map(both), at_calpha(both)
    found = run_stage("pathwalking.trace", density=density, points=far, params={"subunits": 2})
    assert np.bincount(found.fragment).tolist() == [len(TRACE), len(TRACE)]


def test_costs_are_those_published():
    params = TraceParams(weight=1000)
    length = np.array([3.78, 4.78, 1.78, 3.78, 3.78])
    mean = np.array([2.0, 2.0, 2.0, 0.5, -1.0])
    found = bond_costs(length, mean, 1.0, params)
    dense = 1000 / 2.0001
    np.testing.assert_allclose(found, [dense, 100 + dense, min(200**2 + dense, 1e5), 2000 / 0.5001, 1e5], rtol=1e-6)


def test_input_that_cannot_be_walked():
    density = simulated_map(MODEL)
    with pytest.raises(CryoweaveError, match="not known how many"):
        check(PointsParams())
    with pytest.raises(CryoweaveError, match="not known how many"):
        run_stage("pathwalking.points", density=density, sequences=SequenceSet((Sequence("r", "ACGU", "rna"),)))
    with pytest.raises(CryoweaveError, match="fewer than 20 pseudo-atoms"):
        run_stage("pathwalking.points", density=density, params={"atoms": 20, "threshold": float(density.values.max())})
    empty = DensityMap(0 * density.values, density.frame)
    with pytest.raises(CryoweaveError):
        run_stage("pathwalking.points", density=empty, params={"atoms": 20})


def test_the_recipe_names_stages_that_are_there():
    recipe = registry().recipe("pathwalking")
    assert [registry().stage(step.stage).id for step in recipe.steps][:2] == ["pathwalking.points", "pathwalking.trace"]
