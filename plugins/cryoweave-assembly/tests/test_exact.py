"""Exact assembly: the contract, a complex that is known, doubts, symmetry, input that cannot be assembled."""

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("ortools", reason="OR-Tools is not installed")

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, ModelSet, Poses
from cryoweave.errors import CryoweaveError, InputError, PluginError, StageError
from cryoweave.host import Context, registry, solver
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave.testing import StageContract
from cryoweave_assembly.clashes import clash_shares
from cryoweave_assembly.explain import field_of, template_of, terms
from cryoweave_assembly.stages import ExactParams

RESOLUTION = 8.0


def silent(_done, _total):
    pass


@pytest.fixture(autouse=True)
def _complex(request, truth):
    if request.instance is not None:
        request.instance.truth = truth


class TestExact(StageContract):
    stage_id = "assemble.exact"

    def inputs(self):
        return {"density": self.truth.density, "models": self.truth.models, "poses": self.truth.poses}

    def params(self):
        return self.stage.params(resolution=RESOLUTION)


def assembled(truth, poses=None, models=None, density=None, **params):
    ctx = Context()
    function = registry().stage("assemble.exact").function()
    model = function(
        density or truth.density,
        models or truth.models,
        truth.poses if poses is None else poses,
        ExactParams(**{"resolution": RESOLUTION, **params}),
        ctx,
    )
    return model, ctx.facts


def test_a_complex_is_put_together_whatever_the_scores_say(truth):
    model, facts = assembled(truth)
    assert max(truth.off(model)) < 0.5
    assert facts["placed"] == 4
    assert facts["gap"] == 0
    assert facts["ambiguous"] == "none"
    assert len(set(model.chain.tolist())) == 4


def test_copies_of_one_chain_may_have_each_others_poses(truth):
    # All poses are of chain a, which is given once for both places.
    poses = truth.poses
    own = poses.select(poses.model != "d")
    rows = np.flatnonzero(poses.model == "d")
    a, d = truth.models.of("a"), truth.models.of("d")
    from cryoweave.kernels.metrics import superpose

    motion = superpose(a.xyz, d.xyz)
    turned = Poses(
        np.concatenate([own.rotation, poses.rotation[rows] @ motion.rotation]),
        np.concatenate([own.translation, poses.rotation[rows] @ motion.translation + poses.translation[rows]]),
        np.concatenate([own.score, poses.score[rows]]),
        np.concatenate([own.model, np.full(len(rows), "a")]),
    )
    model, _ = assembled(truth, turned)
    assert max(truth.off(model)) < 0.5
    three = ModelSet(("a", "b", "c"), truth.models.models[:3])
    model, facts = assembled(truth, turned, three, copies=2)
    assert max(truth.off(model)) < 0.5
    assert facts["placed"] == 4
    assert facts["missing b"] == 1


def test_a_chain_that_fits_twice_is_ambiguous(truth):
    # One chain for two equal places.
    three = ModelSet(("a", "b", "c"), truth.models.models[:3])
    from cryoweave.kernels.metrics import superpose

    motion = superpose(truth.models.of("a").xyz, truth.placed[3].xyz)
    own = truth.poses.select(truth.poses.model != "d")
    poses = Poses(
        np.concatenate([own.rotation, motion.rotation[None]]),
        np.concatenate([own.translation, motion.translation[None]]),
        np.append(own.score, 0.7),
        np.append(own.model, "a"),
    )
    _, facts = assembled(truth, poses, three)
    assert facts["ambiguous"] == "a"


def test_symmetric_copies_are_placed_with_each_other(truth):
    middle = np.array([50.0, 50.0, 50.0])
    one = replace(truth.placed[0], xyz=truth.placed[0].xyz - [32.0, 34.0, 36.0])
    frame = Frame((51, 51, 51), (2.0, 2.0, 2.0))
    turn = np.diag([-1.0, -1.0, 1.0])
    there = one.xyz + middle + [24.0, 3.0, 2.0]
    values = simulate_blurred(frame, np.concatenate([there, (there - middle) @ turn.T + middle]), 7.0, 1.8)
    poses = Poses(np.eye(3)[None], np.array([[74.5, 53.0, 52.0]]), np.ones(1), np.array(["one"]))
    model, facts = assembled(
        truth, poses, ModelSet(("one",), (one,)), DensityMap(values, frame), copies=2, symmetry="C2"
    )
    assert facts["placed"] == 2
    second = model.xyz[len(one) :]
    np.testing.assert_allclose((model.xyz[: len(one)] - middle) @ turn.T + middle, second, atol=1e-6)
    assert np.sqrt(np.mean(np.sum((model.xyz[: len(one)] - there) ** 2, axis=1))) < 0.2


def test_terms_are_those_of_the_sum_of_squares():
    rng = np.random.default_rng(1)
    atoms = Atoms(rng.normal(0, 8, (60, 3)), np.full(60, 7.0))
    frame = Frame((36, 36, 36), (2.5, 2.5, 2.5))
    field = field_of(DensityMap(rng.normal(size=(36, 36, 36)).astype(np.float32), frame), 9.0)
    template = template_of(atoms, 9.0)
    places = [[(turn, shift)] for turn, shift in zip(random_rotations(3, 2), rng.normal(45, 6, (3, 3)), strict=True)]
    found = terms(field, [template] * 3, places, silent)
    from cryoweave_assembly.explain import add

    shapes = []
    for ((turn, shift),) in places:
        values = np.zeros(field.frame.shape_zyx, np.float32)
        add(values, field.frame, template, (turn, shift))
        shapes.append(values.ravel())
    rows = np.array(shapes, np.float64)
    np.testing.assert_allclose(found.both, rows @ rows.T, rtol=1e-3, atol=1e-3 * np.abs(found.both).max())
    np.testing.assert_allclose(found.fit, rows @ field.values.ravel(), rtol=1e-3, atol=1e-4 * found.norm.max())
    np.testing.assert_allclose(found.norm, np.diag(found.both), rtol=0.15)


def test_clashes_are_counted_as_by_distances():
    rng = np.random.default_rng(0)
    traces = [rng.uniform(0, 30, (40, 3)) for _ in range(5)]
    found = clash_shares(traces, silent)
    for i in range(5):
        for j in range(i):
            near = np.linalg.norm(traces[i][:, None] - traces[j][None], axis=2)
            low, high = (max((near < d).any(axis=k).mean() for k in (0, 1)) for d in (1.5, 4.5))
            assert low <= found[i, j] == found[j, i] <= high


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"resolution": None}, InputError),
        ({"forbidden": 0.01}, InputError),
        ({"symmetry": "X3"}, CryoweaveError),
    ],
)
def test_bad_parameters_have_an_error_with_a_hint(truth, change, error):
    with pytest.raises(error) as raised:
        assembled(truth, **change)
    assert raised.value.hint


def test_poses_of_other_models_or_other_maps_have_an_error(truth):
    with pytest.raises(InputError, match="not among"):
        assembled(truth, models=ModelSet(("x",), truth.models.models[:1]))
    with pytest.raises(StageError):
        assembled(truth, truth.poses.select(slice(0, 0)))
    away = replace(truth.poses, translation=truth.poses.translation + 1000.0)
    with pytest.raises(StageError, match="no pose explains"):
        assembled(truth, away)


def test_without_the_solver_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    found = solver.check_solver()
    assert not found.ok
    assert "cryoweave[solve]" in found.hint
    with pytest.raises(PluginError) as raised:
        solver.require_solver()
    assert "cryoweave[solve]" in raised.value.hint


def test_it_runs_as_a_stage_of_a_chain(truth):
    model = run_stage(
        "assemble.exact",
        density=truth.density,
        models=truth.models,
        poses=truth.poses,
        params={"resolution": RESOLUTION, "cycles": 0},
    )
    assert max(truth.off(model)) < 1.0
