"""What the pages show must run."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cryoweave.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "docs/guide/fit.md", "docs/guide/python.md", "docs/guide/wrap-a-program.md"]


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


def commands():
    text = (ROOT / "README.md").read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"^    cryoweave (.*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_and_options_exist(words):
    path = [word for word in words[:2] if not word.startswith("-")]
    for depth in (2, 1):
        shown = CliRunner().invoke(app, [*path[:depth], "--help"], env={"COLUMNS": "200"})
        if shown.exit_code == 0:
            break
    assert shown.exit_code == 0, shown.output
    missing = [word for word in words if word.startswith("-") and word not in shown.output]
    assert not missing


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text("utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_recipe_of_the_guide_can_be_planned(tmp_path):
    (text,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/guide/recipes.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "mine.toml").write_text(text)
    words = ["plan", str(tmp_path / "mine.toml"), "-v", str(ROOT / "examples/emd2566/2566_3J6B_9.mrc.gz")]
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "build.trace" in shown.output
