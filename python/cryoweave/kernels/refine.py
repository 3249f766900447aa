"""Atoms pulled into density under restraints."""

from collections.abc import Callable
from dataclasses import dataclass, field
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
        Indices of atoms, each once, that must not come too close to each other; pairs named above are free.
    apart_reach, apart_stiffness
        Å of each, shape ``(m,)``: two atoms keep the sum of theirs; and energy for each Å² closer.
    turns
        Indices of four atoms in a row, shape ``(t, 4)``.
    angle, slack
        Their torsion in degrees (IUPAC's sign), and how far off it costs nothing, shape ``(t,)``.
    turn_stiffness
        Energy for each radian² beyond that; from one radian on, the force grows no more.
    """

    pairs: NDArray[np.int32]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    stiffness: NDArray[np.float64]
    corners: NDArray[np.int32]
    volume: NDArray[np.float64]
    volume_stiffness: float
    apart: NDArray[np.int32]
    apart_reach: NDArray[np.float64]
    apart_stiffness: float
    turns: NDArray[np.int32] = field(default_factory=lambda: np.empty((0, 4), np.int32))
    angle: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    slack: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    turn_stiffness: float = 0.0


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
    hold: ArrayLike | None = None,
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
        the distance that it keeps within a cycle is first seen in the next.
    steps
        Most steps in each cycle; no atom moves farther than 0.5 Å in one.
    progress
        Called now and then, so that what it raises stops the search; the figures it gets mean nothing here.
    hold
        Energy of each atom for each Å² from where it starts, shape ``(n,)``, not negative; 2 Å off and beyond, the
        force grows no more. None for nothing.

    Raises
    ------
    InputError
        If a voxel, a position, a weight, a restraint or the energy is not finite, an index names no atom, a stiffness
        is negative, or lengths differ.
    """
    values = np.asarray(values, dtype=np.float32)
    if values.shape != tuple(frame.shape_zyx):
        raise InputError(f"the map has the shape {values.shape}, its frame {tuple(frame.shape_zyx)}")
    reach = columns("lower and upper", restraints.lower, restraints.upper)
    turned = columns("angle and slack", restraints.angle, restraints.slack)
    if cycles < 0 or steps < 0:
        raise InputError(f"cycles and steps must be at least 0, not {cycles} and {steps}")
    start = points(xyz)
    held = np.zeros(len(start)) if hold is None else np.asarray(hold, np.float64)
    found = _core.refine_atoms(
        values,
        frame.voxel_xyz,
        frame.origin_xyz,
        start,
        (np.asarray(weights, dtype=np.float64), held),
        (
            integers("pairs", restraints.pairs, 2),
            reach,
            np.asarray(restraints.stiffness, np.float64),
        ),
        (
            integers("corners", restraints.corners, 4),
            np.asarray(restraints.volume, np.float64),
            restraints.volume_stiffness,
        ),
        (integers("turns", restraints.turns, 4), np.radians(turned), restraints.turn_stiffness),
        (
            integers("apart", restraints.apart),
            np.asarray(restraints.apart_reach, np.float64),
            restraints.apart_stiffness,
        ),
        (cycles, steps),
        progress,
    )
    return Refined(*found)


def columns(names: str, first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two lists of the same length side by side, shape ``(k, 2)``."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.ndim != 1 or one.shape != other.shape:
        raise InputError(f"{names} must have the shape (k,), not {one.shape} and {other.shape}")
    return np.stack((one, other), axis=1)
