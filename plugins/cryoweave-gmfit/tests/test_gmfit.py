"""The stage keeps the contract and finds known poses."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoweave import run_stage
from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.errors import CryoweaveError, StageError
from cryoweave.host import Context, registry
from cryoweave.kernels.mixture import Mixture
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_gmfit.fit import Shape
from cryoweave_gmfit.mixtures import subunits
from cryoweave_gmfit.stages import FitParams

MODEL = ideal_model("H" * 18 + "C" * 5 + "H" * 10 + "C" * 4 + "E" * 8)
ROTATION = Rotation.from_rotvec([0.5, -1.2, 0.8])
SHIFT = np.array([40.0, -20.0, 10.0])


def moved(model, rotation, shift):
    return replace(model, xyz=model.xyz @ rotation.as_matrix().T + shift)


def joined(models):
    names = Model.__dataclass_fields__
    return Model(**{name: np.concatenate([getattr(one, name) for one in models]) for name in names})


def off(poses, pose, model, truth):
    return np.sqrt(((poses.moved(model.xyz, pose) - truth.xyz) ** 2).sum(axis=1).mean())


TRUTH = moved(MODEL, ROTATION, SHIFT)
DENSITY = simulated_map(TRUTH, resolution=8.0, voxel=2.0, noise=0.01)


class TestFit(StageContract):
    stage_id = "gmfit.fit"

    def inputs(self):
        return {"density": DENSITY, "models": ModelSet(("one",), (MODEL,))}

    def params(self):
        return FitParams(starts=20, components=20)


class TestFitOfCopies(TestFit):
    def params(self):
        return FitParams(starts=4, copies=2, components=10, together=True)


@pytest.mark.parametrize(("background", "coarse"), [(0.0, 0.0), (5.0, 0.0), (4.0, 12.0)])
def test_a_known_pose_is_the_best_and_others_are_apart(background, coarse):
    poses = run_stage(
        "gmfit.fit",
        density=DENSITY,
        models=ModelSet(("one",), (MODEL,)),
        params={"starts": 80, "components": 20, "resolution": 8.0, "background": background, "coarse": coarse},
    )
    assert off(poses, 0, MODEL, TRUTH) < 1.0
    assert poses.score[0] > 0.9
    assert (np.diff(poses.score) <= 0).all()
    assert 1 < len(poses) <= 10
    atoms = [poses.moved(MODEL.xyz, pose) for pose in range(len(poses))]
    gaps = [np.sqrt(((a - b) ** 2).sum(axis=1).mean()) for i, a in enumerate(atoms) for b in atoms[:i]]
    assert min(gaps) > 2.8


def test_each_model_finds_its_own_place():
    other = ideal_model("E" * 9 + "C" * 4 + "E" * 9 + "C" * 3 + "E" * 9)
    place = moved(other, ROTATION.inv(), SHIFT + np.array([35.0, 0.0, 0.0]))
    density = simulated_map(joined([TRUTH, place]), resolution=8.0, voxel=2.0)
    models = ModelSet(("one", "other"), (MODEL, other))
    for together in (False, True):
        params = {"starts": 80, "components": 20, "together": together, "resolution": 8.0}
        poses = run_stage("gmfit.fit", density=density, models=models, params=params)
        best = {name: int(np.flatnonzero(poses.model == name)[0]) for name in models.names}
        assert off(poses, best["one"], MODEL, TRUTH) < 1.5
        assert off(poses, best["other"], other, place) < 1.5
        if together:
            assert (poses.measures["configuration"][:2] == 0).all()
            assert poses.score[0] == poses.score[1] > 0.9
            assert (poses.measures["own_correlation"] < poses.score[0]).all()


@pytest.mark.parametrize("cyclic", [False, True])
def test_copies_go_to_different_places(cyclic):
    turn = Rotation.from_rotvec([0.0, 0.0, np.pi])
    outer = moved(MODEL, ROTATION, np.array([16.0, 0.0, 0.0]) - ROTATION.apply(MODEL.xyz.mean(axis=0)))
    places = [outer, moved(outer, turn, [0.0, 0.0, 0.0])]
    density = simulated_map(joined(places), resolution=8.0, voxel=2.0)
    poses = run_stage(
        "gmfit.fit",
        density=density,
        models=ModelSet(("one",), (MODEL,)),
        params={"starts": 80, "components": 20, "copies": 2, "cyclic": cyclic, "resolution": 8.0},
    )
    found = [[off(poses, pose, MODEL, place) for place in places] for pose in range(2)]
    assert sorted(np.argmin(found, axis=1)) == [0, 1]
    assert np.min(found, axis=1).max() < 1.5
    assert poses.measures["clash"][0] < 0.1


def test_the_distance_of_two_poses_is_that_of_the_atoms():
    atoms = Mixture.of_points(MODEL.xyz, 1.0, 1e-9)
    turns = Rotation.random(2, rng=np.random.default_rng(1)).as_matrix()
    a, b = (MODEL.xyz @ turn.T + shift for turn, shift in zip(turns, (SHIFT, 2 * SHIFT), strict=True))
    found = Shape.of(atoms).rmsd(turns[:1], SHIFT[None], turns[1], 2 * SHIFT)
    assert found == pytest.approx(np.sqrt(((a - b) ** 2).sum(axis=1).mean()), abs=1e-4)


def test_an_atom_is_as_wide_as_its_ball_and_its_blur():
    one = ModelSet(("one",), (MODEL,))
    widths = []
    for resolution in (0.0, 10.0):
        part = subunits(one, FitParams(components=1, resolution=resolution), Context())[0]
        assert part.mass == pytest.approx(part.mixture.moments()[0])
        widths.append(np.trace(part.mixture.moments()[2]) / 3)
    assert widths[1] - widths[0] == pytest.approx(2.25**2)


def test_a_contour_above_everything_and_an_inverted_map_are_told():
    stage = registry().stage("gmfit.fit").function()
    models = ModelSet(("one",), (MODEL,))
    for density, threshold, words in (
        (DENSITY, 1e9, "above the contour"),
        (DensityMap(-np.abs(DENSITY.values) - 1, DENSITY.frame), None, "no density above 0"),
    ):
        with pytest.raises(StageError, match=words) as error:
            stage(density=density, models=models, params=FitParams(threshold=threshold), ctx=Context())
        assert error.value.hint


def test_atoms_without_occupancy_are_told():
    nobody = replace(MODEL, occupancy=np.zeros(len(MODEL), np.float32))
    with pytest.raises(CryoweaveError, match="occupancy"):
        run_stage("gmfit.fit", density=DENSITY, models=ModelSet(("one",), (nobody,)))


@pytest.mark.parametrize("recipe", ["gmfit", "gmfit-plus"])
def test_the_recipes_begin_with_the_stage(recipe):
    assert registry().recipe(recipe).steps[0].stage == "gmfit.fit"
