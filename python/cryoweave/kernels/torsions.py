"""Torsion angles: measured, set, judged by the Ramachandran contours, and chosen for whole chains."""

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.grid import points
from cryoweave.kernels.refine import Progress

Rows = NDArray[np.float64]

CLASSES = ("general", "glycine", "cis_pro", "trans_pro", "pre_pro", "ile_val")
"""Names of the contours; a residue's class is an index into them."""
FAVOURED = 0.02
OUTLIER = (0.0005, 0.001, 0.002, 0.001, 0.001, 0.001)
"""Scores below which a residue of each class is an outlier; from FAVOURED on it is favoured. Both as in MolProbity:
Williams et al. 2018, Protein Sci. 27, 293."""


class Planes(NamedTuple):
    """Peptide planes chosen together."""

    turn: NDArray[np.int32]
    """Index of the turn of each peptide, shape ``(n - 1,)``; -1 where there is no bond."""
    cost: float
    """Of all together."""


def torsion(a: Rows, b: Rows, c: Rows, d: Rows) -> Rows:
    """Torsion angles a–b–c–d in degrees, -180 to 180; NaN where an atom is missing or three are in line."""
    axis = c - b
    left, right = np.cross(b - a, axis), np.cross(axis, d - c)
    sine = np.linalg.norm(axis, axis=-1) * ((b - a) * right).sum(axis=-1)
    cosine = (left * right).sum(axis=-1)
    angle = np.degrees(np.arctan2(sine, cosine))
    return np.asarray(np.where((sine == 0) & (cosine == 0), np.nan, angle))


def unit(vectors: Rows) -> Rows:
    """Vectors of length 1; NaN for a vector without length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, np.nan))


def placed(a: Rows, b: Rows, c: Rows, length: Rows, angle: Rows, turn: Rows) -> Rows:
    """Fourth atoms d with the bond c–d (Å), the angle b–c–d and the torsion a–b–c–d (degrees).

    Positions have the shape ``(..., 3)``, the numbers ``(...)``.
    """
    along = unit(c - b)
    normal = unit(np.cross(b - a, along))
    third = np.cross(normal, along)
    bend, turned = np.radians(angle), np.radians(turn)
    parts = (-np.cos(bend), np.sin(bend) * np.cos(turned), np.sin(bend) * np.sin(turned))
    step = sum(part[..., None] * axis for part, axis in zip(parts, (along, third, normal), strict=True))
    return np.asarray(c + length[..., None] * step)


@cache
def contour_grids() -> Rows:
    """The contours, shape ``(6, 180, 180)``: class, φ and ψ from -179° in steps of 2°.

    Data of the Top8000, Richardson laboratory, Duke University (CC BY 4.0); see ``tables/rama8000.md``.
    """
    with files("cryoweave.kernels").joinpath("tables/rama8000.npz").open("rb") as stream, np.load(stream) as grids:
        found = np.stack([grids[name] for name in CLASSES]).astype(np.float64)
    found.flags.writeable = False
    return found


def contours(kind: ArrayLike, phi: ArrayLike, psi: ArrayLike) -> Rows:
    """The contours' values at φ, ψ (degrees), bilinear, going on beyond ±180°; 1 is the likeliest.

    Raises
    ------
    InputError
        If an angle is not finite or a class is not one of ``CLASSES``.
    """
    angles = np.radians(np.stack((np.asarray(phi, np.float64), np.asarray(psi, np.float64)), axis=-1))
    return _core.torsion_costs(np.asarray(kind, np.int32), angles, contour_grids())


def classes(
    residue_name: NDArray[np.str_], bonded: NDArray[np.bool_], cis: NDArray[np.bool_] | None = None
) -> NDArray[np.intp]:
    """The Ramachandran class of each residue.

    Parameters
    ----------
    residue_name
        Shape ``(n,)``.
    bonded
        Whether a residue is bonded to the next, shape ``(n - 1,)``.
    cis
        Residues whose peptide bond to the one before is cis, shape ``(n,)``; none if left out.
    """
    proline = residue_name == "PRO"
    kind = np.where(np.isin(residue_name, ("ILE", "VAL")), CLASSES.index("ile_val"), CLASSES.index("general"))
    kind[np.flatnonzero(proline[1:] & bonded)] = CLASSES.index("pre_pro")
    kind[residue_name == "GLY"] = CLASSES.index("glycine")
    kind[proline] = CLASSES.index("trans_pro")
    if cis is not None:
        kind[proline & cis] = CLASSES.index("cis_pro")
    return kind.astype(np.intp)


def choose_planes(
    calpha: ArrayLike,
    bonded: ArrayLike,
    planes: ArrayLike,
    costs: ArrayLike,
    kinds: ArrayLike,
    table: ArrayLike,
    angle: float,
    angle_stiffness: float,
    progress: Progress | None = None,
) -> Planes:
    """Turns of all peptide planes about the axes between Cα atoms that cost least together (Viterbi, exact).

    Parameters
    ----------
    calpha
        Shape ``(n, 3)``, Å.
    bonded
        Whether residue i is bonded to residue i + 1, shape ``(n - 1,)``.
    planes
        C and N of each peptide in each turn, shape ``(n - 1, turns, 2, 3)``, Å.
    costs
        Of each turn by itself, shape ``(n - 1, turns)``.
    kinds, table
        Which table counts for φ and ψ of each residue, shape ``(n,)``, and the tables, shape ``(kinds, bins, bins)``:
        bins from -180° on, each known at its middle, bilinear between.
    angle, angle_stiffness
        N–Cα–C in degrees, and cost for each degree² off it, up to 20.

    Raises
    ------
    InputError
        If lengths differ, a number is not finite, or a residue's kind has no table.
    """
    chain = np.asarray(bonded, bool)
    given = points(calpha)
    if len(given) == 0:
        raise InputError("there is no residue", "give at least one Cα atom")
    found = _core.choose_planes(
        given,
        chain,
        np.asarray(planes, np.float64),
        np.asarray(costs, np.float64),
        np.asarray(kinds, np.int32),
        np.asarray(table, np.float64),
        (float(np.radians(angle)), angle_stiffness * float(np.degrees(1)) ** 2),
        progress,
    )
    return Planes(*found)
