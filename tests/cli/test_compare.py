import json

import numpy as np
import pytest

from cryoweave.data import Metric, ScoreTable
from cryoweave.io.scores import write_scores

METRICS = {"recall": Metric("found", "", True), "rmsd": Metric("distance", "Å", False)}


@pytest.fixture
def runs(tmp_path):
    """Two runs with scores and one that failed."""
    made = []
    for name, contour, whole in (("a", 0.1, {"recall": 0.5, "rmsd": 2.0}), ("b", 0.2, {"recall": 0.9, "rmsd": 1.0}),
                                 ("c", 0.3, None)):  # fmt: skip
        folder = tmp_path / name
        folder.mkdir()
        record = {
            "schema": "cryoweave-record/1", "recipe": "fake", "state": "done" if whole else "failed", "seconds": 1.5,
            "seed": 0, "threads": 2, "device": "cpu",
            "inputs": {"density": {"path": f"/maps/{name}.mrc", "sha256": "0"}},
            "steps": [{"step": "points", "stage": "fake.peaks", "params": {"contour": contour, "apart": 2.0}}],
        }  # fmt: skip
        (folder / "record.json").write_text(json.dumps(record))
        if whole:
            none = np.zeros(0)
            write_scores(
                folder, ScoreTable(none.astype(str), none, none.astype(str), none.astype(str), {}, whole, METRICS)
            )
        made.append(folder)
    return made


def rows(result):
    return {line.split("  ")[0].strip(): line.split()[1:] for line in result.out.splitlines() if line.strip()}


def test_side_by_side(cli, runs):
    result = cli("compare", *runs)
    assert result.code == 0
    found = rows(result)
    assert found["recipe"] == ["fake", "fake", "fake"]
    assert found["recall"] == ["0.5", "0.9"]
    assert found["points.contour"] == ["0.1", "0.2", "0.3"]
    assert "points.apart" not in found
    assert rows(cli("compare", *runs, "--all-params"))["points.apart"] == ["2", "2", "2"]


def test_only_changed(cli, runs):
    found = rows(cli("compare", *runs[:2], "--only-changed"))
    assert "recipe" not in found
    assert "seconds" not in found
    assert found["rmsd"] == ["2", "1"]


def test_sorted_best_first_and_without_a_value_last(cli, runs):
    for score, order in (("recall", ["b", "a", "c"]), ("rmsd", ["b", "a", "c"])):
        shown = cli("compare", *runs[::-1], "--sort-by", score, "--json").json()
        assert [entry["run"][-1] for entry in shown] == order
    result = cli("compare", *runs, "--sort-by", "beauty")
    assert result.code == 2
    assert "recall, rmsd, seconds" in result.err


def test_json(cli, runs):
    first, _, third = cli("compare", *runs, "--json").json()
    assert (first["recall"], first["points.contour"], first["input density"]) == (0.5, 0.1, "a.mrc")
    assert (third["recall"], third["state"]) == (None, "failed")


def test_markdown(cli, runs):
    lines = cli("compare", *runs[:2], "--md").out.splitlines()
    assert lines[1] == "|---|---|---|"
    assert "| recall | 0.5 | 0.9 |" in lines
    assert cli("compare", *runs, "--md", "--json").code == 2


def test_seconds_are_those_of_the_steps_also_after_a_rerun_that_kept_them(cli, runs):
    path = runs[0] / "record.json"
    record = json.loads(path.read_text())
    steps = [{"step": "points", "seconds": 30.5, "reused": True}, {"step": "trace", "seconds": 2.0, "reused": True}]
    path.write_text(json.dumps({**record, "seconds": 0.2, "steps": steps}))
    assert cli("compare", runs[0], "--json").json()[0]["seconds"] == 32.5


def test_confidence_is_a_row(cli, runs):
    path = runs[0] / "record.json"
    sure = {"mean": 0.31, "low_share": 0.9, "low_below": 0.2, "residues": 10}
    path.write_text(json.dumps({**json.loads(path.read_text()), "confidence": sure}))
    first, second = cli("compare", *runs[:2], "--json").json()
    assert (first["mean confidence"], first["share below 0.2"]) == (0.31, 0.9)
    assert second["mean confidence"] is None


def test_scores_of_an_earlier_run_are_not_the_failed_ones(cli, runs):
    path = runs[0] / "record.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "state": "failed", "earlier": {**record, "started": "2026-01-02T03:04:05"}}))
    first, second = cli("compare", *runs[:2], "--json").json()
    assert (first["state"], first["recall"], second["recall"]) == ("failed", None, 0.9)
    assert first["model and scores there"] == "of the run of 2026-01-02T03:04"


def test_what_is_no_run(cli, runs, tmp_path):
    for folder in (tmp_path, tmp_path / "none"):
        result = cli("compare", runs[0], folder)
        assert (result.code, result.out) == (1, "")
        assert "is not the folder of a run" in result.err
