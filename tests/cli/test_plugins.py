"""``plugins``, ``stages`` and ``recipes``."""

import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import typer

from cryoweave.host import Command, PluginRow, Recipe, Step, hookimpl
from cryoweave.testing import make_registry


def broken():
    raise ValueError("no luck today")


def add(registry, name, **hooks):
    plugin = SimpleNamespace(**{hook: hookimpl(function) for hook, function in hooks.items()})
    registry.add(PluginRow(name, f"{name}-package", "0.1"), plugin)


def test_list(cli, plugins):
    result = cli("plugins", "list")
    assert result.code == 0
    assert result.out.splitlines()[1].split() == ["test", "fake-package", "1.0", "4", "1", "ok"]


def test_a_broken_plugin_is_a_row_and_a_warning(cli, plugins):
    add(plugins, "broken", cryoweave_stages=broken)
    result = cli("plugins", "list", "--json")
    assert result.code == 0
    row = next(row for row in result.json() if row["package"] == "broken-package")
    assert (row["state"], row["stages"]) == ("broken", [])
    assert "no luck today" in row["error"]
    assert "no luck today" in cli("plugins", "list").err


def test_show(cli, plugins):
    shown = cli("plugins", "show", "fake-package", "--json").json()
    assert shown["stages"] == ["fake.peaks", "fake.gap", "fake.support", "fake.wants"]
    assert shown["checks"] == ["there", "absent"]
    assert "fake.peaks  Does fake.peaks." in cli("plugins", "show", "test").out
    result = cli("plugins", "show", "other")
    assert (result.code, result.out) == (2, "")
    assert "there are: test" in result.err


def test_doctor_says_what_is_missing_and_how_to_get_it(cli, plugins):
    result = cli("plugins", "doctor", "--json")
    found = {(entry["what"], entry["id"]): entry for entry in result.json()}
    assert result.code == 0, "what is optional and missing breaks nothing"
    assert found["check", "there"]["health"] == "ok"
    assert found["stage", "fake.peaks"]["health"] == "ok"
    assert found["stage", "fake.wants"]["health"] == "missing"
    assert found["stage", "fake.wants"]["hint"] == "apt install absent"
    assert "apt install absent" in cli("plugins", "doctor").err


def test_doctor_ends_with_3_where_something_is_broken(cli, plugins):
    add(plugins, "broken", cryoweave_stages=broken)
    result = cli("plugins", "doctor")
    assert result.code == 3
    assert "no luck today" in result.out


def test_doctor_loads_what_records_name(cli, plugins, monkeypatch):
    lost = Recipe("lost", "A recipe.", (Step("no.stage", "one"),))
    shuffled = replace(plugins.stages["fake.gap"], id="fake.shuffled", load="fake_plugin:support")
    gone = replace(plugins.stages["fake.gap"], id="fake.gone", load="fake_plugin:gone")
    needy = replace(plugins.stages["fake.gap"], id="fake.needy", needs=("nobody",))
    made = make_registry([shuffled, gone, needy], [lost])
    monkeypatch.setattr("cryoweave.host.registry", lambda: made)
    found = {entry["id"]: entry for entry in cli("plugins", "doctor", "--json").json()}
    assert "no.stage" in found["lost"]["message"]
    assert "the function takes model, density" in found["fake.shuffled"]["message"]
    assert "gone" in found["fake.gone"]["message"]
    assert "nobody" in found["fake.needy"]["message"]


def test_a_check_that_raises_is_broken(cli, plugins):
    sys.modules["fake_plugin"].there = broken
    found = {(e["what"], e["id"]): e for e in cli("plugins", "doctor", "--json").json()}
    assert found["check", "there"]["health"] == "broken"
    assert found["stage", "fake.peaks"]["health"] == "broken"


def test_a_command_of_a_plugin(cli, plugins, monkeypatch):
    module = ModuleType("fake_command")
    module.app = typer.Typer()
    module.app.command()(lambda: typer.echo("hello from the plugin"))
    add(plugins, "talker", cryoweave_commands=lambda: [Command("talk", "Says hello.", "fake_command:app")])
    assert "Says hello." in cli("--help").out
    monkeypatch.setitem(sys.modules, "fake_command", module)
    result = cli("talk")
    assert (result.code, result.out.strip()) == (0, "hello from the plugin")


def test_stages_list(cli, plugins):
    rows = cli("stages", "list", "--json").json()
    assert [row["id"] for row in rows] == ["fake.wants", "fake.peaks", "fake.gap", "fake.support"]
    assert [row["id"] for row in cli("stages", "list", "--kind", "validate", "--json").json()] == [
        "fake.gap",
        "fake.support",
    ]
    assert "density: DensityMap" in cli("stages", "list").out
    result = cli("stages", "list", "--kind", "nonsense")
    assert result.code == 2
    assert "kinds: prepare" in result.err


def test_stages_show(cli, plugins):
    result = cli("stages", "show", "fake.peaks")
    assert result.code == 0
    (row,) = (line for line in result.out.splitlines() if line.startswith("apart"))
    assert row.split() == ["apart", "float", "2.0", "Å", ">", "0,", "<=", "10", "Least", "distance."]
    assert "10.1/x" in result.out
    shown = cli("stages", "show", "fake.peaks", "--json").json()
    assert shown["takes"] == {"density": "DensityMap"}
    assert shown["params"][0]["source"] == "doi:10.1/x"
    assert shown["schema"]["properties"]["apart"]["maximum"] == 10.0
    result = cli("stages", "show", "fake.peeks")
    assert result.code == 2
    assert "did you mean fake.peaks" in result.err


def test_recipes(cli, plugins):
    (row,) = cli("recipes", "list", "--json").json()
    assert (row["id"], row["package"]) == ("fake", "fake-package")
    assert "apart = 3.0" in cli("recipes", "show", "fake").out
    assert cli("recipes", "show", "fake", "--json").json()["steps"][0]["params"] == {"apart": 3.0}
    assert cli("recipes", "show", "none").code == 2


def test_the_toml_of_a_recipe_is_the_recipe(cli, plugins, monkeypatch):
    steps = (
        Step("fake.peaks", "points", {"apart": 3.0}, {"density": "input.density"}),
        Step("fake.gap", "gap", optional=True),
    )
    recipe = Recipe("more", 'With "quotes".', steps, ("10.1/y",))
    monkeypatch.setattr("cryoweave.host.registry", lambda: make_registry(plugins.stages.values(), [recipe]))
    text = cli("recipes", "show", "more", "--toml").out
    assert Recipe.from_toml(text, "more.toml") == recipe
