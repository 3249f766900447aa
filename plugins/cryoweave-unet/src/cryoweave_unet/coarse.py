"""Samples for maps of 5 to 10 Å, in which there are chains and no atoms."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame
from cryoweave.kernels import grid
from cryoweave_unet.classes import ATOMS, BACKBONE, CHAIN, NUCLEIC
from cryoweave_unet.corpus import Entry
from cryoweave_unet.samples import simulated_box

VOXEL = 2.0
"""Å."""
NEAR = 2.0
"""Å: a voxel is of the main chain whose atom is this close."""
SMOOTH = 0.7
"""Voxels: width of the Gaussian that makes the main chain's voxels the smooth map that diffusion learns."""
ON_CHAIN = 0.6
"""Median of that smooth map in the main chain's voxels."""
_PROTEIN = tuple(ATOMS.index(name) for name in ("N", "CA", "C"))
_NUCLEIC = tuple(NUCLEIC.index(name) for name in ("P", "sugar"))


@dataclass(frozen=True)
class Coarse:
    """A box and the chains in it.

    Parameters
    ----------
    density
        Normalised, float32, shape ``(n, n, n)``, voxels of 2 Å.
    chain
        Class of main chain, index into ``CHAIN``, int8, same shape.
    structure
        Secondary structure at voxels of a protein's main chain, int8, same shape; -1 elsewhere.
    """

    density: NDArray[np.float32]
    chain: NDArray[np.int8]
    structure: NDArray[np.int8]


def coarse_sample(entry: Entry, rng: np.random.Generator, size: int, resolutions: tuple[float, float]) -> Coarse:
    """As :func:`~cryoweave_unet.samples.simulated_sample`, for chains."""
    box = simulated_box(entry, rng, size, VOXEL, resolutions)
    chain, structure = main_chain(box.entry, box.kept, box.frame)
    if box.seen is not None:
        chain[~box.seen], structure[~box.seen] = 0, -1
    return Coarse(box.density, chain, structure)


def main_chain(entry: Entry, kept: NDArray[np.bool_], frame: Frame) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Class of main chain and secondary structure in each voxel."""
    some, kind, fold = coarse_sites(entry, kept)
    near = grid.nearest_around(frame, entry.xyz[some].astype(np.float64), NEAR)
    return np.append(kind, np.int8(0))[near], np.append(fold, np.int8(-1))[near]


def coarse_sites(entry: Entry, kept: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.int8], NDArray[np.int8]]:
    """Indices of the main chain's atoms, their class (index into ``CHAIN``) and secondary structure (-1 for none)."""
    protein, nucleic = np.isin(entry.atom, _PROTEIN), np.isin(entry.nucleic, _NUCLEIC)
    some = np.flatnonzero(kept & (protein | nucleic))
    kind = np.where(protein, CHAIN.index(BACKBONE), CHAIN.index("nucleic"))[some]
    return some, kind.astype(np.int8), np.where(protein, entry.structure, -1)[some].astype(np.int8)


def trace_map(chain: NDArray[np.int8]) -> NDArray[np.float32]:
    """The main chain as a smooth map: 1 along it, 0 elsewhere."""
    found: NDArray[np.float32] = np.minimum(grid.gaussian((chain > 0).astype(np.float32), SMOOTH), 1)
    return found
