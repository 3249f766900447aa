"""Protein backbones from Cα atoms and density: N, Cα, C, O and Cβ of every residue, refined together."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.grid import gaussian, interpolate, points, statistics
from cryoweave.kernels.refine import Progress, Restraints, refine_atoms

ATOMS = ("N", "CA", "C", "O", "CB")
N, CA, C, O, CB = range(len(ATOMS))

# Distances in Å that follow from the bonds and angles of Engh & Huber 1991 (Acta Cryst. A47, 392), and the share of
# BOND_STIFFNESS that holds each.
WITHIN = (
    (N, CA, 1.458, 1.0), (CA, C, 1.525, 1.0), (C, O, 1.231, 1.0), (CA, CB, 1.530, 1.0),
    (N, C, 2.46, 0.5), (CA, O, 2.40, 0.5), (N, CB, 2.455, 0.5), (C, CB, 2.50, 0.5),
)  # fmt: skip
"""Within a residue."""
ACROSS = (
    (C, N, 1.329, 1.0), (CA, N, 2.43, 0.5), (C, CA, 2.43, 0.5), (O, N, 2.25, 0.5), (CA, CA, 3.80, 0.5),
    (O, CA, 2.78, 0.3),
)  # fmt: skip
"""To the next residue: a planar trans peptide."""
ACROSS_CIS = {(CA, CA): 2.95, (O, CA): 3.56}
"""What differs in a cis peptide, from the same bonds and angles."""
BOND_STIFFNESS = 20.0
CHIRALITY, CHIRALITY_STIFFNESS = 2.6, 2.0
"""Å³ of (N - Cα) · (C - Cα) × (Cβ - Cα) in an L amino acid."""
SECOND, THIRD, REACH_STIFFNESS = (5.1, 7.1), (5.0, 10.6), 3.0
"""Å between Cα atoms two and three residues apart, whatever the fold."""
HELIX = ((CA, 2, CA, 5.5, 3.0), (CA, 3, CA, 5.2, 3.0), (CA, 4, CA, 6.2, 2.0), (O, 4, N, 2.95, 3.0))
"""Of an α helix: atom, residues onward, atom there, Å, stiffness; the last is its hydrogen bond."""
LIKE_HELIX = ((2, 6.3), (3, 6.5), (4, 7.5))
"""Five residues are taken for a turn of helix if Cα atoms so many residues apart are closer than this (Å)."""
CONTACT, CONTACT_STIFFNESS = 4.2, 2.0
"""Å that Cα atoms which are not neighbours keep."""
GAINS = (1.0, 1.0, 1.0, 0.6, 0.4)
"""Density that counts for each atom: O and Cβ show less in maps than the main chain."""
DENSITY_WEIGHT = 3.0
"""Energy of one atom in the main chain's usual density."""
LEAST_USUAL = 0.5
"""Share of the map's own mean density (each voxel counts by its density) below which the main chain's cannot lie: a
start beside the molecule would have the density outweigh all geometry. Along deposited chains it is 1.3 to 6 times
that mean."""
SMOOTHING = 0.6
"""Å; standard deviation of the Gaussian that takes the noise of single voxels out."""


class Backbone(NamedTuple):
    """A refined chain."""

    xyz: NDArray[np.float64]
    """Shape ``(n, 5, 3)``, Å; atoms in the order of ``ATOMS``. Glycine has a Cβ like any other."""
    energy: float


class BackboneRefiner:
    """Refines backbones in one map; the map is prepared once.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; below zero it counts as zero.
    frame
        Where the voxels are.

    Notes
    -----
    Real-space refinement by harmonic restraints on distances and chirality, with density as an attraction. A path whose
    Cα atoms are 1 Å off (a trace of local dense points) comes to within about 0.5 Å of the deposited ones in maps of
    3–4 Å, because only the right spacing lets all atoms of the peptides lie in density.
    """

    def __init__(self, values: NDArray[np.float32], frame: Frame) -> None:
        width = tuple(SMOOTHING / spacing for spacing in frame.voxel_xyz[::-1])
        self.frame = frame
        self.values = gaussian(np.maximum(values, 0), (width[0], width[1], width[2]))
        whole = statistics(self.values)
        self.least = LEAST_USUAL * (whole.sd**2 / whole.mean + whole.mean) if whole.mean > 0 else 0.0

    def refine(
        self,
        calpha: ArrayLike,
        bonded: ArrayLike,
        cycles: int = 3,
        steps: int = 100,
        progress: Progress | None = None,
    ) -> Backbone:
        """Build the backbone along Cα positions and refine all of it.

        Parameters
        ----------
        calpha
            Shape ``(n, 3)``, Å, from the N terminus on.
        bonded
            True where residue i is bonded to residue i + 1, shape ``(n - 1,)``.
        cycles, steps, progress
            As in `cryoweave.kernels.refine.refine_atoms`.

        Raises
        ------
        InputError
            If there is no residue, lengths differ, or a position or a voxel it touches is not finite.
        """
        start = points(calpha)
        chain = np.asarray(bonded, dtype=bool)
        if chain.shape != (len(start) - 1,):
            raise InputError(f"{chain.size} bonds for {len(start)} residues: there must be one less than residues")
        usual = max(float(np.median(interpolate(self.values, self.frame, start))), self.least)
        gain = DENSITY_WEIGHT / usual if usual > 0 else 0.0
        found = refine_atoms(
            self.values,
            self.frame,
            rough_backbone(start).reshape(-1, 3),
            np.tile(gain * np.array(GAINS), len(start)),
            backbone_restraints(start, chain),
            cycles=cycles,
            steps=steps,
            progress=progress,
        )
        return Backbone(found.xyz.reshape(-1, len(ATOMS), 3), found.energy)


def rough_backbone(calpha: NDArray[np.float64]) -> NDArray[np.float64]:
    """All five atoms near where three consecutive Cα atoms have them, shape ``(n, 5, 3)``: a start, not a model."""
    steps = np.diff(calpha, axis=0)
    steps = np.concatenate([steps, steps[-1:]]) if len(steps) else np.zeros((1, 3))
    # Any way will do where there is none: for a residue alone, or two on one point.
    steps[np.linalg.norm(steps, axis=1) < 1e-3] = (3.8, 0.0, 0.0)
    onward = unit(steps)
    before = np.concatenate([steps[:1], steps[:-1]])
    normal = np.cross(before, steps)
    # A carbonyl points along the mean of the normals at both ends of its peptide, as in a helix.
    carbonyl = normal + np.concatenate([normal[1:], normal[-1:]])
    carbonyl -= (carbonyl * onward).sum(axis=1, keepdims=True) * onward
    straight = np.linalg.norm(carbonyl, axis=1) < 1e-3
    carbonyl[straight] = np.cross(onward[straight], (0.3, 0.5, 0.8))
    carbonyl = unit(carbonyl)
    outward = unit(before - steps)
    atoms = np.empty((len(calpha), len(ATOMS), 3))
    atoms[:, CA] = calpha
    atoms[:, C] = calpha + 1.4 * onward + 0.45 * carbonyl
    atoms[:, O] = calpha + 1.6 * onward + 1.65 * carbonyl
    atoms[0, N] = calpha[0] - 1.4 * onward[0]
    atoms[1:, N] = calpha[1:] - 1.4 * onward[:-1] - 0.45 * carbonyl[:-1]
    atoms[:, CB] = calpha + 1.1 * outward - 0.75 * unit(normal)
    return atoms


def backbone_restraints(
    calpha: NDArray[np.float64], bonded: NDArray[np.bool_], cis: NDArray[np.bool_] | None = None
) -> Restraints:
    """Geometry of a chain whose Cα atoms are near these; helices are held where they turn like one.

    ``cis`` are bonds to the next residue, shape ``(n - 1,)``, that are cis peptides; none if left out.
    """
    n = len(calpha)
    every = np.arange(n)
    table = [_row(every, a, 0, b, (d, d), BOND_STIFFNESS * share) for a, b, d, share in WITHIN]
    bent = np.zeros_like(bonded) if cis is None else bonded & cis
    for a, b, d, share in ACROSS:
        for first, length in ((runs(bonded & ~bent, 1), d), (runs(bent, 1), ACROSS_CIS.get((a, b), d))):
            table.append(_row(first, a, 1, b, (length, length), BOND_STIFFNESS * share))
    for onward, reach in ((2, SECOND), (3, THIRD)):
        table.append(_row(runs(bonded, onward), CA, onward, CA, reach, REACH_STIFFNESS))
    turns = helix_turns(calpha, bonded)
    table += [_row(turns, a, onward, b, (d, d), stiffness) for a, onward, b, d, stiffness in HELIX]
    pairs, lower, upper, stiffness = (np.concatenate(column) for column in zip(*table, strict=True))
    first = len(ATOMS) * every
    return Restraints(
        pairs=pairs,
        lower=lower,
        upper=upper,
        stiffness=stiffness,
        corners=np.stack((first + CA, first + N, first + C, first + CB), axis=1).astype(np.int32),
        volume=np.full(n, CHIRALITY),
        volume_stiffness=CHIRALITY_STIFFNESS,
        apart=(first + CA).astype(np.int32),
        apart_reach=np.full(n, CONTACT / 2),
        apart_stiffness=CONTACT_STIFFNESS,
    )


def runs(bonded: NDArray[np.bool_], onward: int) -> NDArray[np.intp]:
    """Residues from which so many bonds lead onward without a break."""
    length = len(bonded) - onward + 1
    if length <= 0:
        return np.empty(0, np.intp)
    return np.flatnonzero(np.all([bonded[k : k + length] for k in range(onward)], axis=0))


def helix_turns(calpha: NDArray[np.float64], bonded: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Residues that begin five in a row which turn like an α helix."""
    first = runs(bonded, 4)
    tight = np.ones(len(first), bool)
    for onward, most in LIKE_HELIX:
        for k in range(5 - onward):
            tight &= np.linalg.norm(calpha[first + k] - calpha[first + k + onward], axis=1) < most
    return first[tight]


_Row = tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def _row(first: NDArray[np.intp], a: int, onward: int, b: int, reach: tuple[float, float], stiffness: float) -> _Row:
    pairs = np.stack((len(ATOMS) * first + a, len(ATOMS) * (first + onward) + b), axis=1).astype(np.int32)
    lower, upper, stiff = (np.full(len(first), value) for value in (*reach, stiffness))
    return pairs, lower, upper, stiff


def unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Vectors of length 1 along the last axis; zero vectors stay."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
