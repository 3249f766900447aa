"""``fitmap.search`` keeps the contract and finds a known place."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoweave import run_stage
from cryoweave.data import DensityMap, ModelSet
from cryoweave.errors import CryoweaveError, InputError, StageError
from cryoweave.host import registry
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_fitmap.stages import SearchParams

MODEL = ideal_model("H" * 18 + "C" * 5 + "H" * 10 + "C" * 4 + "E" * 8)
TURN = Rotation.from_rotvec([0.5, -1.2, 0.8]).as_matrix()
TRUTH = replace(MODEL, xyz=MODEL.xyz @ TURN.T + [40.0, -20.0, 10.0])
DENSITY = simulated_map(TRUTH, resolution=8.0, voxel=2.0, noise=0.01)
MODELS = ModelSet(("one",), (MODEL,))


def off(poses, pose):
    return np.sqrt(((poses.moved(MODEL.xyz, pose) - TRUTH.xyz) ** 2).sum(axis=1).mean())


class TestSearch(StageContract):
    stage_id = "fitmap.search"

    def inputs(self):
        return {"density": DENSITY, "models": MODELS}

    def params(self):
        return SearchParams(resolution=8.0, starts=20)


class TestSearchWithAtoms(TestSearch):
    def params(self):
        return SearchParams(points="atoms", starts=20)


@pytest.mark.parametrize(
    "params",
    [
        {"metric": "overlap"},
        # Basins of these two are narrow: 1,000 starts need not hit one, a first climb by blurred curvatures does.
        {"metric": "about_mean", "coarse": 15.0},
        {"metric": "correlation", "field": "curvature", "coarse": 15.0},
        {"points": "atoms"},
    ],
)
def test_a_known_place_is_the_best(params):
    poses = run_stage(
        "fitmap.search", density=DENSITY, models=MODELS, params={"resolution": 8.0, "starts": 100, **params}
    )
    assert off(poses, 0) < 1.5
    assert (np.diff(poses.score) <= 0).all()
    assert poses.measures["hits"][0] >= 1
    assert poses.measures["inside"][0] > 0.8
    assert (poses.measures["inside"] >= 0.1).all()


def test_hits_count_every_start_once():
    params = {"resolution": 8.0, "starts": 60, "top": 1000, "least_inside": 0.0}
    poses = run_stage("fitmap.search", density=DENSITY, models=MODELS, params=params)
    assert poses.measures["hits"].sum() == 60
    angle = Rotation.from_matrix(poses.rotation)
    centre = np.array([poses.moved(MODEL.xyz, i).mean(axis=0) for i in range(len(poses))])
    for i in range(1, len(poses)):
        far = np.degrees((angle[:i].inv() * angle[i]).magnitude()) > 6.0
        assert (far | (np.linalg.norm(centre[:i] - centre[i], axis=1) > 3.0)).all()


def test_two_models_have_starts_of_their_own():
    models = ModelSet(("one", "two"), (MODEL, MODEL))
    params = {"resolution": 8.0, "starts": 10, "top": 1, "least_inside": 0.0}
    poses = run_stage("fitmap.search", density=DENSITY, models=models, params=params)
    assert sorted(poses.model.tolist()) == ["one", "two"]
    assert not np.array_equal(poses.rotation[0], poses.rotation[1])


def test_what_cannot_be_is_told():
    for params, words in (
        ({"resolution": 8.0, "contour": 1e9}, "above the map's maximum"),
        ({}, "resolution"),
        ({"points": "atoms", "metric": "correlation"}, "atoms alike"),
    ):
        with pytest.raises((StageError, InputError), match=words) as error:
            run_stage("fitmap.search", density=DENSITY, models=MODELS, params=params)
        assert error.value.hint


def test_placements_that_reach_no_density_are_told():
    values = np.zeros((40, 40, 40), np.float32)
    values[[0, -1], [0, -1], [0, -1]] = 1.0
    density = DensityMap(values, replace(DENSITY.frame, shape_zyx=(40, 40, 40)))
    with pytest.raises(StageError, match="led to density") as error:
        run_stage("fitmap.search", density=density, models=MODELS, params={"resolution": 8.0, "starts": 5})
    assert error.value.hint


def test_a_model_larger_than_the_map_is_told():
    long = replace(MODEL, xyz=MODEL.xyz * 20)
    with pytest.raises(CryoweaveError, match="does not fit into the map"):
        run_stage("fitmap.search", density=DENSITY, models=ModelSet(("long",), (long,)), params={"resolution": 8.0})


@pytest.mark.parametrize(
    ("recipe", "stage"),
    [("fitmap", "fitmap.search"), ("fitmap-plus", "fitmap.search"), ("domainfit", "domainfit.identify")],
)
def test_the_recipes_begin_with_the_stage(recipe, stage):
    assert registry().recipe(recipe).steps[0].stage == stage
