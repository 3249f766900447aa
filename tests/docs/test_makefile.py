"""What ``make`` says on a machine that lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("cargo", "fits"),
    [
        ("cargo 1.84.1 (abc 2025-01-01)", False),
        ("cargo 1.9.0", False),
        ("cargo 1.85.0 (abc 2025-01-01)", True),
        ("cargo 1.101.0-nightly (abc)", True),
        ("cargo 2.0.0", True),
        (None, False),
    ],
)
def test_rust_must_run_and_be_new_enough(tmp_path, cargo, fits):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "Cargo.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    program = tmp_path / "bin" / "cargo"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{cargo}'\n" if cargo else "#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("MAKEFLAGS", None)
    call = ["make", "PYTHON=false", "setup"]  # no Python, so that nothing is installed
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode
    if fits:
        assert "false is not Python" in done.stderr
    else:
        assert f"found: {cargo or 'no cargo that runs'}. Get it from https://rustup.rs" in done.stderr
