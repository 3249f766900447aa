"""A small UNet 3+ in PyTorch, of which several published networks are made.

Huang et al. 2020, doi 10.1109/ICASSP40776.2020.9053405, in three dimensions, with three levels. The parts are named as
in the published checkpoints. Only plugins' modules that need PyTorch import this one.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

WIDTHS = (64, 128, 256)
"""Channels of the three levels, each of half the resolution of the one before."""
JOINED = 3 * WIDTHS[0]
"""Channels on the way up: 64 from each level."""
STRIDE = 4
"""The edges of a box are multiples of this."""
TOP = "outconv1"
"""The output at full resolution. ``outconv2`` and ``outconv3`` served training alone."""


def build(channels: int, classes: int, *, fed: bool = False) -> nn.ModuleDict:
    """The network with random weights.

    Parameters
    ----------
    channels
        Of the input.
    classes
        Of the output.
    fed
        Whether each level takes the features of another such network besides.
    """
    extra = (JOINED, JOINED, WIDTHS[2]) if fed else (0, 0, 0)
    parts: dict[str, nn.Module] = {}
    width = channels
    for level, out in enumerate(WIDTHS):
        parts[f"conv{level + 1}"] = _double(width + extra[level], out)
        width = out
    for name, before in (
        ("h1_PT_hd2", WIDTHS[0]), ("h2_Cat_hd2", WIDTHS[1]), ("hd3_UT_hd2", WIDTHS[2]),
        ("h1_Cat_hd1", WIDTHS[0]), ("hd2_UT_hd1", JOINED), ("hd3_UT_hd1", WIDTHS[2]),
    ):  # fmt: skip
        parts[f"{name}_conv"], parts[f"{name}_bn"] = _conv(before, WIDTHS[0]), nn.BatchNorm3d(WIDTHS[0])
    for level in (2, 1):
        parts[f"conv{level}d_1"], parts[f"bn{level}d_1"] = _conv(JOINED, JOINED), nn.BatchNorm3d(JOINED)
    for level, before in enumerate((JOINED, JOINED, WIDTHS[2]), 1):
        parts[f"outconv{level}"] = _conv(before, classes)
    return nn.ModuleDict(parts)


def _conv(before: int, after: int) -> nn.Conv3d:
    return nn.Conv3d(before, after, 3, padding=1)


def _double(before: int, after: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {f"conv{i}": nn.Sequential(_conv(w, after), nn.BatchNorm3d(after)) for i, w in ((1, before), (2, after))}
    )


def forward(
    net: Any, boxes: torch.Tensor, fed: Sequence[torch.Tensor] | None = None
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Logits ``(n, classes, d, d, d)`` of boxes ``(n, channels, d, d, d)``, and each level's features.

    Parameters
    ----------
    net
        As :func:`build` gives it.
    boxes
        The input.
    fed
        Features of the other network, level by level.
    """

    def level(number: int, x: torch.Tensor) -> torch.Tensor:
        x = x if fed is None else torch.cat((x, fed[number - 1]), dim=1)
        for part in ("conv1", "conv2"):
            x = functional.relu(net[f"conv{number}"][part](x))
        return x

    def brought(name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(net[f"{name}_bn"](net[f"{name}_conv"](x)))

    def joined(number: int, *parts: torch.Tensor) -> torch.Tensor:
        return functional.relu(net[f"bn{number}d_1"](net[f"conv{number}d_1"](torch.cat(parts, dim=1))))

    first = level(1, boxes)
    second = level(2, functional.max_pool3d(first, 2))
    third = level(3, functional.max_pool3d(second, 2))
    middle = joined(
        2,
        brought("h1_PT_hd2", functional.max_pool3d(first, 2)),
        brought("h2_Cat_hd2", second),
        brought("hd3_UT_hd2", _larger(third, 2)),
    )
    top = joined(
        1,
        brought("h1_Cat_hd1", first),
        brought("hd2_UT_hd1", _larger(middle, 2)),
        brought("hd3_UT_hd1", _larger(third, 4)),
    )
    return net[TOP](top), (top, middle, third)


def _larger(x: torch.Tensor, factor: int) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=factor, mode="trilinear", align_corners=False)
