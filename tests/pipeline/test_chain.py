import pytest

from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Recipe, Step
from cryoweave.pipeline.chain import load_recipe, parse_chain, parse_value
from cryoweave.pipeline.settings import parse_settings


def test_stages_are_steps_named_by_their_second_half():
    recipe = parse_chain("peaks.meanshift(threshold=0.162) > some.trace")
    assert recipe.steps == (
        Step("peaks.meanshift", "meanshift", {"threshold": 0.162}),
        Step("some.trace", "trace"),
    )


def test_values_are_toml_and_may_hold_what_separates_elsewhere():
    (step,) = parse_chain("""a.b(one=[1, 2], two="x > (y", three=true, four=fast, five=-1e-3)""").steps
    assert step.params == {"one": [1, 2], "two": "x > (y", "three": True, "four": "fast", "five": -1e-3}


def test_the_same_stage_twice_gets_a_number():
    assert [step.name for step in parse_chain("a.x>b.x > a.x").steps] == ["x", "x2", "x3"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b >",
        "> a.b",
        "a",
        "a.b > > c.d",
        "a.b(x)",
        "a.b(x=)",
        "a.b(x=1",
        "a.b x=1",
        "a.b(=1)",
        "a.b(x=1 y=2)",
        "a.b(x=;)",
    ],
)
def test_what_is_no_chain_is_said_with_an_example(text):
    with pytest.raises(UsageError) as error:
        parse_chain(text)
    assert error.value.hint
    assert "\n" not in str(error.value)


def test_settings_are_toml(toys):
    texts = ["a.x=1", "a.x=2.5", "b.c.y=[1]", "b.z=slow"]
    assert parse_settings(texts, toys.RECIPE) == {"a.x": 2.5, "b.c.y": [1], "b.z": "slow"}


@pytest.mark.parametrize("path", ["net.onnx", "in/p.txt.gz", "../a-b/p.txt", "./p", "/data/1/net.pth", "~/net.pth"])
def test_a_path_needs_no_quotes(toys, path):
    assert parse_settings([f"a.x={path}"], toys.RECIPE) == {"a.x": path}


@pytest.mark.parametrize("text", ["x=1", "a.x", "=1", ".=1"])
def test_a_setting_without_step_or_value_is_refused(toys, text):
    with pytest.raises(UsageError, match="--set"):
        parse_settings([text], toys.RECIPE)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("count=3", "write --set points.count=3"),
        ("count", "write --set points.count=VALUE"),
        ("points.count", "write --set points.count=VALUE"),
        ("cuont=3", "write --set STEP.PARAM=VALUE; did you mean points.count?"),
        (
            "=1",
            "write --set STEP.PARAM=VALUE, e.g. --set points.threshold=VALUE; "
            "the steps are points, trace, build, score, compare",
        ),
    ],
)
def test_the_hint_names_parameters_that_exist(toys, text, hint):
    with pytest.raises(UsageError) as error:
        parse_settings([text], toys.RECIPE)
    assert error.value.hint.startswith(hint)


def test_a_recipe_comes_from_a_file_or_a_plugin(tmp_path, toys):
    path = tmp_path / "own.toml"
    path.write_text('[recipe]\nid = "own"\nsummary = "s"\n[[step]]\nstage = "toy.points"\n')
    assert load_recipe(str(path)) == Recipe("own", "s", (Step("toy.points", "points"),))
    assert load_recipe("toy") is toys.RECIPE
    with pytest.raises(UsageError, match=r"there is no recipe 'toi'") as error:
        load_recipe("toi")
    assert "toy" in error.value.hint


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"[recipe", b"[recipe]\nid='x'\n"])
def test_a_bad_recipe_file_is_named(tmp_path, content):
    path = tmp_path / "own.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"own\.toml"):
        load_recipe(path)


def test_a_recipe_of_two_packages_names_both(monkeypatch, toys):
    from cryoweave import host

    registry = toys.toy_registry()
    registry.add(host.PluginRow("other", "cryoweave-other", "2"), toys)
    monkeypatch.setattr(host, "registry", lambda: registry)
    with pytest.raises(PluginError, match="cryoweave-toys and cryoweave-other"):
        load_recipe("toy")


@pytest.mark.parametrize("text", ["net.onnx", "3J6B_9.pdb", "2566_new.mrc.gz", "./1.mrc", "~/2.mrc", "/a-b.mrc"])
def test_names_of_files_need_no_quotes(text):
    assert parse_value(text, "here") == text


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("1e5", 1e5), ("-2.5", -2.5), ("2026-11-25", None)])
def test_numbers_stay_numbers(text, value):
    found = parse_value(text, "here")
    assert found == value if value is not None else not isinstance(found, str)
