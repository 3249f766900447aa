"""Poses in the report: which were placed, what their numbers mean, the plots, the 3-D view."""

import io
import json
import zipfile
from dataclasses import replace
from html import escape

import numpy as np
import pytest

from cryoweave.data import Model, Poses
from cryoweave.data.model import joined_models
from cryoweave.data.poses import COMMON_MEASURES
from cryoweave.report import page, poses, read_run, spread, write_report
from cryoweave.report.curves import BOTTOM, LEFT, RIGHT, TOP
from cryoweave.report.placements import Placements, placed_in
from cryoweave.testing import ideal_model


def many(n, measures=None, names=None):
    turns, shifts = np.tile(np.eye(3), (n, 1, 1)), 50.0 * np.arange(n)[:, None] * np.ones(3)
    models = np.full(n, "helix") if names is None else np.array(names)
    return Poses(turns, shifts, np.linspace(1, 0, n), models, measures or {})


def helix(n=20):
    return ideal_model("H" * n)


def put(model, there, at):
    return replace(model, xyz=there.moved(model.xyz, at))


def of(poses_, model, placed=None):
    return Placements(poses_, {"helix": model.trace_atoms()}, placed or {}, 0)


def test_the_placed_pose_is_found_and_told(fit_folder):
    run = read_run(fit_folder)
    assert run.placements.placed == {1: 0.0}
    assert run.placements.copies == 0
    assert list(run.placements.poses.measures) == ["z", "laplacian", "odd", "none"]
    table = poses.table_of(run, poses.ghosts_of(run.placements))
    assert [row.remark for row in table.rows] == ["", "placed", "", ""]
    assert [bool(row.color) for row in table.rows] == [True, False, True, True]
    assert np.isnan(table.rows[1].taken)
    assert [row.taken for row in table.rows[::2]] == [0, 0], "they lie 9 Å beside the model"
    assert table.rows[3].taken > 0.1
    assert [name for name, _ in table.columns] == ["z", "laplacian", "odd"]
    assert table.score.definition.endswith("(some.search)")


def test_the_page_has_every_number_with_its_meaning(fit_folder):
    html = write_report(fit_folder).read_text()
    assert (
        '<tr class="placed"><th scope="row" class="num">2</th><td>helix</td><td class="said"><span class="tag">' in html
    )
    assert '<span class="tag">placed</span></td><td class="num">0.300</td><td class="num">9</td>' in html
    for name, metric in (("laplacian", "how curved"), ("z", COMMON_MEASURES["z"].definition), ("odd", poses.UNKNOWN)):
        assert f'<span title="{escape(metric).replace("&#x27;", "&#39;")}">{name}</span>' in html
    assert ">none</span>" not in html
    assert '<td class="num">–</td>' in html
    assert "This method does not say how sure a fit is." in html
    assert html.count('<circle class="pose chosen"') == 2
    assert "pose 2, helix: 0.3, placed" in html
    assert html.count('class="pose" data-pose=') == 3
    assert "within 5 Å of the model and the poses" in html


def test_every_residue_of_a_placed_model_has_its_support(fit_folder):
    html = write_report(fit_folder).read_text()
    assert "Scores by residue" in html
    assert "mean_density" in html


def test_a_run_without_poses_says_nothing_of_them(run_folder):
    html = write_report(run_folder).read_text()
    assert 'id="poses"' not in html
    assert ">Poses<" not in html


def test_poses_of_an_earlier_run_are_not_shown(fit_folder, change):
    change(fit_folder, earlier={"state": "done"})
    assert read_run(fit_folder).placements is None


def test_a_damaged_table_is_told(fit_folder):
    (fit_folder / "poses.tsv").write_text("rank\tmodel\n1\thelix\n")
    run = read_run(fit_folder)
    assert run.placements is None
    assert run.problems[0].startswith("Not shown: the poses.")
    assert "Not shown: the poses." in page.render(run)


def test_hostile_names_of_models_stay_text(fit_folder):
    table = (fit_folder / "poses.tsv").read_text()
    (fit_folder / "poses.tsv").write_text(table.replace("helix", "<b>'</b>"))
    html = write_report(fit_folder).read_text()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


def test_the_view_has_the_best_poses_that_are_not_in_the_model(fit_folder):
    write_report(fit_folder)
    with zipfile.ZipFile(fit_folder / "view.mvsx") as opened:
        index = json.loads(opened.read("index.mvsj"))
        assert {"model.cif", "pose_model_1.cif"} <= set(opened.namelist())
        assert "pose_model_2.cif" not in opened.namelist(), "one file for all poses of a model"
    text = json.dumps(index)
    assert [f'"ref": "pose-{rank}"' in text for rank in (1, 2, 3, 4)] == [True, False, True, True]
    (node,) = [n for n in index["snapshots"][0]["root"]["children"] if n["params"]["url"] == "pose_model_1.cif"]
    place = node["children"][0]["children"][0]["children"][0]["params"]
    run = read_run(fit_folder).placements.poses
    assert np.allclose(np.reshape(place["rotation"], (3, 3)).T, run.rotation[0])
    assert place["translation"] == run.translation[0].tolist()


def test_poses_without_a_model_are_shown_alone(fit_folder):
    for name in ("model.cif", "scores.json", "scores.tsv"):
        (fit_folder / name).unlink()
    html = write_report(fit_folder).read_text()
    assert ">Poses in the map</h2>" in html
    assert 'data-show="pose-1" data-needs-viewer disabled checked' in html
    assert 'data-show="pose-2" data-needs-viewer disabled autocomplete' in html
    assert "within 5 Å of the poses" in html


def test_the_view_has_room_for_few_poses_and_residues(monkeypatch):
    there = of(many(30), helix(), {2: 0.0})
    assert [ghost.rank for ghost in poses.ghosts_of(there)] == [1, 2, 4, 5, 6]
    assert len({ghost.color for ghost in poses.ghosts_of(there)}) == 5
    monkeypatch.setattr(poses, "MOST_RESIDUES", 19)
    assert poses.ghosts_of(there) == []
    assert poses.ghosts_of(None) == []
    assert np.allclose(poses.ghosts_of(replace(there, traces={})), [])


def test_copies_by_symmetry_and_refined_poses_are_told_apart():
    start, there = helix(), many(4)
    far = replace(start, xyz=start.xyz + np.array([0, 0, 500]))
    near = replace(put(start, there, 3), xyz=put(start, there, 3).xyz + np.array([0, 1.5, 0]))
    parts = [put(start, there, 0), far, near]
    chains = [replace(part, chain=np.full(len(part), name)) for part, name in zip(parts, "ABC", strict=True)]
    found, copies = placed_in(joined_models(chains).trace_atoms(), there, {"helix": start.trace_atoms()})
    assert found == {0: 0.0, 3: pytest.approx(1.5)}
    assert copies == 1


def test_a_part_counts_for_the_model_that_is_nearest():
    start, there = helix(), many(4, names=["a", "b", "a", "b"])
    traces = dict.fromkeys("ab", start.trace_atoms())
    found, copies = placed_in(put(start, there, 1).trace_atoms(), there, traces)
    assert (found, copies) == ({1: 0.0}, 0)


def test_another_sequence_or_a_longer_one_was_not_placed():
    there, long = many(2), helix(30).trace_atoms()
    assert placed_in(helix().trace_atoms(), there, {"helix": long}) == ({}, 0)
    renamed = replace(long, residue_name=np.full(len(long), "TRP"))
    assert placed_in(long, there, {"helix": renamed}) == ({}, 0)


def test_of_many_poses_the_table_has_the_best_and_the_placed(fit_folder):
    run = read_run(fit_folder)
    run.placements = of(many(500), helix(), {0: 0.0, 321: 0.8})
    table = poses.table_of(run, [])
    assert [row.rank for row in table.rows] == [*range(1, 21), 322]
    assert table.rows[-1].remark == "in the model, 0.8 Å off"
    html = page.render(run)
    assert "The best of 500 poses, and all that were placed, best first; the model is made of those marked" in html
    assert html.count('<circle class="pose') <= 2 * (spread.MOST_MARKS + 1)


@pytest.mark.parametrize(
    ("sure", "words", "good"),
    [
        ([0.99, 0.96, 0.2], "2 of 3 poses are significant: 95% or more likely to be right.", True),
        ([0.4, 0.2, np.nan], "No fit is significant: the best is right with a chance of 40%.", False),
        ([np.nan] * 3, "No fit is significant: the best is right with a chance of 0%.", False),
    ],
)
def test_what_to_think_of_the_best(sure, words, good):
    verdict, found = poses.verdict_of(many(3, {"sure": np.array(sure)}))
    assert verdict.startswith(words)
    assert found is good


def test_significant_poses_that_overlap_the_model_are_told(fit_folder):
    run = read_run(fit_folder)
    for sure, words in (([1, 1, 1, 1], "4 of 4 poses are significant: 95% or more likely to be right. 1 of them would"),
                        ([1, 1, 1, 0], "3 of 4 poses are significant: 95% or more likely to be right.")):  # fmt: skip
        there = run.placements.poses
        measured = replace(there, measures={"sure": np.array(sure, float)})
        run.placements = replace(run.placements, poses=measured)
        verdict = poses.table_of(run, []).verdict
        assert verdict.startswith(words)
        assert ("overlap" in verdict) == bool(sure[3])


def test_scores_fall_with_the_rank_and_equal_values_stand_on_each_other():
    there = of(many(6, {"laplacian": np.array([0.5, 0.5, 0.5, 0.1, np.nan, 0.1])}), helix(), {2: 0.0})
    ranked, stacked = spread.pose_plots(there)
    assert all(LEFT <= mark.x <= RIGHT and TOP <= mark.y <= BOTTOM for mark in [*ranked.marks, *stacked.marks])
    heights = [mark.y for mark in sorted(ranked.marks, key=lambda mark: mark.x)]
    assert heights == sorted(heights)
    assert stacked.x_label == "laplacian"
    assert len(stacked.marks) == 5, "what has no value has no dot"
    (chosen,) = [mark for mark in stacked.marks if mark.chosen]
    column = sorted((mark.y for mark in stacked.marks if mark.x == chosen.x), reverse=True)
    assert len(column) == 3
    assert column[0] == chosen.y, "what was placed stands at the bottom"
    assert all("." not in label for _, label in [*ranked.x_ticks, *stacked.y_ticks])


def test_several_models_have_a_colour_each_and_no_number_breaks_a_plot():
    names = ["a", "b", "a", "b"]
    ranked, stacked = spread.pose_plots(of(many(4, names=names), helix()))
    assert [name for _, name in ranked.keys] == ["a", "b"]
    assert stacked.x_label == "score"
    same = many(3)
    same = replace(same, score=np.zeros(3))
    assert np.isfinite([mark.y for plot in spread.pose_plots(of(same, helix())) for mark in plot.marks]).all()
    assert spread.pose_plots(of(many(1), helix())) == []
    assert spread.pose_plots(None) == []
    large = spread.pose_plots(of(many(5000), helix(), {4000: 0.0}))
    assert all(len(plot.marks) == spread.MOST_MARKS + 1 and plot.paths for plot in large)


def files(*paths):
    """The entry in a record of an input that several files hold."""
    first, *more = ({"path": str(path), "sha256": "0"} for path in paths)
    return {**first, "content": "0", "more": more}


def test_models_beyond_the_files_come_from_the_input(fit_folder, change):
    from cryoweave.io.model_writing import write_model

    run = read_run(fit_folder)
    start = run.placements.traces["helix"]
    for path in fit_folder.glob("fit_*.cif"):
        path.unlink()
    assert read_run(fit_folder).placements.traces == {}
    write_model(fit_folder / "helix.cif", start)
    record = json.loads((fit_folder / "record.json").read_text())
    change(fit_folder, inputs=record["inputs"] | {"models": files(fit_folder / "other.pdb", fit_folder / "helix.cif")})
    again = read_run(fit_folder).placements
    assert np.allclose(again.traces["helix"].xyz, start.xyz, atol=0.01)
    assert again.placed == {1: 0.0}
    (fit_folder / "helix.cif").write_text("no model")
    assert read_run(fit_folder).placements.traces == {}


def test_a_model_without_residues_is_in_the_table_only(fit_folder):
    run = read_run(fit_folder)
    assert isinstance(run.model, Model)
    run.placements = replace(run.placements, traces={}, placed={})
    assert poses.ghosts_of(run.placements) == []
    assert "pose_model" not in page.render(run)
    with zipfile.ZipFile(io.BytesIO(page.Subject.of(run).packed)) as opened:
        assert "pose_model_1.cif" not in opened.namelist()
