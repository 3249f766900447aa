"""The plugins in ``examples``: installed, tested and used as their pages say."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave.host import Program
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.kernels.rotations import random_rotations

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DEMO = EXAMPLES / "emd2566"


@pytest.fixture
def powerfit(tmp_path, use):
    """The wrapped program, as an installed plugin."""
    copied = shutil.copytree(EXAMPLES / "cryoweave-powerfit-em", tmp_path / "packages" / "cryoweave-powerfit-em")
    return use(copied)


def test_the_tests_of_the_wrapped_program_pass_with_or_without_it(powerfit):
    there = Program("powerfit", "").check().ok
    done = powerfit.call("-m", "pytest", "-q", "-ra", "-p", "no:cacheprovider", folder="cryoweave-powerfit-em")
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= (14 if there else 7), done.stdout


def test_the_wrapped_program_finds_a_place_that_is_known(powerfit, tmp_path):
    if not Program("powerfit", "").check().ok:
        pytest.skip("the program powerfit is not installed: pip install powerfit-em")
    known = read_model(DEMO / "3J6B_9.pdb")
    middle = known.xyz.mean(axis=0)
    moved = replace(known, xyz=(known.xyz - middle) @ random_rotations(1, 1)[0].T + (30.0, -20.0, 10.0))
    write_model(tmp_path / "moved.cif", moved)
    done = powerfit.cryoweave(
        "fit", tmp_path / "moved.cif", "-v", DEMO / "2566_3J6B_9.mrc.gz", "-d", 6, "--angle-step", 10,
        "-m", "powerfit-em", "-o", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (pose, *_) = json.loads(done.stdout)["powerfit-em"]["poses"]["rotation"]
    shift = np.array(json.loads(done.stdout)["powerfit-em"]["poses"]["translation"][0])
    off = np.linalg.norm(moved.xyz @ np.array(pose).T + shift - known.xyz, axis=1)
    assert np.sqrt((off**2).mean()) < 3.0, "within the angle's and the voxels' step"
    record = json.loads((tmp_path / "out" / "record.json").read_text("utf-8"))
    assert "powerfit version" in json.dumps(record)


@pytest.fixture
def ridges(tmp_path):
    """The plugin in Rust, built as its README says and unpacked; what the core was built of is not built again."""
    cargo, maturin = shutil.which("cargo"), Path(sys.executable).with_name("maturin")
    if cargo is None or not maturin.exists():
        pytest.skip("cargo or maturin is not installed")
    folder = shutil.copytree(
        EXAMPLES / "cryoweave-ridges", tmp_path / "ridges", ignore=shutil.ignore_patterns("target")
    )
    shutil.copy(ROOT / "Cargo.lock", folder / "rust")
    built = subprocess.run(
        [maturin, "build", "--release", "--quiet", "--out", tmp_path / "dist"],
        cwd=folder,
        env={**os.environ, "CARGO_TARGET_DIR": str(ROOT / "target"), "CARGO_NET_OFFLINE": "true"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert built.returncode == 0, built.stderr
    with zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")

    def call(*arguments):
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=folder / "tests",
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
            capture_output=True,
            text=True,
            timeout=250,
        )

    return call


def test_the_plugin_in_rust_builds_keeps_its_contract_and_runs(ridges, tmp_path):
    done = ridges("-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 14, done.stdout
    main = "from cryoweave.cli.main import main; main()"
    checked = ridges("-c", main, "plugins", "check", "ridges")
    assert checked.returncode == 0, checked.stdout
    shown = ridges("-c", "import sys, cryoweave_ridges.plugin; print('cryoweave_ridges._native' in sys.modules)")
    assert shown.stdout.strip() == "False", "the records load nothing compiled"
    given = ["-v", DEMO / "2566_3J6B_9.mrc.gz", "--set", "points.threshold=0.16"]
    run = ridges("-c", main, "run", "ridges", *given, "-o", tmp_path / "out")
    assert run.returncode == 0, run.stderr
