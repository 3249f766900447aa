"""``run`` and ``plan`` as a person meets them: what is printed where, and the exit code."""

import json
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from cryoweave.cli import console, watch
from cryoweave.cli.main import app
from cryoweave.pipeline.words import NEVER_RAN

PROGRAM = "from cryoweave.cli.main import main; main()"


@pytest.fixture
def program(toy_files, toy_environment):
    """Runs ``cryoweave`` in the folder with the toy files."""

    def call(*arguments, **environment):
        line = [sys.executable, "-c", PROGRAM, *(str(argument) for argument in arguments)]
        return subprocess.run(
            line, cwd=toy_files, env={**toy_environment, **environment}, capture_output=True, text=True
        )

    return call


INPUTS = ("-v", "emd_1.map.gz", "-pf", "chains.fasta")


def test_a_run_ends_by_naming_the_report(program, toy_files):
    done = program("run", "toy", *INPUTS, "--reference", "known.cif", "-o", "out")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1] == "the report: out/report.html"
    assert "atomic model: out/model.cif" in lines
    assert re.search(r"^mean_distance +\d", done.stdout, re.MULTILINE)
    assert "[2/5] trace (toy.trace): running\n" in done.stderr
    assert re.search(r"^\[1/5\] points done in [\d.]+ s \(points 6\)$", done.stderr, re.MULTILINE)
    assert "\x1b" not in done.stdout + done.stderr
    assert "<html" in (toy_files / "out" / "report.html").read_text().lower()

    assert re.search(r"^confidence +0\.50 ", done.stdout, re.MULTILINE)
    assert re.search(r"^low_confidence +0% +residues whose confidence is below 0.2, of 6$", done.stdout, re.MULTILINE)

    again = program("run", "toy", *INPUTS, "-o", "out", "-q")
    assert re.search(r"^confidence +0\.50 ", again.stdout, re.MULTILINE), "also without a reference"
    assert again.returncode == 0
    assert again.stderr == ""
    assert "mean_distance" not in again.stdout, "there is no reference"


def test_a_step_that_runs_again_says_why(program):
    program("run", "toy", *INPUTS, "-o", "out")
    again = program("run", "toy", *INPUTS, "-o", "out", "--set", "score.value=0.75")
    assert "score (toy.score): running, since its parameter value changed from 0.5 to 0.75\n" in again.stderr


def test_a_run_without_a_model_names_what_it_made(program, toy_files):
    done = program("run", "toy", *INPUTS, "-o", "out", "--until", "trace")
    named = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("result of trace: ")]
    assert "out/stages/02-trace/traces.tsv" in named
    assert all((toy_files / name).is_file() for name in named)
    assert not any("stage.json" in name for name in named)


def test_a_failed_run_names_its_report(program, toy_files):
    done = program("run", "toy", *INPUTS, "-o", "out", "--set", "points.threshold=9")
    assert done.returncode == 1
    assert "how far it came: out/report.html\n" in done.stderr
    assert (toy_files / "out" / "report.html").is_file()


def test_a_long_step_is_not_silent(monkeypatch, capsys):
    monkeypatch.setattr(watch, "PAUSE", 0.01)

    def told(part):
        nonlocal shown
        end = time.monotonic() + 20
        while part not in shown and time.monotonic() < end:
            time.sleep(0.01)
            shown += capsys.readouterr().err
        return part in shown

    shown = ""
    with watch.watching(False) as show:
        show({"event": "run_started", "steps": ["points", "trace"]})
        show({"event": "stage_started", "step": "trace", "stage": "toy.trace", "reason": NEVER_RAN})
        assert told("[2/2] trace has been running for 0.")
        show({"event": "progress", "step": "trace", "done": 3, "total": 4})
        assert told(" s, 75% done")
        show({"event": "stage_finished", "step": "trace", "seconds": 1.0})
        assert told("trace done in 1.00 s")
        time.sleep(0.1)
    shown += capsys.readouterr().err
    assert "running" not in shown.partition("trace done")[2]


def test_run_toml_repeats_a_run(program, toy_files):
    program("run", "toy", *INPUTS, "-o", "out", "--seed", "5", "-t", "1")
    again = program("run", "out/run.toml")
    assert again.returncode == 0, again.stderr
    record = json.loads((toy_files / "toy_emd_1" / "record.json").read_text())
    assert (record["seed"], record["threads"]) == (5, 1)
    assert (toy_files / "toy_emd_1/model.cif").read_bytes() == (toy_files / "out/model.cif").read_bytes()
    plan = program("plan", "out/run.toml", "-o", "out")
    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.count("nothing changed") == 4


def test_json_is_the_record_and_nothing_else(program, toy_files):
    done = program("run", "toy", *INPUTS, "-o", "out", "--json")
    record = json.loads(done.stdout)
    assert record == json.loads((toy_files / "out" / "record.json").read_text())
    assert record["command"][1:3] == ["run", "toy"]
    assert record["outputs"]["report"] == "report.html"


def test_checks_that_are_ignored_are_warnings(program, toy_files):
    (toy_files / "chains.fasta").write_text(">r\nACGUACGUACGUACGU\n")
    for command in ("plan", "run"):
        done = program(command, "toy", *INPUTS, "--ignore-checks")
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"^warning: r was given as a protein but looks like", done.stderr, re.MULTILINE)) == 1


def test_a_dry_run_is_the_plan_and_writes_nothing(program, toy_files):
    before = sorted(toy_files.rglob("*"))
    options = ("--set", "points.threshold=0.25", "--until", "score")
    dry = program("run", "toy", *INPUTS, *options, "--dry-run")
    plan = program("plan", "toy", *INPUTS, *options)
    assert dry.returncode == plan.returncode == 0, dry.stderr + plan.stderr
    assert dry.stdout == plan.stdout
    assert sorted(toy_files.rglob("*")) == before
    lines = dry.stdout.splitlines()
    assert re.fullmatch(
        r"points +toy\.points +density = input\.density +PointCloud +threshold=0\.25, count=6 +run +it has not run yet",
        lines[1].rstrip(),
    )
    assert len(lines) == 6
    assert lines[-1] == "compare is left out: stage toy.compare needs reference (Model)"
    table = json.loads(program("plan", "toy", *INPUTS, *options, "--json").stdout)
    assert [step["action"] for step in table["steps"]] == ["run"] * 4


def test_an_inline_chain(program):
    done = program("run", "--chain", "toy.points(threshold=0.2) > toy.trace > toy.build", *INPUTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "the report: chain_emd_1/report.html"


@pytest.mark.parametrize(
    ("arguments", "code", "message", "hint"),
    [
        (("run", "toy", "-s", "chains.fasta"), 2, "no map is given", "give -v MAP"),
        (("run", *INPUTS), 2, "no recipe is given", "recipes list"),
        (
            ("run", "toy", "--chain", "toy.points", *INPUTS),
            2,
            "both a recipe (toy) and --chain are given",
            "one of them",
        ),
        (("run", "tow", *INPUTS), 2, "there is no recipe 'tow'", "did you mean toy?"),
        (("run", "absent.toml", *INPUTS), 2, "cannot read the recipe absent.toml", "recipes list"),
        (("run", "toy", "-v", "emd_1.map.gz"), 2, "stage toy.build needs sequences", "give --sequence FILE"),
        (("run", "toy", "-v", "absent.map", "-s", "chains.fasta"), 1, "absent.map does not exist", "spelling"),
        (("run", "toy", *INPUTS, "--set", "points.threshold=x=1"), 2, "'x=1' is no value", "true/false"),
        (
            ("run", "toy", *INPUTS, "--set", "points.treshold=1"),
            2,
            "no parameter 'treshold'",
            "did you mean threshold?",
        ),
        (("run", "toy", *INPUTS, "--set", "points.threshold=[bold]"), 2, "'[bold]' is no value", ""),
        (("run", "toy", *INPUTS, "--set", "points.threshold=9"), 1, "no voxel lies above", "lower the threshold"),
        (
            ("run", "toy", *INPUTS, "--from", "build"),
            2,
            "has no result that can be used: it has not run",
            "without --from",
        ),
        (("run", "toy", *INPUTS, "--force", "x"), 2, "--force x: the recipe toy has no such step", "points"),
        (("run", "toy", *INPUTS, "-o", "."), 2, "holds files that are not a run", "-o"),
        (("run", "toy", *INPUTS, "-d", "gpu"), 2, "there is no device 'gpu'", "auto, cpu"),
        (("run", "--chain", "toy.needy", *INPUTS), 3, "toy.needy needs toyprogram", "install toyprogram 1.2"),
        (("run", "--chain", "toy.wrong", *INPUTS), 3, "gave a str, not a PointCloud", "author"),
        (("run", "--chain", "toy.points > toy.trace > toy.nothing", *INPUTS), 1, "a model without atoms", "threshold"),
        (
            ("plan", "--chain", "toy.points >", *INPUTS),
            2,
            "a stage is missing in the chain 'toy.points >'",
            "FAMILY.STAGE",
        ),
        (("run", "toy", "-v", "emd_1.map.gz", "--secondary-structure", "x.ss2"), 2, "needs sequences", "--sequence"),
        (("run", "toy", "-v", "emd_1.map.gz", "-s", "rna.fasta"), 1, "looks like nucleotides", "--ignore-checks"),
        (("plan", "toy", "-v", "emd_1.map.gz", "-s", "rna.fasta"), 1, "looks like nucleotides", "-rf (RNA)"),
        (("run", "toy", *INPUTS, "--given", "toyxyz"), 2, "cannot read --given 'toyxyz'", "FORMAT=FILE"),
    ],
)
def test_mistakes_are_said_without_a_traceback(toys, toy_files, monkeypatch, capsys, arguments, code, message, hint):
    monkeypatch.chdir(toy_files)
    (toy_files / "rna.fasta").write_text(">r\nACGUACGUACGUACGU\n")
    assert console.guard(lambda: app(arguments, prog_name="cryoweave")) == code
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert message in error
    assert hint in lines[-1]
    assert not hint or lines[-1].startswith("hint: ")
    assert "Traceback" not in said.err


def test_a_bug_writes_a_report_and_exits_4(program, toy_files):
    done = program("run", "--chain", "toy.crash", *INPUTS)
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "error: this is a bug in cryoweave or in a plugin: ValueError: toy crash" in done.stderr
    (report,) = toy_files.glob("cryoweave-bug-*.txt")
    assert f"hint: please send us the report {report}" in done.stderr
    text = report.read_text()
    assert "in stage toy.crash of package cryoweave-toys" in text
    assert "Traceback" in text
    assert "cryoweave-toys 1.0" in text


@pytest.mark.parametrize("arguments", [("run", "--nope"), ("nope",), ("run", "toy", "--seed", "x")])
def test_usage_errors_exit_2(program, arguments):
    done = program(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_reader_that_leaves_is_no_error(toy_environment, toy_files):
    line = f"'{sys.executable}' -c '{PROGRAM}' run --help | head -c 1"
    done = subprocess.run(line, shell=True, cwd=toy_files, env=toy_environment, capture_output=True, text=True)
    assert done.stderr == ""


def test_every_option_of_run_has_an_example(program):
    text = re.sub(r"[│\s]+", " ", program("run", "--help").stdout)
    for option in ("--map", "--sequence", "--rna-fasta", "--dna-fasta", "--model", "--reference", "--output", "--set"):
        assert option in text
    assert text.count("e.g.") >= 16
    assert all(panel in text for panel in ("─ Inputs ─", "─ Recipe and parameters ─", "─ Run ─"))


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_sees_bars_and_colour_unless_it_does_not_want_to(toy_environment, toy_files, environment, coloured):
    main, other = pty.openpty()
    line = [sys.executable, "-c", PROGRAM, "run", "toy", *INPUTS, "--set", "points.threshold=9"]
    settings = {**toy_environment, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen(line, cwd=toy_files, env=settings, stdout=subprocess.PIPE, stderr=other)
    os.close(other)
    shown = b""
    try:
        while chunk := os.read(main, 4096):
            shown += chunk
    except OSError:  # Linux: the other end is closed
        pass
    assert process.wait() == 1
    process.stdout.close()
    os.close(main)
    text = shown.decode()
    assert "points" in text
    assert ("\x1b[1;31merror:" in text) == coloured


def test_a_plugins_command_is_listed_unloaded_and_called(program, tmp_path):
    package = tmp_path / "site" / "cryoweave_tool-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: cryoweave-tool\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[cryoweave.plugins]\ntool = tool\n")
    (package.parent / "tool.py").write_text(
        "from cryoweave.host import Command, hookimpl\n"
        "@hookimpl\n"
        "def cryoweave_commands():\n"
        "    return [Command('tool', 'A tool of its own.', 'tool_app:app')]\n"
    )
    assert "A tool of its own." in program("--help").stdout
    (package.parent / "tool_app.py").write_text(
        "import typer\napp = typer.Typer()\n@app.command()\ndef main(name: str):\n    print('hello', name)\n"
    )
    assert program("tool", "you").stdout == "hello you\n"


def test_what_a_stage_prints_stands_beside_what_was_asked_for(capsys):
    with watch.watching(True):
        print("hello")
    print("{}")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("{}\n", "hello\n")
