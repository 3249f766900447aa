"""Sets of rotations, as matrices that turn points: ``x`` goes to ``matrix @ x``."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError

Matrices = NDArray[np.float64]


class Rotations(NamedTuple):
    """A set of rotations."""

    matrices: Matrices
    """Shape ``(n, 3, 3)``."""
    radius: float
    """No rotation is farther than this (degrees) from one of them."""


def uniform_rotations(step: float) -> Rotations:
    """Rotations such that every rotation is at most so many degrees from one of them.

    Pieces of a body-centred cubic grid in the 24 cells that the octahedron's rotations cut SO(3) into (Karney 2007, doi
    10.1016/j.jmgm.2006.04.002): 648 rotations for 21°, 7,416 for 9.8°, 70,728 for 4.71°.

    Raises
    ------
    InputError
        If the step is below 0.5°.
    """
    quaternions, radius = _core.uniform_rotations(float(step))
    return Rotations(matrices(quaternions), radius)


def local_rotations(radius: float, step: float) -> Rotations:
    """Rotations of up to ``radius`` degrees, the identity first; none there is farther than ``step`` from one of them.

    Raises
    ------
    InputError
        If the radius is not within 0 to 180°, or the step is not positive or below a sixtieth of the radius.
    """
    return Rotations(matrices(_core.local_rotations(float(radius), float(step))), float(step))


def random_rotations(count: int, seed: int) -> Matrices:
    """Uniformly distributed random rotations, shape ``(count, 3, 3)``; the same seed gives the same.

    Raises
    ------
    InputError
        If the count is not within 0 to 100 million, or the seed not within 64 bits.
    """
    if not (0 <= count <= 100_000_000 and 0 <= seed < 2**64):
        raise InputError(f"there are no {count} random rotations of the seed {seed}", "the seed is a number from 0 on")
    return matrices(_core.random_rotations(int(count), int(seed)))


def matrices(quaternions: NDArray[np.float64]) -> Matrices:
    """Rotation matrices, shape ``(n, 3, 3)``, of unit quaternions, shape ``(n, 4)``, real part first."""
    a, b, c, d = np.asarray(quaternions, np.float64).reshape(-1, 4).T
    rows = [
        [1 - 2 * (c * c + d * d), 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), 1 - 2 * (b * b + d * d), 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), 1 - 2 * (b * b + c * c)],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), -1, 0))


def about_axis(axis: ArrayLike, degrees: float) -> NDArray[np.float64]:
    """The right-handed turn about an axis of any length, shape ``(3, 3)``: Rodrigues' formula."""
    angle, along = np.radians(degrees), np.asarray(axis, np.float64)
    x, y, z = along / np.linalg.norm(along)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def as_matrices(rotations: ArrayLike) -> Matrices:
    """One rotation matrix or several, as an array of the shape ``(n, 3, 3)``.

    Raises
    ------
    InputError
        If the shape is another.
    """
    array = np.asarray(rotations, np.float64)
    if array.size and (array.shape[-2:] != (3, 3) or array.ndim > 3):
        raise InputError(f"rotations must have the shape (n, 3, 3), not {array.shape}")
    return np.require(array.reshape(-1, 3, 3), requirements=("C", "A"))


def angles_between(one: Matrices, other: Matrices) -> NDArray[np.float64]:
    """Angle in degrees of the rotation that leads from one to the other; shapes ``(…, 3, 3)`` that fit together."""
    trace = np.einsum("...ij,...ij->...", np.asarray(one), np.asarray(other))
    return np.asarray(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))
