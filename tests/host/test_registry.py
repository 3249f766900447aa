"""A broken plugin is a row; two that claim one id are both named."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType, SimpleNamespace

import pytest

from cryoweave.data import DensityMap
from cryoweave.errors import PluginError, UsageError
from cryoweave.host import Kind, PluginRow, Recipe, Registry, Stage, Step, hookimpl
from cryoweave.host.registry import discover
from cryoweave.testing import make_registry


def stage(name, **changes):
    record = {"id": name, "kind": Kind.PREPARE, "summary": "Nothing.", "load": "nowhere:nothing"}
    return Stage(**{**record, "takes": {"density": DensityMap}, "gives": DensityMap, **changes})


def installed(monkeypatch, name, **hooks):
    """The entry point of a module with these hooks."""
    module = ModuleType(name)
    for hook, function in hooks.items():
        setattr(module, hook, hookimpl(function))
    monkeypatch.setitem(sys.modules, name, module)
    return EntryPoint(name, name, "cryoweave.plugins")


@pytest.fixture
def sound(monkeypatch):
    return installed(monkeypatch, "sound", cryoweave_stages=lambda: [stage("sound.one")])


def raises(error):
    def hook():
        raise error

    return hook


def with_arguments(surprise):
    return []


@pytest.mark.parametrize(
    ("hooks", "cause"),
    [
        ({"cryoweave_stages": raises(ValueError("no luck"))}, "ValueError: no luck"),
        ({"cryoweave_stages": raises(SystemExit(3))}, "ended the program"),
        ({"cryoweave_stages": lambda: ["a text"]}, "no Stage"),
        ({"cryoweave_stages": lambda: None}, "NoneType"),
        ({"cryoweave_recipes": lambda: [stage("broken.one")]}, "no Recipe"),
        ({"cryoweave_stages": with_arguments}, "surprise"),
        ({"cryoweave_stage_started": lambda stage, nonsense: None}, "nonsense"),
        ({"cryoweave_stagess": lambda: []}, "cryoweave_stagess"),
    ],
)
def test_a_broken_plugin_is_a_row_and_the_others_work(monkeypatch, sound, hooks, cause):
    broken = {"cryoweave_stages": lambda: [stage("broken.one")], **hooks}
    registry = discover([installed(monkeypatch, "broken", **broken), sound])
    by_name = {row.name: row for row in registry.plugins}
    assert cause in by_name["broken"].error
    assert not by_name["sound"].error
    assert list(registry.stages) == ["sound.one"]
    assert not registry.manager.has_plugin("broken:broken")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("raise RuntimeError('bad wheel')", "bad wheel"),
        ("raise SystemExit(1)", "ended the program"),
        ("import not_installed_anywhere", "not_installed_anywhere"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_module_that_cannot_be_imported(monkeypatch, tmp_path, sound, source, cause):
    (tmp_path / "broken_at_import.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_at_import", raising=False)
    registry = discover([EntryPoint("broken", "broken_at_import", "cryoweave.plugins"), sound])
    assert cause in next(row.error for row in registry.plugins if row.name == "broken")
    assert list(registry.stages) == ["sound.one"]


def test_what_a_broken_plugin_might_have_brought_says_so(monkeypatch, sound):
    registry = discover([installed(monkeypatch, "broken", cryoweave_stages=raises(ValueError("no luck"))), sound])
    assert registry.stage("sound.one").id == "sound.one"
    with pytest.raises(PluginError, match="no luck") as error:
        registry.stage("broken.one")
    assert "doctor" in error.value.hint


@pytest.mark.parametrize("hook", ["stages", "recipes"])
def test_a_conflict_names_both_packages(hook):
    registry = Registry()
    record = stage("same.id") if hook == "stages" else Recipe("same.id", "Nothing.", (Step("a.b", "b"),))
    for package in ("first-package", "second-package"):
        plugin = SimpleNamespace(**{f"cryoweave_{hook}": hookimpl(lambda: [record])})
        registry.add(PluginRow("one", package, "1"), plugin)
    with pytest.raises(PluginError, match=r"first-package and second-package") as error:
        getattr(registry, hook[:-1])("same.id")
    assert error.value.hint


def test_near_names_are_offered():
    registry = make_registry([stage("peaks.meanshift"), stage("map.resample")])
    with pytest.raises(UsageError) as error:
        registry.stage("peaks.mean_shift")
    assert error.value.hint == "did you mean peaks.meanshift?"
    with pytest.raises(UsageError) as error:
        registry.stage("zzz")
    assert error.value.hint == "there are: map.resample, peaks.meanshift"
    with pytest.raises(UsageError) as error:
        registry.recipe("peaks")
    assert error.value.hint == "there are: none"


def test_the_package_that_brings_a_record_is_known():
    registry = make_registry([stage("a.one")], package="somebody")
    assert registry.package_of("stages", "a.one") == "somebody"


def test_observers_hear_of_stages():
    heard = []

    class Observer:
        @hookimpl
        def cryoweave_stage_started(self, step, stage):
            heard.append(("started", step, stage.id))

        @hookimpl
        def cryoweave_stage_finished(self, step, record):
            heard.append(("finished", step, record["seconds"]))

    registry = Registry()
    registry.add(PluginRow("observer", "test-package", "1"), Observer())
    assert not registry.plugins[0].error
    registry.manager.hook.cryoweave_stage_started(step="one", stage=stage("a.one"))
    registry.manager.hook.cryoweave_stage_finished(step="one", stage=stage("a.one"), record={"seconds": 2})
    assert heard == [("started", "one", "a.one"), ("finished", "one", 2)]


def test_without_any_plugin_the_error_says_how_to_get_ours():
    with pytest.raises(PluginError, match="no plugin is installed") as error:
        Registry().recipe("any")
    assert error.value.hint == "pip install 'cryoweave[plugins]'"
