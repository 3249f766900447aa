"""A small structure and its map."""

from types import SimpleNamespace

import pytest

from cryoweave.testing import ideal_model, simulated_map
from cryoweave_unet.corpus import entry_of


@pytest.fixture(scope="session")
def small():
    model = ideal_model("H" * 16 + "C" * 4 + "E" * 8)
    return SimpleNamespace(model=model, entry=entry_of("small", model), density=simulated_map(model, resolution=3.0))
