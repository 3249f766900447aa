"""Packages used as a reader of the guide would, without the minute that an installer takes."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest


def found_by_python(folder: Path) -> Path:
    """Write the dist-info that an installer would; the folder of the package's code."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    info = folder / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    ((group, points),) = project["entry-points"].items()
    lines = [f"{name} = {target}\n" for name, target in points.items()]
    (info / "entry_points.txt").write_text(f"[{group}]\n{''.join(lines)}")
    return folder / "src"


@pytest.fixture(scope="session")
def use():
    """Make packages' folders, which lie side by side, known to Python; call Python and ``cryoweave`` with them."""

    def prepare(*folders):
        home = folders[0].parent
        codes = [str(found_by_python(folder)) for folder in folders]

        def call(*arguments, folder="."):
            path = os.pathsep.join([*codes, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
            return subprocess.run(
                [sys.executable, *map(str, arguments)],
                cwd=home / folder,
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                timeout=250,
            )

        def cryoweave(*arguments):
            return call("-c", "from cryoweave.cli.main import main; main()", *arguments)

        return SimpleNamespace(home=home, call=call, cryoweave=cryoweave)

    return prepare
