"""Three searches find a known pose on their lattices."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import ModelSet
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.rotations import random_rotations
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_fft.powerfit import _core
from cryoweave_fft.stages import ColoresParams, PowerFitParams, VesperParams
from cryoweave_fft.vesper import standing_out

MODEL = ideal_model("H" * 18 + "C" * 5 + "H" * 10 + "C" * 4 + "E" * 8)
TURN = random_rotations(1, 7)[0]
SHIFT = np.array([40.0, -20.0, 10.0])
TRUTH = replace(MODEL, xyz=MODEL.xyz @ TURN.T + SHIFT)
DENSITY = simulated_map(TRUTH, resolution=8.0, voxel=2.5, noise=0.01)
MODELS = ModelSet(("one",), (MODEL,))


class TestColores(StageContract):
    stage_id = "situs.colores"

    def inputs(self):
        return {"density": DENSITY, "models": MODELS}

    def params(self):
        return ColoresParams(resolution=8.0)


class TestPowerFit(TestColores):
    stage_id = "powerfit.search"

    def params(self):
        return PowerFitParams(resolution=8.0, angle_step=21)


class TestVesper(TestColores):
    stage_id = "vesper.search"

    def params(self):
        return VesperParams(resolution=8.0, voxel=4.0)


CONTOUR = float(DENSITY.values.max()) / 20


@pytest.mark.parametrize(
    ("stage", "params", "near"),
    [
        ("situs.colores", {"contour": CONTOUR}, 1.0),
        ("powerfit.search", {"angle_step": 16.5}, 4.0),
        ("powerfit.search", {"angle_step": 16.5, "laplacian": False, "core_weighted": False}, 6.0),
        ("vesper.search", {"voxel": 3.0, "bandwidth": 8.0, "contour": CONTOUR, "angle_step": 16.5}, 4.0),
        ("vesper.search", {"voxel": 3.0, "mode": "correlation", "contour": CONTOUR, "angle_step": 21}, 6.0),
    ],
)
def test_a_known_pose_is_the_best(stage, params, near):
    poses = run_stage(stage, density=DENSITY, models=MODELS, params={"resolution": 8.0, **params})
    off = np.sqrt(((poses.moved(MODEL.xyz, 0) - TRUTH.xyz) ** 2).sum(axis=1).mean())
    assert off < near
    assert (np.diff(poses.score) <= 0).all()
    assert len(poses) <= 10


@pytest.mark.parametrize("stage", ["situs.colores", "powerfit.search", "vesper.search"])
def test_the_resolution_must_be_given(stage):
    with pytest.raises(InputError, match="resolution is not given"):
        run_stage(stage, density=DENSITY, models=MODELS)


def test_a_contour_above_everything_is_said():
    with pytest.raises(StageError, match="above the contour"):
        run_stage("situs.colores", density=DENSITY, models=MODELS, params={"resolution": 8.0, "contour": 1e9})


def test_the_core_is_deeper_than_the_surface():
    mask = np.zeros((9, 9, 9), bool)
    mask[1:8, 1:8, 1:8] = True
    depth = _core(mask)
    assert [depth[0, 0, 0], depth[1, 4, 4], depth[4, 4, 4]] == [0, 1, 4]
    assert depth.max() == 4


def test_a_score_stands_out_of_the_largest_cluster():
    background = np.concatenate([np.linspace(0, 1, 101), [10.0]])
    z = standing_out(np.array([10.0]), background)
    assert z[0] == pytest.approx((10 - 0.5) / np.linspace(0, 1, 101).std())
