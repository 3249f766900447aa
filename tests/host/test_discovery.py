"""Discovery with a real installed distribution, in a process of its own."""

import json
import os
import subprocess
import sys

PLUGIN = """
from cryoweave.data import DensityMap
from cryoweave.host import Kind, Stage, hookimpl


@hookimpl
def cryoweave_stages():
    return [Stage("stranger.same", Kind.PREPARE, "As it was.", "stranger_stages:same",
                  {"density": DensityMap}, DensityMap)]
"""
ASK = """
import json, sys
from cryoweave.host import registry
found = registry()
rows = [[row.name, row.package, row.version, row.error] for row in found.plugins]
print(json.dumps({"rows": rows, "stages": sorted(found.stages), "loaded": "stranger_stages" in sys.modules}))
"""


def install(folder, name, version, module, source):
    """What an installer leaves behind: the module and a dist-info folder."""
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[cryoweave.plugins]\n{module} = {module}\n")


def ask(folder):
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_an_installed_package_is_found_by_its_entry_point(tmp_path):
    install(tmp_path, "stranger", "2.3", "stranger_plugin", PLUGIN)
    found = ask(tmp_path)
    assert ["stranger_plugin", "stranger", "2.3", ""] in found["rows"]
    assert "stranger.same" in found["stages"]
    assert not found["loaded"], "a stage's module is imported only when it runs"


def test_an_installed_package_that_is_broken_does_not_disturb(tmp_path):
    install(tmp_path, "stranger", "2.3", "stranger_plugin", PLUGIN)
    install(tmp_path, "broken", "0.1", "broken_plugin", "raise SystemExit('no')")
    found = ask(tmp_path)
    (error,) = (row[3] for row in found["rows"] if row[1] == "broken")
    assert "ended the program" in error
    assert "stranger.same" in found["stages"]
