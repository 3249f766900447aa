"""The two networks: a cascade of two UNet 3+, and one that sees nothing but what the cascade says."""

from typing import Any

import torch
from torch import nn

from cryoweave.kernels.unet3plus import build, forward
from cryoweave_cryoread.classes import BASES, CHAIN, CLASSES


def build_first() -> nn.ModuleDict:
    """The cascade with random weights; the second part is fed with the first one's features."""
    return nn.ModuleDict({"chain_net": build(1, len(CHAIN)), "base_net": build(1, len(BASES), fed=True)})


def build_second() -> nn.ModuleDict:
    """The network on top with random weights."""
    return build(len(CHAIN) + len(BASES) - 1, len(CLASSES))


def first(net: Any, boxes: torch.Tensor) -> torch.Tensor:
    """Density ``(n, 1, d, d, d)`` to probabilities of ``CHAIN`` and ``BASES``, ``(n, 9, d, d, d)``, each by itself."""
    chain, features = forward(net["chain_net"], boxes)
    bases, _ = forward(net["base_net"], boxes, features)
    return torch.sigmoid(torch.cat((chain, bases), dim=1))


def second(net: Any, boxes: torch.Tensor) -> torch.Tensor:
    """Probabilities ``(n, 8, d, d, d)`` to those of ``CLASSES``, ``(n, 8, d, d, d)``, each by itself."""
    return torch.sigmoid(forward(net, boxes)[0])
