"""The report's text and numbers, without a browser."""

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame, Metric, Model, ScoreTable
from cryoweave.errors import InputError, StageError
from cryoweave.host import Kind, Params, Stage, param
from cryoweave.io import store
from cryoweave.io.scores import read_scores
from cryoweave.report import comparison, facts, page, read_run, scene, write_report
from cryoweave.report.folder import RunFolder
from cryoweave.testing import ideal_model, make_registry


class Text(HTMLParser):
    """Words that a reader sees, and the tags."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tags, self.hidden = [], [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)

    def __str__(self):
        return " ".join(" ".join(self.words).split())


def read(folder):
    return Text(write_report(folder).read_text())


def test_it_tells_what_was_run_and_what_came_out(run_folder):
    text = str(read(run_folder))
    for wanted in (
        "some-recipe on in.mrc", "Finished", "recall ▲ 0.872 matched residues over reference residues",
        "tm ▲ – TM-score", "4.250 σ mean density", "some-plugin 2.3.4", "Seed 7", "'a map.mrc'",
        "9: 40 residues, protein",
        "the machine stamp is odd", "doi:10.1000/xyz<1>", "points: 1 184", "40 × 50 × 90 voxels of 1 Å",
        "surface first drawn at 0.400 (the threshold of step peaks)", "Chain A 40 residues, 5–44",
        "5 residue(s) without a value", "reused",
    ):  # fmt: skip
        assert wanted.replace("\u2009", " ") in text.replace("\u2009", " ")
    assert "all is well" not in text


def test_scores_against_the_reference_stand_apart(run_folder):
    text = str(read(run_folder))
    with_reference, without = text.split("Without a reference")
    assert "recall ▲" in with_reference.split("Against the reference model")[1]
    assert "mean_density ▲" in without
    assert "mean_density ▲" not in with_reference


def test_changed_parameters_stand_out(run_folder, monkeypatch):
    class Peaks(Params):
        threshold: float = param(0.1, "lowest density", unit="map")
        bandwidth: float = param(2.0, "kernel's width", unit="Å")

    stage = Stage("some.peaks", Kind.DETECT, "", "none:none", {}, object, params=Peaks)
    monkeypatch.setattr("cryoweave.host.registry", lambda: make_registry([stage]))
    text = str(read(run_folder))
    assert "threshold = 0.400 map (default 0.100)" in text
    assert "bandwidth = " not in text
    assert "bandwidth 2 Å" in text


def test_a_stage_that_is_not_installed_keeps_its_parameters(run_folder, monkeypatch):
    monkeypatch.setattr("cryoweave.host.registry", make_registry)
    text = str(read(run_folder))
    assert "bandwidth 2" in text
    assert "Its defaults are not known here." in text


def test_equal_runs_give_equal_reports_of_moderate_size(run_folder):
    first = write_report(run_folder).read_bytes()
    assert write_report(run_folder).read_bytes() == first
    assert len(first) < 2_500_000


def test_it_names_nothing_to_load_from_elsewhere(run_folder):
    tags = read(run_folder).tags
    assert not [a for tag, a in tags if tag in ("script", "img", "link", "iframe") and ("href" in a or "src" in a)
                and not a.get("src", "").startswith("data:")]  # fmt: skip
    assert [a["href"] for tag, a in tags if tag == "a" and not a["href"].startswith("#")] == [
        "https://doi.org/10.1000/xyz%3C1%3E"
    ]


def test_hostile_names_stay_text(hostile_folder):
    html = write_report(hostile_folder).read_text()
    tags = Text(html).tags
    assert "<img/src" not in html
    assert "<i>" not in html
    assert sum(tag == "script" for tag, _ in tags) == 5
    assert "</script><script>" in str(Text(html))


def test_every_picture_has_words_and_every_table_a_caption(run_folder):
    tags = read(run_folder).tags
    assert all(a.get("alt") for tag, a in tags if tag == "img")
    assert all(a.get("aria-label") or a.get("aria-hidden") for tag, a in tags if tag == "svg")
    assert sum(tag == "table" for tag, _ in tags) == sum(tag == "caption" for tag, _ in tags) == 4


def test_a_failed_run_says_where_and_why(run_folder, change):
    for name in ("model.cif", "scores.json", "scores.tsv"):
        (run_folder / name).unlink()
    with (run_folder / "events.jsonl").open("a") as events:
        events.write('{"event": "stage_failed", "step": "trace", "error": "no path"}\n{"event": "run_fini')
    steps = page.read_run(run_folder).steps[:1]
    change(run_folder, state="failed", error="no path through the points", steps=steps, left_out={"extra": "no model"})
    text = str(read(run_folder))
    assert "Failed in step trace no path through the points" in text
    assert "trace failed compare did not run support did not run extra left out: no model" in text
    assert "The map" in text
    assert "Scores by residue" not in text


@pytest.mark.parametrize("threshold", [-5.0, 0.0, 99.0])
def test_a_threshold_that_is_no_surface_is_not_drawn(run_folder, change, threshold):
    steps = page.read_run(run_folder).steps
    steps[0]["facts"]["threshold"] = threshold
    change(run_folder, steps=steps)
    run = page.read_run(run_folder)
    assert run.contour == pytest.approx(run.density.values.mean() + 3 * run.density.values.std(), rel=1e-4)
    assert f"the threshold of step peaks, {threshold:g}, would show noise or nothing" in str(read(run_folder))


def test_the_density_is_the_one_that_the_method_saw(run_folder, change):
    steps = page.read_run(run_folder).steps
    half = DensityMap(np.full((4, 4, 4), 0.5, np.float32), Frame((4, 4, 4)))
    store.save(half, run_folder / "stages/prepare")
    prepare = {**steps[1], "step": "prepare", "kind": "prepare", "folder": "stages/prepare", "inputs": {}}
    steps[0]["inputs"] = {"density": "prepare"}
    change(run_folder, steps=[prepare, *steps])
    run = page.read_run(run_folder)
    assert run.density.values.shape == (4, 4, 4)
    assert run.density_name == "the map as step prepare prepared it"


def test_a_picture_with_larger_voxels_than_the_map_says_so(run_folder, monkeypatch):
    assert "averaged over" not in str(read(run_folder))
    monkeypatch.setattr(scene, "LONGEST_SIDE", 40)
    text = str(read(run_folder))
    assert "in.mrc (its voxels of 1 Å averaged over blocks of 2), within 5 Å of the model" in text
    assert "voxels of 2 Å, rounded" in text


def test_the_times_say_what_they_count(run_folder):
    text = str(read(run_folder))
    assert "Took 12.5 s until this report was begun" in text
    assert "Seconds: the stages' own work" in text


def test_a_map_that_is_gone_or_changed_is_told(run_folder):
    density = run_folder / "in.mrc"
    content = bytearray(density.read_bytes())
    content[2000] ^= 1
    density.write_bytes(content)
    assert "has changed since the run" in str(read(run_folder))
    density.unlink()
    text = str(read(run_folder))
    assert "Not shown: the map." in text
    assert "does not exist" in text
    assert "Model in the map" not in text


@pytest.mark.parametrize("content", [None, "{", "[]", '{"schema": "other/1"}'])
def test_no_run_folder_is_an_error_and_leaves_nothing(tmp_path, content):
    if content is not None:
        (tmp_path / "record.json").write_text(content)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"record\.json"):
        write_report(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_the_viewer_is_the_one_that_the_notice_names():
    from importlib import resources

    notice = (resources.files("cryoweave.report") / "molstar" / "NOTICE").read_text()
    sums = dict(reversed(line.split()[:2]) for line in re.findall(r"^[0-9a-f]{64} .*$", notice, re.MULTILINE))
    for kind, packed in scene.viewer_files().items():
        assert hashlib.sha256(scene.unpacked(packed)).hexdigest() == sums[f"molstar.{kind}"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8717949, "0.872"), (1184, "1\u2009184"), (12.345, "12.3"), (float("nan"), "–"), (3e-5, "3e-05"),
     (float("inf"), "inf"), (-2.0, "-2"), (True, "True")],
)  # fmt: skip
def test_numbers_are_rounded_for_people(value, text):
    assert facts.number(value) == text


def test_a_run_that_fails_leaves_a_report(run_folder, tmp_path):
    pytest.importorskip("cryoweave_basics", reason="cryoweave-basics is not installed")
    from cryoweave.pipeline.chain import parse_chain
    from cryoweave.pipeline.run import run

    chain = parse_chain("peaks.maxima")
    with pytest.raises(StageError):
        run(chain, map=run_folder / "in.mrc", output=tmp_path / "out", settings={"maxima.threshold": 99})
    text = str(Text((tmp_path / "out" / page.FILE).read_text()))
    assert "Failed in step maxima" in text


def test_it_says_what_was_judged_by_what(validation_folder):
    html = (validation_folder / "report.html").read_text()
    text = str(Text(html))
    for wanted in (
        "cryoweave validation in.cif against in.mrc", "in.cif holds 3 models: the first is judged",
        "quality.all fsc_average ▲ 0.500 mean of the curve", "q_0.6", "compare.all left out: needs reference",
        "surface first drawn at 1 (as given)", "fsc_model : of map and model",
        "30 residues with φ and ψ", "Outliers: A 13", "coloured by q_0.6",
        "sigma 0.600", "Of the model it shows all atoms but hydrogens and water",
    ):  # fmt: skip
        assert wanted in text, wanted
    assert "run.toml" not in text
    assert "confidence" not in text
    assert len(html) < 3_000_000


def test_the_worst_region_is_told_in_words(validation_folder):
    text = str(Text((validation_folder / "report.html").read_text()))
    found = re.search(r"Residues (\d+)–(\d+) of chain A : q_0\.6 (0\.\d+) \(median 0\.6\d+\)", text)
    assert found, text[text.index("Worst regions") :][:300]
    assert 9 <= int(found[1]) <= 13
    assert 14 <= int(found[2]) <= 18


def test_it_can_be_written_again_from_its_folder(validation_folder):
    before = (validation_folder / "report.html").read_bytes()
    assert write_report(validation_folder).read_bytes() == before


def test_the_view_is_a_file_of_its_own(validation_folder):
    with zipfile.ZipFile(validation_folder / "view.mvsx") as packed:
        assert sorted(packed.namelist()) == ["index.mvsj", "map.mrc", "model.cif", "scores.json"]
        index = json.loads(packed.read("index.mvsj"))
        rows = json.loads(packed.read("scores.json"))
    assert len(index["snapshots"]) == 2  # q_0.6 and rama_outcome: angles have their own plot
    inserted = [row for row in rows if "pdbx_PDB_ins_code" in row]
    assert inserted[0] | {"c0": 0, "c1": 0} == {
        "auth_asym_id": "A", "auth_seq_id": 20, "pdbx_PDB_ins_code": "A", "n": "ALA", "p": 20, "c0": 0, "c1": 0,
    }  # fmt: skip


def test_scores_json_tells_stage_and_parameters(validation_folder):
    stages = json.loads((validation_folder / "scores.json").read_text())["stages"]
    assert stages["quality.all"]["params"] == {"sigma": 0.6}
    assert "q_0.6" in stages["quality.all"]["scores"]
    assert read_scores(validation_folder).curves["inclusion"].x_label == "contour (map)"


def large_run(tmp_path, n):
    """A model whose coordinates and scores pack badly, in noise."""
    rng = np.random.default_rng(0)
    names, numbers = np.resize(["LEU", "GLY", "SER"], n), np.arange(n, dtype=np.int32) % 500 + 1
    chain = np.array([f"C{i // 500}" for i in range(n)])
    model = Model.from_trace(rng.uniform(5, 155, (n, 3)), names, chain, numbers, rng.uniform(0, 90, n))
    columns = {f"score_{i}": rng.normal(0.5, 0.2, n) for i in range(20)}
    columns |= {"phi": rng.uniform(-180, 180, n), "psi": rng.uniform(-180, 180, n), "rama_outcome": np.full(n, 2.0)}
    metrics = {name: Metric(f"what {name} is", "°" if len(name) == 3 else "", None if len(name) == 3 else True)
               for name in columns}  # fmt: skip
    noise = rng.normal(0, 1, (160, 160, 160)).astype(np.float32)
    return RunFolder(
        tmp_path,
        {"recipe": "validate", "state": "done"},
        [],
        model=model,
        scores=ScoreTable(chain, numbers, np.full(n, ""), names, columns, {}, metrics),
        density=DensityMap(noise, Frame(noise.shape)),
        deviation=1.0,
        contour=2.0,
    )


def test_a_large_model_stays_below_three_megabytes(tmp_path):
    html = page.render(large_run(tmp_path, 10_000))
    assert len(html.encode()) < 3_000_000
    text = str(Text(html))
    assert "Of the model it shows one atom a residue" in text
    assert "This page has room for 5 of the 22 scores by residue" in text


def test_several_models_side_by_side(validation_folder, tmp_path):
    scores = read_scores(validation_folder)
    better = ScoreTable(
        scores.chain, scores.residue_number, scores.insertion_code, scores.residue_name,
        scores.residues, {"fsc_average": 0.75}, scores.metrics, scores.curves,
    )  # fmt: skip
    evil = "<b>&.cif"
    told = {"one.cif": scores, evil: better, "none.cif": None}
    rows = [comparison.Row(name, f"{name}/report.html", found) for name, found in told.items()]
    html = comparison.write(tmp_path / "comparison.html", rows).read_text()
    seen = Text(html)
    text = str(seen)
    assert "fsc_average ▲ 0.500 0.750 ★ – mean of the curve" in text
    assert "q_0.6 ▲" in text
    assert f"{evil}: fsc_model" in text
    assert "<b>" not in html
    links = [a["href"] for tag, a in seen.tags if tag == "a"]
    assert links[:3] == ["one.cif/report.html", "%3Cb%3E%26.cif/report.html", "none.cif/report.html"]
    assert [tag for tag, _ in seen.tags if tag == "script"] == []


def test_no_star_where_models_have_other_atoms_or_figures_look_alike(validation_folder, tmp_path):
    scores = read_scores(validation_folder)
    whole = {"one": 0.70001, "two": 0.70004, "three": 0.5}
    backbone = ideal_model("H" * 30, letters="L" * 30)
    gamma = replace(backbone.select(backbone.atom_name == "CB"), atom_name=np.full(30, "CG"))
    full = Model(**{k: np.concatenate([getattr(m, k) for m in (backbone, gamma)]) for k in Model.__dataclass_fields__})
    rows = [
        comparison.Row(name, name, replace(scores, whole={"fsc_average": value}), full) for name, value in whole.items()
    ]
    text = str(Text(comparison.write(tmp_path / "a.html", rows).read_text()))
    assert "fsc_average ▲ 0.700 ★ 0.700 ★ 0.500" in text
    rows[0] = replace(rows[0], model=backbone)
    text = str(Text(comparison.write(tmp_path / "b.html", rows).read_text()))
    assert "★" not in text
    assert "do not have the same atoms" in text
    assert f"one 30 {len(backbone)} main chain" in text
    kinds = [comparison.atoms_of(one).kind for one in (full, backbone, full.trace_atoms())]
    assert kinds == ["with side chains", "main chain", "a trace"]


def test_a_model_without_residues_or_scores_has_a_page(tmp_path):
    zinc = Model(
        np.zeros((1, 3)), np.array(["Zn"]), np.array(["ZN"]), np.array(["ZN"]), np.array(["A"]), np.array([1]),
        np.array([""]), np.array([""]), np.ones(1), np.ones(1), np.array([True]),
    )  # fmt: skip
    html = page.render(RunFolder(tmp_path, {"recipe": "validate", "state": "done"}, [], model=zinc))
    assert "Scores by residue" not in html
    assert "The model</h2>" in html
    assert "Model in the map" not in html, "there is none"
    assert "Maximum projections" not in html


def test_inputs_that_were_read_already_are_not_read_again(validation_folder):
    density = DensityMap(np.ones((3, 3, 3), np.float32), Frame((3, 3, 3)))
    assert read_run(validation_folder, {"density": density}).density is density


def test_warnings_are_those_of_the_last_run_and_of_what_it_kept(run_folder):
    lines = (
        ("WARNING", "cryoweave.io", "odd stamp"),
        ("INFO", "cryoweave.run", "stage_started step=points stage=some.points"),
        ("WARNING", "cryoweave.stage.points", "few points"),
        ("INFO", "cryoweave.run", "stage_started step=trace stage=some.trace"),
        ("WARNING", "cryoweave.stage.trace", "first trace"),
        ("WARNING", "cryoweave", "mean confidence .13"),
        ("INFO", "cryoweave.run", "run_finished state=done seconds=1"),
        ("WARNING", "cryoweave.io", "odd voxels"),
        ("INFO", "cryoweave.run", "run_started recipe=r"),
        ("INFO", "cryoweave.run", "stage_started step=trace stage=some.trace"),
        ("WARNING", "cryoweave.stage.trace", "second trace"),
        ("WARNING", "cryoweave", "mean confidence .06"),
        ("INFO", "cryoweave.run", "run_finished state=done seconds=1"),
    )
    text = "".join(f"2026-01-02 03:04:05,678 {level} {name}: {message}\n" for level, name, message in lines)
    (run_folder / "log.txt").write_text(text)
    said = read_run(run_folder).warnings()
    told = [line for line in said if line in {message for _, _, message in lines}]
    assert told == ["few points", "odd voxels", "second trace", "mean confidence .06"]
