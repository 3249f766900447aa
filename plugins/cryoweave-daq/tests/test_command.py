"""The options that the plugin brings to ``cryoweave validate``, with everything that is installed."""

import sys

import pytest

from cryoweave.cli import console
from cryoweave.cli.main import app
from cryoweave.host import registry
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model


@pytest.fixture
def files(small, tmp_path):
    write_model(tmp_path / "model.cif", small.model)
    write_map(tmp_path / "map.mrc", small.density)
    return tmp_path


@pytest.fixture
def program(monkeypatch, capfd):
    """The command in this process: its exit code, what it printed, and what it said on stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        code = console.guard(lambda: app([str(argument) for argument in arguments], prog_name="cryoweave"))
        sys.stdout.flush()
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def judge(program, files):
    return lambda *arguments: program(
        "validate", files / "model.cif", "-v", files / "map.mrc", "--only", "daq.score", *arguments
    )


def unmasked(said):
    """Without the warning that the made-up map has no noise."""
    return "".join(line for line in said.splitlines(keepends=True) if "the map is masked" not in line)


def here(command):
    """Skip where the plugin that brings this command is not installed."""
    if command != "validate" and command not in registry().commands:
        pytest.skip(f"no plugin with the command {command} is installed")


@pytest.mark.parametrize("command", ["validate", "decoys"])
def test_help_shows_them(program, command):
    here(command)
    code, shown, _ = program(command, "--help")
    assert code == 0
    panel = " ".join(shown.partition("Options of cryoweave-daq")[2].split())
    assert "--daq-prediction FILE probabilities that were predicted before" in panel
    assert "--daq-compat" in panel
    assert "as the published program" in panel


def test_a_prediction_as_an_option_is_the_one_of_set(judge, small):
    code, shown, said = judge("--daq-prediction", small.prediction)
    assert (code, unmasked(said)) == (0, "")
    assert "daq_aa " in shown
    assert "heavy atoms of all amino acids" in shown
    assert judge("--set", f'daq.score.prediction="{small.prediction}"')[:2] == (0, shown)
    code, compat, _ = judge("--daq-prediction", small.prediction, "--daq-compat")
    assert code == 0
    assert "all ATOM records" in compat


def test_what_is_missing_names_the_option(judge, monkeypatch):
    monkeypatch.setattr("cryoweave.pipeline.validation.offers_for", lambda *_, **__: {})  # as without cryoweave-unet
    code, shown, said = judge("--daq-compat")
    assert (code, shown) == (1, "")
    assert "left out: daq.score needs a prediction or a network: give --daq-prediction FILE" in said
    assert "hint: each says above what it lacks" in said


def test_wrong_files(judge, files, small):
    for name, message in (
        ("none.txt", "there is no file"),
        ("map.mrc", "no table of numbers"),
        ("", "is a folder, not a file"),
    ):
        code, shown, said = judge("--daq-prediction", files / name)
        assert (code, shown) == (1, "")
        said = unmasked(said)
        assert said.startswith("error: model.cif: stage daq.score: ")
        assert message in said.splitlines()[0]
        assert str(files / name) in said
        assert "hint: " in said
        assert "no validator gave a score" not in said, "the reason is enough"
    code, _, said = judge("--daq-prediction", small.prediction, "--set", "daq.score.prediction=other.txt")
    assert code == 2
    assert "both --daq-prediction and --set daq.score.prediction are given" in said


def test_decoys_take_them(program, files, small):
    """Scoring them takes long; that the model's own score fails shows that the file arrived."""
    here("decoys")
    wrong = files / "none.txt"
    code, _, said = program(
        "decoys", files / "model.cif", "-v", files / "map.mrc", "--only", "daq.score", "--daq-prediction", wrong
    )
    assert code == 1
    assert f"there is no file {wrong}" in said
