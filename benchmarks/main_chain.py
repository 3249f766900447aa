"""Which map of the main chain tells a chain's right pose best: the density, the plain network's, or diffusion's.

    python benchmarks/main_chain.py TRAINING_SET [--network-chains FILE --network-diffusion FILE]

Held-out complexes at 6, 8 and 10 Å with solvent and noise. The first chain's main chain is laid on each map in its
right orientation and in 200 random ones, at all shifts. Figure: by how many standard deviations of the random
orientations' best scores the right orientation's best score exceeds their mean, and in how many complexes it is the
best of all, at the right place.
"""

import argparse
from pathlib import Path

import numpy as np

from cryoweave import run_stage
from cryoweave.data import DensityMap
from cryoweave.kernels import grid
from cryoweave_unet.coarse import NEAR, SMOOTH, coarse_sites
from cryoweave_unet.corpus import Corpus
from cryoweave_unet.held_out import LARGEST, simulated
from cryoweave_unet.prepare import prepared
from cryoweave_unet.samples import random_rotation

ROTATIONS = 200
RIGHT = 4.0
"""Å: shifts up to this count as the right place."""


def template(frame, xyz):
    mask = grid.mask_around(frame, xyz, NEAR).astype(np.float32)
    return grid.gaussian(mask, SMOOTH)


def best_shift(target_spectrum, frame, xyz):
    """Highest correlation over all shifts, and the shift in Å."""
    own = template(frame, xyz)
    scores = np.fft.irfftn(target_spectrum * np.conj(np.fft.rfftn(own)), s=own.shape, axes=(0, 1, 2))
    zyx = np.array(np.unravel_index(scores.argmax(), own.shape))
    zyx = np.where(zyx > np.array(own.shape) / 2, zyx - own.shape, zyx)
    return float(scores.max() / np.linalg.norm(own)), float(np.linalg.norm(zyx) * frame.voxel_xyz[0])


def judged(density, xyz, rng):
    """Standard deviations above the random orientations, and whether the right one is the best, in its place."""
    values = density.values - density.values.mean()
    spectrum = np.fft.rfftn(values)
    centre = xyz.mean(axis=0)
    right, shift = best_shift(spectrum, density.frame, xyz)
    wrong = np.array(
        [
            best_shift(spectrum, density.frame, (xyz - centre) @ random_rotation(rng).T + centre)[0]
            for _ in range(ROTATIONS)
        ]
    )
    return (right - wrong.mean()) / wrong.std(), bool(right > wrong.max() and shift <= RIGHT)


def maps_of(density, options):
    coarse = prepared(density, 2.0)
    yield "density", coarse
    chains = run_stage("unet.chains", density=density, params={"network": options.network_chains})
    yield "unet.chains", DensityMap(chains.values[:2].astype(np.float32).sum(axis=0), coarse.frame)
    for steps in (1, 4, 10):
        params = {"network": options.network_diffusion, "steps": steps}
        found = run_stage("unet.diffuse", density=density, params=params)
        yield f"unet.diffuse, {steps} steps", DensityMap(found.values[0].astype(np.float32), coarse.frame)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training_set", type=Path)
    parser.add_argument("--network-chains", type=Path)
    parser.add_argument("--network-diffusion", type=Path)
    parser.add_argument("--count", type=int, default=8)
    options = parser.parse_args()
    several = [
        one
        for one in Corpus.load(options.training_set).part("test")
        if len(np.unique(one.chain)) > 1 and len(one) <= LARGEST and (one.amino >= 0).mean() > 0.5
    ]
    print(f"{'Å':>4}  {'map':24} {'z':>6}  right of {min(options.count, len(several))}")
    for resolution in (6.0, 8.0, 10.0):
        found = {}
        for number, entry in enumerate(several[: options.count]):
            some = coarse_sites(entry, entry.chain == entry.chain[0])[0]
            xyz = entry.xyz[some].astype(np.float64)
            for name, density in maps_of(simulated(entry, resolution, number), options):
                found.setdefault(name, []).append(judged(density, xyz, np.random.default_rng(number)))
        for name, rows in found.items():
            print(
                f"{resolution:4g}  {name:24} {np.mean([z for z, _ in rows]):6.1f}  {sum(r for _, r in rows)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
