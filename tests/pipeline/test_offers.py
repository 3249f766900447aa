"""A stage that makes what a validator needs is asked when nobody gave it, and only then."""

import numpy as np
import pytest

from cryoweave import host
from cryoweave.data import DensityMap, Metric, Model, PointCloud, ScoreTable
from cryoweave.errors import NotGivenError, PluginError
from cryoweave.host import Kind, Params, Stage, param
from cryoweave.pipeline.validation import validate
from cryoweave.testing import ideal_model, make_registry, simulated_map

CALLS: list[str] = []
MODEL = ideal_model()
DENSITY = simulated_map(MODEL, resolution=3.0)


class NeedyParams(Params):
    given: float | None = param(None, "a number in place of points")


def make(density, model, params, ctx):
    CALLS.append("make")
    ctx.progress(0, 3)
    return PointCloud(np.zeros((7, 3)), np.ones(7))


def fail(density, model, params, ctx):
    raise PluginError("no weights", "get some")


def break_down(density, model, params, ctx):
    raise ZeroDivisionError("by nothing")


def check(params, points=None, **_inputs):
    if params.given is None and points is None:
        raise NotGivenError("needs points or a number", "give --number")


def score(model, points, params, ctx):
    check(params, points)
    value = params.given if params.given is not None else float(len(points))
    none = np.array([], dtype=np.str_)
    return ScoreTable(
        chain=none,
        residue_number=np.array([], np.int32),
        insertion_code=none,
        residue_name=none,
        residues={"needy": np.array([])},
        whole={"needy": value},
        metrics={"needy": Metric("a number", "", True)},
    )


def stages(maker):
    return [
        Stage(
            id="toy.make",
            kind=Kind.DETECT,
            summary="points",
            load=f"tests.pipeline.test_offers:{maker}",
            takes={"density": DensityMap, "model": Model},
            gives=PointCloud,
            offers=("toy.needy",),
        ),
        Stage(
            id="toy.needy",
            kind=Kind.VALIDATE,
            summary="a score",
            load="tests.pipeline.test_offers:score",
            takes={"model": Model, "points": PointCloud},
            gives=ScoreTable,
            optional=("points",),
            params=NeedyParams,
            check="tests.pipeline.test_offers:check",
        ),
    ]


@pytest.fixture(params=["make"])
def _installed(request, monkeypatch):
    CALLS.clear()
    registry = make_registry(stages(request.param))
    monkeypatch.setattr(host, "registry", lambda: registry)


@pytest.mark.usefixtures("_installed")
def test_what_is_needed_is_made_and_said():
    told = []
    found = validate(MODEL, density=DENSITY, progress=lambda *one: told.append(one))
    assert found.scores.whole == {"needy": 7.0}
    assert found.steps[0]["inputs"]["points"] == "toy.make"
    assert ("toy.make", 0, 3) in told
    again = validate(MODEL, density=DENSITY, offered=found.offered)
    assert again.scores.whole == {"needy": 7.0}
    assert CALLS == ["make"]


@pytest.mark.usefixtures("_installed")
def test_what_was_given_goes_first():
    found = validate(MODEL, density=DENSITY, params={"toy.needy": {"given": 2.0}})
    assert found.scores.whole == {"needy": 2.0}
    assert not CALLS


@pytest.mark.usefixtures("_installed")
def test_without_its_own_inputs_nothing_is_made():
    found = validate(MODEL)
    assert "needs points or a number" in found.left_out["toy.needy"]
    assert not CALLS


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("_installed", ["fail"], indirect=True)
def test_why_it_could_not_be_made_is_said():
    found = validate(MODEL, density=DENSITY)
    assert "no weights: get some" in found.left_out["toy.needy"]
    assert "give --number" in found.left_out["toy.needy"]


@pytest.mark.usefixtures("_installed")
@pytest.mark.parametrize("_installed", ["break_down"], indirect=True)
def test_a_bug_in_the_stage_that_was_to_make_it_is_said_and_stops_nothing():
    found = validate(MODEL, density=DENSITY)
    said = found.left_out["toy.needy"]
    assert "this is a bug in" in said
    assert "ZeroDivisionError: by nothing (test_offers.py" in said
