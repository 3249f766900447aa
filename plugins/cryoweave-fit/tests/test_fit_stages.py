"""The default search finds known poses, measures them all, and places models that do not clash."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, ModelSet, Poses
from cryoweave.data.model import joined_models
from cryoweave.errors import InputError, StageError, UsageError
from cryoweave.kernels.rotations import random_rotations
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_fit.stages import MeasureParams, PlaceParams, SearchParams

MODEL = ideal_model("H" * 18 + "C" * 5 + "H" * 10 + "C" * 4 + "E" * 8)
OTHER = ideal_model("E" * 9 + "C" * 4 + "E" * 9 + "C" * 3 + "H" * 9)
TURN = random_rotations(1, 7)[0]
SHIFT = np.array([40.0, -20.0, 10.0])
Y = np.array([0.0, 1.0, 0.0])
RESOLUTION = 7.0


def moved(model, turn=TURN, shift=SHIFT):
    return replace(model, xyz=model.xyz @ turn.T + shift)


def off(poses, pose, model, truth):
    return float(np.sqrt(((poses.moved(model.xyz, pose) - truth.xyz) ** 2).sum(axis=1).mean()))


TRUTH = moved(MODEL)
BESIDE = moved(OTHER, TURN.T, SHIFT + 45.0 * Y)
DENSITY = simulated_map(joined_models([TRUTH, BESIDE]), resolution=RESOLUTION, voxel=2.0, noise=0.01)
BOTH = ModelSet(("one", "other"), (MODEL, OTHER))
EXACT = Poses(
    np.stack([TURN, TURN, TURN.T]),
    np.stack([SHIFT, SHIFT + 1.0, SHIFT + 45.0 * Y]),
    [0.9, 0.8, 0.7],
    ["one", "one", "other"],
    {"z": np.array([9.0, 8.0, 7.0])},
)


class TestSearch(StageContract):
    stage_id = "fit.search"

    def inputs(self):
        return {"density": DENSITY, "models": ModelSet(("one",), (MODEL,))}

    def params(self):
        return SearchParams(resolution=RESOLUTION, candidates=30)


class TestMeasure(StageContract):
    stage_id = "fit.measure"

    def inputs(self):
        return {"density": DENSITY, "models": BOTH, "poses": EXACT}

    def params(self):
        return MeasureParams(resolution=RESOLUTION)


class TestPlace(StageContract):
    stage_id = "fit.place"
    may_be_empty = ("density",)

    def inputs(self):
        return {"density": DENSITY, "models": BOTH, "poses": EXACT}

    def params(self):
        return PlaceParams()


def search(density=DENSITY, models=BOTH, **params):
    return run_stage("fit.search", density=density, models=models, params={"resolution": RESOLUTION, **params})


def test_each_model_finds_its_place_and_stands_out():
    poses = search()
    for name, model, truth in (("one", MODEL, TRUTH), ("other", OTHER, BESIDE)):
        best = int(np.flatnonzero(poses.model == name)[0])
        assert off(poses, best, model, truth) < 0.5
        others = np.flatnonzero(poses.model == name)[1:]
        assert poses.measures["z"][best] > poses.measures["z"][others].max() + 1
    assert (np.diff(poses.score) <= 0).all()
    assert np.sum(poses.model == "one") == 10


def test_poses_are_apart_and_no_more_than_asked_for():
    poses = search(models=ModelSet(("one",), (MODEL,)), top=4, apart=12.0)
    assert len(poses) == 4
    atoms = [poses.moved(MODEL.xyz, pose) for pose in range(4)]
    gaps = [np.sqrt(((a - b) ** 2).sum(axis=1).mean()) for i, a in enumerate(atoms) for b in atoms[:i]]
    assert min(gaps) > 12.0


@pytest.mark.parametrize(
    ("params", "density", "error", "message"),
    [
        ({"resolution": None}, DENSITY, InputError, "resolution is not given"),
        ({"contour": 1e6}, DENSITY, StageError, "above the map's maximum"),
        ({}, DensityMap(np.ones((8, 8, 8), np.float32), Frame((8, 8, 8))), StageError, "same density everywhere"),
        ({}, DensityMap(DENSITY.values[:9, :9, :9], DENSITY.frame.crop((0, 0, 0), (9, 9, 9))), StageError, "not fit"),
    ],
)
def test_what_cannot_be_fitted_is_said(params, density, error, message):
    with pytest.raises(error, match=message):
        search(density, **params)


def test_a_model_of_water_has_nothing_to_place():
    water = replace(MODEL, residue_name=np.full(len(MODEL), "HOH"))
    with pytest.raises(StageError, match="no heavy atom"):
        search(models=ModelSet(("water",), (water,)))


def test_scores_of_the_true_pose_are_the_highest_whoever_found_it():
    away = Poses(EXACT.rotation, EXACT.translation + 15.0 * np.outer([0, 1, 0], Y), EXACT.score, EXACT.model)
    found = run_stage(
        "fit.measure", density=DENSITY, models=BOTH, poses=away, params={"resolution": RESOLUTION}
    ).measures
    for name in ("laplacian", "correlation", "about_mean", "overlap", "average", "inside"):
        assert found[name][0] > found[name][1], name
    assert min(found[name][0] for name in ("laplacian", "correlation", "inside")) > 0.9


def test_a_pose_that_clashes_gives_way_and_chains_get_names_of_their_own():
    model = run_stage("fit.place", density=DENSITY, models=BOTH, poses=EXACT, params={"copies": 2})
    assert sorted(set(model.chain.tolist())) == ["A", "B"]
    assert len(model) == len(MODEL) + len(OTHER)
    assert np.allclose(model.xyz[: len(MODEL)], TRUTH.xyz)


def test_symmetry_makes_copies_about_the_middle_of_the_map():
    one = EXACT.select(np.array([0]))
    frame = Frame((60, 60, 60), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0))
    density = DensityMap(np.zeros(frame.shape_zyx, np.float32), frame)
    models = ModelSet(("one",), (MODEL,))
    model = run_stage("fit.place", density=density, models=models, poses=one, params={"symmetry": "C3", "copies": 3})
    parts = [model.xyz[model.chain == chain] for chain in "ABC"]
    middle = np.mean([part.mean(axis=0) for part in parts], axis=0)
    assert np.allclose(middle[:2], 60.0)
    assert np.allclose(np.linalg.norm(parts[0] - middle, axis=1), np.linalg.norm(parts[1] - middle, axis=1))
    with pytest.raises(UsageError, match="no symmetry"):
        run_stage("fit.place", density=density, models=models, poses=one, params={"symmetry": "X"})


HELIX_FRAME = Frame((50, 60, 60), (2.0, 2.0, 2.0))


def helix_of(copies, z):
    """Copies 40 Å apart from one that was placed at this height, in a box of 100 Å that is full."""
    density = DensityMap(np.ones(HELIX_FRAME.shape_zyx, np.float32), HELIX_FRAME)
    pose = Poses(np.eye(3)[None], np.array([[60.0, 60.0, z]]) - MODEL.xyz.mean(axis=0), [1.0], ["one"])
    models, params = ModelSet(("one",), (MODEL,)), {"symmetry": f"H0,40,{copies}", "copies": copies}
    model = run_stage("fit.place", density=density, models=models, poses=pose, params=params)
    return [float(model.xyz[model.chain == chain, 2].mean()) for chain in "ABC"[:copies]]


@pytest.mark.parametrize(("copies", "said"), [(3, "1 of 3 copies of one by the symmetry H0,40,3"), (2, "")])
def test_copies_that_leave_the_map_are_told(copies, said, caplog):
    assert helix_of(copies, 25.0) == pytest.approx([25.0, 65.0, 105.0][:copies])
    warned = " ".join(record.getMessage() for record in caplog.records)
    assert said in warned
    assert bool(said) == ("little density" in warned)


@pytest.mark.parametrize(("z", "there"), [(75.0, [75.0, 35.0]), (25.0, [25.0, 65.0])])
def test_a_helix_goes_on_where_the_map_does(z, there, caplog):
    assert helix_of(2, z) == pytest.approx(there)
    assert "little density" not in caplog.text


def test_a_pose_on_the_axis_that_clashes_with_its_own_copies_is_told():
    frame = Frame((60, 60, 60), (2.0, 2.0, 2.0))
    density = DensityMap(np.zeros(frame.shape_zyx, np.float32), frame)
    middle = Poses(np.eye(3)[None], 60.0 - MODEL.xyz.mean(axis=0)[None], [1.0], ["one"])
    with pytest.raises(StageError, match="clashes with its own copies by the symmetry C2") as error:
        run_stage(
            "fit.place",
            density=density,
            models=ModelSet(("one",), (MODEL,)),
            poses=middle,
            params={"symmetry": "C2", "copies": 2, "clash": 0.0},
        )
    assert error.value.hint
