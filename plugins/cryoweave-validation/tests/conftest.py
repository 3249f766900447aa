"""What the tests of all topics share."""

import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real maps beside the project; tests that need it are skipped where it is not."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder shared/data with real maps is not beside this clone")
    return folder


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of other programs' figures."""
    return GOLDEN


@pytest.fixture(scope="session")
def oracles() -> Path:
    """The folder of other programs' environments, one a program; CRYOWEAVE_ORACLES names it."""
    folder = os.environ.get("CRYOWEAVE_ORACLES")
    if not folder:
        pytest.skip("CRYOWEAVE_ORACLES does not name the folder of the reference programs")
    return Path(folder)
