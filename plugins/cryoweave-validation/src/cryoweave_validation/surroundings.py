"""Residues as rows of a table, and the voxels near the atoms of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame, Model
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS, NUCLEOTIDES
from cryoweave.host import Context
from cryoweave_validation.atoms import WATER, residue_rows

CHUNK = 1 << 21
"""Voxels of the boxes around residues that are looked at in one go."""

POLYMER = (*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS, *NUCLEOTIDES, "UNK", "N", "DN")
"""Names of residues that belong to a chain, those of unknown kind too."""

Rows = NDArray[np.intp]


class Near(NamedTuple):
    """Voxels near the residues of some rows.

    Parameters
    ----------
    first
        Row that ``owner`` counts from.
    rows
        Number of rows.
    owner
        Row of each voxel less ``first``, ascending, shape ``(n,)``.
    voxel
        Its place in the flat map, shape ``(n,)``; one voxel may be near several residues.
    """

    first: int
    rows: int
    owner: Rows
    voxel: Rows


@dataclass(frozen=True)
class Residues:
    """Atoms by residue; the residues are in the order in which they first appear.

    Parameters
    ----------
    first
        First atom of each residue, shape ``(rows,)``.
    atoms
        Atoms, those of one residue together, shape ``(n,)``.
    start
        Where each residue begins in ``atoms``, and the end of the last, shape ``(rows + 1,)``.
    """

    first: Rows
    atoms: Rows
    start: Rows

    def __len__(self) -> int:
        return len(self.first)

    @property
    def row(self) -> Rows:
        """Row of each of ``atoms``."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))

    def keep(self, atoms: NDArray[np.bool_]) -> "Residues":
        """The same rows with fewer atoms; rows may become empty."""
        kept = atoms[self.atoms]
        start = np.concatenate([[0], np.cumsum(kept)])[self.start].astype(np.intp)
        return Residues(self.first, self.atoms[kept], start)


def residues_of(model: Model) -> Residues:
    """All residues but water, told apart by chain, number and insertion code."""
    solute = np.flatnonzero(~np.isin(model.residue_name, WATER))
    row, first = residue_rows(model.select(solute))
    order = np.argsort(row, kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(first)))]).astype(np.intp)
    return Residues(solute[first], solute[order], start)


def voxels_near(frame: Frame, xyz: NDArray[np.float64], start: Rows, radius: float, ctx: Context) -> Iterator[Near]:
    """Voxels whose centre is within a distance of any atom of each residue.

    Parameters
    ----------
    frame
        The map's grid.
    xyz
        Atoms in Å by residue, shape ``(n, 3)``.
    start
        Where each residue begins in ``xyz``, and the end of the last.
    radius
        Distance in Å.
    """
    side = 2 * radius / np.array(frame.voxel_xyz[::-1]) + 1
    box = np.prod(side + 2, dtype=float)
    cost = np.concatenate([[0.0], np.cumsum(np.diff(start) * box * 0.5 + box)])
    edges = np.unique(np.searchsorted(cost, np.arange(0, cost[-1] + CHUNK, CHUNK)).clip(0, len(start) - 1))
    pieces = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))

    def work(piece: tuple[int, int], _inner: Context) -> Near:
        first, last = piece
        atoms = slice(int(start[first]), int(start[last]))
        return _near(frame, xyz[atoms], start[first : last + 1] - start[first], radius, first)

    yield from ctx.over(work, pieces)


def _near(frame: Frame, xyz: NDArray[np.float64], start: Rows, radius: float, first: int) -> Near:
    """Each sphere is rows of voxels along x: they are marked by their ends in a box around the residue, then filled."""
    rows = len(start) - 1
    centre = frame.to_zyx(xyz)
    half = radius / np.array(frame.voxel_xyz[::-1])
    limit = np.array(frame.shape_zyx) - 1
    low = np.ceil(centre - half).clip(0, None).astype(np.intp)
    high = np.floor(centre + half).clip(None, limit).astype(np.intp)
    reaches = (low <= high).all(axis=1)
    row = np.repeat(np.arange(rows), np.diff(start))[reaches]
    low, high, centre = low[reaches], high[reaches], centre[reaches]
    if not len(low):
        return Near(first, rows, np.empty(0, np.intp), np.empty(0, np.intp))
    present, begin = np.unique(row, return_index=True)
    corner = np.zeros((rows, 3), np.intp)
    size = np.zeros((rows, 3), np.intp)
    corner[present] = np.minimum.reduceat(low, begin)
    size[present] = np.maximum.reduceat(high, begin) - corner[present] + (1, 1, 2)
    offset = np.concatenate([[0], np.cumsum(size.prod(axis=1))])
    owner, z, y, x_first, x_last = _lines(centre, low, high, row, np.array(frame.voxel_xyz[::-1]), radius)
    line = offset[owner] + ((z - corner[owner, 0]) * size[owner, 1] + y - corner[owner, 1]) * size[owner, 2]
    line -= corner[owner, 2]
    ends = np.zeros(offset[-1], np.int32)
    np.add.at(ends, line + x_first, 1)
    np.add.at(ends, line + x_last + 1, -1)
    place = np.flatnonzero(np.cumsum(ends, out=ends))
    owner = np.searchsorted(offset, place, side="right") - 1
    rest, x = np.divmod(place - offset[owner], size[owner, 2])
    z, y = np.divmod(rest, size[owner, 1])
    _, ny, nx = frame.shape_zyx
    voxel = ((z + corner[owner, 0]) * ny + y + corner[owner, 1]) * nx + x + corner[owner, 2]
    return Near(first, rows, owner, voxel)


def _lines(
    centre: NDArray[np.float64], low: Rows, high: Rows, row: Rows, voxel: NDArray[np.float64], radius: float
) -> tuple[Rows, Rows, Rows, Rows, Rows]:
    """Owner, z, y, first and last x of every row of voxels in any atom's sphere."""
    nz, ny = (high - low).max(axis=0)[:2] + 1
    z = low[:, 0, None] + np.arange(nz)
    y = low[:, 1, None] + np.arange(ny)
    far_z = ((z - centre[:, 0, None]) * voxel[0]) ** 2
    far_y = ((y - centre[:, 1, None]) * voxel[1]) ** 2
    rest = radius**2 - far_z[:, :, None] - far_y[:, None, :]
    inside = (rest >= 0) & (z <= high[:, 0, None])[:, :, None] & (y <= high[:, 1, None])[:, None, :]
    atom, iz, iy = np.nonzero(inside)
    reach = np.sqrt(rest[inside]) / voxel[2]
    first = np.maximum(np.ceil(centre[atom, 2] - reach).astype(np.intp), low[atom, 2])
    last = np.minimum(np.floor(centre[atom, 2] + reach).astype(np.intp), high[atom, 2])
    full = first <= last
    atom, iz, iy = atom[full], iz[full], iy[full]
    return row[atom], z[atom, iz], y[atom, iy], first[full], last[full]
