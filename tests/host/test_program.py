"""Programs that plugins call: what they say, how they fail, and that they end when they are to."""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from cryoweave.errors import StageError
from cryoweave.host import Context, Program


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make a program of one shell script, and a context with a scratch folder."""

    def make(script, **more):
        path = tmp_path / "bin" / "tool"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")
        (tmp_path / "scratch").mkdir()
        return Program("tool", "pip install tool", **more), Context(scratch=tmp_path / "scratch")

    return make


def test_what_it_says_and_where_it_works(program, tmp_path):
    tool, ctx = program('echo "$1 and $2"; echo more >&2; touch here')
    assert tool.call(["one", 2], ctx, limit=10) == "one and 2\nmore\n"
    assert (tmp_path / "scratch" / "here").exists()
    assert tool.check().ok
    assert ctx.facts == {}


def test_its_version_is_a_finding(program):
    tool, ctx = program('[ "$1" = --version ] && echo "tool 3.1" || echo done', version=("--version",))
    assert tool.call([], ctx, limit=10) == "done\n"
    assert ctx.facts == {"tool version": "tool 3.1"}


def test_one_that_is_not_there(tmp_path):
    tool = Program("no-such-tool", "pip install it")
    assert not tool.check().ok
    with pytest.raises(StageError, match="not found") as error:
        tool.call([], Context(scratch=tmp_path), limit=1)
    assert error.value.hint == "pip install it"


def test_one_beside_python_is_found_without_the_path(tmp_path, monkeypatch):
    name = Path(sys.executable).name
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Program(name, "").call(["-c", "print(6 * 7)"], Context(scratch=tmp_path), limit=60) == "42\n"


def test_one_that_fails_is_quoted(program):
    tool, ctx = program("echo first; echo last words >&2; exit 3")
    with pytest.raises(StageError, match="exit code 3: last words") as error:
        tool.call([], ctx, limit=10)
    kept = Path(error.value.hint.rpartition(" ")[2])
    assert kept.read_text() == "first\nlast words\n"
    kept.unlink()


def ended(tmp_path):
    """Wait until the process that the script started is gone; a killed one is for a moment a zombie."""
    number = int((tmp_path / "scratch" / "child").read_text())
    for _ in range(100):
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


SLOW = "sleep 60 & echo $! > child; wait"


def test_one_that_takes_too_long_is_ended_with_its_children(program, tmp_path):
    tool, ctx = program(SLOW)
    with pytest.raises(StageError, match=r"longer than 0\.5 s"):
        tool.call([], ctx, limit=0.5)
    assert ended(tmp_path)


def test_what_it_leaves_running_is_ended(program, tmp_path):
    tool, ctx = program("sleep 60 & echo $! > child; echo done")
    assert tool.call([], ctx, limit=30) == "done\n"
    assert ended(tmp_path)


def test_it_ends_when_the_run_is_to_stop(program, tmp_path):
    tool, ctx = program(SLOW)

    def stop(done, total):
        if (tmp_path / "scratch" / "child").exists() and (tmp_path / "scratch" / "child").read_text().strip():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tool.call([], replace(ctx, progress=stop), limit=60)
    assert ended(tmp_path)
