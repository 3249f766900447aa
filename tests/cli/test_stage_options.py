"""Options of ``validate`` that validators of small plugins bring."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated, Literal

import pytest
import typer

import cryoweave.host
from cryoweave.cli.main import app
from cryoweave.data import Model, ScoreTable
from cryoweave.host import Command, Kind, Params, PluginRow, Stage, hookimpl, param
from cryoweave.io.model_writing import write_model
from cryoweave.testing import ideal_model, make_registry


class Choices(Params):
    weights: Path | None = param(None, "Weights of [the] network.", option="--judge-weights")
    hydrogens: bool = param(True, "Count hydrogens.", option="--judge-heavy")
    strict: bool = param(False, "As published.", option="--judge-strict")
    way: Literal["fast", "exact"] = param("fast", "Which way.", option="--judge-way")
    window: int = param(9, "How wide.", ge=1, le=20, option="--judge-window")


class Claims(Params):
    """Of another package: one option of the first, one of the command, one of its own."""

    file: Path | None = param(None, "Another file.", option="--judge-weights")
    chosen: str = param("", "What is chosen.", option="--only")
    own: int = param(1, "Its own.", ge=1, option="--other-own")


def validator(name, params, **changes):
    record = {"kind": Kind.VALIDATE, "summary": "Judges.", "load": "judging:judge", "takes": {"model": Model}}
    return Stage(name, params=params, **{**record, "gives": ScoreTable, **changes})


STAGES = [
    validator("judge.rows", Choices),
    validator("judge.more", Choices),
    validator("judge.points", Choices, kind=Kind.DETECT, gives=Model),
]


@pytest.fixture
def seen(monkeypatch):
    """The parameters that each validator got, by stage; two validators share theirs."""
    found = []

    def judge(model: Model, params: Params, ctx) -> ScoreTable:
        found.append(params)
        trace = model.trace_atoms()
        return ScoreTable(trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name, {}, {}, {})

    module = ModuleType("judging")
    module.judge = judge
    monkeypatch.setitem(sys.modules, "judging", module)
    return found


@pytest.fixture
def judged(monkeypatch, seen):
    made = make_registry(STAGES, package="judge-package")
    monkeypatch.setattr(cryoweave.host, "registry", lambda: made)
    return made


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.pdb"
    write_model(path, ideal_model("HHHHHH"))
    return path


def claim(registry, *stages, package="other-package"):
    plugin = SimpleNamespace(cryoweave_stages=hookimpl(lambda: list(stages)))
    registry.add(PluginRow("other", package, "1"), plugin)


def test_help_shows_them_in_a_panel_of_their_package(cli, judged, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    shown = cli("validate", "--help").out
    own, panel = shown.split("Options of judge-package")
    assert "--judge" not in own
    lines = {line.split()[1]: line for line in panel.splitlines() if "--judge" in line}
    assert list(lines) == ["--judge-weights", "--judge-heavy", "--judge-strict", "--judge-way", "--judge-window"]
    assert "FILE" in lines["--judge-weights"]
    assert "Weights of [the] network." in lines["--judge-weights"]
    assert "fast|exact" in lines["--judge-way"]
    assert "How wide. (>= 1, <= 20, default 9)" in lines["--judge-window"]


def test_no_plugin_no_panel(cli, monkeypatch):
    made = make_registry()
    monkeypatch.setattr(cryoweave.host, "registry", lambda: made)
    assert "Options of" not in cli("validate", "--help").out


def test_without_them_the_defaults_stay(cli, judged, model, seen):
    assert cli("validate", model).code == 0
    assert seen == [Choices(), Choices()]


@pytest.mark.parametrize("name", ["net.onnx", 'odd "name" = [1] ünïcode 😀.txt', "'", "\\", "true", "\x7f"])
def test_values_arrive_at_every_validator_that_has_the_parameter(cli, judged, model, seen, name):
    path = model.parent / name
    result = cli("validate", "--judge-weights", path, model, "--judge-way=exact", "--judge-window", "3")
    assert result.code == 0, result.err
    assert seen == [Choices(weights=path, way="exact", window=3)] * 2


def test_flags_turn_the_default_round(cli, judged, model, seen):
    assert cli("validate", model, "--judge-heavy", "--judge-strict").code == 0
    assert seen == [Choices(hydrogens=False, strict=True)] * 2
    assert "does not take a value" in cli("validate", model, "--judge-strict=yes").err


def test_it_goes_with_set_of_another_parameter(cli, judged, model, seen):
    result = cli("validate", model, "--judge-window", "3", "--set", "judge.rows.strict=true", "--only", "judge.rows")
    assert result.code == 0, result.err
    assert seen == [Choices(window=3, strict=True)]


def test_both_it_and_set_of_the_same_is_a_usage_error(cli, judged, model, seen):
    result = cli("validate", model, "--judge-window", "3", "--set", "judge.rows.window = 4")
    assert result.code == 2
    assert "error: both --judge-window and --set judge.rows.window are given\nhint: give one of them" in result.err
    assert seen == []


def test_one_whose_validators_are_not_chosen_is_told(cli, judged, model, seen):
    claim(judged, validator("other.rows", Params))
    result = cli("validate", model, "--only", "other.rows", "--judge-window", "3", "--judge-strict")
    assert result.code == 0
    for name in ("--judge-window", "--judge-strict"):
        assert f"{name} is not used: --only leaves out judge.rows and judge.more" in result.err
    assert "not used" not in cli("validate", model, "--only", "judge.more", "--judge-window", "3").err
    assert seen[1:] == [Choices(window=3)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--judge-window", "wide"), "Invalid value for '--judge-window'"),
        (("--judge-window",), "requires an argument"),
        (("--judge-way", "slow", "--only", "judge.rows"), "judge.rows.way = 'slow': input should be 'fast' or 'exact'"),
        (("--judge-window", "0", "--only", "judge.rows"), "judge.rows.window = 0: input should be greater than"),
    ],
)
def test_a_wrong_value(cli, judged, model, seen, arguments, said):
    result = cli("validate", model, *arguments)
    assert result.code == 2
    assert said in result.err
    assert "no validator gave a score" not in result.err
    assert seen == []


def test_one_of_a_plugin_that_is_not_there(cli, monkeypatch, model):
    made = make_registry([validator("other.rows", Params)])
    monkeypatch.setattr(cryoweave.host, "registry", lambda: made)
    result = cli("validate", model, "--judge-weights", "net.onnx")
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: No such option: --judge-weights")
    assert (
        "hint: a validator's options come with its plugin: `cryoweave plugins list` shows what is installed"
        in result.err
    )
    made.plugins.append(PluginRow("judge", "judge-package", "1", "no luck"))
    assert "(judge-package is broken: no luck)" in cli("validate", model, "--judge-weights", "net.onnx").err


def test_a_name_nearly_right(cli, judged, model):
    result = cli("validate", model, "--judge-weight", "net.onnx")
    assert result.code == 2
    assert "hint: did you mean --judge-weights" in result.err


def test_two_packages_that_claim_one_option(cli, judged, model, seen):
    claim(judged, validator("other.rows", Claims))
    assert "--judge-weights" not in cli("validate", "--help").out
    for given in (("--judge-weights", "net.onnx"), ("--judge-weights=net.onnx",), ("--judge-weights",)):
        result = cli("validate", model, *given)
        assert result.code == 3
        assert "judge-package and other-package both bring the option '--judge-weights'" in result.err
        assert "hint: give --set STAGE.PARAM=VALUE instead, or uninstall one of the two packages" in result.err
    assert seen == []
    result = cli("validate", model, "--judge-window", "3", "--set", "other.rows.file=net.onnx", "--only", "other.rows")
    assert result.code == 0
    assert seen == [Claims(file=Path("net.onnx"))]
    assert "both bring the option '--judge-weights'" in cli("plugins", "doctor").out


def test_the_commands_own_option_stands(cli, judged, model, seen):
    claim(judged, validator("other.rows", Claims))
    result = cli("validate", model, "--only", "other.rows", "--other-own", "5")
    assert result.code == 0
    assert seen == [Claims(own=5)]
    said = " ".join(result.err.split())
    assert "warning: other-package brings the option --only, which `cryoweave validate` has itself" in said
    assert "give --set other.rows.chosen=VALUE for it" in said
    claim(judged, validator("third.rows", Claims), package="third-package")
    assert cli("validate", model, "--only", "third.rows").code == 0


def test_plugins_and_stages_show_them(cli, judged):
    assert "option   --judge-weights  Weights of [the] network." in cli("plugins", "show", "test").out
    assert cli("plugins", "show", "test", "--json").json()["options"][:2] == ["--judge-weights", "--judge-heavy"]
    assert "Count hydrogens. (`cryoweave validate --judge-heavy`)" in cli("stages", "show", "judge.rows").out
    assert "--judge-heavy" not in cli("stages", "show", "judge.points").out


def test_other_commands_do_not_have_them(judged):
    command = typer.main.get_command(app).commands["run"]
    assert not [param for param in command.get_params(typer.Context(command)) if "--judge-weights" in param.opts]


def test_a_command_of_a_plugin_may_have_them(cli, judged, monkeypatch):
    from cryoweave.cli.stage_options import ValidatorCommand

    module = ModuleType("judge_command")
    module.app = typer.Typer()

    @module.app.command(cls=ValidatorCommand)
    def main(settings: Annotated[list[str] | None, typer.Option("--set")] = None, only: str = "") -> None:
        typer.echo(f"{settings}")

    monkeypatch.setitem(sys.modules, "judge_command", module)
    judged.commands["again"] = Command("again", "Judges again.", "judge_command:app")
    result = cli("again", "--judge-window", "3", "--set", "a.b=1")
    assert result.out.strip() == "['a.b=1', 'judge.rows.window=3', 'judge.more.window=3']"
