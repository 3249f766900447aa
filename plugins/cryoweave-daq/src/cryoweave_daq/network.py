"""The published network's layout in torch, for published checkpoints and for training.

A 3-D ResNeXt (Xie et al. 2017, doi 10.1109/CVPR.2017.634) with three heads. The parts are named as in the checkpoint.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cryoweave.io.checkpoint import fill, read_checkpoint
from cryoweave_daq.classes import BOX, HEADS

GROUPS, FIRST, DROPOUT = 32, 64, 0.3
STAGES = ((128, 1, 1), (256, 2, 2), (512, 2, 2), (1024, 1, 2))
"""Of each of the four stages: planes, blocks, stride of the first block."""
PARAMETERS = 9_791_325


def build() -> nn.ModuleDict:
    """The network, with random weights."""
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv3d(1, FIRST, 3, stride=2, padding=1, bias=False),
        "bn1": nn.BatchNorm3d(FIRST),
    }
    width = FIRST
    for number, (planes, blocks, stride) in enumerate(STAGES, 1):
        steps = (stride, *(1,) * (blocks - 1))
        widths = (width, *(2 * planes,) * (blocks - 1))
        parts[f"layer{number}"] = nn.ModuleList(_block(w, planes, s) for w, s in zip(widths, steps, strict=True))
        width = 2 * planes
    for number, classes in enumerate(HEADS, 1):
        parts[f"fc{number}"] = nn.Linear(width, classes)
    return nn.ModuleDict(parts)


def _block(width: int, planes: int, stride: int) -> nn.ModuleDict:
    middle, out = GROUPS * (planes // 32), 2 * planes
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv3d(width, middle, 1, bias=False),
        "bn1": nn.BatchNorm3d(middle),
        "conv2": nn.Conv3d(middle, middle, 3, stride=stride, padding=1, groups=GROUPS, bias=False),
        "bn2": nn.BatchNorm3d(middle),
        "conv3": nn.Conv3d(middle, out, 1, bias=False),
        "bn3": nn.BatchNorm3d(out),
    }
    if stride != 1 or width != out:
        parts["downsample"] = nn.Sequential(nn.Conv3d(width, out, 1, stride=stride, bias=False), nn.BatchNorm3d(out))
    return nn.ModuleDict(parts)


def forward(net: nn.ModuleDict, boxes: torch.Tensor) -> torch.Tensor:
    """Logits of all classes, ``(n, 29)``, of boxes ``(n, 1, 11, 11, 11)``."""
    x = functional.relu(net["bn1"](net["conv1"](boxes)))
    x = functional.max_pool3d(x, 3, stride=2, padding=1)
    for number in range(1, len(STAGES) + 1):
        stage: Any = net[f"layer{number}"]
        for block in stage:
            x = _pass(block, x, net.training)
    x = x.mean((2, 3, 4))
    return torch.cat([net[f"fc{number}"](x) for number in range(1, len(HEADS) + 1)], dim=1)


def _pass(block: Any, x: torch.Tensor, training: bool) -> torch.Tensor:
    def dropped(values: torch.Tensor) -> torch.Tensor:
        return functional.dropout(functional.relu(values), DROPOUT, training)

    inner = dropped(block["bn1"](block["conv1"](x)))
    inner = dropped(block["bn2"](block["conv2"](inner)))
    inner = block["bn3"](block["conv3"](inner))
    return dropped(inner + (block["downsample"](x) if "downsample" in block else x))


def load_checkpoint(path: Path) -> nn.ModuleDict:
    """The network with the weights of a checkpoint, ready to predict.

    Raises
    ------
    InputError
        If the file is no checkpoint, or one of another layout.
    """
    net: nn.ModuleDict = fill(build(), read_checkpoint(path), f"the network takes boxes of {BOX}³ voxels")
    return net
