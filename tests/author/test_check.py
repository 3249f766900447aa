"""``cryoweave plugins check``: every promise that a stage breaks is named; what cannot be checked is not praised."""

import sys
from types import ModuleType

import numpy as np
import pytest

from cryoweave.author.check import Outcome, check_plugin
from cryoweave.author.inputs import _MAKERS, made_inputs, made_params, missing_makers
from cryoweave.data import DensityMap, Model, ModelSet, PointCloud, Poses
from cryoweave.errors import NotGivenError, PluginError, StageError, UsageError
from cryoweave.host import Check, CheckResult, Context, Kind, Params, PluginRow, Recipe, Stage, Step, param
from cryoweave.pipeline.wiring import TYPES
from cryoweave.testing import make_registry
from cryoweave.testing.contract import digest

RUNS = (
    "gives what it says and leaves inputs alone",
    "same seed gives the same result",
    "an empty input is a clear error",
    "progress can stop it",
)


class Settings(Params):
    contour: float = param(1.0, "Density above which a voxel counts.", unit="map", gt=0.0)
    resolution: float | None = param(None, "Of the map.", unit="Å", gt=0, le=60)


def good(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
    ctx.progress(0, 1)
    above = np.argwhere(density.values > params.contour)
    if not len(above):
        raise StageError("no density above the contour", "lower `contour`")
    return PointCloud(density.frame.to_xyz(above), density.values[tuple(above.T)])


class Own:
    """A type of a plugin's own."""


def verdicts(monkeypatch, function, *, may_be_empty=(), recipes=(), checks=(), **changes):
    module = ModuleType("checked_plugin")
    module.function = function
    module.absent = lambda: CheckResult(False, "no program", "buy one")
    monkeypatch.setitem(sys.modules, "checked_plugin", module)
    record = {
        "id": "test.good",
        "kind": Kind.DETECT,
        "summary": "Voxels above a contour.",
        "load": "checked_plugin:function",
        "takes": {"density": DensityMap},
        "gives": PointCloud,
        "params": Settings,
    }
    made = make_registry([Stage(**{**record, **changes})], recipes, checks)
    return {one.promise: one for one in check_plugin(made, "test", may_be_empty)}


def failed(found):
    return {promise for promise, one in found.items() if one.outcome is Outcome.FAILED}


def test_a_good_stage(monkeypatch):
    found = verdicts(monkeypatch, good)
    assert not failed(found)
    assert {promise for promise, one in found.items() if one.outcome is Outcome.OK} >= {*RUNS, "loads"}


def test_a_function_that_is_not_there(monkeypatch):
    found = verdicts(monkeypatch, good, load="checked_plugin:nothing")
    assert failed(found) == {"loads"}
    assert "nothing" in found["loads"].message


def test_names(monkeypatch):
    assert verdicts(monkeypatch, good, id="other.good")["is named after its plugin"].outcome is Outcome.ADVICE
    assert failed(verdicts(monkeypatch, good, id="Test")) == {"is named after its plugin"}


def test_parameters_without_help(monkeypatch):
    class Silent(Params):
        contour: float = param(1.0, "", gt=0.0)

    def function(density: DensityMap, params: Silent, ctx: Context) -> PointCloud:
        return good(density, Settings(), ctx)

    found = verdicts(monkeypatch, function, params=Silent)
    assert failed(found) == {"parameters are documented and bounded"}
    assert "no description" in found["parameters are documented and bounded"].message


def test_another_annotation(monkeypatch):
    def function(density: PointCloud, params: Settings, ctx: Context) -> PointCloud:
        return good(density, params, ctx)

    assert failed(verdicts(monkeypatch, function)) == {"signature is what the record says"}


def test_another_output(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        good(density, params, ctx)
        return density

    found = verdicts(monkeypatch, function)
    assert failed(found) == {RUNS[0]}
    assert "gave DensityMap" in found[RUNS[0]].message


def test_an_input_that_is_changed(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        values = np.array(density.values)
        values[0, 0, 0] += 1.0
        object.__setattr__(density, "values", values)
        return good(density, params, ctx)

    found = verdicts(monkeypatch, function)
    assert RUNS[0] in failed(found)
    assert "changed its input density" in found[RUNS[0]].message


def test_chance(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        good(density, params, ctx)
        return PointCloud(np.random.default_rng().normal(size=(3, 3)), np.ones(3))

    assert failed(verdicts(monkeypatch, function)) == {RUNS[1]}


def careless(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
    return PointCloud(np.zeros((1, 3)), np.ones(1))


def test_an_empty_map_that_is_no_error_unless_it_may_be(monkeypatch):
    assert failed(verdicts(monkeypatch, careless)) == {RUNS[2]}
    assert not failed(verdicts(monkeypatch, careless, may_be_empty=["test.good:density"]))
    with pytest.raises(UsageError, match=r"test\.good:map") as error:
        verdicts(monkeypatch, careless, may_be_empty=["test.good:map"])
    assert "test.good:density" in error.value.hint


def test_progress_that_is_swallowed(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        try:
            return good(density, params, ctx)
        except KeyboardInterrupt:
            return good(density, params, Context())

    assert failed(verdicts(monkeypatch, function)) == {RUNS[3]}


def test_a_stage_with_a_bug(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        raise ZeroDivisionError("by nought")

    found = verdicts(monkeypatch, function)
    assert failed(found) >= {*RUNS}
    assert "ZeroDivisionError: by nought" in found[RUNS[0]].message


def test_a_stage_that_ends_the_program(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        raise SystemExit(5)

    assert failed(verdicts(monkeypatch, function)) >= {*RUNS}


def test_values_that_cannot_be(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        return PointCloud([[np.nan, 0.0, 0.0]], [1.0])

    found = verdicts(monkeypatch, function)
    assert RUNS[0] in failed(found)
    assert "not finite" in found[RUNS[0]].message


def test_a_stage_that_prints(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        print("hello")
        return good(density, params, ctx)

    found = verdicts(monkeypatch, function)
    assert failed(found) == {"prints nothing"}
    assert "it printed 'hello" in found["prints nothing"].message


def test_an_error_without_a_hint_is_a_fault(monkeypatch):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        raise StageError("no")

    assert RUNS[2] in failed(verdicts(monkeypatch, function))


@pytest.mark.parametrize(
    ("error", "words"),
    [(StageError("too small", "a larger one"), "too small"), (NotGivenError("no weights", "give them"), "parameter")],
    ids=["unsuited", "not given"],
)
def test_a_stage_that_made_inputs_do_not_suit_is_not_checked(monkeypatch, error, words):
    def function(density: DensityMap, params: Settings, ctx: Context) -> PointCloud:
        raise error

    found = verdicts(monkeypatch, function)
    assert not failed(found)
    assert not {*RUNS} & {*found}
    (unchecked,) = (one for one in found.values() if one.outcome is Outcome.UNCHECKED)
    assert words in unchecked.message


def test_an_input_of_a_type_of_its_own_is_not_checked(monkeypatch):
    def function(own: Own, params: Settings, ctx: Context) -> PointCloud:
        raise AssertionError

    found = verdicts(monkeypatch, function, takes={"own": Own})
    assert found["all that a run of it would show"].outcome is Outcome.UNCHECKED
    assert "no own can be made" in found["all that a run of it would show"].message


def test_a_program_that_is_missing_is_said_and_the_rest_left(monkeypatch):
    found = verdicts(monkeypatch, good, needs=("there",), checks=[Check("there", "A.", "checked_plugin:absent")])
    assert found["answers"].outcome is found["loads"].outcome is Outcome.UNCHECKED
    assert "buy one" in found["loads"].message
    assert not {*RUNS} & {*found}


def test_a_recipe_of_a_stage_that_is_not_there(monkeypatch):
    found = verdicts(monkeypatch, good, recipes=[Recipe("lost", "A recipe.", (Step("no.stage", "one"),))])
    assert failed(found) == {"its stages are there"}


def test_no_such_plugin_and_a_broken_one():
    made = make_registry()
    made.plugins.append(PluginRow("bad", "bad-package", "1.0", "no luck today"))
    with pytest.raises(UsageError, match="'other'"):
        next(check_plugin(made, "other"))
    with pytest.raises(PluginError, match="no luck today"):
        next(check_plugin(made, "bad"))


def stage_of(**takes):
    return Stage("test.all", Kind.BUILD, "All.", "no:where", takes, Model, params=Settings)


def test_inputs_are_the_same_at_every_call_and_fit_each_other():
    stage = stage_of(
        **{f"one_{number}": kind for number, kind in enumerate(_MAKERS)}, half_a=DensityMap, half_b=DensityMap
    )
    first, again = made_inputs(stage), made_inputs(stage)
    assert {name: digest(value) for name, value in first.items()} == {n: digest(v) for n, v in again.items()}
    assert digest(first["half_a"]) != digest(first["half_b"])
    both = made_inputs(stage_of(models=ModelSet, poses=Poses))
    assert set(both["poses"].model.tolist()) <= {*both["models"].names}
    assert not missing_makers(stage)
    assert {*TYPES.values()} <= {*_MAKERS}, "whatever a run can begin with can be made"
    assert made_params(stage).resolution == 3.0
