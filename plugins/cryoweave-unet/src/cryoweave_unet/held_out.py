"""What the networks see of structures that they did not learn from, in maps simulated with solvent and noise."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, ProbabilityMaps
from cryoweave.errors import InputError
from cryoweave.kernels import grid
from cryoweave.kernels.candidates import THRESHOLD
from cryoweave.kernels.experiment import Conditions, experimental_map
from cryoweave.kernels.metrics import match_points
from cryoweave_unet.classes import AMINO, ATOMS, BACKBONE, CHAIN, NUCLEIC
from cryoweave_unet.coarse import coarse_sites
from cryoweave_unet.conditions import looseness
from cryoweave_unet.corpus import Entry
from cryoweave_unet.evaluate import CLOSE, calpha, harmonic
from cryoweave_unet.samples import scatterers

MARGIN = 12.0
"""Å of solvent around the structure."""
PROBABLE = 0.5
"""Probability from which a voxel counts as main chain."""
NEAR = 2.0
"""Å: a voxel of a class of nucleic acid is right if an atom of the class is this close."""
LARGEST = 40_000
"""Atoms: larger structures are left out, for their time."""

Counts = dict[str, NDArray[np.float64]]
"""Hits and cases by figure."""


def chosen(entries: Sequence[Entry], count: int, *, nucleic: bool, seed: int) -> list[Entry]:
    """Some structures of protein, or of nucleic acid, by chance."""
    some = [one for one in entries if len(one) <= LARGEST and bool((one.nucleic > 0).mean() > 0.5) == nucleic]
    if not some:
        raise InputError(
            f"no structure of the part for tests is of {'nucleic acid' if nucleic else 'protein'}",
            "give a training set that has some, or --nucleic for the other kind",
        )
    order = np.random.default_rng(seed).permutation(len(some))[:count]
    return [some[i] for i in order.tolist()]


def simulated(entry: Entry, resolution: float, seed: int) -> DensityMap:
    """Its map, unmasked: solvent takes half of the contrast, noise as the resolution asks."""
    voxel = min(1.0, resolution / 3)
    first = entry.xyz.min(axis=0) - MARGIN
    shape = np.ceil((entry.xyz.max(axis=0) + MARGIN - first) / voxel).astype(int)
    frame = Frame(tuple(shape[::-1].tolist()), (voxel,) * 3, tuple(first.tolist()))
    atoms = scatterers(entry, displacements(entry), np.ones(len(entry)))
    return experimental_map(atoms, frame, Conditions(resolution, falloff_b=7 * resolution**2), seed)


def displacements(entry: Entry) -> NDArray[np.float64]:
    """B factors in Å²: 30, up to 60 more where the structure is loose, and more along side chains."""
    loose = looseness(entry)
    return np.asarray(30 + 60 * loose**1.5 + 6 * entry.depth * (0.5 + loose))


def detection(maps: ProbabilityMaps, entry: Entry) -> Counts:
    """Cα one to one within 3 Å, and amino acids at them."""
    real = entry.atom == ATOMS.index("CA")
    truth, kind = entry.xyz[real].astype(np.float64), entry.amino[real]
    xyz = calpha(maps, THRESHOLD).xyz
    hits = len(match_points(xyz, truth, CLOSE).pairs)
    table = np.stack([grid.interpolate(maps.of(name).values, maps.frame, truth) for name in AMINO], axis=1)
    rank = (table > table[np.arange(len(kind)), kind][:, None]).sum(axis=1)
    return {
        "recall": np.array([hits, len(truth)]),
        "precision": np.array([hits, len(xyz)]),
        "amino top 1": np.array([(rank < 1).sum(), len(rank)]),
        "amino top 3": np.array([(rank < 3).sum(), len(rank)]),
    }


def nucleic(maps: ProbabilityMaps, entry: Entry) -> Counts:
    """Atoms at which the class of their part of the nucleotide is the likeliest, and voxels of a class near one."""
    table = np.stack([maps.of(name).values.astype(np.float32) for name in NUCLEIC[1:]])
    best = np.where(table.sum(axis=0) > PROBABLE, table.argmax(axis=0) + 1, 0)
    found: Counts = {}
    for number, name in enumerate(NUCLEIC[1:], 1):
        xyz = entry.xyz[entry.nucleic == number].astype(np.float64)
        zyx = np.rint(maps.frame.to_zyx(xyz)).astype(int)
        voxels = best == number
        near = grid.mask_around(maps.frame, xyz, NEAR)
        found[f"{name} recall"] = np.array([(best[tuple(zyx.T)] == number).sum(), len(xyz)])
        found[f"{name} precision"] = np.array([(voxels & near).sum(), voxels.sum()])
    return found


def chains(maps: ProbabilityMaps, entry: Entry) -> Counts:
    """Main-chain atoms with a probable voxel within 3 Å, and probable voxels with such an atom."""
    some, _, _ = coarse_sites(entry, np.ones(len(entry), bool))
    xyz = entry.xyz[some].astype(np.float64)
    names = [name for name in (BACKBONE, CHAIN[2]) if name in maps.classes]
    probable = np.sum([maps.of(name).values.astype(np.float32) for name in names], axis=0) >= PROBABLE
    voxels = maps.frame.to_xyz(np.argwhere(probable))
    seen = grid.mask_around(maps.frame, voxels, CLOSE) if len(voxels) else np.zeros(probable.shape, bool)
    zyx = np.rint(maps.frame.to_zyx(xyz)).astype(int)
    near = grid.mask_around(maps.frame, xyz, CLOSE)
    return {
        "recall": np.array([seen[tuple(zyx.T)].sum(), len(xyz)]),
        "precision": np.array([(probable & near).sum(), probable.sum()]),
    }


def shares(counts: Sequence[Counts]) -> dict[str, float]:
    """Each figure over all structures together, and F1 where there are recall and precision."""
    sums = {name: np.sum([one[name] for one in counts], axis=0) for name in counts[0]}
    found = {name: float(hits / cases) if cases else np.nan for name, (hits, cases) in sums.items()}
    return found | _f1(found)


def _f1(found: Mapping[str, float]) -> dict[str, float]:
    if not {"recall", "precision"} <= set(found):
        return {}
    return {"F1": harmonic(found["recall"], found["precision"])}
