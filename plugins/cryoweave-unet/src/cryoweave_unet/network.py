"""The network in torch: only training, export and a GPU need it.

A residual 3-D U-Net (Çiçek et al. 2016, doi 10.1007/978-3-319-46723-8_49) with sums for skips and batch normalisation,
so that in use a voxel's result depends on its surroundings and not on what else lies in the tile.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cryoweave_unet.classes import HEADS

WIDTHS = (32, 64, 96, 128)
"""Channels at 1, 2, 4 and 8 voxels."""
BLOCKS = (0, 2, 2, 1)
"""Residual blocks on the way down, after the first level's two convolutions; on the way up each level has one."""
POINT = 64
"""Width of the layer before amino acid and fold."""
DENSE, POINTS = (sum(len(HEADS[name]) for name in names) for names in (("atoms", "nucleic"), ("structure", "amino")))
"""Classes of detection."""
STRIDE = 2 ** (len(WIDTHS) - 1)
"""The edges of a box are multiples of this."""


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class UNet(nn.Module):
    """Density ``(n, inputs, d, d, d)`` to logits ``(n, dense + points, d, d, d)``.

    Parameters
    ----------
    inputs
        Channels of what it sees.
    dense
        Classes of the heads that are learned at every voxel; as default those of detection, as ``HEADS`` has them.
    points
        Classes of the heads that are learned at some voxels only; 0 for none.
    """

    def __init__(self, inputs: int = 1, dense: int = DENSE, points: int = POINTS) -> None:
        super().__init__()
        widths = WIDTHS
        self.stem = nn.Sequential(
            _convolution(inputs, widths[0]), nn.ReLU(), _convolution(widths[0], widths[0]), nn.ReLU()
        )
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv3d(widths[i - 1], widths[i], 2, stride=2, bias=False),
                nn.BatchNorm3d(widths[i], momentum=0.02),
                nn.ReLU(),
                *(Block(widths[i]) for _ in range(BLOCKS[i])),
            )
            for i in range(1, len(widths))
        )
        self.narrow = nn.ModuleList(nn.Conv3d(widths[i], widths[i - 1], 1) for i in range(1, len(widths)))
        self.up = nn.ModuleList(Block(width) for width in widths[:-1])
        self.dense = nn.Conv3d(widths[0], dense, 1)
        self.points = points
        if points:
            self.point = nn.Linear(widths[0] + widths[1], POINT)
            self.last = nn.Linear(POINT, points)

    def features(self, density: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features at 1 and at 2 voxels."""
        x = self.stem(density)
        levels = [x]
        for step in self.down:
            x = step(x)
            levels.append(x)
        found = levels[-1]
        for i in range(len(levels) - 2, -1, -1):
            coarse = found
            found = functional.interpolate(self.narrow[i](coarse), scale_factor=2.0, mode="nearest")
            found = self.up[i](found + levels[i])
        return found, coarse

    def forward(self, density: torch.Tensor) -> torch.Tensor:
        fine, coarse = self.features(density)
        if not self.points:
            only: torch.Tensor = self.dense(fine)
            return only
        both = torch.cat((fine, functional.interpolate(coarse, scale_factor=2.0, mode="nearest")), 1)
        points = self.at_points(both.movedim(1, -1)).movedim(-1, 1)
        return torch.cat((self.dense(fine), points), 1)

    def at_points(self, both: torch.Tensor) -> torch.Tensor:
        """Logits of fold and amino acid from features of both levels, ``(..., c)``."""
        hidden: Any = functional.relu(self.point(both))
        found: torch.Tensor = self.last(hidden)
        return found

    def sparse(self, density: torch.Tensor, places: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of the dense heads everywhere, those of fold and amino acid at some places (n, z, y, x) only."""
        fine, coarse = self.features(density)
        n, z, y, x = places
        if not len(n):  # the gradient of a product with no rows is not defined in bfloat16
            return self.dense(fine), fine.new_zeros((0, self.last.out_features))
        both = torch.cat((fine[n, :, z, y, x], coarse[n, :, z // 2, y // 2, x // 2]), 1)
        return self.dense(fine), self.at_points(both)


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv3d(before, after, 3, padding=1, bias=False), nn.BatchNorm3d(after, momentum=0.02))
