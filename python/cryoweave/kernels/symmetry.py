"""Copies by symmetry: cyclic, dihedral, helical."""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame
from cryoweave.errors import UsageError

_POINT = re.compile(r"([CD])(\d{1,3})")
_HELIX = re.compile(r"H(-?[\d.]+),(-?[\d.]+),(\d{1,4})")


class Symmetry(NamedTuple):
    """Motions that map a structure onto itself, the identity first: ``x`` goes to ``rotation @ x + translation``."""

    rotation: NDArray[np.float64]
    """Shape ``(n, 3, 3)``."""
    translation: NDArray[np.float64]
    """Shape ``(n, 3)``, Å."""

    def __len__(self) -> int:
        return len(self.rotation)


def symmetry_of(name: str, frame: Frame, centre: NDArray[np.float64] | None = None) -> Symmetry:
    """The group of this name about an axis along z.

    Parameters
    ----------
    name
        ``Cn``; ``Dn``, whose twofold axis lies along x; ``Hturn,rise,n``: a helix of n copies, with the turn in degrees
        and the rise in Å from one to the next.
    frame
        Of the map, through whose centre the axis goes: voxel n/2 along each side, where the field's programs put it.
    centre
        Another point of the axis, in Å.

    Raises
    ------
    UsageError
        If there is no such group.
    """
    if centre is None:
        centre = frame.to_xyz(np.array(frame.shape_zyx) // 2)[0]
    point, helix = _POINT.fullmatch(name), _HELIX.fullmatch(name)
    if point and int(point[2]) > 0:
        rotation = np.array(_point(point[1], int(point[2])))
        rise = np.zeros((len(rotation), 3))
    elif helix and int(helix[3]) > 0:
        steps = np.arange(int(helix[3]))
        rotation = np.array([_about_z(float(helix[1]) * step) for step in steps])
        rise = np.outer(steps * float(helix[2]), [0.0, 0.0, 1.0])
    else:
        raise UsageError(f"there is no symmetry {name!r}", "write C4, D7, or H-166.5,27.5,6 for a helix of 6 copies")
    return Symmetry(rotation, centre - rotation @ centre + rise)


def _point(letter: str, n: int) -> list[NDArray[np.float64]]:
    turns = [_about_z(360.0 * i / n) for i in range(n)]
    return turns if letter == "C" else turns + [turn @ np.diag([1.0, -1.0, -1.0]) for turn in turns]


def _about_z(degrees: float) -> NDArray[np.float64]:
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
