"""How well a map supports the atoms of a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.grid import Map, points

if TYPE_CHECKING:
    from cryoweave.data.frame import Frame

Progress = Callable[[int, int], object]


def radial_correlation(
    values: Map, frame: Frame, xyz: ArrayLike, sigmas: ArrayLike = (0.6,), progress: Progress | None = None
) -> NDArray[np.float64]:
    """How like a Gaussian the density falls off around each atom, where no other atom is nearer.

    Density is read, trilinearly, at the atom (which counts 8 times) and on shells of radius ``r`` = 0.1, 0.2, … 2.0 Å.
    On each shell 8 directions are tried, then 10, 12, … 106, until at least 8 places have no atom closer than 0.9 r;
    all places of that try are taken, and none if no try suffices. The result is Pearson's correlation of the density
    at all places with ``exp(-r² / 2 sigma²)`` (Pintilie et al., Nat Methods 17:328, 2020; numbers as in its program).
    Directions lie on the generalised spiral of Saff and Kuijlaars (Math. Intelligencer 19:5, 1997).

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; beyond the centres of the outermost voxels it counts as zero.
    frame
        Where the voxels are.
    xyz
        Atoms in Å, shape ``(n, 3)``: those to be judged, which are also those that stand before each other. Hydrogens
        are to be left out. Atoms at one and the same place do not stand before each other.
    sigmas
        Widths of the Gaussians in Å, shape ``(s,)``. 0.6 is that of the publication; 0.4 is used by EMDB and wwPDB.
        Further widths take next to no time.
    progress
        Called now and then with blocks of atoms done and blocks in all.

    Returns
    -------
    Correlation of each atom for each sigma, -1 to 1, shape ``(n, s)``; 0 where there is none, because the density is
    flat (as it is beyond the map) or all shells are hidden. The same for any number of threads.

    Raises
    ------
    InputError
        If a voxel or a coordinate is not finite, a sigma is not positive, or the frame is not the map's.
    """
    array, widths = np.asarray(values, dtype=np.float32), np.asarray(sigmas, dtype=np.float64).reshape(-1)
    if array.shape != tuple(frame.shape_zyx):
        raise InputError(f"the map has the shape {array.shape}, its frame {tuple(frame.shape_zyx)}")
    return _core.radial_correlation(array, frame.voxel_xyz, frame.origin_xyz, points(xyz), widths, progress)
