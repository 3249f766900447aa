"""The two networks: one layout, seven kinds of atom or twenty amino acids."""

from typing import Any

import torch

from cryoweave.kernels.unet3plus import build, forward
from cryoweave_deepmainmast.classes import AMINO, ATOMS


def build_atoms() -> Any:
    """The network of atoms with random weights."""
    return build(1, len(ATOMS))


def build_amino() -> Any:
    """The network of amino acids with random weights."""
    return build(1, len(AMINO))


def atoms(net: Any, boxes: torch.Tensor) -> torch.Tensor:
    """Probabilities ``(n, 7, d, d, d)`` that exclude each other."""
    return torch.softmax(forward(net, boxes)[0], dim=1)


def amino(net: Any, boxes: torch.Tensor) -> torch.Tensor:
    """Probabilities ``(n, 20, d, d, d)``, each by itself."""
    return torch.sigmoid(forward(net, boxes)[0])
