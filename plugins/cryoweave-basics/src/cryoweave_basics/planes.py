"""Main chains from Cα atoms: peptide planes chosen along the whole chain, then refined."""

from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Frame
from cryoweave.host import Context
from cryoweave.kernels.backbone import (
    ATOMS,
    CA,
    CB,
    DENSITY_WEIGHT,
    GAINS,
    BackboneRefiner,
    C,
    N,
    O,
    backbone_restraints,
)
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.refine import Restraints, refine_atoms
from cryoweave.kernels.torsions import choose_planes, classes, contour_grids, contours, torsion, unit

TURNS = 36
"""Rotations of a peptide plane about the axis between its Cα atoms, 10° apart."""
TWISTS, BENDS = 24, 3
"""Bins of the torsion of four Cα atoms (15°) and of their two angles."""
BEND_EDGES = (100.0, 120.0)
"""Degrees; Cα angles of helices lie below, of strands above."""
CIS = 3.3
"""Å; Cα atoms nearer than this to each other have a cis peptide (2.95; trans 3.80)."""
BOND_CA_C, BOND_C_N, BOND_N_CA, BOND_C_O = 1.525, 1.329, 1.458, 1.231
ANGLE_C, ANGLE_N, ANGLE_O = 116.6, 121.7, 120.5
"""Å, and degrees at C (Cα–C–N), at N (C–N–Cα) and of the carbonyl (Cα–C–O): Engh & Huber 1991, Acta Cryst. A47, 392."""
ANGLE_CA, ANGLE_STIFFNESS = 111.0, 0.01
"""Degrees of N–Cα–C, and cost for each degree² off it."""
UNLIKELIEST = 1e-4
"""Contour below which torsions cost no more."""
TORSIONS, LIE, SIDE = 1.0, 1.0, 2.0
"""What a unit of the contours' logarithm counts, one of the planes' table, and a carbonyl's Å² too near to a Cα."""
CARBONYL = 3.2
"""Å that O keeps from Cα atoms of other residues."""
HIGHEST = 2.0
"""Density, over the usual, above which more counts no more."""
HOLD, HOLD_IN_MAP = 5.0, 1.0
"""Energy of a Cα for each Å² from where it was given."""
ATTRACTION = 2.0
"""Energy of one atom in the main chain's usual density: less than when a trace is refined, for density alone draws
well-placed Cα atoms 0.5 Å off."""
ROUNDS = 2
REACH = (1.40, 1.75, 1.50, 1.30, 1.65)
"""Å; two atoms of the main chain (in the order of ``ATOMS``) keep the sum of theirs apart."""
REACH_STIFFNESS = 10.0
TURN_STIFFNESS, SLACK, FLAT = 40.0, 10.0, 8.0
"""Energy for each radian² that φ, ψ are off their targets and ω off the plane, and degrees that cost nothing."""
INNER = 0.1
"""Contour within which targets of φ and ψ are set: inside of the favoured region's border (0.02)."""
TO_NEXT, TO_PREVIOUS = {C: 0, CA: 1, O: 1, N: 2, CB: 2}, {N: 0, CA: 1, C: 2, CB: 2}
"""Bonds from an atom to the peptide bond after or before it: atoms up to three bonds apart never count as too close."""

Rows = NDArray[np.float64]
Mask = NDArray[np.bool_]


def main_chain(
    calpha: Rows, bonded: Mask, residue_name: NDArray[np.str_], refiner: BackboneRefiner | None, ctx: Context
) -> Rows:
    """N, Cα, C, O and Cβ of every residue, shape ``(n, 5, 3)``.

    A peptide is cis only before proline, and if its Cα atoms are nearer than ``CIS``.
    """
    cis = bonded & (np.linalg.norm(np.diff(calpha, axis=0), axis=1) < CIS) & (residue_name[1:] == "PRO")
    kinds = classes(residue_name, bonded, np.append(False, cis))
    for _ in range(ROUNDS):
        atoms = planar_start(calpha, bonded, cis, kinds, refiner, ctx)
        atoms = settled(atoms, bonded, cis, kinds, refiner, ctx)
        calpha = atoms[:, CA]
    return atoms


def planar_start(
    calpha: Rows, bonded: Mask, cis: Mask, kinds: NDArray[np.intp], refiner: BackboneRefiner | None, ctx: Context
) -> Rows:
    """Backbones whose peptide planes suit each other, the table and the density best."""
    planes = turned_planes(calpha, bonded, cis)
    costs = LIE * plane_costs(calpha, bonded, cis) + SIDE * crowding(planes[:, :, 1], calpha)
    if refiner is not None:
        costs -= density_gains(refiner, calpha, planes)
    table = -TORSIONS * np.log(np.maximum(contour_grids(), UNLIKELIEST))
    chosen = choose_planes(
        calpha, bonded, planes[:, :, [0, 2]], costs, kinds, table, ANGLE_CA, ANGLE_STIFFNESS, ctx.progress
    )
    atoms = np.full((len(calpha), len(ATOMS), 3), np.nan)
    atoms[:, CA] = calpha
    joined = np.flatnonzero(bonded)
    carbon, oxygen, nitrogen = planes[joined, chosen.turn[joined]].transpose(1, 0, 2)
    atoms[joined, C], atoms[joined, O], atoms[joined + 1, N] = carbon, oxygen, nitrogen
    return with_ends(atoms)


def turned_planes(calpha: Rows, bonded: Mask, cis: Mask) -> Rows:
    """C, O and N of each peptide in every turn, shape ``(n - 1, TURNS, 3, 3)``; turn 0 has C beside the Cα before."""
    before, first, second = around(calpha, bonded)[:3]
    axis = unit(second - first)
    side = before - first
    side = unit(side - (side * axis).sum(axis=1, keepdims=True) * axis)
    angle = np.radians(np.arange(TURNS) * 360 / TURNS)[:, None]
    out = np.cos(angle) * side[:, None] + np.sin(angle) * np.cross(axis, side)[:, None]
    flat = np.where(cis[:, None, None], flat_peptide(0.0), flat_peptide(180.0))[:, None]
    # C and O hang on the first Cα, N on the second, so that bonds at Cα are right where their distance is not.
    from_first = first[:, None, None] + flat[:, :, :2, :1] * axis[:, None, None] + flat[:, :, :2, 1:] * out[:, :, None]
    from_second = second[:, None] - flat[:, :, 2, :1] * axis[:, None] + flat[:, :, 2, 1:] * out
    return np.concatenate((from_first, from_second[:, :, None]), axis=2)


@cache
def flat_peptide(omega: float) -> Rows:
    """C, O and N in the plane: Å along the axis (of N: back from the second Cα) and off it, towards C."""
    # C lies in the origin, N along x; Cα atoms on the same side of it if cis.
    at_c, at_n, at_o = np.radians((ANGLE_C, ANGLE_N, ANGLE_C + ANGLE_O))
    first = BOND_CA_C * np.array([np.cos(at_c), np.sin(at_c)])
    second = np.array([BOND_C_N, 0.0]) - BOND_N_CA * np.array([np.cos(at_n), np.cos(np.radians(omega)) * -np.sin(at_n)])
    oxygen = BOND_C_O * np.array([np.cos(at_o), np.sin(at_o)])
    axis = (second - first) / np.linalg.norm(second - first)
    across = np.array([-axis[1], axis[0]])
    across *= np.sign(-first @ across)  # C is at the origin
    atoms = np.array([[0.0, 0.0], oxygen]) - first
    nitrogen = np.array([BOND_C_N, 0.0]) - second
    rows = [[atom @ axis, atom @ across] for atom in atoms]
    return np.array([*rows, [-nitrogen @ axis, nitrogen @ across]])


def around(calpha: Rows, bonded: Mask) -> tuple[Rows, Rows, Rows, Rows]:
    """The four Cα atoms around each peptide; where one is missing, a point off the axis in its place."""
    first, second = calpha[:-1], calpha[1:]
    axis = second - first
    axis = np.where(np.linalg.norm(axis, axis=1, keepdims=True) < 1e-3, (1.0, 0.0, 0.0), axis)
    least = np.eye(3)[np.abs(axis).argmin(axis=1)]
    before, after = first + np.cross(axis, least), second + np.cross(axis, least)
    before[1:][bonded[:-1]] = calpha[:-2][bonded[:-1]]
    after[:-1][bonded[1:]] = calpha[2:][bonded[1:]]
    straight = np.linalg.norm(np.cross(before - first, axis), axis=1) < 1e-3
    before[straight] = (first + np.cross(axis, least))[straight]
    return before, first, first + axis, after


def plane_bins(a: Rows, b: Rows, c: Rows, d: Rows) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Bins of torsion and angles of four Cα atoms."""
    twist = np.floor(np.nan_to_num(torsion(a, b, c, d)) % 360 / (360 / TWISTS)).astype(np.intp) % TWISTS
    bends = []
    for one, middle, other in ((a, b, c), (b, c, d)):
        cosine = (unit(one - middle) * unit(other - middle)).sum(axis=-1)
        bends.append(np.digitize(np.degrees(np.arccos(np.clip(cosine, -1, 1))), BEND_EDGES))
    return twist, bends[0], bends[1]


@cache
def planes_table() -> Rows:
    """Cost of each turn by twist and bends, shape ``(TWISTS, BENDS, BENDS, TURNS)``: ``training/fit_full_atom.py``."""
    with files("cryoweave_basics").joinpath("data/planes.npz").open("rb") as stream, np.load(stream) as table:
        return np.asarray(table["costs"], np.float64)


def plane_costs(calpha: Rows, bonded: Mask, cis: Mask) -> Rows:
    """What each turn of each trans peptide costs by the Cα atoms around it; 0 where one of the four is missing."""
    whole = np.zeros(len(bonded), bool)
    whole[1:-1] = bonded[:-2] & bonded[1:-1] & bonded[2:]
    costs: Rows = np.where((whole & ~cis)[:, None], planes_table()[plane_bins(*around(calpha, bonded))], 0.0)
    return costs


def crowding(oxygen: Rows, calpha: Rows) -> Rows:
    """Å² that carbonyls are too near to Cα atoms of residues beyond their peptide's, shape ``(n - 1, TURNS)``."""
    peptides, turns = oxygen.shape[:2]
    if len(calpha) < 3 or not peptides:
        return np.zeros((peptides, turns))
    indices, distances = nearest(calpha, oxygen.reshape(-1, 3), min(4, len(calpha)))
    own = np.repeat(np.arange(peptides), turns)[:, None]
    other = (indices != own) & (indices != own + 1)
    near = np.where(other, np.maximum(CARBONYL - distances, 0), 0)
    return np.asarray((near**2).sum(axis=1).reshape(peptides, turns))


def usual_density(refiner: BackboneRefiner, calpha: Rows) -> float:
    """Density of the main chain: the median at Cα atoms, or a share of the map's own mean if that is more."""
    return max(float(np.median(interpolate(refiner.values, refiner.frame, calpha))), refiner.least)


def density_gains(refiner: BackboneRefiner, calpha: Rows, planes: Rows) -> Rows:
    """What density at C, O and N is worth in each turn."""
    usual = usual_density(refiner, calpha)
    if usual <= 0:
        return np.zeros(planes.shape[:2])
    found = interpolate(refiner.values, refiner.frame, planes.reshape(-1, 3)).reshape(planes.shape[:3])
    gains = DENSITY_WEIGHT * np.array([GAINS[atom] for atom in (C, O, N)])
    return np.asarray((np.minimum(found / usual, HIGHEST) * gains).sum(axis=2))


def with_ends(atoms: Rows) -> Rows:
    """Backbones with the N, C and O that no peptide gave, and every Cβ."""
    n, ca, c = atoms[:, N], atoms[:, CA], atoms[:, C]
    for lacking, there, atom in ((np.isnan(c[:, 0]), n, C), (np.isnan(n[:, 0]), atoms[:, C], N)):
        known = np.where(np.isnan(there), ca + np.array([1.458, 0.0, 0.0]), there)
        way = unit(known - ca)
        across = unit(np.cross(way, np.eye(3)[np.abs(way).argmin(axis=1)]))
        turned = np.cos(np.radians(ANGLE_CA)) * way + np.sin(np.radians(ANGLE_CA)) * across
        length = BOND_CA_C if atom == C else BOND_N_CA
        atoms[lacking, atom] = (ca + length * turned)[lacking]
    lacking = np.isnan(atoms[:, O, 0])
    n, ca, c = atoms[lacking, N], atoms[lacking, CA], atoms[lacking, C]
    away = unit(unit(c - ca) + 0.5 * unit(ca - n))
    atoms[lacking, O] = c + BOND_C_O * away
    atoms[:, CB] = beta_carbons(atoms)
    return atoms


def beta_carbons(atoms: Rows, place: tuple[float, float, float] = (-0.81, 1.2, 0.53)) -> Rows:
    """Cβ at a place (Å) in axes along N + C, across, and along N - C as seen from Cα."""
    ca = atoms[:, CA]
    first, last = unit(atoms[:, N] - ca), unit(atoms[:, C] - ca)
    axes = (unit(first + last), unit(np.cross(first, last)), unit(first - last))
    return np.asarray(ca + sum(x * axis for x, axis in zip(place, axes, strict=True)))


def settled(
    atoms: Rows, bonded: Mask, cis: Mask, kinds: NDArray[np.intp], refiner: BackboneRefiner | None, ctx: Context
) -> Rows:
    """Backbones refined with bonds, angles, planes, favoured torsions and contacts, in the density if there is one."""
    n = len(atoms)
    values, frame, gain = np.zeros((2, 2, 2), np.float32), Frame((2, 2, 2)), 0.0
    if refiner is not None:
        usual = usual_density(refiner, atoms[:, CA])
        values, frame, gain = refiner.values, refiner.frame, ATTRACTION / usual if usual > 0 else 0.0
    restraints = strict_restraints(atoms, bonded, cis, kinds)
    weights = np.tile(gain * np.array(GAINS), n)
    hold = np.zeros((n, len(ATOMS)))
    hold[:, CA] = HOLD if refiner is None else HOLD_IN_MAP
    found = refine_atoms(
        values, frame, atoms.reshape(-1, 3), weights, restraints, progress=ctx.progress, hold=hold.ravel()
    )
    return found.xyz.reshape(n, len(ATOMS), 3)


def strict_restraints(atoms: Rows, bonded: Mask, cis: Mask, kinds: NDArray[np.intp]) -> Restraints:
    """Restraints of `backbone_restraints`, with torsions and with contacts of all atoms."""
    basic = backbone_restraints(atoms[:, CA], bonded, cis)
    n, joined = len(atoms), np.flatnonzero(bonded)
    free = [(a, 0, b) for a in range(len(ATOMS)) for b in range(a)]
    free += [(a, 1, b) for a, far in TO_NEXT.items() for b, near in TO_PREVIOUS.items() if far + near <= 2]
    pairs = np.concatenate([first_and(np.arange(n) if not step else joined, a, step, b) for a, step, b in free])
    both = np.flatnonzero(np.append(False, bonded) & np.append(bonded, False))
    phi, psi = target_torsions(atoms, kinds, both)
    turns = [
        np.stack([at(both - 1, C), at(both, N), at(both, CA), at(both, C)], axis=1),
        np.stack([at(both, N), at(both, CA), at(both, C), at(both + 1, N)], axis=1),
        np.stack([at(joined, CA), at(joined, C), at(joined + 1, N), at(joined + 1, CA)], axis=1),
    ]
    omega = np.where(cis[joined], 0.0, 180.0)
    free_of_cost = np.zeros(len(pairs))
    return Restraints(
        pairs=np.concatenate((basic.pairs, pairs)).astype(np.int32),
        lower=np.concatenate((basic.lower, free_of_cost)),
        upper=np.concatenate((basic.upper, free_of_cost + np.inf)),
        stiffness=np.concatenate((basic.stiffness, free_of_cost)),
        corners=basic.corners,
        volume=basic.volume,
        volume_stiffness=basic.volume_stiffness,
        apart=np.arange(n * len(ATOMS), dtype=np.int32),
        apart_reach=np.tile(REACH, n),
        apart_stiffness=REACH_STIFFNESS,
        turns=np.concatenate(turns).astype(np.int32),
        angle=np.concatenate((phi, psi, omega)),
        slack=np.concatenate((np.full(2 * len(both), SLACK), np.full(len(joined), FLAT))),
        turn_stiffness=TURN_STIFFNESS,
    )


def target_torsions(atoms: Rows, kinds: NDArray[np.intp], both: NDArray[np.intp]) -> tuple[Rows, Rows]:
    """φ and ψ of residues between two others, moved into the favoured region where they are not in it."""
    n, ca, c = (atoms[both, atom] for atom in (N, CA, C))
    phi, psi = torsion(atoms[both - 1, C], n, ca, c), torsion(n, ca, c, atoms[both + 1, N])
    phi, psi = np.nan_to_num(phi, nan=-90.0), np.nan_to_num(psi)
    grids = contour_grids()
    at_bin = np.arange(-179.0, 180.0, 2.0)
    for row in np.flatnonzero(contours(kinds[both], phi, psi) < INNER):
        i, j = np.nonzero(grids[kinds[both[row]]] >= INNER)
        off = [(at_bin[k] - angle + 180) % 360 - 180 for k, angle in ((i, phi[row]), (j, psi[row]))]
        best = np.argmin(off[0] ** 2 + off[1] ** 2)
        phi[row], psi[row] = at_bin[i[best]], at_bin[j[best]]
    return phi, psi


def at(residue: NDArray[np.intp], atom: int) -> NDArray[np.intp]:
    """Row of an atom of each residue."""
    return len(ATOMS) * residue + atom


def first_and(residue: NDArray[np.intp], a: int, step: int, b: int) -> NDArray[np.intp]:
    """Pairs of atom a and atom b of the residue so many onward."""
    return np.stack((at(residue, a), at(residue + step, b)), axis=1)
