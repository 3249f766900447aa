"""The plugin in docs/guide/plugins.md is installed, tested and used as a reader would."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "plugins.md"
BLOCK = re.compile(r"^```\w+ file=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    """The files of the page, and the dist-info that an installer would write."""
    folder = tmp_path_factory.mktemp("strongest")
    files = dict(BLOCK.findall(GUIDE.read_text(encoding="utf-8")))
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    project = tomllib.loads(files["pyproject.toml"])["project"]
    info = folder / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((group, points),) = project["entry-points"].items()
    lines = [f"{name} = {target}\n" for name, target in points.items()]
    (info / "entry_points.txt").write_text(f"[{group}]\n{''.join(lines)}")
    return folder


def call(plugin, *arguments):
    path = os.pathsep.join([str(plugin / "src"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=plugin,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def cryoweave(plugin, *arguments):
    return call(plugin, "-c", "from cryoweave.cli.main import main; main()", *arguments)


def test_its_contract_holds(plugin):
    done = call(plugin, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b[6-9] passed", done.stdout), done.stdout


def test_it_is_listed_and_well(plugin):
    done = cryoweave(plugin, "plugins", "show", "strongest", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["package"] == "cryoweave-strongest"
    assert shown["stages"] == ["strongest.points"]
    found = json.loads(cryoweave(plugin, "plugins", "doctor", "--json").stdout)
    mine = {(entry["what"], entry["id"]): entry["health"] for entry in found if entry["package"] == shown["package"]}
    assert len(mine) == 6
    assert set(mine.values()) == {"ok"}


def test_its_command_runs(plugin):
    (plugin / "points.txt").write_text("0 0 0 1\n1 2 3 0.5\n")
    done = cryoweave(plugin, "strongest", "points.txt")
    assert (done.returncode, done.stdout.strip()) == (0, "2"), done.stderr
