"""Asking for help, or importing the package, loads nothing heavy."""

import json
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from cryoweave.cli.main import app

HEAVY = {"torch", "ortools", "openmm", "gemmi", "mrcfile", "pandas", "matplotlib", "jinja2", "scipy"}


def loaded(code):
    tail = "; import sys, json; sys.stderr.write(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + tail], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_is_light():
    code = """
from cryoweave.cli import console
from cryoweave.cli.main import app
assert console.guard(lambda: app(["--help"], prog_name="cryoweave")) == 0"""
    assert not loaded(code.replace("\n", ";").lstrip(";")) & HEAVY


def test_lists_are_light():
    code = """
from cryoweave.cli import console
from cryoweave.cli.main import app
assert console.guard(lambda: app(["stages", "list"], prog_name="cryoweave")) == 0"""
    assert not loaded(code.replace("\n", ";").lstrip(";")) & HEAVY


def test_import_is_light():
    assert not loaded("import cryoweave") & (HEAVY | {"numpy", "pydantic", "typer", "rich", "pluggy"})


def commands(group, *above):
    for name, command in getattr(group, "commands", {}).items():
        yield (*above, name)
        yield from commands(command, *above, name)


ALL = sorted(commands(typer.main.get_command(app)))


def test_all_commands_are_known():
    assert {path[0] for path in ALL} >= {
        "run", "plan", "check", "map", "validate", "compare", "plugins", "stages", "recipes",
    }  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_has_help(path):
    result = CliRunner().invoke(app, [*path, "--help"], prog_name="cryoweave")
    assert result.exit_code == 0, result.output
    assert "Usage: cryoweave " + " ".join(path) in result.output


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_option_is_explained(path):
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    assert command.help
    silent = [p.name for p in command.params if not getattr(p, "help", None) and p.name != "help"]
    assert not silent
