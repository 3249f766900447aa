"""What all tests share."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from cryoweave import host
from cryoweave.data import DensityMap, Frame, Model
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model

ROOT = Path(__file__).resolve().parents[1]
TOYS = ROOT / "tests" / "pipeline"

# A shell that starts the tests in the background, or nohup, has them and their children ignore signals that tests send.
# What is caught here is not ignored there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real maps beside the project; tests that need it are skipped where it is not."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder shared/data with real maps is not beside this clone")
    return folder


@pytest.fixture
def toy_files(tmp_path):
    """A small map, a FASTA file and a reference model."""
    values = np.random.default_rng(1).random((10, 11, 12)).astype(np.float32)
    write_map(tmp_path / "emd_1.map.gz", DensityMap(values, Frame((10, 11, 12), (1.5, 1.5, 1.5), (10.0, 20.0, 30.0))))
    (tmp_path / "chains.fasta").write_text(">one\nACDEFGHIKL\n")
    n = 5
    model = Model.from_trace(
        np.arange(3.0 * n).reshape(n, 3) / 2 + (12.0, 22.0, 31.0),
        np.full(n, "GLY"),
        np.full(n, "A"),
        np.arange(1, n + 1, dtype=np.int32),
        np.full(n, 1.0, np.float32),
    )
    write_model(tmp_path / "known.cif", model)
    return tmp_path


@pytest.fixture
def toy_environment(tmp_path, monkeypatch):
    """Environment of a process in which the toys are an installed package."""
    package = tmp_path / "site" / "cryoweave_toys-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: cryoweave-toys\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[cryoweave.plugins]\ntoys = toys\n")
    path = os.pathsep.join([str(TOYS), str(package.parent)])
    return {**os.environ, "PYTHONPATH": path, "TOY_CALLS": str(tmp_path / "calls.txt"), "COLUMNS": "200"}


@pytest.fixture
def toys(monkeypatch):
    """The module of toy stages, installed as the only plugin of this process."""
    monkeypatch.syspath_prepend(str(TOYS))
    import toys

    registry = toys.toy_registry()
    monkeypatch.setattr(host, "registry", lambda: registry)
    yield toys
    sys.modules.pop("toys", None)
