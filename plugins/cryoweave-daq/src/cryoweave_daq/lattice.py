"""Predicted points as probability maps, for tracers that work on density."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError
from cryoweave.host import Context
from cryoweave.kernels.grid import resample
from cryoweave_daq.classes import AMINO, ATOMS, STRUCTURE
from cryoweave_daq.stages import MapsParams

BACKBONE = "backbone"
CHAIN = ("N", "CA", "C", "O")
NAMES = (BACKBONE, *ATOMS[1:], *STRUCTURE, *AMINO)
"""Classes of the maps. ``other`` is left out: it is what is no atom as well as the other atoms."""
SLACK = 0.01
"""Å that a point may lie off the lattice."""
LARGEST = 400**3
"""Voxels of one class; 29 classes of them in float16 are 3.7 GB."""


def maps(points: PointCloud, params: MapsParams, ctx: Context) -> ProbabilityMaps:
    """Probabilities between the points, trilinear, in float16; 0 where no point was predicted.

    ``backbone`` is the sum of N, CA, C and O.

    Raises
    ------
    InputError
        If the points carry no such probabilities or do not lie on a lattice.
    """
    missing = [name for name in (*ATOMS[1:], *STRUCTURE, *AMINO) if name not in points.classes]
    if missing or not len(points):
        what = f"no probability of {missing[0]}" if missing else "no points"
        raise InputError(f"there is {what}", "put daq.predict before it, with a prediction or a network")
    lattice, zyx = lattice_of(points.xyz)
    fine = lattice.with_voxel(params.voxel)
    if np.prod(fine.shape_zyx, dtype=np.float64) > LARGEST:
        raise InputError(f"maps of {fine.shape_zyx} voxels are too large", "give a larger voxel")
    found = np.zeros((len(NAMES), *fine.shape_zyx), np.float16)
    for i, name in enumerate(NAMES):
        ctx.progress(i, len(NAMES))
        columns = [points.classes.index(one) for one in (CHAIN if name == BACKBONE else (name,))]
        coarse = np.zeros(lattice.shape_zyx, np.float32)
        coarse[tuple(zyx.T)] = np.clip(points.probabilities[:, columns].sum(axis=1), 0, 1)
        found[i] = np.clip(resample(coarse, lattice, fine, params.order), 0, 1)
    ctx.note("lattice, Å", min(lattice.voxel_xyz))
    ctx.note("share of the lattice that was predicted", len(zyx) / float(np.prod(lattice.shape_zyx)))
    return ProbabilityMaps(found, fine, NAMES)


def lattice_of(xyz: NDArray[np.float64]) -> tuple[Frame, NDArray[np.int64]]:
    """The lattice that points lie on, and their places on it, zyx, ``(n, 3)``.

    Its voxel is the smallest step between neighbours along x, y or z.

    Raises
    ------
    InputError
        If they lie on none.
    """
    steps = np.concatenate([np.diff(np.unique(column)) for column in xyz.T])
    steps = steps[steps > SLACK]
    voxel = float(steps.min()) if len(steps) else 1.0
    first = xyz.min(axis=0)
    place = np.rint((xyz - first) / voxel)
    off = np.abs(first + place * voxel - xyz).max(axis=1) > SLACK
    if off.any():
        raise InputError(
            f"{int(off.sum())} of {len(xyz)} points do not lie on a lattice of {voxel:.3g} Å",
            "are they those of daq.predict?",
        )
    zyx = place[:, ::-1].astype(np.int64)
    z, y, x = (int(n) + 1 for n in zyx.max(axis=0))
    return Frame((z, y, x), (voxel, voxel, voxel), (first[0], first[1], first[2])), zyx
