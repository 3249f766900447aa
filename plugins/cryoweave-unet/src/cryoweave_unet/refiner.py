"""The refiner in torch: attention of Cα candidates to their neighbours (cf. Jamali et al. 2024).

It works on what does not change with the map's orientation and moves a candidate along vectors that turn with it, so
that its positions turn with the map (cf. Satorras et al. 2021, doi 10.48550/arXiv.2102.09844).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from cryoweave_unet.classes import AMINO
from cryoweave_unet.graphs import DIRECTIONS, EDGE, NODE, Labelled

WIDTH, LAYERS, HEADS, PAIR = 96, 4, 4, 32
OUTPUTS = 1 + len(AMINO)
"""Whether there is a Cα, and which amino acid it is of."""


class Layer(nn.Module):
    """Attention to the neighbours, then a layer at each candidate."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key, self.value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.edge_key, self.edge_value = nn.Linear(EDGE, WIDTH, bias=False), nn.Linear(EDGE, WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, h: torch.Tensor, edge: torch.Tensor, neighbour: torch.Tensor) -> torch.Tensor:
        n, k = neighbour.shape
        x = self.before(h)
        key = (self.key(x)[neighbour] + self.edge_key(edge)).view(n, k, HEADS, -1)
        value = (self.value(x)[neighbour] + self.edge_value(edge)).view(n, k, HEADS, -1)
        query = self.query(x).view(n, 1, HEADS, -1)
        share = ((query * key).sum(-1, keepdim=True) / key.shape[-1] ** 0.5).softmax(1)
        h = h + self.out((share * value).sum(1).view(n, WIDTH))
        added: torch.Tensor = h + self.narrow(functional.relu(self.wide(self.between(h))))
        return added


class Refiner(nn.Module):
    """Graph of candidates to logits ``(n, 21)`` and moves in Å ``(n, 3)``."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(NODE, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH)
        self.logits = nn.Linear(WIDTH, OUTPUTS)
        self.own, self.other, self.edge = nn.Linear(WIDTH, PAIR), nn.Linear(WIDTH, PAIR), nn.Linear(EDGE, PAIR)
        self.pair = nn.Linear(PAIR, 1)
        self.along = nn.Linear(WIDTH, len(DIRECTIONS))

    def forward(
        self, node: torch.Tensor, edge: torch.Tensor, neighbour: torch.Tensor, step: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        h = self.enter(node)
        for layer in self.layers:
            h = layer(h, edge, neighbour)
        h = self.last(h)
        pair = functional.relu(self.own(h)[:, None] + self.other(h)[neighbour] + self.edge(edge))
        share = torch.cat((self.pair(pair)[:, :, 0], self.along(h)), 1)
        return self.logits(h), (share[:, :, None] * step).sum(1)


def losses_of(net: Refiner, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whether each candidate is a Cα, of which amino acid, and how far it is from where it belongs (Å)."""
    logits, move = net(*(batch[name] for name in ("node", "edge", "neighbour", "step")))
    amino, there = batch["amino"], batch["there"]
    known, real = amino >= 0, there > 0
    return {
        "there": functional.binary_cross_entropy_with_logits(logits[:, 0], there.float()),
        "amino": functional.cross_entropy(logits[known, 1:], amino[known], label_smoothing=0.02)
        if known.any()
        else logits.sum() * 0,
        "place": functional.smooth_l1_loss(move[real], batch["move"][real], beta=0.5) if real.any() else move.sum() * 0,
    }


def joined(samples: Sequence[Labelled]) -> dict[str, torch.Tensor]:
    """Several graphs as one: the neighbours' indices move along."""
    starts = np.cumsum([0, *(len(one.amino) for one in samples)])
    neighbour = [one.graph.neighbour + start for one, start in zip(samples, starts[:-1], strict=True)]
    found = {name: np.concatenate([getattr(one.graph, name) for one in samples]) for name in ("node", "edge", "step")}
    found |= {name: np.concatenate([getattr(one, name) for one in samples]) for name in ("there", "amino", "move")}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in found.items()}
    tensors["amino"] = tensors["amino"].long()
    return tensors | {"neighbour": torch.from_numpy(np.concatenate(neighbour)).long()}
