"""Copies by symmetry: point groups and helices."""

import re
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame, Model
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.errors import UsageError
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.pairing import CLOSE
from cryoweave.kernels.rotations import about_axis

_GOLDEN = (1 + np.sqrt(5)) / 2
_CUBIC = {
    "T": ((3, (0, 0, 1)), (2, (0, np.sqrt(2), 1))),
    "O": ((4, (0, 0, 1)), (3, (1, 1, 1))),
    "I1": ((2, (0, 0, 1)), (5, (0, 1, _GOLDEN))),
    "I2": ((2, (0, 0, 1)), (5, (1, 0, _GOLDEN))),
}
"""Two turns, by fold and axis, that make the group, oriented as RELION's and Xmipp's groups of these names are."""
_POINT = re.compile(r"([CD])(\d{1,3})")
_HELIX = re.compile(r"H(-?\d*\.?\d+),(-?\d*\.?\d+),(\d{1,4})")
_MOST = 0.5
"""Share of a chain's residues from which on it is there."""


class Symmetry(NamedTuple):
    """Motions that map a structure onto itself, the identity first: ``x`` goes to ``rotation @ x + translation``."""

    rotation: NDArray[np.float64]
    """Shape ``(n, 3, 3)``."""
    translation: NDArray[np.float64]
    """Shape ``(n, 3)``, Å."""

    def __len__(self) -> int:
        return len(self.rotation)

    def copies(self, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """All copies of some points, shape ``(n, points, 3)``."""
        return xyz @ np.swapaxes(self.rotation, 1, 2) + self.translation[:, None]

    def copy(self, i: int, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
        """One of these copies, shape ``(points, 3)``."""
        return np.asarray(xyz @ self.rotation[i].T + self.translation[i])

    def both_ways(self) -> "Symmetry":
        """With the inverses that are not among them: a helix goes on in both directions."""
        back = np.swapaxes(self.rotation, 1, 2)
        shift = -np.einsum("nij,nj->ni", back, self.translation)
        known = np.concatenate([self.rotation.reshape(-1, 9), self.translation], axis=1)
        inverse = np.concatenate([back.reshape(-1, 9), shift], axis=1)
        new = np.abs(inverse[:, None] - known).max(axis=2).min(axis=1) > 1e-6
        return Symmetry(np.concatenate([self.rotation, back[new]]), np.concatenate([self.translation, shift[new]]))


def symmetry_of(name: str, frame: Frame, centre: NDArray[np.float64] | None = None) -> Symmetry:
    """The group of this name about an axis along z.

    Parameters
    ----------
    name
        ``Cn``; ``Dn``, whose twofold axis lies along x; ``Hturn,rise,n``: a helix of n copies, with the turn in degrees
        and the rise in Å from one to the next; as RELION has them: ``T`` with a threefold axis along z, ``O``
        with fourfold axes along x, y and z, ``I1`` and ``I2`` with twofold ones there and the foremost fivefold ones in
        the yz or the xz plane.
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
    elif name in _CUBIC:
        rotation = _made_by([about_axis(axis, 360.0 / fold) for fold, axis in _CUBIC[name]])
        rise = np.zeros((len(rotation), 3))
    elif helix and int(helix[3]) > 0:
        steps = np.arange(int(helix[3]))
        rotation = np.array([about_axis((0, 0, 1), float(helix[1]) * step) for step in steps])
        rise = np.outer(steps * float(helix[2]), [0.0, 0.0, 1.0])
    else:
        raise UsageError(
            f"there is no symmetry {name!r}", "write C4, D7, T, O, I1 or I2, or H-166.5,27.5,6 for a helix of 6"
        )
    return Symmetry(rotation, centre - rotation @ centre + rise)


def check_symmetry(name: str) -> None:
    """Whether there is such a group.

    Raises
    ------
    UsageError
        If not.
    """
    symmetry_of(name, Frame((1, 1, 1)))


def _point(letter: str, n: int) -> list[NDArray[np.float64]]:
    turns = [about_axis((0, 0, 1), 360.0 * i / n) for i in range(n)]
    return turns if letter == "C" else turns + [turn @ np.diag([1.0, -1.0, -1.0]) for turn in turns]


def _made_by(turns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """All products of some turns, the identity first."""
    found = [np.eye(3)]
    for one in found:  # it grows
        for turn in turns:
            product = turn @ one
            if np.abs(np.array(found) - product).max(axis=(1, 2)).min() > 1e-6:
                found.append(product)
    return np.array(found)


def copies_at(reference: Model, model: Model, group: Symmetry) -> Model:
    """The reference with each chain as the copy that a model has most of: all copies are as right.

    Parameters
    ----------
    reference
        Any part of the structure: one asymmetric unit, or several.
    model
        Stands in the same map.
    group
        The map's.

    Returns
    -------
    The reference's atoms in their order, then, under chain names of their own, further copies of which the model has
    half the residues. No two copies stand in one place: a reference that is whole already stays as it is.
    """
    there, trace = model.trace_atoms().xyz, reference.trace_atoms()
    if not len(there) or not len(trace):
        return reference
    group = group.both_ways()
    images = {name: group.copies(trace.xyz[trace.chain == name]) for name in dict.fromkeys(trace.chain.tolist())}
    shares = {name: _shares(copies, there) for name, copies in images.items()}
    order = sorted((-float(shares[name][i]), i, name) for name in images for i in range(len(group)))
    taken = np.zeros((0, 3))
    first: dict[str, int] = {}
    for _, i, name in order:
        if name not in first and _shares(images[name][i : i + 1], taken) < _MOST:
            first[name] = i
            taken = np.concatenate([taken, images[name][i]])
    more: list[tuple[str, int]] = []
    for share, i, name in order:
        if -share >= _MOST and _shares(images[name][i : i + 1], taken) < _MOST:
            more.append((name, i))
            taken = np.concatenate([taken, images[name][i]])
    if not more and not any(first.values()):
        return reference
    xyz = reference.xyz.copy()
    for name, i in first.items():
        own = reference.chain == name
        xyz[own] = group.copy(i, xyz[own])
    parts = [replace(reference, xyz=xyz)]
    for name, i in more:
        part = reference.select(reference.chain == name)
        parts.append(replace(part, xyz=group.copy(i, part.xyz)))
    return joined_models(with_own_chains(parts))


def _shares(copies: NDArray[np.float64], there: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each copy, ``(copies, points, 3)``, the share of points that have one of the others close by."""
    if not len(there):
        return np.zeros(len(copies))
    close = nearest(there, copies.reshape(-1, 3))[1] <= CLOSE
    shares: NDArray[np.float64] = close.reshape(copies.shape[:2]).mean(axis=1)
    return shares
