"""Bent chains and the heaviest compatible set: the contract, a complex that is known, a bent chain, domains."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ortools", reason="OR-Tools is not installed")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, ModelSet
from cryoweave.data.model import joined_models
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave.testing import StageContract
from cryoweave_assembly.domains import compact_regions

RESOLUTION = 8.0
ALONG, ASIDE, MIDDLE = np.array([[30.0, 0.0, 0.0], [28.0, 4.0, 0.0], [35.0, 45.0, 45.0]])
QUICK = {"resolution": RESOLUTION, "angle_step": 20.0, "refined": 40, "poses": 10}


@pytest.fixture(autouse=True)
def _complex(request, truth):
    if request.instance is not None:
        request.instance.truth = truth


class TestAssemble(StageContract):
    stage_id = "embuild.assemble"

    def inputs(self):
        return {"density": self.truth.density, "models": ModelSet(("a", "b"), self.truth.models.models[:2])}

    def params(self):
        return self.stage.params(**QUICK)


def test_a_complex_is_put_together(truth):
    model = run_stage("embuild.assemble", density=truth.density, models=truth.models, params=QUICK)
    assert max(truth.off(model)) < 1.5
    assert model.b_is_confidence.all()


def test_a_chain_whose_domains_moved_is_bent(truth):
    one, other = truth.models.models[1], truth.models.models[2]
    one = replace(one, xyz=one.xyz - one.xyz.mean(axis=0))
    other = replace(other, xyz=other.xyz - other.xyz.mean(axis=0), residue_number=other.residue_number + 500)
    straight = joined_models([one, replace(other, xyz=other.xyz + ALONG, chain=np.full(len(other), "A"))])
    turn = np.array([[np.cos(0.35), -np.sin(0.35), 0.0], [np.sin(0.35), np.cos(0.35), 0.0], [0.0, 0.0, 1.0]])
    bent = np.concatenate([one.xyz, other.xyz @ turn.T + ASIDE]) + MIDDLE
    frame = Frame((50, 50, 55), (1.8, 1.8, 1.8))
    density = DensityMap(simulate_blurred(frame, bent, 7.0, 1.8), frame)
    away = replace(straight, xyz=straight.xyz @ random_rotations(1, 3)[0].T)
    found = {}
    for fewest in (0, 40):
        model = run_stage(
            "embuild.assemble",
            density=density,
            models=ModelSet(("x",), (away,)),
            params={**QUICK, "domain": fewest, "angle_step": 12.0},
        )
        found[fewest] = float(np.sqrt(np.mean(np.sum((model.xyz - bent) ** 2, axis=1))))
    assert found[40] < 0.6 * found[0]
    assert found[40] < 1.5


def test_regions_are_what_hangs_together():
    rng = np.random.default_rng(0)
    ball = rng.normal(size=(60, 3))
    ball = 9.0 * ball / np.linalg.norm(ball, axis=1, keepdims=True)
    trace = np.concatenate([ball, ball + ALONG])
    found = compact_regions(trace, 30)
    assert set(found[:60].tolist()) == {0}
    assert set(found[60:].tolist()) == {1}
    assert set(compact_regions(trace, 80).tolist()) == {0}


def test_errors_have_hints(truth):
    with pytest.raises(InputError) as error:
        run_stage("embuild.assemble", density=truth.density, models=truth.models, params={})
    assert error.value.hint
    high = float(truth.density.values.max()) * 2
    with pytest.raises(StageError, match="contour"):
        run_stage("embuild.assemble", density=truth.density, models=truth.models, params={**QUICK, "contour": high})
