"""From map and model to what the network sees: 1 Å voxels, normalised density, points, boxes."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS
from cryoweave.errors import StageError
from cryoweave.kernels import grid
from cryoweave_daq.classes import BOX

HALF = BOX // 2
BINS, SHARE = 200, 0.95
"""The density that counts as 1 is where the logarithmic histogram has this share of its area to the left."""
NEAR, FREE, REACH = 2.0, 5.0, 6.0
"""Å: up to NEAR of an atom a point counts as protein, beyond FREE as none; beyond REACH nothing is predicted."""
LEAST = 0.005
"""Mean normalised density that a box must have."""

Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]


def top_density(values: NDArray[np.float32]) -> float:
    """The density that is 1 after normalisation.

    The logarithms of the counts of 200 bins between 0 and the maximum are summed up from below; the bin in which the
    sum reaches 95 % begins at this density. The voxels that are not above 0 count in the highest bin: the published
    program has them there (the rest of its table of densities), and its example follows from it.

    Raises
    ------
    StageError
        If the density is nowhere positive, or all of it lies in the first bin.
    """
    positive = values[values > 0]
    if not len(positive):
        raise StageError("the map has no density above 0", "is it masked away, or inverted? See `cryoweave check`")
    highest = float(positive.max())
    counts = np.histogram(-positive, BINS, (-highest, 0.0))[0][::-1]  # bins closed above
    counts[-1] += values.size - len(positive)
    area = np.cumsum(np.log(np.maximum(counts, 1)))
    first = int(np.flatnonzero((counts > 0) & (area >= SHARE * area[-1]))[0])
    if first == 0:
        raise StageError("nearly all density is alike", "give the reconstructed map")
    return highest / BINS * first


def chosen_atoms(model: Model, compat: bool) -> Model:
    """The atoms around which points are chosen and over which the reference runs.

    Parameters
    ----------
    model
        Any model.
    compat
        All ATOM records whose altloc is blank or A. Else the heavy atoms of amino acids, each atom once.
    """
    if compat:
        return model.select(~model.hetero & np.isin(model.altloc, ["", "A"]))
    amino = np.isin(model.residue_name, [*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS, "UNK"])
    heavy = np.flatnonzero(amino & ~np.isin(model.element, ["H", "D"]))
    if not len(heavy):
        return model.select(heavy)
    identity = (model.chain, model.residue_number, model.insertion_code, model.atom_name)
    columns = [np.unique(column[heavy], return_inverse=True)[1] for column in identity]
    first = np.unique(np.array(columns), axis=1, return_index=True)[1]
    return model.select(heavy[np.sort(first)])


def _three(shape: NDArray[np.intp]) -> tuple[int, int, int]:
    z, y, x = (int(n) for n in shape)
    return z, y, x


class Scene:
    """What the network sees of a map: normalised density, and the points at which a box is cut out.

    Parameters
    ----------
    density
        With voxels of 1 Å.
    atoms
        Positions of atoms in Å, ``(n, 3)``; None for points everywhere.
    stride
        Voxels between points.

    Attributes
    ----------
    xyz
        The points in Å, ``(n, 3)``; x is slowest, as in prediction.txt.

    Raises
    ------
    StageError
        If there is no such point.
    """

    def __init__(self, density: DensityMap, atoms: NDArray[np.float64] | None, stride: int) -> None:
        shape = np.array(density.frame.shape_zyx)
        low, high = np.zeros(3, int), shape
        if atoms is not None and len(atoms):
            zyx = density.frame.to_zyx(atoms)
            low = np.clip(np.floor(zyx.min(axis=0) - REACH), 0, shape).astype(int)
            high = np.clip(np.ceil(zyx.max(axis=0) + REACH) + 1, 0, shape).astype(int)
        if (high <= low).any():
            raise StageError("the model lies outside of the map", "was it fitted into this map?")
        block = _padded(density.values, low - HALF, high + HALF)
        block = np.clip(block / np.float32(top_density(density.values)), 0, 1)
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        frame = density.frame.crop(_three(low), _three(high - low))
        kept = _box_means(block) >= LEAST
        if atoms is not None:
            kept &= _wanted(density.values[here], frame, atoms)
        on_grid = [np.arange(a, b) % stride == 0 for a, b in zip(low, high, strict=True)]
        kept &= on_grid[0][:, None, None] & on_grid[1][:, None] & on_grid[2]
        self._points: Indices = np.argwhere(kept.transpose(2, 1, 0))[:, ::-1]
        if not len(self._points):
            raise StageError("there is no density where the model is", "was it fitted into this map?")
        self._windows = np.lib.stride_tricks.sliding_window_view(np.round(block, 3), (BOX, BOX, BOX))
        self.xyz = frame.to_xyz(self._points)

    def boxes(self, some: slice, order: str) -> NDArray[np.float32]:
        """Boxes around some of the points, shape ``(n, 1, 11, 11, 11)``, axes in this order."""
        z, y, x = self._points[some].T
        cut = self._windows[z, y, x]
        return np.ascontiguousarray((cut if order == "zyx" else cut.transpose(0, 3, 2, 1))[:, None])


def _padded(values: NDArray[np.float32], low: NDArray[np.intp], high: NDArray[np.intp]) -> NDArray[np.float32]:
    """A block of the map, 0 where it reaches beyond."""
    shape = np.array(values.shape)
    first, last = np.clip(low, 0, shape), np.clip(high, 0, shape)
    inside = values[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    return np.pad(inside, list(zip(first - low, high - last, strict=True)))


def _box_means(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean over the box around each voxel that has one."""
    sums = block.astype(np.float64)
    for axis in range(3):
        total = np.cumsum(np.moveaxis(sums, axis, 0), axis=0)
        total = np.concatenate((total[BOX - 1 : BOX], total[BOX:] - total[:-BOX]))
        sums = np.moveaxis(total, 0, axis)
    return sums / BOX**3


def _wanted(values: NDArray[np.float32], frame: Frame, atoms: NDArray[np.float64]) -> Mask:
    around, protein, near = (grid.mask_around(frame, atoms, radius) for radius in (REACH, FREE, NEAR))
    return around & (~protein | near | (values >= 0))
