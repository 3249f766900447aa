"""Heavy atoms that overlap although no bond joins them."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.data.residues import AMINO_ACIDS, NUCLEOTIDES
from cryoweave.errors import StageError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave_validation.atoms import WATER, first_location, residue_rows
from cryoweave_validation.peptides import KNOWN, PEPTIDE_BOND

RADII = {
    "C": 1.70, "N": 1.55, "O": 1.40, "F": 1.47, "P": 1.80, "S": 1.80, "CL": 1.75, "BR": 1.85, "I": 1.98, "SE": 1.90,
}  # fmt: skip
"""Å: van der Waals radii of MolProbity (Word et al. 1999, J. Mol. Biol. 285, 1711; carbon as since 2013), for halogens
and selenium of Bondi 1964, J. Phys. Chem. 68, 441. Atoms of other elements, metals above all, are not judged."""
CARBONYL = 1.65
"""Å; radius of the main chain's C, from the same source: O of the residue before often comes as near as 2.8 Å."""
POLAR = ("N", "O", "F")
OVERLAP = 0.4
"""Å; what counts as a clash: Word et al. 1999, J. Mol. Biol. 285, 1711."""
HYDROGEN_BOND = 0.4
"""Å that atoms which may share a hydrogen bond come closer: as in UCSF Chimera's clash detection."""
COVALENT = (1.2, 1.9)
"""Å between bonded atoms of a ligand, sugar or modified residue and another residue (C–N 1.45, C–S 1.82)."""
PHOSPHODIESTER, DISULFIDE = 2.2, 2.5
"""Å; O3'–P and S–S closer than this are bonded (1.6 and 2.05 ideally)."""
FAR = 9

# Bonds from the atom to the one that joins its residue to another: two residues' atoms are at most three bonds apart
# if their numbers add up to two.
TO_NEXT = {"C": 0, "CA": 1, "O": 1, "OXT": 1, "N": 2, "CB": 2}
TO_PREVIOUS = {"N": 0, "CA": 1, "C": 2, "CB": 2}
PROLINE_TO_PREVIOUS = {"CD": 1, "CG": 2}
NUCLEIC_TO_NEXT = {"O3'": 0, "C3'": 1, "C4'": 2, "C2'": 2}
NUCLEIC_TO_PREVIOUS = {"P": 0, "O5'": 1, "OP1": 1, "OP2": 1, "O1P": 1, "O2P": 1, "C5'": 2}
TO_DISULFIDE = {"SG": 0, "CB": 1, "CA": 2}

METRICS = {
    "clashes": Metric("heavy-atom clashes that atoms of the residue have a part in", "clashes", False),
    "clash_overlap": Metric(
        "largest overlap of these, less 0.4 Å where it may be a hydrogen bond; 0 if none", "Å", False
    ),
    "heavy_atom_clashes": Metric(
        "heavy-atom clashes: pairs of atoms, more than three bonds apart, whose van der Waals spheres overlap by 0.4 Å "
        "or more (0.8 Å between N, O and F), per 1000 heavy atoms; without hydrogens, so not MolProbity's clashscore",
        "",
        False,
    ),
    "heavy_atom_clash_pairs": Metric("number of heavy-atom clashes", "clashes", False),
    "heavy_atoms": Metric("atoms judged: no hydrogens or metals, first alternative location", "atoms"),
}

Indices = NDArray[np.intp]
Pairs = NDArray[np.int32]


def overlaps_counted(model: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """Heavy-atom clashes of the whole model and of each residue.

    Atoms of one residue never clash. Bonds between residues are: peptide and phosphodiester bonds of neighbours in the
    chain, disulfides, and whatever joins a residue that is no standard amino acid or nucleotide (all its pairs with the
    residue it is bonded to are left out).
    """
    atoms = model.select(judged_atoms(model))
    if not len(atoms):
        raise StageError("the model has no heavy atom that can be judged", "give a model with atoms other than metals")
    residue, first = residue_rows(atoms)
    pairs, overlap = overlapping(atoms, residue)
    apart = ~bonded(atoms, residue, first, pairs)
    pairs, overlap = pairs[apart], overlap[apart]
    count, worst = np.zeros(len(first)), np.zeros(len(first))
    for side in residue[pairs].T:
        np.add.at(count, side, 1)
        np.maximum.at(worst, side, overlap)
    shown = ~np.isin(atoms.residue_name[first], WATER)
    rows = first[shown]
    return ScoreTable(
        chain=atoms.chain[rows],
        residue_number=atoms.residue_number[rows],
        insertion_code=atoms.insertion_code[rows],
        residue_name=atoms.residue_name[rows],
        residues={"clashes": count[shown], "clash_overlap": worst[shown]},
        whole={
            "heavy_atom_clashes": 1000 * len(pairs) / len(atoms),
            "heavy_atom_clash_pairs": len(pairs),
            "heavy_atoms": len(atoms),
        },
        metrics=METRICS,
    )


def judged_atoms(model: Model) -> NDArray[np.bool_]:
    """Atoms with a radius, of each residue's first alternative location."""
    with_radius = np.isin(np.char.upper(model.element), list(RADII))
    return np.asarray(with_radius & first_location(model))


def overlapping(atoms: Model, residue: Indices) -> tuple[Pairs, NDArray[np.float64]]:
    """Pairs of atoms of different residues that overlap by 0.4 Å or more, and by how much, in Å."""
    element, which = np.unique(np.char.upper(atoms.element), return_inverse=True)
    radius = np.array([RADII[name] for name in element.tolist()])[which]
    radius[(atoms.atom_name == "C") & np.isin(atoms.residue_name, KNOWN)] = CARBONYL
    polar = np.isin(element, POLAR)[which]
    pairs, distance = neighbour_pairs(atoms.xyz, 2 * float(radius.max()) - OVERLAP)
    a, b = pairs.T
    overlap = radius[a] + radius[b] - distance - HYDROGEN_BOND * (polar[a] & polar[b])
    alternatives = (atoms.altloc[a] != "") & (atoms.altloc[b] != "") & (atoms.altloc[a] != atoms.altloc[b])
    found = (overlap >= OVERLAP) & (residue[a] != residue[b]) & ~alternatives
    return pairs[found], overlap[found]


def bonded(atoms: Model, residue: Indices, first: Indices, pairs: Pairs) -> NDArray[np.bool_]:
    """Which pairs of atoms of different residues are at most three bonds apart."""
    swap = residue[pairs[:, 0]] > residue[pairs[:, 1]]
    a, b = np.where(swap, pairs[:, 1], pairs[:, 0]), np.where(swap, pairs[:, 0], pairs[:, 1])
    follows = chain_bonds(atoms, residue, first)
    along = (residue[b] == residue[a] + 1) & follows[residue[b]]
    found = np.zeros(len(pairs), bool)
    for to_next, to_previous in ends(atoms, residue):
        found |= along & (to_next[a] + to_previous[b] <= 2)
    cysteine = bonds_away(atoms, TO_DISULFIDE, with_atom(residue, atoms.atom_name == "SG"))
    distance = np.linalg.norm(atoms.xyz[a] - atoms.xyz[b], axis=1)
    couple = residue[a].astype(np.int64) * len(first) + residue[b]
    bridge = (cysteine[a] + cysteine[b] == 0) & (distance < DISULFIDE)
    found |= (cysteine[a] + cysteine[b] <= 2) & np.isin(couple, couple[bridge])
    other = ~np.isin(atoms.residue_name, [*AMINO_ACIDS, *NUCLEOTIDES, *WATER, "UNK"])
    link = (other[a] | other[b]) & (distance > COVALENT[0]) & (distance < COVALENT[1])
    return np.asarray(found | np.isin(couple, couple[link]))


def chain_bonds(atoms: Model, residue: Indices, first: Indices) -> NDArray[np.bool_]:
    """Residues that are bonded to the one before: by their numbers, or by C–N or O3'–P."""
    step = np.diff(atoms.residue_number[first])
    joined = (step == 0) | (step == 1)
    for before, after, length in (("C", "N", PEPTIDE_BOND), ("O3'", "P", PHOSPHODIESTER)):
        place = np.full((2, len(first), 3), np.nan)
        for row, name in enumerate((before, after)):
            named = atoms.atom_name == name
            place[row, residue[named]] = atoms.xyz[named]
        joined |= np.linalg.norm(place[1, 1:] - place[0, :-1], axis=1) < length
    same = atoms.chain[first][1:] == atoms.chain[first][:-1]
    return np.concatenate(([False], joined & same))


def with_atom(residue: Indices, found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Atoms of the residues that have one of the atoms found."""
    has = np.zeros(int(residue.max(initial=-1)) + 1, np.bool_)
    has[residue[found]] = True
    return has[residue]


def prolines(atoms: Model, residue: Indices) -> NDArray[np.bool_]:
    """Atoms of prolines: by name, or by the ring, which stays one when a wrong sequence gives the residue a name."""
    place = np.full((2, int(residue.max(initial=-1)) + 1, 3), np.nan)
    for row, name in enumerate(("N", "CD")):
        named = atoms.atom_name == name
        place[row, residue[named]] = atoms.xyz[named]
    closed = np.linalg.norm(place[1] - place[0], axis=1) < PEPTIDE_BOND
    return np.asarray(closed[residue] | (atoms.residue_name == "PRO"))


def ends(atoms: Model, residue: Indices) -> tuple[tuple[NDArray[np.int8], NDArray[np.int8]], ...]:
    """Bonds from each atom to the one that joins its residue to the next and to the previous, in both polymers."""
    amino = np.isin(atoms.residue_name, [*KNOWN, "UNK"])
    nucleic = np.isin(atoms.residue_name, list(NUCLEOTIDES))
    proline = bonds_away(atoms, PROLINE_TO_PREVIOUS, prolines(atoms, residue))
    return (
        (bonds_away(atoms, TO_NEXT, amino), np.minimum(bonds_away(atoms, TO_PREVIOUS, amino), proline)),
        (bonds_away(atoms, NUCLEIC_TO_NEXT, nucleic), bonds_away(atoms, NUCLEIC_TO_PREVIOUS, nucleic)),
    )


def bonds_away(atoms: Model, names: dict[str, int], among: NDArray[np.bool_]) -> NDArray[np.int8]:
    """The number that belongs to each atom's name; FAR for others."""
    found = np.full(len(atoms), FAR, np.int8)
    for name, bonds in names.items():
        found[among & (atoms.atom_name == name)] = bonds
    return found
