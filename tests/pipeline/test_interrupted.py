"""Runs that end badly: killed, interrupted, or two at once. Each is a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from cryoweave.cli.compare import read_run
from cryoweave.errors import UsageError
from cryoweave.pipeline.lock import LOCK, locked

PROGRAM = "import sys; from cryoweave.cli.main import main; main()"


@pytest.fixture
def command(files):
    def line(*more, output="out"):
        inputs = ["-v", str(files / "emd_1.map.gz"), "-s", str(files / "chains.fasta"), "-o", str(files / output)]
        return [sys.executable, "-c", PROGRAM, "run", "toy", *inputs, *more]

    return line


def wait_for(condition, process):
    end = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < end, "it never came so far"
        time.sleep(0.01)


def in_trace(folder):
    events = folder / "events.jsonl"

    def there():
        began = events.exists() and '"stage_started", "step": "trace"' in events.read_text()
        return began and list(folder.glob(".scratch-*"))

    return there


def results(folder):
    stages = [path for path in (folder / "stages").rglob("*") if path.is_file() and path.name != "stage.json"]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in [*stages, folder / "model.cif", folder / "scores.tsv"]
    }


def state(folder):
    return json.loads((folder / "record.json").read_text())["state"]


def test_a_killed_run_goes_on_and_gives_the_same(command, environment, files):
    slow = ("--set", "trace.seconds=0.5")
    process = subprocess.Popen(command(*slow), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(in_trace(files / "out"), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert state(files / "out") == "running"
    assert read_run(files / "out").facts["state"] == "stopped"
    assert (files / "out" / LOCK).exists()
    assert list((files / "out").glob(".scratch-*"))

    (files / "calls.txt").write_text("")
    done = subprocess.run(command(*slow), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (files / "calls.txt").read_text().split() == ["trace", "build", "score"]
    assert "[1/4] points kept: nothing changed" in done.stderr
    assert state(files / "out") == "done"
    assert not (files / "out" / LOCK).exists()
    assert not list((files / "out").glob(".*"))
    assert [json.loads(line) for line in (files / "out" / "events.jsonl").read_text().splitlines()]

    fresh = subprocess.run(command(*slow, output="fresh"), env=environment, capture_output=True, text=True)
    assert fresh.returncode == 0
    assert results(files / "out") == results(files / "fresh")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_ends_it_at_once_with_130(command, environment, files, number):
    process = subprocess.Popen(
        command("--set", "trace.seconds=30"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(in_trace(files / "out"), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)  # far less than the stage takes
    assert process.returncode == 130
    assert out == ""
    assert "error: interrupted\nhint: the same command goes on after the last stage that was done\n" in err
    assert "Traceback" not in err
    assert state(files / "out") == "interrupted"
    assert not (files / "out" / LOCK).exists()
    assert not list((files / "out").glob(".*"))
    events = [json.loads(line) for line in (files / "out" / "events.jsonl").read_text().splitlines()]
    assert (events[-1]["event"], events[-1]["state"]) == ("run_finished", "interrupted")


def test_two_runs_do_not_share_a_folder(command, environment, files):
    process = subprocess.Popen(
        command("--set", "trace.seconds=30"), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wait_for(in_trace(files / "out"), process)
    second = subprocess.run(command(), env=environment, capture_output=True, text=True)
    assert second.returncode == 2
    assert read_run(files / "out").facts["state"] == "running"
    assert f"error: another run (process {process.pid} on " in second.stderr
    assert "hint: wait for it, stop it, or choose another folder with -o" in second.stderr
    process.kill()
    process.wait()


def test_the_lock_is_free_again_however_its_owner_ended(tmp_path):
    with locked(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
        with pytest.raises(UsageError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    assert not (tmp_path / LOCK).exists()
    (tmp_path / LOCK).write_text('{"pid": 999999999, "host": "elsewhere"}')
    with locked(tmp_path):
        pass
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):
        pass


def test_a_child_that_outlives_a_killed_run_does_not_keep_the_lock(tmp_path):
    code = (
        "import os, sys, time; from pathlib import Path; from cryoweave.pipeline.lock import locked\n"
        f"with locked(Path({str(tmp_path)!r})):\n"
        "    child = os.fork()\n"
        "    if child == 0: time.sleep(60); os._exit(0)\n"
        "    print(child, flush=True); os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.wait()
    try:
        with locked(tmp_path):
            assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    finally:
        os.kill(child, signal.SIGKILL)
        parent.stdout.close()
