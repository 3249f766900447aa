"""Atoms pulled into density under restraints."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.graph import integers
from cryoweave.kernels.grid import points

Progress = Callable[[int, int], object]


@dataclass(frozen=True, eq=False)
class Restraints:
    """What is known about the atoms' geometry.

    Parameters
    ----------
    pairs
        Indices of two atoms, shape ``(k, 2)``.
    lower, upper
        Å between which a pair costs nothing, shape ``(k,)``; equal for a bond, ``upper`` infinite for no limit.
    stiffness
        Energy for each Å² off that range, shape ``(k,)``, not negative; 2 Å off and beyond, the force grows no more.
    corners
        Indices of an atom and three neighbours, shape ``(q, 4)``.
    volume
        Signed volume ``(a - centre) · (b - centre) × (c - centre)`` that these should have, Å³, shape ``(q,)``.
    volume_stiffness
        Energy for each Å⁶ off it.
    apart
        Indices of atoms, each once, that must not come closer to each other than ``apart_distance``; pairs named above
        are free.
    apart_distance, apart_stiffness
        Å, and energy for each Å² closer.
    """

    pairs: NDArray[np.int32]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    stiffness: NDArray[np.float64]
    corners: NDArray[np.int32]
    volume: NDArray[np.float64]
    volume_stiffness: float
    apart: NDArray[np.int32]
    apart_distance: float
    apart_stiffness: float


class Refined(NamedTuple):
    """Where atoms came to rest."""

    xyz: NDArray[np.float64]
    """Shape ``(n, 3)``, Å."""
    energy: float
    """Of restraints and density there, with all atoms that are too close."""


def refine_atoms(
    values: NDArray[np.float32],
    frame: Frame,
    xyz: ArrayLike,
    weights: ArrayLike,
    restraints: Restraints,
    cycles: int = 3,
    steps: int = 300,
    progress: Progress | None = None,
) -> Refined:
    """Minimise the restraints' energy less the sum of ``weights`` × tricubic density, by L-BFGS.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; not below the resolution's own smoothness, or the search ends in noise.
    frame
        Where the voxels are.
    xyz
        Where the atoms start, shape ``(n, 3)``, Å. Beyond the map there is no density and no force from it.
    weights
        Gain of each atom for each unit of density, shape ``(n,)``.
    restraints
        Geometry.
    cycles
        Times that atoms that came close are looked for anew; one that comes from more than 3 Å beyond
        ``apart_distance`` within a cycle is first seen in the next.
    steps
        Most steps in each cycle; no atom moves farther than 0.5 Å in one.
    progress
        Called now and then, so that what it raises stops the search; the figures it gets mean nothing here.

    Raises
    ------
    InputError
        If a voxel, a position, a weight, a restraint or the energy is not finite, an index names no atom, a stiffness
        is negative, or lengths differ.
    """
    values = np.asarray(values, dtype=np.float32)
    if values.shape != tuple(frame.shape_zyx):
        raise InputError(f"the map has the shape {values.shape}, its frame {tuple(frame.shape_zyx)}")
    lower, upper = (np.asarray(limit, np.float64) for limit in (restraints.lower, restraints.upper))
    if lower.ndim != 1 or lower.shape != upper.shape:
        raise InputError(f"lower and upper must have the shape (k,), not {lower.shape} and {upper.shape}")
    if cycles < 0 or steps < 0:
        raise InputError(f"cycles and steps must be at least 0, not {cycles} and {steps}")
    found = _core.refine_atoms(
        values,
        frame.voxel_xyz,
        frame.origin_xyz,
        points(xyz),
        np.asarray(weights, dtype=np.float64),
        (
            integers("pairs", restraints.pairs, 2),
            np.stack((lower, upper), axis=1),
            np.asarray(restraints.stiffness, np.float64),
        ),
        (
            integers("corners", restraints.corners, 4),
            np.asarray(restraints.volume, np.float64),
            restraints.volume_stiffness,
        ),
        (integers("apart", restraints.apart), restraints.apart_distance, restraints.apart_stiffness),
        (cycles, steps),
        progress,
    )
    return Refined(*found)
