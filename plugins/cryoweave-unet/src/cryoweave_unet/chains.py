"""Main chains in maps in which atoms are not seen."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.host import Context
from cryoweave.kernels.grid import require_contrast
from cryoweave_unet.classes import BACKBONE, CHAIN, NONE, STRUCTURE
from cryoweave_unet.coarse import ON_CHAIN, VOXEL
from cryoweave_unet.diffusion import sampled
from cryoweave_unet.infer import Inner, softmax, tiles
from cryoweave_unet.prepare import prepared
from cryoweave_unet.stages import ChainParams, DiffuseParams
from cryoweave_unet.weights import load_detector

EVEN = -float(np.log(NONE))
"""Added to the logit of no chain, whose voxels count less in training, so that 0.5 is an even chance."""


def chains(density: DensityMap, params: ChainParams, ctx: Context) -> ProbabilityMaps:
    """Probability of a protein's and a nucleic acid's main chain and of the fold at 2 Å, in float16."""
    require_contrast(density)
    detector = load_detector(params.network, ctx, "chains")
    coarse = prepared(density, VOXEL)
    names = (*CHAIN[1:], *STRUCTURE)
    found = np.zeros((len(names), *coarse.values.shape), np.float16)

    def logits_of(box: NDArray[np.float32], inner: Inner) -> NDArray[np.float32]:
        return detector.run(box, lambda: ctx.progress(0, 0))[inner]

    for place, logits in tiles(coarse.values[None], logits_of, detector.stride, ctx.progress):
        logits[0] += EVEN
        chain, fold = softmax(logits[: len(CHAIN)]), softmax(logits[len(CHAIN) :])
        found[(slice(None), *place)] = np.concatenate((chain[1:], fold))
    ctx.note("network", detector.name)
    return ProbabilityMaps(found, coarse.frame, names)


def diffused(density: DensityMap, params: DiffuseParams, ctx: Context) -> ProbabilityMaps:
    """The main chain's map at 2 Å drawn by diffusion, from 0 to 1 (main chain), in float16."""
    require_contrast(density)
    detector = load_detector(params.network, ctx, "diffusion")
    coarse = prepared(density, VOXEL)
    step = 0

    def clean_of(noisy: NDArray[np.float32], time: float) -> NDArray[np.float32]:
        nonlocal step

        def run(box: NDArray[np.float32], inner: Inner) -> NDArray[np.float32]:
            when = np.full_like(box[:, :1], time)
            return detector.run(np.concatenate((box, when), axis=1), lambda: ctx.progress(0, 0))[inner]

        def progress(done: int, total: int) -> None:
            ctx.progress(step * total + done, params.steps * total)

        clean = np.full_like(noisy, -1)
        for place, found in tiles(np.stack((coarse.values, noisy)), run, detector.stride, progress):
            clean[place] = found[0]
        step += 1
        return clean

    found = sampled(coarse.values.shape, params.steps, ctx.seed, clean_of)
    ctx.note("network", detector.name)
    share = np.clip((found + 1) / 2 / ON_CHAIN, 0, 1)
    return ProbabilityMaps(share.astype(np.float16)[None], coarse.frame, (BACKBONE,))


def check_chains(params: ChainParams, **_inputs: object) -> None:
    """Whether the network can be loaded."""
    load_detector(params.network, Context(), "chains")


def check_diffusion(params: DiffuseParams, **_inputs: object) -> None:
    """Whether the network can be loaded."""
    load_detector(params.network, Context(), "diffusion")
