import json
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import cryoweave
from cryoweave import host
from cryoweave.data import DensityMap, Sequence, SequenceSet
from cryoweave.errors import InputError, PluginError, StageError, UsageError
from cryoweave.host import Stage, hookimpl
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.io.sequences import read_sequences
from cryoweave.pipeline import execute
from cryoweave.pipeline.chain import parse_chain
from cryoweave.pipeline.plan import plan
from cryoweave.pipeline.run import default_folder, run

ALL = ["points", "trace", "build", "score"]


@pytest.fixture
def go(toys, files, quick_report):
    """Runs the toy recipe in one folder."""

    def call(recipe="toy", **options):
        inputs = {"map": files / "emd_1.map.gz", "sequences": files / "chains.fasta", "output": files / "out"}
        return run(recipe, **{**inputs, **options})

    return call


def entries(folder):
    return {entry["step"]: entry for entry in json.loads((folder / "record.json").read_text())["steps"]}


def reasons(folder):
    return {name: (entry["reused"], entry["reason"]) for name, entry in entries(folder).items()}


def result_files(folder):
    """Bytes of everything that is a result; not of what holds times."""
    names = ["model.cif", "scores.tsv", "scores.json", "run.toml", "citations.bib", "view.cxc", "view_coot.py"]
    stages = sorted(path for path in (folder / "stages").rglob("*") if path.is_file() and path.name != "stage.json")
    return {str(path.relative_to(folder)): path.read_bytes() for path in [*(folder / name for name in names), *stages]}


def test_a_run_leaves_what_the_design_says(go, files):
    result = go(reference=files / "known.cif", seed=3)
    folder = files / "out"
    record = json.loads((folder / "record.json").read_text())
    assert record == json.loads(json.dumps(result.record))
    assert record["schema"] == "cryoweave-record/1"
    assert (record["recipe"], record["state"], record["seed"], record["device"]) == ("toy", "done", 3, "cpu")
    assert set(record["inputs"]) == {"density", "sequences", "reference"}
    assert record["inputs"]["sequences"]["path"] == str(files / "chains.fasta")
    assert record["plugins"] == {"cryoweave-toys": "1.0"}
    assert [step["step"] for step in record["steps"]] == [*ALL, "compare"]
    points = record["steps"][0]
    assert points["facts"] == {"points": 6, "share": None}
    assert points["params"] == {"threshold": 0.5, "count": 6}
    assert points["inputs"] == {"density": "input.density"}
    assert (points["stage"], points["gives"], points["folder"]) == ("toy.points", "PointCloud", "stages/01-points")
    assert points["seconds"] >= 0
    assert points["cpu_seconds"] >= 0
    assert all((folder / name).is_file() for name in record["outputs"].values())
    assert set(record["outputs"]) >= {"model", "scores", "scores_table", "chimerax", "coot", "citations", "report"}
    assert len(read_model(folder / "model.cif")) == len(result.model) == 6
    assert set(result.scores.whole) == {"mean_toyscore", "mean_distance"}
    assert set(result.scores.to_pandas()) >= {"toyscore", "distance"}
    assert not list(folder.rglob(".*")), "something temporary is left"
    assert not (folder / "run.lock").exists()
    bibtex = (folder / "citations.bib").read_text()
    assert all(f"doi = {{10.1000/{name}}}" in bibtex for name in ("toy", "points", "build"))


def test_run_toml_is_a_recipe_that_gives_the_same(go, files, toys):
    go(settings={"points.threshold": 0.4})
    table = tomllib.loads((files / "out" / "run.toml").read_text())
    assert table["run"]["inputs"]["density"] == [str(files / "emd_1.map.gz")]
    assert table["step"][0]["params"] == {"threshold": 0.4, "count": 6}
    go(files / "out" / "run.toml", output=files / "again")
    assert result_files(files / "again") == result_files(files / "out")


def test_run_toml_repeats_the_run_without_saying_anything_again(go, files, toys):
    (files / "r.fasta").write_text(">two\nACGU\n")
    (files / "one.ss").write_text(">one\nHHHHHHHHHH\n")
    sequences = {"protein": files / "chains.fasta", "rna": files / "r.fasta"}
    more = {"reference": files / "known.cif", "secondary_structure": files / "one.ss"}
    first = go(sequences=sequences, **more, seed=3, threads=1, device="cpu").record
    again = run(files / "out" / "run.toml", output=files / "again").record
    for name in ("inputs", "seed", "threads", "device"):
        assert again[name] == first[name]
    assert result_files(files / "again") == result_files(files / "out")

    (files / "other.fasta").write_text(">one\nACDE\n")
    other = run(files / "out" / "run.toml", sequences=files / "other.fasta", seed=4, output=files / "other").record
    assert (other["seed"], other["threads"]) == (4, 1)
    assert other["inputs"]["density"] == first["inputs"]["density"]
    assert "more" not in other["inputs"]["sequences"], "a secondary structure belongs to its sequences"
    made = plan(files / "out" / "run.toml", {}, output=files / "out")
    assert {entry.action for entry in made.steps} == {"reuse"}


def test_run_toml_repeats_a_run_that_began_with_values(go, files, toys):
    values = (Sequence("one", "ACDEFGHIKL", secondary_structure="HHHHHHHHHH"), Sequence("two", "ACGU", "rna"))
    first = go(map=read_map(files / "emd_1.map.gz"), sequences=SequenceSet(values))
    again = run(files / "out" / "run.toml", output=files / "again")
    assert (files / "again/model.cif").read_bytes() == (files / "out/model.cif").read_bytes()
    assert again.record["inputs"] == first.record["inputs"]


def test_a_table_run_that_cannot_be_used_is_refused(go, files, toys):
    go()
    text = (files / "out" / "run.toml").read_text()
    for bad, message in (
        (text.replace("seed = 0", 'seed = "x"'), "seed of its table"),
        (text.replace("[run.inputs]\n", '[run.inputs]\nmodel = ["a.cif", "b.cif"]\n'), "each file of the input model"),
    ):
        assert bad != text
        (files / "bad.toml").write_text(bad)
        with pytest.raises(UsageError, match=message):
            run(files / "bad.toml", output=files / "bad")


def test_nothing_runs_twice(go, files, calls):
    go()
    assert calls() == ALL
    before = result_files(files / "out")
    go()
    assert calls() == []
    assert set(reasons(files / "out").values()) == {(True, "nothing changed")}
    assert result_files(files / "out") == before
    go(threads=1)
    assert calls() == [], "threads do not change results"


def test_what_changed_runs_again_and_says_why(go, files, calls):
    go()
    calls()
    go(settings=["score.value=0.75"])
    assert calls() == ["score"]
    assert reasons(files / "out")["score"] == (False, "its parameter value changed from 0.5 to 0.75")
    go(settings=["score.value=0.75", "points.threshold=0.9"])
    assert calls() == ALL
    assert reasons(files / "out")["trace"] == (False, "its input points changed")
    go(settings=["score.value=0.75", "points.threshold=0.9"], seed=9)
    assert calls() == ALL
    assert reasons(files / "out")["points"] == (False, "the seed changed from 0 to 9")


def test_an_equal_result_stops_the_chain_of_reruns(go, files, calls):
    go()
    calls()
    go(force=["points"])
    assert calls() == ["points"]
    assert reasons(files / "out")["points"] == (False, "forced")
    assert reasons(files / "out")["trace"] == (True, "nothing changed")


def test_a_changed_input_file_counts_by_its_content(go, files, calls):
    go()
    calls()
    (files / "other.fasta").write_text(">one\nACDEF\nGHIKL\n")
    go(sequences=files / "other.fasta")
    assert calls() == []
    (files / "chains.fasta").write_text(">one\nACDE\n")
    result = go(replace=True)
    assert calls() == ["build", "score"]
    assert len(result.model) == 4


def test_a_newer_stage_runs_again(go, files, calls, toys, monkeypatch):
    go()
    calls()
    newer = [Stage(**{**vars(stage), "version": 2}) if stage.id == "toy.trace" else stage for stage in toys.STAGES]
    registry = toys.toy_registry(newer)
    monkeypatch.setattr(host, "registry", lambda: registry)
    go()
    assert calls() == ["trace"]
    assert reasons(files / "out")["trace"] == (False, "the version changed from 1 to 2")


@pytest.mark.parametrize("file", ["traces.tsv", "stage.json", "fragments.tsv"])
@pytest.mark.parametrize("damage", ["cut", "gone", "altered", "empty"])
def test_a_damaged_result_runs_again(go, files, calls, file, damage):
    go()
    calls()
    before = result_files(files / "out")
    path = files / "out" / "stages" / "02-trace" / file
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "altered":
        path.write_bytes(content.replace(b"1", b"2"))
    else:
        path.write_bytes(content[: len(content) // 2 if damage == "cut" else 0])
    go()
    assert calls() == ["trace"]
    reused, reason = reasons(files / "out")["trace"]
    assert not reused
    assert reason == "its files changed" or (damage, file) == ("altered", "stage.json")
    assert result_files(files / "out") == before


def test_steps_that_ran_alike_in_another_run_are_taken_from_there(go, files, calls):
    go()
    calls()
    lender = files / "out" / "stages"
    inputs = {"density": files / "emd_1.map.gz", "sequences": files / "chains.fasta"}
    other = {"output": files / "other", "settings": {"score.value": 0.75}, "reuse": [files / "out"]}
    made = plan("toy", inputs, **other)
    assert [(one.action, one.reason) for one in made.steps if one.step.name != "build"] == [
        ("reuse", f"taken from {lender / '01-points'}"),
        ("reuse", f"taken from {lender / '02-trace'}"),
        ("run", "it has not run yet"),
    ]
    assert not (files / "other").exists()
    go(**other)
    assert calls() == ["score"]
    assert reasons(files / "other")["points"] == (True, f"taken from {lender / '01-points'}")
    shutil.rmtree(files / "out")
    go(**{**other, "reuse": []})
    assert calls() == [], "what was taken is this run's own"


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_damaged_result_of_another_run_is_not_taken(go, files, calls, damage):
    go()
    calls()
    path = files / "out" / "stages" / "02-trace" / "traces.tsv"
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    go(output=files / "other", reuse=[files / "out"])
    assert calls() == ["trace"]
    assert reasons(files / "other")["trace"] == (False, "it has not run yet")
    assert (files / "other" / "stages" / "02-trace" / "traces.tsv").read_bytes() == content


def test_a_run_of_which_nothing_can_be_used_is_told(go, files, caplog):
    go()
    go(output=files / "other", reuse=[files / "out"])
    assert "ran alike" not in caplog.text
    go(output=files / "third", reuse=[files / "out"], seed=3)
    assert f"no step of {files / 'out'} ran alike" in caplog.text
    caplog.clear()
    go(output=files / "out2", seed=3)
    go(output=files / "fourth", reuse=[files / "out", files / "out2"], seed=3)
    assert f"no step of {files / 'out'} ran alike" in caplog.text, "also where another folder's name begins like it"
    assert f"no step of {files / 'out2'} ran alike" not in caplog.text


def test_results_are_taken_from_runs_only(go, files):
    with pytest.raises(UsageError, match="nowhere holds no run"):
        go(reuse=[files / "nowhere"])
    assert not (files / "out").exists()


def test_until_then_the_rest(go, files, calls):
    result = go(until="trace")
    assert calls() == ["points", "trace"]
    assert result.model is None
    assert "model" not in result.record["outputs"]
    assert result.record["state"] == "done"
    go()
    assert calls() == ["build", "score"]


FINAL = ["model.cif", "scores.json", "scores.tsv", "citations.bib", "view.cxc", "view_coot.py", "report.html"]


def final_files(folder):
    return {name: (folder / name).read_bytes() for name in FINAL}


def interrupt(*_args, **_more):
    raise KeyboardInterrupt


def test_a_run_that_fails_or_stops_early_leaves_the_results_that_are_there(go, files, toys, monkeypatch):
    record = go().record
    before = final_files(files / "out")
    with pytest.raises(StageError):
        go(settings={"points.threshold": 9})
    assert final_files(files / "out") == before
    failed = json.loads((files / "out" / "record.json").read_text())
    assert (failed["state"], failed["outputs"]) == ("failed", {"report": "unfinished.html"})
    assert failed["earlier"] == record
    assert "no voxel lies above the threshold" in (files / "out" / "unfinished.html").read_text()
    assert "report.html in " in (files / "out" / "log.txt").read_text()

    go(until="points")
    assert final_files(files / "out") == before, "a look at the first step costs no model"
    with monkeypatch.context() as patch:
        patch.setattr(toys, "trace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            go(force=["trace"])
    stopped = json.loads((files / "out" / "record.json").read_text())
    assert (stopped["state"], stopped["earlier"]) == ("interrupted", record)
    assert final_files(files / "out") == before

    done = go(settings={"points.count": 3})
    assert "earlier" not in done.record
    assert not (files / "out" / "unfinished.html").exists()
    assert len(read_model(files / "out" / "model.cif")) == 3


def test_points_without_a_model_can_be_looked_at(go, files):
    outputs = go(until="points").record["outputs"]
    assert outputs["points"] == "points.cif"
    assert "HETATM" in (files / "out" / "points.cif").read_text()
    assert 'open "points.cif"' in (files / "out" / outputs["chimerax"]).read_text()
    assert "points" not in go().record["outputs"]
    assert not (files / "out" / "points.cif").exists()


def test_a_run_without_scores_does_not_keep_those_of_an_earlier_one(go, files):
    go()
    done = go(until="build")
    assert "earlier" not in done.record
    assert (files / "out" / "model.cif").exists()
    assert not (files / "out" / "scores.json").exists()


def test_outputs_that_no_record_claims_are_removed(go, files):
    with pytest.raises(StageError):
        go(settings={"points.threshold": 9})
    (files / "out" / "model.cif").write_text("from a run that was killed while it wrote")
    with pytest.raises(StageError):
        go(settings={"points.threshold": 9})
    assert not (files / "out" / "model.cif").exists()


def test_the_results_of_another_map_or_sequence_are_not_replaced_unasked(go, files):
    go()
    before = final_files(files / "out")
    other = DensityMap(read_map(files / "emd_1.map.gz").values * 2, read_map(files / "emd_1.map.gz").frame)
    (files / "other.fasta").write_text(">one\nACDE\n")
    for changes, message in (
        ({"map": other}, "results of another map: .*emd_1.map.gz"),
        ({"sequences": files / "other.fasta"}, "results of other sequences: .*chains.fasta"),
    ):
        with pytest.raises(UsageError, match=message) as error:
            go(**changes)
        assert "--replace" in error.value.hint
        assert final_files(files / "out") == before
    with pytest.raises(UsageError, match="results of other sequences"):
        plan("toy", {"density": files / "emd_1.map.gz", "sequences": files / "other.fasta"}, output=files / "out")
    (files / "one.ss").write_text(">one\nHHHHHHHHHH\n")
    go(secondary_structure=files / "one.ss")
    with pytest.raises(StageError):
        go(sequences=files / "other.fasta", settings={"points.threshold": 9}, replace=True)
    go(settings={"points.threshold": 0.4})
    assert len(go(sequences=files / "other.fasta", replace=True).model) == 4


def test_from_runs_again_from_there_and_wants_what_is_before(go, files, calls):
    with pytest.raises(UsageError, match=r"--from build: the step points before it .*: it has not run yet"):
        go(start="build")
    go()
    calls()
    go(start="build")
    assert calls() == ["build", "score"]
    assert reasons(files / "out")["build"] == (False, "at or after --from")
    with pytest.raises(UsageError, match=r"the step trace before it .*: its parameter noise changed from 0.1 to 0.2"):
        go(start="build", settings={"trace.noise": 0.2})


def test_events_are_one_json_object_a_line(go, files, calls):
    seen = []
    go(progress=seen.append)
    go(reference=files / "known.cif")
    lines = [json.loads(line) for line in (files / "out" / "events.jsonl").read_text().splitlines()]
    assert all({"time", "event"} <= set(line) for line in lines)
    names = [(line["event"], line.get("step")) for line in lines]
    first = [("run_started", None), ("stage_left_out", "compare")]
    assert names[:2] == first
    assert names[2:11] == [
        *((event, step) for step in ALL for event in ("stage_started", "stage_finished")),
        ("run_finished", None),
    ]
    assert names[11:] == [
        ("run_started", None),
        *(("stage_reused", step) for step in ALL),
        ("stage_started", "compare"),
        ("stage_finished", "compare"),
        ("run_finished", None),
    ]
    assert [event for event in seen if event["event"] not in ("progress", "log")] == lines[:11]
    assert {event["event"] for event in seen} >= {"progress", "log"}
    assert "stage_started step=trace stage=toy.trace reason=it has not run yet" in (files / "out/log.txt").read_text()


def test_half_a_line_of_a_killed_run_is_dropped(go, files):
    go()
    path = files / "out" / "events.jsonl"
    path.write_text(path.read_text() + '{"time": "20')
    go()
    assert [json.loads(line) for line in path.read_text().splitlines()]


def test_observers_see_what_ran_and_a_broken_one_is_a_warning(go, files, toys, monkeypatch):
    seen = []

    def finished(step, stage, record):
        seen.append((step, stage.id, record["reason"]))
        raise RuntimeError("observer broke")

    watcher = SimpleNamespace(
        cryoweave_stage_started=hookimpl(lambda step, stage: seen.append((step, stage.id))),
        cryoweave_stage_finished=hookimpl(finished),
    )
    registry = toys.toy_registry(watcher=watcher)
    assert not [row.error for row in registry.plugins if row.error]
    monkeypatch.setattr(host, "registry", lambda: registry)
    go(until="trace")
    assert seen == [
        ("points", "toy.points"),
        ("points", "toy.points", "it has not run yet"),
        ("trace", "toy.trace"),
        ("trace", "toy.trace", "it has not run yet"),
    ]
    assert "observer broke" in (files / "out" / "log.txt").read_text()
    go(until="trace")
    assert len(seen) == 4


def test_an_empty_model_is_a_failure_with_the_stage(go, files):
    with pytest.raises(StageError, match=r"stage toy\.nothing gave a model without atoms"):
        go(parse_chain("toy.points > toy.trace > toy.nothing"))
    record = json.loads((files / "out" / "record.json").read_text())
    assert record["state"] == "failed"
    assert "toy.nothing" in record["error"]
    assert [step["step"] for step in record["steps"]] == ["points", "trace"]
    assert not (files / "out" / "model.cif").exists()


def test_a_stage_error_names_the_stage_and_keeps_its_hint(go, files):
    with pytest.raises(StageError, match=r"stage toy\.points: no voxel lies above the threshold") as error:
        go(settings={"points.threshold": 5})
    assert error.value.hint == "lower the threshold"
    events = [json.loads(line) for line in (files / "out" / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events[-2:]] == ["stage_failed", "run_finished"]
    assert events[-1]["state"] == "failed"


def test_a_wrong_type_is_the_plugins_fault(go):
    with pytest.raises(PluginError, match=r"toy\.wrong of cryoweave-toys gave a str, not a PointCloud"):
        go(parse_chain("toy.wrong"))


def test_a_crash_says_in_which_stage(go):
    with pytest.raises(ValueError, match="toy crash") as error:
        go(parse_chain("toy.crash"))
    assert error.value.__notes__ == ["in stage toy.crash of package cryoweave-toys"]


def test_a_failed_run_goes_on_after_the_last_result(go, calls):
    chain = "toy.points > toy.trace > "
    with pytest.raises(StageError):
        go(parse_chain(chain + "toy.nothing"))
    calls()
    go(parse_chain(chain + "toy.build > toy.score"))
    assert calls() == ["build", "score"]


def test_the_folder_of_a_changed_inline_chain_holds_only_its_steps(go, files):
    go(parse_chain("toy.points > toy.trace > toy.build"))
    go(parse_chain("toy.scale > toy.points"))
    assert sorted(path.name for path in (files / "out" / "stages").iterdir()) == ["01-scale", "02-points"]


def test_a_folder_that_is_no_run_is_left_alone(go, files, toys):
    with pytest.raises(UsageError, match="holds files that are not a run"):
        go(output=files)
    with pytest.raises(UsageError, match="is a file"):
        go(output=files / "chains.fasta")
    for below in (files / "chains.fasta" / "sub", Path("/proc/cryoweave/out")):
        with pytest.raises(UsageError, match=r"chains.fasta is a file|cannot make the folder /proc") as error:
            go(output=below)
        assert "-o" in error.value.hint
    go()
    with pytest.raises(UsageError, match="holds a run of toy, not of chain"):
        go(parse_chain("toy.points"))
    (files / "empty").mkdir()
    go(output=files / "empty")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"map": "absent.map"}, InputError),
        ({"sequences": "absent.fasta"}, InputError),
        ({"settings": ["points.x=1"]}, UsageError),
        ({"until": "x"}, UsageError),
        ({"device": "gpu"}, UsageError),
        ({"device": "99"}, UsageError),
        ({"threads": -1}, UsageError),
        ({"sequences": None}, UsageError),
        ({"secondary_structure": "x.ss2", "sequences": None, "recipe": parse_chain("toy.points")}, UsageError),
        ({"given": {"what": "x"}}, UsageError),
    ],
)
def test_an_error_before_the_first_stage_leaves_no_folder(go, files, changes, error):
    with pytest.raises(error):
        go(**changes)
    assert not (files / "out").exists()


def test_values_serve_as_well_as_files(go, files, calls):
    go()
    calls()
    values = {"map": read_map(files / "emd_1.map.gz"), "sequences": read_sequences(files / "chains.fasta")}
    result = go(**values)
    assert calls() == []
    assert Path(result.record["inputs"]["density"]["path"]) == files / "out" / "inputs" / "density.mrc"
    np.testing.assert_array_equal(read_map(files / "out/inputs/density.mrc").values, values["map"].values)
    with pytest.raises(UsageError, match="needs a folder"):
        go(map=values["map"], output=None)
    with pytest.raises(UsageError, match="input density is a SequenceSet, wanted a DensityMap or a path"):
        go(map=values["sequences"])


def test_sequences_of_several_molecules(go, files):
    (files / "r.fasta").write_text(">two\nACGU\n")
    result = go(sequences={"protein": files / "chains.fasta", "rna": files / "r.fasta"})
    entry = result.record["inputs"]["sequences"]
    assert [Path(one["path"]).name for one in (entry, *entry["more"])] == ["chains.fasta", "r.fasta"]


def test_a_file_of_another_program_starts_a_chain(go, files):
    (files / "p.txt").write_text("1 2 3\n4 5 6\n")
    result = go(parse_chain("toy.trace > toy.build"), given={"toyxyz": files / "p.txt"})
    assert len(result.model) == 2
    assert result.record["inputs"]["toyxyz"]["path"] == str(files / "p.txt")


def test_the_folder_is_named_after_recipe_and_map(files, go, monkeypatch):
    assert default_folder("toy", "a/emd_1.map.gz") == Path("toy_emd_1")
    assert default_folder("x/own.toml", "b.MRC") == Path("own_b")
    monkeypatch.chdir(files)
    assert go(output=None).folder == Path("toy_emd_1")


def test_a_plan_writes_nothing_and_says_why(go, files, calls):
    inputs = {"density": files / "emd_1.map.gz", "sequences": files / "chains.fasta"}

    def told(**options):
        made = plan("toy", inputs, output=files / "out", **options)
        return {entry.step.name: (entry.action, entry.reason) for entry in made.steps}

    assert told()["points"] == ("run", "it has not run yet")
    assert told()["build"] == ("run", "after trace")
    assert not (files / "out").exists()
    go()
    calls()
    before = {path: path.stat().st_mtime_ns for path in files.rglob("*")}
    assert set(told().values()) == {("reuse", "nothing changed")}
    assert told(settings={"trace.noise": 0.3}) == {
        "points": ("reuse", "nothing changed"),
        "trace": ("run", "its parameter noise changed from 0.1 to 0.3"),
        "build": ("perhaps", "after trace"),
        "score": ("perhaps", "after build"),
    }
    assert told(force=["points"])["points"] == ("run", "forced")
    assert list(told(until="points")) == ["points"]
    assert {path: path.stat().st_mtime_ns for path in files.rglob("*")} == before
    assert calls() == []


def test_an_accelerator_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(execute, "DEVICES", tmp_path)
    (tmp_path / "nvidiactl").touch()
    with pytest.raises(UsageError, match="there is no accelerator 7: none was found") as error:
        execute.choose_device("7")
    assert error.value.hint == "give auto or cpu"
    (tmp_path / "nvidia3").touch()
    assert execute.choose_device("0")[0] == "0"
    with pytest.raises(UsageError, match="there is no accelerator 1: there is one, 0") as error:
        execute.choose_device("1")
    assert error.value.hint == "give auto or cpu, or 0"


def test_one_stage_on_values(toys, files):
    density = cryoweave.load_map(files / "emd_1.map.gz")
    cloud = cryoweave.run_stage("toy.points", density=density, params={"count": 3})
    assert len(cloud) == 3
    first = cryoweave.run_stage("toy.trace", points=cloud, seed=1)
    again = cryoweave.run_stage("toy.trace", points=cloud, seed=1, threads=1)
    np.testing.assert_array_equal(first.xyz, again.xyz)
    for wrong, message in (
        ({"points": density}, "input points of stage toy.trace is a DensityMap"),
        ({}, "input points of stage toy.trace is missing"),
        ({"points": cloud, "point": cloud}, "takes no 'point'"),
        ({"points": cloud, "params": {"nose": 1}}, "no parameter 'nose'"),
    ):
        with pytest.raises(UsageError, match=message):
            cryoweave.run_stage("toy.trace", **wrong)


def test_a_model_that_the_method_does_not_trust_is_told(go, files, toys, monkeypatch):
    def unsure(traces, sequences, params, ctx):
        model = build(traces, sequences, params, ctx)
        return replace(model, b_factor=np.full(len(model), 9.0, np.float32))

    build = toys.build
    assert go().record["confidence"] == {"mean": 0.5, "low_share": 0.0, "low_below": 0.2, "residues": 6}
    monkeypatch.setattr(toys, "build", unsure)
    record = go(force=["build"]).record
    assert record["confidence"] == {"mean": 0.09, "low_share": 1.0, "low_below": 0.2, "residues": 6}
    assert "the mean confidence of the model is only 0.09" in (files / "out" / "log.txt").read_text()
