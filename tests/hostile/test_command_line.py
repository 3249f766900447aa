"""Hostile files through the real command line: an answer with a hint, never a traceback, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cryoweave.cli.main import main
from cryoweave.data import Model
from cryoweave.io import store
from cryoweave.testing.hostile import hostile_files

ROOT = Path(__file__).resolve().parents[2]
MAP = ROOT / "examples" / "emd2566" / "2566_3J6B_9.mrc.gz"
FASTA = ROOT / "examples" / "emd2566" / "3J6B_9.fasta"
REFERENCE = ROOT / "examples" / "emd2566" / "3J6B_9.pdb"
CASES = list(hostile_files())
EXPECTED = {0, 1, 2, 3}


def called(monkeypatch, capfd, *words):
    """Exit code, stdout and stderr of the command, in this process."""
    monkeypatch.setattr(sys, "argv", ["cryoweave", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capfd.readouterr()
    return int(ended.value.code or 0), out, err


def commands(case, path, folder):
    """What a user would try with such a file."""
    output = folder / "out"
    if case.kind == "map":
        return [["map", "info", path, "--json"], ["validate", REFERENCE, "-v", path, "-o", output]]
    if case.kind == "model":
        return [["validate", path, "-v", MAP, "-o", output]]
    return [["plan", "mainmast-plus", "-v", MAP, "-s", path], ["check", "-v", MAP, "-s", path, "--json"]]


def whole(path):
    """The folder of a validation: all of it is there, also where some validators had no answer."""
    return path.name == "out" and {"scores.json", "scores.tsv", "report.html"} <= {p.name for p in path.iterdir()}


def test_there_are_enough_cases():
    assert len(CASES) >= 500


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["map", "model", "sequence"])
def test_hostile_files_get_an_answer(kind, tmp_path, monkeypatch, capfd):
    wrong = []
    for number, case in enumerate(case for case in CASES if case.kind == kind):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = case.write(folder)
        for words in commands(case, path, folder):
            code, out, err = called(monkeypatch, capfd, *words)
            left = [p.name for p in folder.iterdir() if p != path and not whole(p)]
            said = code == 0 or ("error:" in err and "hint:" in err) or "--json" in words
            if code not in EXPECTED or "Traceback" in err + out or not said or left:
                wrong.append((case.name, words[0], code, left, err[-300:]))
            if "--json" in words and code == 0:
                json.loads(out)
    assert not wrong, f"{len(wrong)} cases, the first: {wrong[:3]}"


RUN = ["run", "mainmast-plus", "-v", MAP, "-s", FASTA]
MISUSES = {
    "unknown recipe": (["run", "mainmst", "-v", MAP, "-s", FASTA], 2, "mainmast"),
    "unknown step": ([*RUN, "--set", "pahts.orders=2"], 2, "paths"),
    "unknown parameter": ([*RUN, "--set", "paths.ordres=2"], 2, "orders"),
    "out of bounds": ([*RUN, "--set", "paths.orders=0"], 2, "orders"),
    "wrong type": ([*RUN, "--set", "paths.orders=many"], 2, "orders"),
    "no map": (["run", "mainmast-plus", "-s", FASTA], 2, "map"),
    "no sequence": (["run", "mainmast-plus", "-v", MAP], 2, "sequence"),
    "map is not there": (["run", "mainmast-plus", "-v", "nowhere.mrc", "-s", FASTA], 1, "nowhere.mrc"),
    "step to start from is not there": ([*RUN, "--from", "nothing"], 2, "nothing"),
    "sequence without a name": (["run", "mainmast-plus", "-v", MAP, "-s", MAP], 1, "hint"),
    "contour above the maximum": (
        ["run", "--chain", "peaks.meanshift(threshold=99)", "-v", MAP],
        1,
        "lower the threshold",
    ),
}


@pytest.mark.parametrize("name", MISUSES)
def test_misuse_is_told_in_words(name, tmp_path, monkeypatch, capfd):
    words, expected, told = MISUSES[name]
    output = tmp_path / "out"
    code, _, err = called(monkeypatch, capfd, *words, *(["-o", output] if words[0] == "run" else []))
    assert code == expected, err
    assert told in err
    assert "Traceback" not in err
    assert not (output / "model.cif").exists()


def test_an_output_that_is_a_file_is_refused_and_kept(tmp_path, monkeypatch, capfd):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    code, _, err = called(monkeypatch, capfd, *RUN, "-o", taken)
    assert code in {1, 2}
    assert "hint:" in err
    assert taken.read_text() == "mine"


@pytest.mark.parametrize("where", ["file", "folder"])
def test_an_input_that_must_not_be_read_is_told_as_such(where, tmp_path, monkeypatch, capfd):
    (tmp_path / "shut").mkdir()
    path = tmp_path / "shut" / "map.mrc.gz"
    path.write_bytes(MAP.read_bytes())
    tries = (["plan", "mainmast-plus", "-v", path, "-s", FASTA], ["map", "info", path])
    for words in tries:  # also loads all modules: afterwards the interpreter's own may be out of reach
        assert called(monkeypatch, capfd, *words)[0] == 0
    assert called(monkeypatch, capfd, "map", "info", tmp_path / "nowhere.mrc")[0] == 1
    shut = path if where == "file" else path.parent
    shut.chmod(0)
    root = os.geteuid() == 0
    try:
        if root:  # to whom nothing is forbidden
            for folder in (tmp_path, *tmp_path.parents[:2]):
                folder.chmod(0o755)
            os.seteuid(65534)
        answers = [called(monkeypatch, capfd, *words) for words in tries]
    finally:
        if root:
            os.seteuid(0)
        shut.chmod(0o700)
    for code, out, err in answers:
        assert (code, out) == (1, "")
        assert str(path) in err
        assert "denied" in err
        assert "hint: check the permissions" in err


def command(*words):
    return [str(Path(sys.executable).with_name("cryoweave")), *map(str, words)]


def test_a_run_killed_at_any_moment_resumes_to_the_same_model(tmp_path):
    subprocess.run(command(*RUN, "-o", tmp_path / "calm", "-q"), check=True, capture_output=True)
    calm = store.digest(store.load(Model, next((tmp_path / "calm" / "stages").glob("*-build"))))
    folder = tmp_path / "killed"
    for delay in (0.4, 0.9, 1.4, 1.9, 2.4):
        run = subprocess.Popen(command(*RUN, "-o", folder, "-q"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        run.send_signal(signal.SIGKILL)
        run.wait()
    subprocess.run(command(*RUN, "-o", folder, "-q"), check=True, capture_output=True)
    assert store.digest(store.load(Model, next((folder / "stages").glob("*-build")))) == calm
    assert (folder / "report.html").exists()


def test_an_interrupt_in_a_kernel_ends_the_run_at_once(tmp_path):
    chain = "map.upsample > peaks.meanshift(threshold=0.05) > mainmast.trace(nround=1000000)"
    words = command("run", "--chain", chain, "-v", MAP, "-o", tmp_path / "run", "-q")
    run = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "run" / "events.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and '"trace"' in journal.read_text()):
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(run.pid, signal.SIGINT)
    _, err = run.communicate(timeout=20)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads((tmp_path / "run" / "record.json").read_text())["state"] == "interrupted"
