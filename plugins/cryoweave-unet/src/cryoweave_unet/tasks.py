"""What a network can learn: its samples, its layout and its losses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from cryoweave.errors import InputError
from cryoweave_unet.classes import CHAIN, HEADS, NONE, STRUCTURE
from cryoweave_unet.coarse import coarse_sample, trace_map
from cryoweave_unet.diffusion import INPUTS, noised
from cryoweave_unet.network import STRIDE, UNet
from cryoweave_unet.refiner import Refiner, joined
from cryoweave_unet.refiner import losses_of as refiner_losses
from cryoweave_unet.samples import Simulate, simulated_sample

LEAST_SIZE = 4 * STRIDE
"""Below, torch's bfloat16 convolutions at the coarsest level give gradients that are not numbers (seen in 2.15)."""
Batch = Mapping[str, torch.Tensor]
Losses = dict[str, torch.Tensor]


def as_tensors(samples: Sequence[Any]) -> dict[str, torch.Tensor]:
    """Density ``(n, 1, d, d, d)`` and labels ``(n, d, d, d)``."""
    found = {}
    for one in fields(samples[0]):
        stacked = torch.from_numpy(np.stack([getattr(sample, one.name) for sample in samples]))
        found[one.name] = stacked[:, None] if one.name == "density" else stacked.long()
    return found


@dataclass(frozen=True)
class Task:
    """One thing to learn.

    Parameters
    ----------
    name
        In states and files.
    simulate
        Makes a sample of a structure; None if the samples are graphs.
    build
        Makes the network, with random weights.
    losses
        Of a network on a batch, by name.
    weights
        Of the losses.
    resolutions
        Of simulated maps in Å, unless the user says otherwise.
    size
        Voxels along a box's edge, unless the user says otherwise.
    batch
        Samples a step, unless the user says otherwise.
    recorded
        Whether it also learns from experimental maps.
    collate
        Makes a batch of samples.
    """

    name: str
    simulate: Simulate | None
    build: Callable[[], Any]
    losses: Callable[[Any, Batch], Losses]
    weights: Mapping[str, float]
    resolutions: tuple[float, float]
    size: int
    batch: int = 4
    recorded: bool = False
    collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]] = as_tensors


def check_size(size: int) -> None:
    """Refuse a box that cannot be trained on."""
    if size % STRIDE or size < LEAST_SIZE:
        raise InputError(
            f"boxes of {size} voxels cannot be trained on", f"take a multiple of {STRIDE} from {LEAST_SIZE}"
        )


def detection_losses(net: UNet, batch: Batch) -> Losses:
    """Cross entropy of each head of the detector."""
    places = torch.nonzero(batch["amino"] >= 0, as_tuple=True)
    dense, points = net.sparse(_laid_out(batch["density"]), places)
    dense, points = dense.float(), points.float()
    n_atoms, n_structure = len(HEADS["atoms"]), len(HEADS["structure"])
    found = {
        "atoms": _cross_entropy(dense[:, :n_atoms], batch["atoms"]),
        "nucleic": _cross_entropy(dense[:, n_atoms:], batch["nucleic"]),
    }
    for name, logits in (("structure", points[:, :n_structure]), ("amino", points[:, n_structure:])):
        truth = batch[name][places]
        loss = functional.cross_entropy(logits, truth, label_smoothing=0.02) if len(truth) else logits.sum()
        found[name] = loss
    return found


def chain_losses(net: UNet, batch: Batch) -> Losses:
    """Cross entropy of main chain and secondary structure."""
    logits = net(_laid_out(batch["density"])).float()
    known = batch["structure"] >= 0
    structure = logits[:, len(CHAIN) :].movedim(1, -1)[known]
    return {
        "chain": _cross_entropy(logits[:, : len(CHAIN)], batch["chain"]),
        "structure": functional.cross_entropy(structure, batch["structure"][known])
        if len(structure)
        else structure.sum(),
    }


def diffusion_losses(net: UNet, batch: Batch) -> Losses:
    """Mean square of what is wrong with the main chain's map that is found below the noise."""
    truth = torch.from_numpy(np.stack([trace_map(one) for one in batch["chain"].numpy().astype(np.int8)]))[:, None]
    generator = torch.Generator().manual_seed(int(batch["chain"].sum()))
    found = net(_laid_out(noised(batch["density"], 2 * truth - 1, generator))).float()
    return {"trace": functional.mse_loss(found, 2 * truth - 1)}


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    weight = torch.ones(logits.shape[1])
    weight[0] = NONE
    return functional.cross_entropy(logits, truth, weight)


def _laid_out(density: torch.Tensor) -> torch.Tensor:
    return density.contiguous(memory_format=torch.channels_last_3d)


DETECT = Task(
    "detect",
    simulated_sample,
    UNet,
    detection_losses,
    {"atoms": 1.0, "nucleic": 0.3, "structure": 0.3, "amino": 1.0},
    (1.8, 4.8),
    48,
    recorded=True,
)
CHAINS = Task(
    "chains",
    coarse_sample,
    lambda: UNet(dense=len(CHAIN) + len(STRUCTURE), points=0),
    chain_losses,
    {"chain": 1.0, "structure": 0.3},
    (4.5, 10.5),
    32,
)
DIFFUSION = Task(
    "diffusion",
    coarse_sample,
    lambda: UNet(inputs=INPUTS, dense=1, points=0),
    diffusion_losses,
    {"trace": 1.0},
    (4.5, 10.5),
    32,
)
REFINE = Task(
    "refine",
    None,
    Refiner,
    refiner_losses,
    {"there": 1.0, "amino": 1.0, "place": 1.0},
    DETECT.resolutions,
    0,
    batch=8,
    collate=joined,
)
TASKS = {task.name: task for task in (DETECT, CHAINS, DIFFUSION, REFINE)}
