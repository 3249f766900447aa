"""Other stages in place of a recipe's steps."""

import pytest

from cryoweave.errors import UsageError
from cryoweave.pipeline.chain import load_recipe, parse_chain
from cryoweave.pipeline.swap import swapped


def steps(recipe):
    return [(step.name, step.stage) for step in recipe.steps]


def test_a_swap_keeps_the_place_and_the_name():
    recipe = parse_chain("map.upsample > peaks.meanshift(threshold=0.2) > mainmast.trace")
    found = swapped(recipe, ["meanshift=peaks.maxima(threshold=0.3)"])
    assert steps(found) == [("upsample", "map.upsample"), ("meanshift", "peaks.maxima"), ("trace", "mainmast.trace")]
    assert found.steps[1].params == {"threshold": 0.3}
    assert found.id == "chain+peaks.maxima"
    assert recipe.steps[1].stage == "peaks.meanshift"


def test_steps_that_nothing_needs_any_more_are_left_out():
    found = swapped(load_recipe("cryo2struct"), ["points=model.points(error=0.6)"])
    names = [name for name, _ in steps(found)]
    assert "detect" not in names
    assert names[0] == "points"
    assert names[-1] == "compare", "what nothing needed before stays"


def test_a_step_that_others_still_need_stays():
    found = swapped(load_recipe("deeptracer"), ["points=model.points"])
    assert "detect" in [name for name, _ in steps(found)], "bonds take its maps"


def test_a_step_may_be_left_out():
    found = swapped(load_recipe("deeptracer"), ["points=mainmast.paths > mainmast.points", "detect="])
    names = [name for name, _ in steps(found)]
    assert names[:3] == ["paths", "points", "bonds"]
    assert found.id == "deeptracer+mainmast.points-detect"


def test_several_stages_for_one_step():
    found = swapped(parse_chain("peaks.maxima > mainmast.trace"), ["maxima=map.blur(sigma=0.5) > peaks.meanshift"])
    assert steps(found) == [("blur", "map.blur"), ("maxima", "peaks.meanshift"), ("trace", "mainmast.trace")]
    two = swapped(parse_chain("map.blur > peaks.maxima"), ["maxima=map.blur > peaks.maxima"])
    assert [name for name, _ in steps(two)] == ["blur", "maxima-blur", "maxima"]


def test_inputs_that_the_new_stage_takes_are_kept():
    found = swapped(load_recipe("cryo2struct-plus"), ["build=build.calpha"])
    built = next(step for step in found.steps if step.name == "build")
    assert built.inputs == {}
    full = swapped(load_recipe("cryo2struct-plus"), ["build=build.full"])
    assert next(step for step in full.steps if step.name == "build").inputs == {"density": "input.density"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("points", "cannot read the swap"),
        ("=peaks.maxima", "cannot read the swap"),
        ("maxim=peaks.maxima", "no such step"),
        ("maxima=peaks.maxima >", "a stage is missing"),
        ("maxima=peaks", "cannot read"),
        ("maxima=peaks.nothing", "peaks.nothing"),
    ],
)
def test_what_is_no_swap_is_said(text, says):
    with pytest.raises(UsageError, match=says) as error:
        swapped(parse_chain("peaks.maxima > mainmast.trace"), [text])
    assert error.value.hint
