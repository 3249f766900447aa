"""Conditional diffusion of the main chain's map: noise schedule and few-step sampling.

The network finds the clean map below the noise, given the density (Ho et al. 2020, doi 10.48550/arXiv.2006.11239, with
the cosine schedule of Nichol & Dhariwal 2021, doi 10.48550/arXiv.2102.09672); sampling takes a few deterministic steps
(Song et al. 2021, doi 10.48550/arXiv.2010.02502). Maps are scaled to -1 (nothing) to 1 (main chain).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

INPUTS = 3
"""Channels of what the network sees: density, noisy map, and how far the noise has gone (0 to 1) everywhere."""
Map = NDArray[np.float32]


def _shares(time: float) -> tuple[np.float32, np.float32]:
    """Amplitudes of clean map and noise at a time between 0 (clean) and 1 (noise); their squares sum to 1."""
    return np.float32(np.cos(0.5 * np.pi * time)), np.float32(np.sin(0.5 * np.pi * time))


def noised(density: "torch.Tensor", clean: "torch.Tensor", generator: "torch.Generator") -> "torch.Tensor":
    """What the network sees in training, ``(n, 3, d, d, d)``: a random time for each box."""
    import torch

    time = torch.rand(len(clean), 1, 1, 1, 1, generator=generator)
    angle = 0.5 * torch.pi * time
    noise = torch.randn(clean.shape, generator=generator)
    noisy = torch.cos(angle) * clean + torch.sin(angle) * noise
    return torch.cat((density, noisy, time.expand_as(density)), 1)


def sampled(shape: tuple[int, ...], steps: int, seed: int, clean_of: Callable[[Map, float], Map]) -> Map:
    """A map drawn from the network's distribution.

    Parameters
    ----------
    shape
        Of the map.
    steps
        Calls of the network; with one it gives its mean, with more it decides between possibilities.
    seed
        Of the noise that it begins with.
    clean_of
        The network: noisy map and time to the clean map.

    Returns
    -------
    Map from -1 to 1.
    """
    noisy: Map = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    times = np.linspace(1, 0, steps + 1)
    for now, then in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        clean = clean_of(noisy, now).clip(-1, 1)
        share, noise_share = _shares(now)
        noise = (noisy - share * clean) / noise_share
        share, noise_share = _shares(then)
        noisy = np.asarray(share * clean + noise_share * noise, np.float32)
    return clean
