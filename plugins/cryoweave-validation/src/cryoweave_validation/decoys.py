"""Wrong models made from a model, as people and programs build them: what a score should tell from the model.

Only residues of proteins with a Cα change; nucleotides, ligands and water stay as they are. Nothing goes over a chain
break: each unbroken stretch of residues is changed within itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS
from cryoweave_validation.calpha_geometry import JOINED
from cryoweave_validation.surroundings import Residues, residues_of

SHIFTS = (-3, -2, -1, 1, 2, 3)
"""Residues that a register is shifted by."""
REPEATS = 3
"""Decoys of each kind whose places or directions are drawn, and of each size where there are sizes, one."""
DISPLACEMENTS = (1.0, 2.0, 3.0)
"""Å that the protein is moved by as a whole."""
NOISES = (0.25, 0.5, 1.0)
"""Root mean square displacement in Å of atoms moved one by one."""
STRETCH = 12
"""Residues that change places together: three turns of a helix and more; fewer in short chains."""
SHORTEST = 4
_BACKBONE = ("N", "CA", "C")

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Decoy:
    """A wrong model.

    Parameters
    ----------
    kind
        How it was made.
    name
        Which of that kind, e.g. ``+1``.
    model
        The wrong model; a residue has the chain, number and insertion code that it has in the right one.
    changed
        Chain, number and insertion code of the residues of which a name or a place differs.
    """

    kind: str
    name: str
    model: Model
    changed: frozenset[tuple[str, int, str]]


@dataclass(frozen=True)
class _Protein:
    """A model with what the makers of decoys ask of it.

    ``row`` is each atom's residue, or -1 where that is not a protein's; ``place`` the Cα of each residue and ``axes``
    its orientation; ``pieces`` the rows of each unbroken stretch; ``chain`` that of each residue.
    """

    model: Model
    row: Rows
    name: NDArray[np.str_]
    chain: NDArray[np.str_]
    place: NDArray[np.float64]
    axes: NDArray[np.float64]
    oriented: NDArray[np.bool_]
    pieces: list[Rows]


def decoys(model: Model, *, seed: int = 0) -> Iterator[Decoy]:
    """Decoys of every kind that the model allows, one after another.

    Parameters
    ----------
    model
        The model that is taken for right. It may hold several chains, breaks, ligands and nucleotides.
    seed
        Of what is drawn by chance.

    Yields
    ------
    Decoy
        In the order of :data:`KINDS`; the same for the same model and seed. None where there is no protein.
    """
    protein = _protein(model)
    if not protein.pieces:
        return
    for kind, (make, _) in KINDS.items():
        rng = np.random.default_rng([seed, list(KINDS).index(kind)])
        for name, wrong in make(protein, rng):
            changed = _changed(protein, wrong)
            if changed:
                yield Decoy(kind, name, wrong, changed)


def on_same_residues(model: Model, decoy: Decoy) -> Model | None:
    """The right model without the residues that its decoy lost; None if it has lost none.

    Else a decoy would differ from the model by its size too, in scores of the whole and at the ends of chains.
    """
    kept = set(_keys(decoy.model))
    there = np.array([key in kept for key in _keys(model)], dtype=np.bool_)
    return None if there.all() else model.select(there)


def renamed(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Names move along the chain, atoms stay; names that fall off the end of a stretch are lost."""
    for shift in SHIFTS:
        names = protein.name.copy()
        for piece in protein.pieces:
            source, target = _shifted(piece, shift)
            names[target] = protein.name[source]
        atoms = np.flatnonzero(protein.row >= 0)
        column = protein.model.residue_name.astype(np.result_type(protein.model.residue_name, names))
        column[atoms] = names[protein.row[atoms]]
        yield f"{shift:+d}", replace(protein.model, residue_name=column)


def slid(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Residues move along the chain with their side chains; those that fall off the end of a stretch are lost."""
    for shift in SHIFTS:
        site = np.arange(len(protein.name))
        lost = np.zeros(len(site), dtype=bool)
        for piece in protein.pieces:
            source, target = _shifted(piece, shift)
            if len(source):
                site[source] = target
                lost[np.setdiff1d(piece, source)] = True
        kept = (protein.row < 0) | ~lost[protein.row]
        yield f"{shift:+d}", _moved(protein, site).select(kept)


def turned(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Each unbroken stretch runs the other way: residues take each other's places, N and C exchanged."""
    site = np.arange(len(protein.name))
    for piece in protein.pieces:
        site[piece] = piece[::-1]
    yield "N to C", _moved(protein, site, turn=True)


def threaded(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Half of a chain, in stretches of up to twelve residues, takes the places of each other, side chains too."""
    for repeat in range(REPEATS):
        site = np.arange(len(protein.name))
        for chain in np.unique(protein.chain):
            pieces = [piece for piece in protein.pieces if protein.chain[piece[0]] == chain]
            tiles = _tiles(pieces, rng)
            order = rng.permutation(len(tiles))[: max(2, len(tiles) // 2)]
            for here, there in zip(order, np.roll(order, 1), strict=True):
                site[tiles[here]] = tiles[there]
        yield str(repeat + 1), _moved(protein, site)


def displaced(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """All protein atoms move by one vector of random direction."""
    for distance in DISPLACEMENTS:
        way = rng.normal(size=3)
        xyz = protein.model.xyz + np.where(protein.row[:, None] >= 0, way / np.linalg.norm(way) * distance, 0)
        yield f"{distance:g} Å", replace(protein.model, xyz=xyz)


def perturbed(protein: _Protein, rng: np.random.Generator) -> Iterator[tuple[str, Model]]:
    """Each protein atom moves by its own, normally distributed in each direction."""
    for size in NOISES:
        step = rng.normal(scale=size / np.sqrt(3), size=protein.model.xyz.shape)
        yield (
            f"{size:g} Å",
            replace(protein.model, xyz=protein.model.xyz + np.where(protein.row[:, None] >= 0, step, 0)),
        )


_Maker = Callable[[_Protein, np.random.Generator], Iterator[tuple[str, Model]]]
KINDS: dict[str, tuple[_Maker, str]] = {
    "renamed": (renamed, "register shifted by 1 to 3 residues: names move along the chain, atoms stay"),
    "slid": (slid, "register shifted by 1 to 3 residues: residues move along the chain with their side chains"),
    "reversed": (turned, "each unbroken stretch runs from C to N"),
    "threaded": (threaded, "half of the stretches of twelve residues on each other's places"),
    "displaced": (displaced, "the protein moved as a whole by 1, 2 and 3 Å"),
    "perturbed": (perturbed, "atoms moved one by one by 0.25, 0.5 and 1 Å (root mean square)"),
}
"""Maker and meaning of each kind of decoy."""


def _protein(model: Model) -> _Protein:
    residues = residues_of(model)
    row = np.full(len(model), -1, dtype=np.intp)
    row[residues.atoms] = residues.row
    name = model.residue_name[residues.first]
    xyz, has = _backbone(model, residues, row)
    known = np.isin(name, [*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS, "UNK"]) & has[:, 1]
    chosen = np.flatnonzero(known)
    to_new = np.full(len(name) + 1, -1, dtype=np.intp)  # row -1 stays -1
    to_new[chosen] = np.arange(len(chosen))
    xyz = xyz[chosen]
    axes = _axes(xyz)
    oriented: NDArray[np.bool_] = np.logical_and.reduce((*has[chosen].T, np.isfinite(axes).all(axis=(1, 2))))
    chain = model.chain[residues.first][chosen]
    pieces = _pieces(chain, xyz[:, 1])
    return _Protein(model, to_new[row], name[chosen], chain, xyz[:, 1], axes, oriented, pieces)


def _backbone(model: Model, residues: Residues, row: Rows) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """First N, Cα and C of each residue, shape ``(rows, 3, 3)``, and whether there is one."""
    xyz = np.zeros((len(residues), 3, 3))
    has = np.zeros((len(residues), 3), dtype=bool)
    for column, atom in enumerate(_BACKBONE):
        found = np.flatnonzero((model.atom_name == atom) & (model.element == atom[0]) & (row >= 0))[::-1]
        xyz[row[found], column] = model.xyz[found]  # the last one written is the first of the file
        has[row[found], column] = True
    return xyz, has


def _pieces(chain: NDArray[np.str_], alpha: NDArray[np.float64]) -> list[Rows]:
    """Rows of each stretch of one chain, in the order of the file, with Cα no farther apart than neighbours are."""
    rows = np.argsort(np.unique(chain, return_inverse=True)[1], kind="stable")
    far = np.linalg.norm(np.diff(alpha[rows], axis=0), axis=1) > JOINED
    broken = far | (chain[rows][1:] != chain[rows][:-1])
    return [piece for piece in np.split(rows, np.flatnonzero(broken) + 1) if len(piece)]


def _axes(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bisector of N–Cα–C, direction from N to C, and their normal: rows of a rotation, shape ``(n, 3, 3)``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        arms = [arm / np.linalg.norm(arm, axis=1, keepdims=True) for arm in (xyz[:, i] - xyz[:, 1] for i in (0, 2))]
        bisector, across = arms[0] + arms[1], arms[1] - arms[0]
        bisector = bisector / np.linalg.norm(bisector, axis=1, keepdims=True)
        across = across / np.linalg.norm(across, axis=1, keepdims=True)
    return np.stack((bisector, across, np.cross(bisector, across)), axis=1)


def _moved(protein: _Protein, site: Rows, *, turn: bool = False) -> Model:
    """Each residue, rigid, on the place of residue ``site``, turned by half about the bisector if wished.

    Orientation is kept where the backbone of either is not complete.
    """
    here = np.arange(len(site))
    turnable = protein.oriented & protein.oriented[site] & ((site != here) | turn)
    flip = np.diag([1.0, -1.0, -1.0]) if turn else np.eye(3)
    rotation = np.broadcast_to(np.eye(3), (len(site), 3, 3)).copy()
    rotation[turnable] = np.swapaxes(protein.axes[site][turnable], 1, 2) @ flip @ protein.axes[turnable]
    atoms = np.flatnonzero((protein.row >= 0) & (turn | (site != here))[protein.row])
    row = protein.row[atoms]
    xyz = protein.model.xyz.copy()
    arm = xyz[atoms] - protein.place[row]
    xyz[atoms] = protein.place[site[row]] + np.einsum("nij,nj->ni", rotation[row], arm)
    return replace(protein.model, xyz=xyz)


def _shifted(piece: Rows, shift: int) -> tuple[Rows, Rows]:
    """Rows that stay on the stretch, and the rows whose places they take."""
    if abs(shift) >= len(piece):
        return piece[:0], piece[:0]
    return (piece[:-shift], piece[shift:]) if shift > 0 else (piece[-shift:], piece[:shift])


def _tiles(pieces: list[Rows], rng: np.random.Generator) -> list[Rows]:
    """The pieces cut in stretches of one length, from a random residue on; none if there are not two."""
    for length in range(STRETCH, SHORTEST - 1, -1):
        tiles = []
        for piece in pieces:
            start = int(rng.integers(len(piece) % length + 1))
            tiles += [piece[i : i + length] for i in range(start, len(piece) - length + 1, length)]
        if len(tiles) > 1:
            return tiles
    return []


def _changed(protein: _Protein, wrong: Model) -> frozenset[tuple[str, int, str]]:
    """Residues of the decoy that are not as they were."""
    model = protein.model
    if len(wrong) == len(model):
        other = (wrong.residue_name != model.residue_name) | (wrong.xyz != model.xyz).any(axis=1)
        found = wrong.select(other)
        return frozenset(_keys(found))
    before: dict[tuple[str, int, str], bytes] = _positions(model)
    return frozenset(key for key, there in _positions(wrong).items() if before[key] != there)


def _positions(model: Model) -> dict[tuple[str, int, str], bytes]:
    residues = residues_of(model)
    parts = np.split(model.xyz[residues.atoms], residues.start[1:-1])
    return {key: part.tobytes() for key, part in zip(_keys(model.select(residues.first)), parts, strict=True)}


def _keys(model: Model) -> Iterator[tuple[str, int, str]]:
    return zip(model.chain.tolist(), model.residue_number.tolist(), model.insertion_code.tolist(), strict=True)
