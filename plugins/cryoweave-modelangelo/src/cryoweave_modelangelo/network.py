"""The published network: a pyramid of bottlenecks, read from coarse to fine; its parts are named as in the checkpoint.

Bottlenecks after He et al. 2016, doi 10.1109/CVPR.2016.90; pyramid after Lin et al. 2017, doi 10.1109/CVPR.2017.106.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

FEATURES = 64
BLOCKS = (10, 50, 20, 2)
"""Bottlenecks of the four levels, the finest first."""
PLANES = (1, 1, 2, 4)
"""Width inside each level's bottlenecks, in units of FEATURES; four times as wide outside."""
DOWN = (1, 1, 2, 4, 8)
"""Width at full resolution and after each halving, in units of FEATURES."""
KERNELS = (3, 5, 7)
SMALL = 1e-6
"""Added to standard deviations."""
REACH = 10
"""Voxels to each side over which :func:`local_deviation` looks."""


def build() -> nn.ModuleDict:
    """The network with random weights; input density and its local deviation, output three classes."""
    width = [FEATURES * n for n in DOWN]
    parts: dict[str, nn.Module] = {"conv1": _layer(2, width[0], 5, bias=False)}
    for i in range(1, 5):
        parts[f"downsample{i}"] = _layer(width[i - 1], width[i], 3, stride=2, bias=False)
    came, into = FEATURES, []
    for i, (count, planes) in enumerate(zip(BLOCKS, PLANES, strict=True), 1):
        into.append(came)
        parts[f"layer{i}"] = nn.Sequential(
            *(_bottleneck(came if n == 0 else 4 * FEATURES * planes, FEATURES * planes) for n in range(count))
        )
        came = 4 * FEATURES * planes
    out = [4 * FEATURES * planes for planes in PLANES]
    for i in range(4):
        parts[f"translator_layer{i + 1}"] = _layer(out[i + 1] if i < 3 else width[4], into[i], 3)
        parts[f"latlayer{i + 1}"] = _layer(width[i], into[i], 3)
    parts["predictor"] = nn.ModuleDict(
        {
            "convs": nn.ModuleDict(
                {f"conv_{i}_{k}": nn.Conv3d(out[0], FEATURES, k, padding=k // 2) for i, k in enumerate(KERNELS)}
            ),
            "final_conv": nn.Conv3d(FEATURES * len(KERNELS), 3, 1),
        }
    )
    return nn.ModuleDict({"net": nn.ModuleDict({"modules_dict": nn.ModuleDict(parts)})})


def _layer(before: int, after: int, kernel: int, *, stride: int = 1, bias: bool = True) -> nn.ModuleDict:
    return nn.ModuleDict(
        {
            "conv": nn.Conv3d(before, after, kernel, stride=stride, padding=kernel // 2, bias=bias),
            "bn": nn.InstanceNorm3d(after, affine=True),
        }
    )


def _bottleneck(before: int, planes: int) -> nn.ModuleDict:
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv3d(before, planes, 1, bias=False),
        "conv2": nn.Conv3d(planes, planes, 3, padding=1, bias=False),
        "conv3": nn.Conv3d(planes, 4 * planes, 1, bias=False),
    }
    if before != 4 * planes:
        parts["shortcut_conv"] = nn.Conv3d(before, 4 * planes, 1, bias=False)
    return nn.ModuleDict(parts)


def forward(net: Any, boxes: torch.Tensor) -> torch.Tensor:
    """Density and its local deviation, ``(n, 2, d, d, d)``, to probabilities ``(n, 3, d, d, d)``, each by itself.

    Each box' density has mean 0 and deviation 1: that is left to the caller, whose sums do not depend on the threads.
    """
    parts = net["net"]["modules_dict"]

    def layer(name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(parts[name]["bn"](parts[name]["conv"](x)))

    levels = [layer("conv1", boxes)]
    for i in range(1, 5):
        levels.append(layer(f"downsample{i}", levels[-1]))
    x = levels[4]
    for i in range(4, 0, -1):
        fine = layer(f"latlayer{i}", levels[i - 1])
        coarse = layer(f"translator_layer{i}", x)
        x = functional.interpolate(coarse, size=fine.shape[2:], mode="trilinear", align_corners=False) + fine
        for block in parts[f"layer{i}"]:
            x = _through(block, x)
    last = parts["predictor"]
    heads = torch.cat([conv(x) for conv in last["convs"].values()], dim=1)
    return torch.sigmoid(last["final_conv"](functional.instance_norm(functional.relu(heads))))


def _through(block: Any, x: torch.Tensor) -> torch.Tensor:
    inner = functional.relu(functional.instance_norm(block["conv1"](x)))
    inner = functional.relu(functional.instance_norm(block["conv2"](inner)))
    inner = functional.instance_norm(block["conv3"](inner))
    return functional.relu(inner + (block["shortcut_conv"](x) if "shortcut_conv" in block else x))


def local_deviation(density: torch.Tensor) -> torch.Tensor:
    """Standard deviation around each voxel, over its largest value; ``(z, y, x)``, 0 counts beyond the map.

    Weighted by exp(−t²), t from −1.5 to 1.5 over ten voxels to each side, along each axis.
    """
    kernel = torch.exp(-(torch.linspace(-1.5, 1.5, 2 * REACH + 1) ** 2))
    kernel /= kernel.sum()
    means = []
    for x in (density, density**2):
        for axis in range(3):
            shape = [1, 1, 1, 1, 1]
            shape[axis + 2] = len(kernel)
            padding = [REACH if a == axis else 0 for a in range(3)]
            x = functional.conv3d(x.reshape(1, 1, *density.shape), kernel.reshape(shape), padding=padding)[0, 0]
        means.append(x)
    deviation = (means[1] - means[0] ** 2).clamp_min(0).sqrt()
    return deviation / (deviation.max() + SMALL)
