"""What plugin authors import in their tests."""

from cryoweave.testing.contract import StageContract
from cryoweave.testing.predicted import predicted_like
from cryoweave.testing.registries import make_registry
from cryoweave.testing.synthetic import ideal_model, perfect_maps, sequences_of, simulated_map

__all__ = [
    "StageContract",
    "ideal_model",
    "make_registry",
    "perfect_maps",
    "predicted_like",
    "sequences_of",
    "simulated_map",
]
