"""The small subsets of the suites, run: what a recipe reaches there it reaches with every change."""

import csv
import subprocess
import sys

import pytest

CLI = "from cryoweave.cli.main import main; main()"
LEAST = {
    ("dev", "mainmast-plus"): {"EMD-2566": 0.6, "EMD-5925": 0.55},
    ("simulated", "cryo2struct-plus"): {"1AVX-3.5-noise": 0.6, "1SYX-3.5-noise": 0.7, "1SYX-3.5-solvent": 0.3},
    ("fitting", "fit"): {"1AVX-10-solvent": 0.95, "actin": 0.95},
}
"""Right residue, below what was measured on 2026-11-29 (.73, .67; .76, .86, .43; 1, 1) by more than rounding can do."""


def call(*words):
    done = subprocess.run(
        [sys.executable, "-c", CLI, "bench", *map(str, words)], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("suite", "recipe"), LEAST)
def test_a_recipe_reaches_what_it_did(shared, tmp_path, suite, recipe):
    call("suite", suite, "--fast", "--data", shared, "-o", tmp_path / "suite")
    call("run", tmp_path / "suite" / "sheet.toml", "--recipes", recipe, "-o", tmp_path / "out", "--no-pages")
    with (tmp_path / "out" / "results.tsv").open(encoding="utf-8") as table:
        rows = [row for row in csv.DictReader(table, delimiter="\t") if row["metric"] == "right_residue"]
    found = {row["target"]: float(row["value"]) for row in rows}
    assert ("H-166.5,27.5,6" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")) == (suite == "fitting")
    assert all(found[name] >= least for name, least in LEAST[suite, recipe].items()), found
