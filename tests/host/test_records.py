import pytest

from cryoweave.data import DensityMap
from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Kind, Recipe, Stage
from cryoweave.host.records import load_object

TOML = """
[recipe]
id = "two-steps"
summary = "Two steps."
cites = ["10.1000/1"]

[[step]]
stage = "map.resample"
params = { voxel = 1.0 }

[[step]]
stage = "peaks.meanshift"
name = "points"
inputs = { density = "input.density" }
"""


def test_a_recipe_is_read():
    recipe = Recipe.from_toml(TOML, "two.toml")
    assert (recipe.id, recipe.summary, recipe.cites) == ("two-steps", "Two steps.", ("10.1000/1",))
    assert [step.name for step in recipe.steps] == ["resample", "points"]
    assert recipe.steps[0].params == {"voxel": 1.0}
    assert recipe.steps[1].inputs == {"density": "input.density"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[recipe", "two.toml"),
        ("", "recipe"),
        (TOML.replace("summary", "sumary"), "summary"),
        (TOML.replace("name =", "nmae ="), "nmae"),
        (TOML + "\n[other]\n", "other"),
        (TOML.replace('name = "points"', 'name = "resample"'), "resample"),
        ("[recipe]\nid='a'\nsummary='b'\nstep = 3", "step"),
    ],
)
def test_a_bad_recipe_is_a_usage_error_that_names_the_file(text, message):
    with pytest.raises(UsageError, match=message) as error:
        Recipe.from_toml(text, "two.toml")
    assert "two.toml" in str(error.value)


@pytest.mark.parametrize("path", ["no_such_module:x", "json:no_such_name", "json", ":x"])
def test_what_cannot_be_loaded_is_a_plugin_error(path):
    with pytest.raises(PluginError, match="cannot load"):
        load_object(path)


def test_a_stage_imports_its_function_only_when_asked():
    stage = Stage("a.b", Kind.PREPARE, "Nothing.", "no_such_module:x", {"density": DensityMap}, DensityMap)
    with pytest.raises(PluginError):
        stage.function()
