"""A bench of toys by the command line: what runs, what stays, what is told of it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

CLI = "from cryoweave.cli.main import main; main()"
BROKEN = """
[recipe]
id = "broken"
summary = "it crashes"
[[step]]
stage = "toy.crash"
[[step]]
stage = "toy.trace"
[[step]]
stage = "toy.build"
"""
FAILS = BROKEN.replace('"broken"', '"fails"').replace(
    "toy.crash", 'toy.points"\nparams = { threshold = 9.0 }\nname = "points'
)
EMPTY = BROKEN.replace("toy.crash", "toy.points").rpartition("[[step]]")[0]


@pytest.fixture
def bench(toy_files, toy_environment):
    """Calls ``cryoweave bench`` beside a sheet of two maps."""
    (toy_files / "sheet.csv").write_text(
        "name,map,sequence,reference,note\none,emd_1.map.gz,chains.fasta,known.cif,masked\ntwo,emd_1.map.gz,,,\n"
    )
    for name, text in (("broken", BROKEN), ("fails", FAILS), ("empty", EMPTY)):
        (toy_files / f"{name}.toml").write_text(text)

    def call(*arguments, **more):
        return subprocess.run(
            [sys.executable, "-c", CLI, "bench", *map(str, arguments)],
            cwd=toy_files, env=toy_environment, capture_output=True, text=True, timeout=120, **more,
        )  # fmt: skip

    call.folder, call.environment = toy_files, toy_environment
    return call


def run(bench, *arguments):
    return bench("run", "sheet.csv", "-o", "out", "--memory-limit", 2, *arguments)


def calls(bench):
    path = bench.folder / "calls.txt"
    names = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return names


def wait_for_the_slow_step(bench, driver):
    path = bench.folder / "calls.txt"
    for _ in range(900):
        if path.exists() and "trace" in path.read_text():
            return
        time.sleep(0.1)
    driver.kill()
    pytest.fail(f"it never came to the slow step: {driver.communicate()[1]}")


def marker(bench, cell="one/toy/0"):
    return json.loads((bench.folder / "out" / "cells" / cell / "cell.json").read_text())


def test_all_of_a_bench(bench):
    done = run(bench, "--recipes", "toy,broken.toml,fails.toml,empty.toml", "-j", 2)
    assert done.returncode == 1, done.stderr
    assert "1 done, 3 unfit, 4 failed" in done.stderr
    assert marker(bench)["state"] == "done"
    assert "toy crash" in marker(bench, "one/broken/0")["error"]
    assert "no voxel lies above the threshold" in marker(bench, "one/fails/0")["error"]
    assert "gave no model" in marker(bench, "one/empty/0")["error"]
    assert "Traceback" not in done.stderr
    assert marker(bench, "two/toy/0")["state"] == "unfit"
    assert "needs sequences" in marker(bench, "two/toy/0")["error"]

    with (bench.folder / "out" / "results.tsv").open() as stream:
        rows = list(csv.DictReader(stream, dialect="excel-tab"))
    own = {row["metric"]: float(row["value"]) for row in rows if (row["target"], row["recipe"]) == ("one", "toy")}
    assert own["mean_toyscore"] == 0.5
    assert own["mean_distance"] > 0
    assert own["seconds"] > 0
    assert {row["state"] for row in rows} == {"done", "failed", "unfit"}

    page = (bench.folder / "out" / "report.html").read_text()
    assert "4 recipes on 2 maps" in page
    assert 'href="cells/one/toy/0/validation/report.html"' in page
    assert "toy crash" in page
    assert (bench.folder / "out" / "cells" / "one" / "toy" / "0" / "validation" / "report.html").is_file()

    shown = json.loads(bench("report", "out", "--json", "--metrics", "mean_toyscore").stdout)
    assert shown[0]["recipe"] == "toy"
    assert shown[0]["means"]["mean_toyscore"] == {"mean": 0.5, "low": None, "high": None, "maps": 1}
    by_name = {row["recipe"]: row for row in shown}
    assert by_name["broken"]["means"]["mean_toyscore"]["mean"] == 0, "a failure counts"
    assert by_name["broken"]["failed"] == 1
    assert bench("report", "out", "--md").stdout.startswith("| recipe | right_residue |")


def test_what_is_done_stays_until_something_changes(bench):
    assert run(bench, "--recipes", "toy").returncode == 0
    assert calls(bench).count("trace") == 1
    assert run(bench, "--recipes", "toy").returncode == 0
    assert calls(bench) == []
    assert "run" in run(bench, "--recipes", "toy", "--set", "trace.noise=0.3", "--dry-run").stdout
    assert calls(bench) == []
    assert run(bench, "--recipes", "toy", "--set", "trace.noise=0.3").returncode == 0
    names = calls(bench)
    assert "trace" in names
    assert "points" not in names, "the run goes on with what it kept"
    assert bench("report", "out", "--metrics", "mean_distance").returncode == 0
    page = (bench.folder / "out" / "report.html").read_text()
    assert re.search(r"mean_distance [\d.]+ → [\d.]+", page), "what changed since the table before"


def test_cells_that_a_later_command_leaves_out_are_told(bench):
    assert run(bench, "--recipes", "toy,fails.toml").returncode == 1
    less = run(bench, "--recipes", "toy")
    assert "note: 2 cells of an earlier command, one/fails/0 among them, are no part of this one" in less.stderr
    assert "no part" not in run(bench, "--recipes", "toy").stderr
    assert (bench.folder / "out/cells/one/fails/0/cell.json").exists()


def test_seeds_are_cells_of_their_own(bench):
    assert run(bench, "--recipes", "toy", "--seeds", "0,3").returncode == 0
    assert marker(bench, "one/toy/3")["state"] == "done"
    names = calls(bench)
    assert names.count("trace") == 2


def test_cells_of_a_map_share_steps_that_run_alike(bench):
    (bench.folder / "same.toml").write_text(
        BROKEN.replace('"broken"', '"same"').replace("toy.crash", 'toy.points"\nparams = { count = 6 }\nname = "p')
    )
    assert run(bench, "--recipes", "toy,same.toml").returncode == 0
    assert calls(bench).count("points") == 1
    assert bench("run", "sheet.csv", "-o", "apart", "--recipes", "toy,same.toml", "--no-reuse").returncode == 0
    assert calls(bench).count("points") == 2


def test_failed_cells_run_again_only_when_asked(bench):
    assert run(bench, "--recipes", "toy,fails.toml").returncode == 1
    first = marker(bench, "one/fails/0")["started"]
    again = run(bench, "--recipes", "toy,fails.toml")
    assert again.returncode == 1, "it has failed all the same"
    assert marker(bench, "one/fails/0")["started"] == first
    kept = marker(bench)["started"]
    assert run(bench, "--recipes", "toy,fails.toml", "--only-failed").returncode == 1
    assert marker(bench, "one/fails/0")["started"] > first
    assert marker(bench)["started"] == kept


def test_it_can_stop_at_the_first_failure(bench):
    done = run(bench, "--recipes", "fails.toml,toy", "--stop-at-failure")
    assert done.returncode == 1
    assert not (bench.folder / "out" / "cells" / "one" / "toy" / "0" / "cell.json").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_driver_that_is_killed_goes_on_where_it_was(bench, number):
    slow = ("--set", "trace.seconds=60")
    with subprocess.Popen(
        [sys.executable, "-c", CLI, "bench", "run", "sheet.csv", "-o", "out", "--recipes", "toy", *slow],
        cwd=bench.folder, env=bench.environment, stderr=subprocess.PIPE, text=True,
    ) as driver:  # fmt: skip
        wait_for_the_slow_step(bench, driver)
        os.kill(driver.pid, number)
        said = driver.communicate(timeout=30)[1]
    assert not (bench.folder / "out" / "cells" / "one" / "toy" / "0" / "cell.json").exists()
    if number != signal.SIGKILL:
        assert driver.returncode == 130
        assert "the same command goes on" in said
    calls(bench)
    done = run(bench, "--recipes", "toy", "--set", "trace.seconds=0")
    assert done.returncode == 0, done.stderr
    assert "points" not in calls(bench), "the step that was done is kept"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "sheet.csv", "-o", "out", "--recipes", "nothing"), "nothing"),
        (("run", "sheet.csv", "-o", "out", "--recipes", ","), "no recipe is given"),
        (("run", "sheet.csv", "-o", "out", "--recipes", "toy", "--seeds", "a"), "cannot read --seeds"),
        (("run", "sheet.csv", "-o", "out", "--recipes", "toy", "--set", "x"), "cannot read --set"),
        (
            ("run", "sheet.csv", "-o", "out", "--recipes", "toy", "--set", "tarce.noise=1"),
            "no recipe has a step 'tarce'",
        ),
        (("run", "sheet.csv", "-o", "out", "--recipes", "toy", "--set", "trace.noise=-1"), "trace.noise"),
        (("run", "sheet.csv", "-o", "out", "--recipes", "toy", "--validators", "x"), "no validator 'x'"),
        (("run", "none.csv", "-o", "out", "--recipes", "toy"), "none.csv"),
        (("run", "sheet.csv", "-o", "site", "--recipes", "toy"), "holds files that are no bench"),
        (("run", "sheet.csv", "-o", "known.cif", "--recipes", "toy"), "is a file"),
        (("report", "site"), "is not the folder of a bench"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(bench, arguments, said):
    done = bench(*arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert calls(bench) == []


def test_a_report_says_what_does_not_exist(bench):
    assert run(bench, "--recipes", "toy").returncode == 0
    assert "no cell has the score 'x'" in bench("report", "out", "--metrics", "x").stderr
    assert "no recipe has a model of 'three'" in bench("report", "out", "--show", "three").stderr
    assert "is no table of a bench" in bench("report", "out", "--since", "known.cif").stderr
    same = bench("report", "out", "--since", "out", "--metrics", "mean_distance,seconds")
    assert same.returncode == 0
    assert "Nothing since" in (bench.folder / "out" / "report.html").read_text()


def test_workers_that_are_killed_change_nothing(bench):
    """Their cells go to the next workers, and end as they do without Dask."""
    pytest.importorskip("distributed")
    slow = ("--recipes", "toy", "--seeds", "0,1", "--set", "trace.seconds=4")
    assert run(bench, *slow).returncode == 0
    calls(bench)
    command = ["bench", "run", "sheet.csv", "-o", "cluster", "-j", "2", "--executor", "dask", *slow]
    with subprocess.Popen(
        [sys.executable, "-c", CLI, *command],
        cwd=bench.folder, env=bench.environment, stderr=subprocess.PIPE, text=True,
    ) as driver:  # fmt: skip
        wait_for_the_slow_step(bench, driver)
        children = psutil.Process(driver.pid).children(recursive=True)
        busy = {child.ppid() for child in children if "cryoweave.bench.worker" in child.cmdline()}
        for worker in busy:
            os.kill(worker, signal.SIGKILL)
        said = driver.communicate(timeout=120)[1]
    assert driver.returncode == 0, said
    assert busy
    assert calls(bench).count("trace") > 2, "the cell in its slow step began it again"

    def figures(name):
        with (bench.folder / name / "results.tsv").open() as stream:
            rows = csv.DictReader(stream, dialect="excel-tab")
            cost = ("seconds", "cpu_seconds", "peak_gb")
            return [tuple(row.values()) for row in rows if row["metric"] not in cost]

    assert figures("cluster") == figures("out")
    assert len(figures("out")) > 20


def test_where_cells_cannot_run_is_said(bench):
    say = lambda *options: run(bench, "--recipes", "toy", *options).stderr  # noqa: E731
    assert "there is no executor 'x'" in say("--executor", "x")
    assert "--scheduler is for Dask's workers" in say("--scheduler", "tcp://here:1")
    assert "there is no cluster 'x'" in say("--executor", "dask", "--cluster", "x")
    assert "both a scheduler and a cluster" in say(
        "--executor", "dask", "--cluster", "slurm", "--scheduler", "tcp://here:1"
    )
    assert "cannot read --resource 'GPU'" in say("--executor", "dask", "--resource", "GPU")


def test_a_queue_is_asked_for_what_a_cell_takes():
    pytest.importorskip("dask_jobqueue")
    from cryoweave.bench.executors import queue

    with queue(4, 8 * 10**9) as cluster:
        script = cluster.job_script()
    assert "--cpus-per-task=4" in script
    assert "--mem=8G" in script
    assert "--nthreads 1" in script


def test_figures_are_worked_out_again(bench):
    assert run(bench, "--recipes", "toy").returncode == 0
    done = bench("verify", "out")
    assert done.returncode == 0, done.stderr
    assert re.search(r"[1-9]\d* figures worked out again; 0 cells are not as shown", done.stderr)
    model = bench.folder / "out" / "cells" / "one" / "toy" / "0" / "run" / "model.cif"
    (x,) = re.findall(r"\nATOM .*? (\d+\.\d+) ", model.read_text())[:1]
    model.write_text(model.read_text().replace(f" {x} ", f" {float(x) + 1:.3f} ", 1))
    done = bench("verify", "out")
    assert done.returncode == 1
    assert re.search(r"mean_distance is shown as [\d.]+, and is [\d.]+", done.stdout)
    model.unlink()
    assert "does not exist" in bench("verify", "out").stderr


def test_a_queue_s_script_runs_every_cell(bench):
    assert run(bench, "--recipes", "toy,empty.toml", "--dry-run").returncode == 0
    assert bench("export", "slurm", "out", "-j", 3, "--memory-limit", 2, "-o", "bench.sbatch").returncode == 0
    script = (bench.folder / "bench.sbatch").read_text()
    assert "#SBATCH --array=0-3%3" in script
    assert "#SBATCH --mem=2500M" in script
    for number in range(4):
        environment = {**bench.environment, "SLURM_ARRAY_TASK_ID": str(number)}
        subprocess.run(["bash", "bench.sbatch"], cwd=bench.folder, env=environment, check=False, timeout=120)
    states = {
        path.parts[-4]: json.loads(path.read_text())["state"]
        for path in bench.folder.glob("out/cells/*/toy/0/cell.json")
    }
    assert states == {"one": "done", "two": "unfit"}
    assert marker(bench, "two/empty/0")["state"] == "failed"
    assert json.loads(bench("report", "out", "--json").stdout)[0]["recipe"] == "toy"


def test_files_for_workflow_managers(bench):
    assert run(bench, "--recipes", "toy", "--dry-run").returncode == 0
    snakemake = bench("export", "snakemake", "out").stdout
    assert 'output: str(BENCH / "cells" / "{cell}" / "cell.json")' in snakemake
    assert snakemake.count("{wildcards.cell:q}") == 1
    nextflow = bench("export", "nextflow", "out").stdout
    assert f"params.bench = '{bench.folder / 'out'}'" in nextflow
    assert "time '65 min'" in nextflow
    assert "there are: slurm, snakemake, nextflow" in bench("export", "x", "out").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "given by its name or by its number"),
        (("one/toy/0", "--number", "0"), "given by its name or by its number"),
        (("one/tyo/0",), "did you mean"),
        (("--number", "9"), "the last is 1"),
    ],
)
def test_which_cell_is_to_run(bench, arguments, said):
    if not (bench.folder / "out").exists():
        run(bench, "--recipes", "toy", "--dry-run")
    done = bench("cell", "out", *arguments)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(("kilobytes", "fits"), [(16, False), (64, False), (200, False), (700, False), (30_000, True)])
def test_a_full_disk_is_told(bench, kilobytes, fits):
    """On a file system of our own, in a name space of our own: what cannot be written is no success."""
    small = bench.folder / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size={kilobytes}k tmpfs {small} || exit 99; "
        f"{sys.executable} -c '{CLI}' bench run sheet.csv -o small/out --recipes toy; code=$?; "
        f"cat small/out/cells/one/toy/0/cell.json; exit $code"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        cwd=bench.folder, env=bench.environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"no file system of our own can be made here: {done.stderr.strip()}")
    assert "Traceback" not in done.stderr
    assert (done.returncode == 0) == fits, done.stderr
    assert ("No space left" in done.stderr) != fits
    assert ('"state": "done"' in done.stdout) == fits
