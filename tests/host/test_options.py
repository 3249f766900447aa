"""Options that parameters of validators declare: what is found, what makes a plugin broken, what two claim."""

from pathlib import Path
from types import SimpleNamespace
from typing import Literal, Optional

import pytest

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, PluginRow, Registry, Stage, hookimpl, param
from cryoweave.host.doctor import diagnose
from cryoweave.host.options import options_of


class Shared(Params):
    weights: Path | None = param(None, "A file.", option="--fake-weights")
    hydrogens: bool = param(True, "Count hydrogens.", option="--fake-heavy")
    radius: float = param(2.0, "How far.", unit="Å", gt=0.0, le=9.0, option="--fake-radius")
    way: Literal["fast", "exact"] = param("fast", "Which way.", option="--fake-way")
    plain: int = param(1, "No option.", ge=1)


class More(Shared):
    extra: Optional[int] = param(None, "More.", ge=1, option="--fake-extra")  # noqa: UP045


def validator(name, params, **changes):
    record = {"kind": Kind.VALIDATE, "summary": "Judges.", "load": "nowhere:nothing", "takes": {"model": Model}}
    return Stage(name, params=params, **{**record, "gives": ScoreTable, **changes})


def detector(name, params):
    return validator(name, params, kind=Kind.DETECT, gives=DensityMap)


def row_of(registry, *stages, package="one-package"):
    """Take in a plugin with these stages; its row."""
    plugin = SimpleNamespace(cryoweave_stages=hookimpl(lambda: list(stages)))
    registry.add(PluginRow(package, package, "1"), plugin)
    return registry.plugins[-1]


def test_each_option_of_validators_once():
    found = {o.name: o for o in options_of([detector("a.points", Shared), validator("a.b", Shared)])}
    assert list(found) == ["--fake-weights", "--fake-heavy", "--fake-radius", "--fake-way"]
    assert {option.stages for option in found.values()} == {("a.b",)}
    assert (found["--fake-weights"].param, found["--fake-weights"].value_type) == ("weights", Path)
    assert (found["--fake-heavy"].value_type, found["--fake-heavy"].default) == (bool, True)
    assert found["--fake-heavy"].summary == "Count hydrogens."
    assert found["--fake-radius"].summary == "How far. (Å, > 0, <= 9, default 2.0)"
    assert (found["--fake-way"].value_type, found["--fake-way"].choices) == (str, ("fast", "exact"))
    assert options_of([detector("a.points", Shared)]) == []


def test_validators_that_share_a_parameter_share_its_option():
    found = {option.name: option for option in options_of([validator("a.b", Shared), validator("a.c", More)])}
    assert found["--fake-weights"].stages == ("a.b", "a.c")
    assert (found["--fake-extra"].stages, found["--fake-extra"].value_type) == (("a.c",), int)


@pytest.mark.parametrize("wrong", ["weights", "-w", "--", "--Weights", "--fake_weights", "--fake weights", "--fake-"])
def test_an_option_is_written_as_options_are(wrong):
    with pytest.raises(ValueError, match="like-this"):
        param(None, "A file.", option=wrong)


@pytest.mark.parametrize("annotation", [list[int], dict[str, int], int | str, Literal[1, 2]])
def test_a_type_that_no_option_can_have_breaks_the_plugin(annotation):
    class Wrong(Params):
        __annotations__ = {"odd": annotation}
        odd = param(None, "Odd.", option="--odd")

    registry = Registry()
    assert "a.b.odd is" in row_of(registry, validator("a.b", Wrong)).error
    assert not registry.stages
    assert not registry.options


def test_one_option_for_two_parameters_breaks_the_plugin():
    class Other(Params):
        weights: bool = param(False, "A flag.", option="--fake-weights")

    registry = Registry()
    error = row_of(registry, validator("a.b", Shared), validator("a.c", Other)).error
    assert "--fake-weights" in error
    assert "a.b.weights and a.c.weights" in error
    assert not registry.options


def test_two_packages_that_claim_one_option_are_both_named():
    class Other(Params):
        file: Path | None = param(None, "A file.", option="--fake-weights")

    registry = Registry()
    assert not row_of(registry, validator("a.b", Shared), package="first-package").error
    assert not row_of(registry, validator("c.d", Other), package="second-package").error
    message = registry.conflicts["options", "--fake-weights"]
    assert message == "first-package and second-package both bring the option '--fake-weights'"
    (finding,) = (finding for finding in diagnose(registry) if finding.what == "option")
    assert (finding.id, finding.message) == ("--fake-weights", message)
    assert registry.package_of("options", "--fake-way") == "first-package"
