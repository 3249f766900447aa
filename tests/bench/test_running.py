"""Whatever the process of a cell does, the marker says what it was, and nothing of it is left running."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from cryoweave.bench import process
from cryoweave.bench.outcome import State, read_outcome
from cryoweave.bench.process import Limits
from cryoweave.bench.running import run_cell
from cryoweave.errors import InputError

SCORED = "import sys, pathlib; f = pathlib.Path(sys.argv[1]) / 'validation'; f.mkdir(); (f / 'scores.json').touch();"


@pytest.fixture
def cell(tmp_path):
    folder = tmp_path / "cells" / "map" / "recipe" / "0"
    folder.mkdir(parents=True)
    (folder / "cell-input.json").write_text(json.dumps({"cell": "map/recipe/0", "key": "k", "reuse": True}))
    return folder


def run(folder, code, seconds=30.0, gigabytes=1.0):
    limits = Limits(seconds, int(gigabytes * 1e9))
    outcome = run_cell(folder, limits, [sys.executable, "-c", code])
    assert read_outcome(folder) == outcome
    assert (outcome.cell, outcome.key) == ("map/recipe/0", "k")
    return outcome


def test_scores_are_success(cell):
    (cell / "error.json").write_text("{}")
    outcome = run(cell, SCORED + "print('hello'); sum(range(5_000_000))")
    assert (outcome.state, outcome.error, outcome.exit_code) == (State.DONE, "", 0)
    assert outcome.peak_mb > 5
    assert 0 < outcome.cpu_seconds <= outcome.seconds * 2
    assert (cell / "output.txt").read_text() == "hello\n"
    assert not (cell / "error.json").exists()


@pytest.mark.parametrize(
    ("code", "state", "said"),
    [
        ("pass", State.NO_RESULT, "left no scores"),
        ("raise SystemExit(3)", State.FAILED, "exit code 3 without a word"),
        (
            "import sys, pathlib, json; p = pathlib.Path(sys.argv[1]) / 'error.json';"
            "p.write_text(json.dumps({'error': 'no density', 'hint': 'lower it'})); sys.exit(1)",
            State.FAILED,
            "no density",
        ),
        ("import os; os.abort()", State.CRASHED, "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", State.CRASHED, "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", State.CRASHED, "SIGKILL"),
    ],
)
def test_how_a_process_ends_is_told(cell, code, state, said):
    outcome = run(cell, code)
    assert outcome.state is state
    assert said in outcome.error


def test_scores_of_an_earlier_run_do_not_count(cell):
    assert run(cell, SCORED).state is State.DONE
    assert run(cell, "pass").state is State.NO_RESULT


def test_one_that_hangs_is_ended_with_its_children(cell):
    code = (
        "import subprocess, sys, time, pathlib\n"
        "kept = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "gone = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "(pathlib.Path(sys.argv[1]) / 'children').write_text(f'{kept.pid} {gone.pid}')\n"
        "time.sleep(600)"
    )
    start = time.monotonic()
    outcome = run(cell, code, seconds=2)
    assert outcome.state is State.TIMED_OUT
    assert "2 s" in outcome.error
    assert time.monotonic() - start < 20
    left = [int(pid) for pid in (cell / "children").read_text().split()]
    psutil.wait_procs([psutil.Process(pid) for pid in left if psutil.pid_exists(pid)], timeout=10)
    assert not any(psutil.pid_exists(pid) for pid in left)


def test_one_that_leaks_is_ended(cell):
    outcome = run(
        cell, "import time\nkept = []\nwhile True: kept.append(bytearray(5_000_000)); time.sleep(0.01)", gigabytes=0.1
    )
    assert outcome.state is State.OUT_OF_MEMORY
    assert "0.1 GB" in outcome.error
    assert 100 < outcome.peak_mb < 1500


def test_memory_of_children_counts(cell):
    child = "x = bytearray(150_000_000); import time; time.sleep(600)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    assert run(cell, code, gigabytes=0.12).state is State.OUT_OF_MEMORY


def test_of_garbage_the_end_is_kept(cell):
    outcome = run(cell, "import os\nfor i in range(2000): os.write(1, os.urandom(10_000))\nos.write(2, b'the end')")
    assert outcome.state is State.NO_RESULT
    kept = (cell / "output.txt").read_bytes()
    assert len(kept) == process.KEPT_OUTPUT
    assert kept.endswith(b"the end")


def test_a_cell_dies_with_its_watcher(cell):
    """Also with one that is killed: else it would hold its folder when the next one wants it."""
    cell_code = (
        "import sys, os, time, pathlib; from cryoweave.bench.worker import end_with; end_with(int(sys.argv[2]));"
        "(pathlib.Path(sys.argv[1]) / 'pid').write_text(str(os.getpid())); time.sleep(600)"
    )
    watch = f"""
from cryoweave.bench.process import Limits
from cryoweave.bench.running import run_cell
run_cell({str(cell)!r}, Limits(), [{sys.executable!r}, "-c", {cell_code!r}])"""
    watcher = subprocess.Popen([sys.executable, "-c", watch])
    for _ in range(300):
        if (cell / "pid").exists() and (cell / "pid").read_text():
            break
        time.sleep(0.1)
    pid = int((cell / "pid").read_text())
    os.kill(watcher.pid, signal.SIGKILL)
    watcher.wait()
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the cell lives on")
    assert read_outcome(cell) is None


def test_what_is_no_cell(tmp_path):
    with pytest.raises(InputError, match="is no cell"):
        run_cell(tmp_path, Limits())
    (tmp_path / "cell.json").write_text("{")
    assert read_outcome(tmp_path) is None
    (tmp_path / "cell.json").write_text('{"state": "odd"}')
    assert read_outcome(tmp_path) is None
