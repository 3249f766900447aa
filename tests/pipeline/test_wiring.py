import pytest

from cryoweave.data import DensityMap, Model, PointCloud, SequenceSet
from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Recipe, Step
from cryoweave.pipeline.chain import parse_chain
from cryoweave.pipeline.wiring import check_needs, select, wire

MAP = {"density": DensityMap}
WITH_SEQUENCES = {**MAP, "sequences": SequenceSet}


def sources(wired):
    return {step.name: dict(step.sources) for step in wired.steps}


def test_an_input_gets_the_latest_value_of_its_type(toys):
    wired = wire(parse_chain("toy.scale > toy.scale > toy.points > toy.trace"), MAP, {})
    assert sources(wired) == {
        "scale": {"density": "input.density"},
        "scale2": {"density": "scale"},
        "points": {"density": "scale2"},
        "trace": {"points": "points"},
    }


def test_a_step_may_say_where_an_input_comes_from(toys):
    wired = wire(toys.RECIPE, {**WITH_SEQUENCES, "reference": Model}, {})
    assert sources(wired)["score"] == {"model": "build", "density": "input.density"}
    assert sources(wired)["compare"] == {"model": "build", "reference": "input.reference"}
    assert wired.left_out == {}


def test_a_model_is_never_taken_from_the_reference_nor_a_reference_from_a_model(toys):
    chain = parse_chain("toy.compare")
    assert sources(wire(chain, {**MAP, "model": Model, "reference": Model}, {}))["compare"] == {
        "model": "input.model",
        "reference": "input.reference",
    }
    with pytest.raises(UsageError, match=r"toy\.compare needs model") as error:
        wire(chain, {**MAP, "reference": Model}, {})
    assert error.value.hint == "give --model FILE"
    with pytest.raises(UsageError, match=r"toy\.compare needs reference") as error:
        wire(chain, {**MAP, "model": Model}, {})
    assert error.value.hint == "give --reference FILE"


def test_an_optional_step_is_left_out_with_the_reason(toys):
    wired = wire(toys.RECIPE, WITH_SEQUENCES, {})
    assert [step.name for step in wired.steps] == ["points", "trace", "build", "score"]
    assert wired.left_out == {"compare": "stage toy.compare needs reference (Model)"}


def test_a_missing_input_says_how_to_give_it(toys):
    with pytest.raises(UsageError, match=r"^stage toy\.build needs sequences \(SequenceSet\)$") as error:
        wire(toys.RECIPE, MAP, {})
    assert error.value.hint == "give --sequence FILE"


def test_a_missing_intermediate_says_which_stages_and_formats_give_it(toys):
    with pytest.raises(UsageError, match=r"toy\.trace needs points \(PointCloud\)") as error:
        wire(parse_chain("toy.trace"), MAP, {})
    assert error.value.hint.startswith("give --given toyxyz=FILE, or put a stage before it that gives PointCloud: ")
    assert "toy.points" in error.value.hint
    with pytest.raises(UsageError, match=r"toy\.thread needs threading") as error:
        wire(parse_chain("toy.thread"), MAP, {})
    assert error.value.hint == "no installed plugin gives Threading"


def test_a_given_file_feeds_a_step_and_an_idle_one_is_named(toys):
    wired = wire(parse_chain("toy.trace"), {**MAP, "toyxyz": PointCloud}, {})
    assert sources(wired)["trace"] == {"points": "input.toyxyz"}
    assert wired.unused == ("density",)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"densty": "points"}, "takes no 'densty'"),
        ({"model": "bild"}, "'bild', which is no earlier step"),
        ({"model": "score"}, "'score', which is no earlier step"),
        ({"model": "points"}, "gives PointCloud, not Model"),
        ({"model": "input.modle"}, r"'input.modle', which is no earlier step"),
    ],
)
def test_bad_wiring_is_refused(toys, inputs, message):
    steps = tuple(Step(s.stage, s.name, s.params, inputs) if s.name == "score" else s for s in toys.RECIPE.steps)
    with pytest.raises(UsageError, match=message):
        wire(Recipe("bad", "", steps), WITH_SEQUENCES, {})


def test_parameters_come_from_the_stage_then_the_recipe_then_the_user(toys):
    wired = wire(toys.RECIPE, WITH_SEQUENCES, {"points.threshold": 0.7, "toy.trace.seconds": 1})
    params = {step.name: step.params.model_dump() for step in wired.steps}
    assert params["points"] == {"threshold": 0.7, "count": 6}
    assert params["trace"]["seconds"] == 1.0


@pytest.mark.parametrize(
    ("key", "value", "message", "hint"),
    [
        ("pints.threshold", 1, "no step 'pints'", "did you mean points"),
        ("points.treshold", 1, "no parameter 'treshold'", "did you mean threshold"),
        ("points.threshold", "high", r"points\.threshold = 'high': input should be a valid number", "toy.points"),
        ("points.threshold", -1, r"points\.threshold = -1: input should be greater than or equal to 0", "toy.points"),
        ("points.count", 2.5, r"points\.count = 2\.5: ", "toy.points"),
        ("points.threshold", float("nan"), r"points\.threshold = nan: input should be a finite number", "toy.points"),
    ],
)
def test_a_bad_setting_is_said_with_the_step_and_the_bound(toys, key, value, message, hint):
    with pytest.raises(UsageError, match=message) as error:
        wire(toys.RECIPE, WITH_SEQUENCES, {key: value})
    assert hint in error.value.hint


def test_a_stage_named_by_two_steps_is_ambiguous(toys):
    with pytest.raises(UsageError, match="scale and scale2"):
        wire(parse_chain("toy.scale > toy.scale"), MAP, {"toy.scale.factor": 2})


def test_an_unknown_stage_names_its_neighbours(toys):
    with pytest.raises(UsageError, match=r"there is no stage 'toy\.trase'") as error:
        wire(parse_chain("toy.points > toy.trase"), MAP, {})
    assert "toy.trace" in error.value.hint


def test_what_a_stage_needs_is_asked_before_anything_runs(toys):
    with pytest.raises(PluginError, match=r"toy\.needy needs toyprogram: toyprogram is not on the PATH") as error:
        check_needs(wire(parse_chain("toy.needy"), MAP, {}))
    assert error.value.hint == "install toyprogram 1.2"


def test_from_until_and_force_name_steps(toys):
    wired = wire(toys.RECIPE, WITH_SEQUENCES, {})
    kept, forced = select(wired, "trace", "build", ("points",))
    assert [step.name for step in kept.steps] == ["points", "trace", "build"]
    assert forced == {"points", "trace", "build", "score"}
    with pytest.raises(UsageError, match="comes after --until points"):
        select(wired, "trace", "points", ())
    with pytest.raises(UsageError, match=r"--force trase: .* no such step") as error:
        select(wired, None, None, ("trase",))
    assert "trace" in error.value.hint
    with pytest.raises(UsageError, match=r"--until compare: the step is left out, since .* needs reference"):
        select(wired, None, "compare", ())
