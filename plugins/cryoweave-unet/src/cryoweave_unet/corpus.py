"""A training set: structures as flat arrays in one file, split by clusters of sequences."""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.data.residues import MODIFIED_AMINO_ACIDS, NUCLEOTIDES, PROTEIN_NAMES, letter_of
from cryoweave.errors import CryoweaveError, InputError
from cryoweave.io.models import read_model
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave_unet.classes import AMINO, ATOMS, NUCLEIC, STRUCTURE
from cryoweave_unet.clusters import clusters_of
from cryoweave_unet.structure import secondary_structure

FORMAT = 1
ELEMENTS = ("C", "N", "O", "S", "P", "Mg", "Zn", "Ca", "Fe", "Na", "Cl", "K", "Mn", "Se")
"""Elements that are simulated; atoms of others are left out."""
DEPTH = {"B": 1, "G": 2, "D": 3, "E": 4, "Z": 5, "H": 6}
"""Bonds between Cα and an atom of a side chain, by the second letter of its name."""
SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz")
CONFIDENT = 70.0
"""pLDDT below which a residue of a predicted structure is left out (Jumper et al. 2021 call it low)."""
CROWD = 10.0
"""Å: Cα closer than this to one another are counted as neighbours, for how buried a residue is."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One structure's atoms.

    Parameters
    ----------
    name
        Of the file, without suffixes.
    xyz
        Å, float32, shape ``(n, 3)``.
    element
        Index into :data:`ELEMENTS`, int8.
    atom, nucleic
        Index into ``ATOMS`` and ``NUCLEIC``, int8; 0 where the atom is of neither kind.
    amino, structure
        Index into ``AMINO`` and ``STRUCTURE`` of the atom's residue, int8; -1 where it has none.
    depth
        Bonds from Cα for atoms of side chains, else 0, int8.
    residue
        Number of the atom's residue in the structure, int32.
    chain
        Number of the atom's chain, int16.
    crowd
        Cα within 10 Å of that of the atom's residue, float32; 0 for other residues than amino acids.
    b_factor
        As in the file, float32, Å².
    """

    name: str
    xyz: NDArray[np.float32]
    element: NDArray[np.int8]
    atom: NDArray[np.int8]
    nucleic: NDArray[np.int8]
    amino: NDArray[np.int8]
    structure: NDArray[np.int8]
    depth: NDArray[np.int8]
    residue: NDArray[np.int32]
    chain: NDArray[np.int16]
    crowd: NDArray[np.float32]
    b_factor: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.xyz)


_COLUMNS = [field.name for field in fields(Entry) if field.name != "name"]


@dataclass(frozen=True, eq=False)
class Corpus:
    """Structures and the part of each: ``train``, ``validation`` or ``test``.

    Parameters
    ----------
    entries
        The structures.
    parts
        Of each.
    about
        How it was made: options, counts, names of what was left out.
    """

    entries: tuple[Entry, ...]
    parts: tuple[str, ...]
    about: dict[str, object]

    def part(self, name: str) -> list[Entry]:
        """The entries of one part."""
        return [entry for entry, part in zip(self.entries, self.parts, strict=True) if part == name]

    def save(self, path: Path) -> None:
        """Write all arrays to one file, whole or not at all."""
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(entry, name) for entry in self.entries]) for name in _COLUMNS
        }
        head = {
            "format": FORMAT,
            "names": [entry.name for entry in self.entries],
            "parts": list(self.parts),
            "lengths": [len(entry) for entry in self.entries],
            "about": self.about,
        }
        part = path.with_name(path.name + ".part")
        with part.open("wb") as file:
            np.savez_compressed(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **columns)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Corpus":
        """Read what :meth:`save` wrote.

        Raises
        ------
        InputError
            If the file is not a training set of this format.
        """
        how = "make one with `cryoweave detect dataset`"
        if not path.is_file():
            raise InputError(f"there is no file {path}", how)
        if not zipfile.is_zipfile(path):
            raise InputError(f"{path} is no training set: it is no .npz file", how)
        try:
            with np.load(path, allow_pickle=False) as file:
                head = json.loads(file["head"].tobytes())
                columns = {name: file[name] for name in _COLUMNS}
            if head["format"] != FORMAT:
                raise ValueError(f"format {head['format']}, wanted {FORMAT}")
            bounds = np.cumsum([0, *head["lengths"]])
            entries = tuple(
                Entry(name, **{column: values[first:last] for column, values in columns.items()})
                for name, first, last in zip(head["names"], bounds[:-1], bounds[1:], strict=True)
            )
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(f"{path} is no training set: {error}", how) from error
        return cls(entries, tuple(head["parts"]), head["about"])


def build_corpus(
    folders: Sequence[Path],
    *,
    exclude: Iterable[str] = (),
    keep_away: Sequence[Model] = (),
    identity: float = 0.4,
    shares: tuple[float, float] = (0.08, 0.08),
    seed: int = 0,
    parts: Mapping[str, str] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Corpus:
    """Read all structures below folders, cluster their sequences and split the clusters.

    Parameters
    ----------
    folders
        Searched with all their subfolders for PDB and mmCIF files, also compressed.
    exclude
        Entries to leave out: a file is left out whose name begins with one of these, in any case.
    keep_away
        Models of test cases: structures with a chain like one of theirs are left out.
    identity
        Share of identical residues, over the shorter chain, from which two chains are alike.
    shares
        Of the structures for validation and test.
    seed
        Decides the split.
    parts
        Part of each held-out structure by name, instead of a split by cluster; all others go to training.
    progress
        Called with files done and files in all.

    Raises
    ------
    InputError
        If no file below the folders holds a structure, or all are left out.
    """
    paths = [path for folder in folders for path in _files(folder)]
    unwanted = tuple(name.upper() for name in exclude)
    found: list[tuple[Entry, list[str]]] = []
    left_out: dict[str, str] = {}
    for done, path in enumerate(paths):
        if progress:
            progress(done, len(paths))
        name = stem(path)
        if unwanted and name.upper().startswith(unwanted):
            left_out[name] = "excluded"
            continue
        try:
            model = read_model(path)
        except CryoweaveError as error:
            left_out[name] = str(error)
            continue
        entry = entry_of(name, model, predicted=path.parent.name.startswith("af"))
        if len(entry) < 100:
            left_out[name] = "fewer than 100 atoms"
        else:
            found.append((entry, chain_sequences(model)))
    if not found:
        raise _nothing_found(folders, left_out)
    away = [sequence for model in keep_away for sequence in chain_sequences(model)]
    groups = clusters_of([sequences for _, sequences in found] + [[one] for one in away], identity)
    near_tests = set(groups[len(found) :])
    kept = [i for i in range(len(found)) if groups[i] not in near_tests]
    if not kept:
        raise InputError(
            f"all {len(found)} structures are left out: each is like a model that is to be kept away from",
            "give other folders, or a higher --identity",
        )
    left_out |= {found[i][0].name: "like a test case" for i in range(len(found)) if groups[i] in near_tests}
    entries = tuple(found[i][0] for i in kept)
    own = [groups[i] for i in kept]
    about: dict[str, object] = {"identity": identity, "seed": seed, "clusters": len(set(own)), "left_out": left_out}
    if parts is not None:
        return Corpus(entries, tuple(parts.get(entry.name, "train") for entry in entries), about)
    return Corpus(entries, _split(own, shares, seed), about)


def _nothing_found(folders: Sequence[Path], left_out: Mapping[str, str]) -> InputError:
    first = "".join(f"; {name}: {reason}" for name, reason in list(left_out.items())[:1])
    return InputError(
        f"no structure found below {', '.join(map(str, folders))}{first}", "give folders of PDB or mmCIF files"
    )


def read_parts(path: Path | None) -> dict[str, str]:
    """Held-out structures: a line each of name, tab, ``validation`` or ``test``; those of our weights if absent.

    Raises
    ------
    InputError
        If the file cannot be read or is no such table.
    """
    try:
        text = (path or files("cryoweave_unet") / "data" / "held_out.tsv").read_text("utf-8")
        found = dict(line.split("\t") for line in text.splitlines() if line.strip())
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no table of parts: {error}", "write name, tab, validation or test") from error
    if not found or not set(found.values()) <= {"validation", "test"}:
        raise InputError(f"{path} names other parts than validation and test", "all others go to training")
    return found


def _split(groups: list[int], shares: tuple[float, float], seed: int) -> tuple[str, ...]:
    """Part of each entry; a cluster is in one part only, the largest clusters in training."""
    names, counts = np.unique(groups, return_counts=True)
    small = names[counts <= max(2, len(groups) // 100)]
    order = np.random.default_rng(seed).permutation(small)
    size = dict(zip(names.tolist(), counts.tolist(), strict=True))
    part = dict.fromkeys(names.tolist(), "train")
    left = [shares[0] * len(groups), shares[1] * len(groups)]
    for name in order.tolist():
        for i, where in enumerate(("validation", "test")):
            if left[i] >= size[name]:
                left[i] -= size[name]
                part[name] = where
                break
    return tuple(part[group] for group in groups)


def stem(path: Path) -> str:
    """File name without any suffix of structures."""
    name = path.name
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        name = name.removesuffix(suffix)
    return name


def _files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "give a folder of PDB or mmCIF files")
    return (path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(SUFFIXES))


def chain_sequences(model: Model) -> list[str]:
    """Letters of each chain's residues, as far as they have a Cα or P."""
    trace = model.trace_atoms()
    return [
        "".join(letter_of(name) for name in trace.residue_name[trace.chain == chain].tolist())
        for chain in dict.fromkeys(trace.chain.tolist())
    ]


def entry_of(name: str, model: Model, *, predicted: bool = False) -> Entry:
    """The heavy atoms of a model, without water, with what the network is to learn of each.

    Parameters
    ----------
    name
        Of the entry.
    model
        Any model.
    predicted
        Whether the B column holds pLDDT: residues below 70 are left out, and B is made from it.
    """
    kept = np.isin(model.element, ELEMENTS) & ~np.isin(model.residue_name, ["HOH", "WAT", "DOD"])
    kept &= np.isin(model.altloc, ["", "A", "1"])
    if predicted:
        kept &= model.b_factor >= CONFIDENT
    model = model.select(kept)
    element = np.searchsorted(np.sort(ELEMENTS), model.element) if len(model) else np.zeros(0, int)
    element = np.argsort(ELEMENTS)[element].astype(np.int8)
    residue = _residues(model)
    names = np.array([_parent(one) for one in model.residue_name.tolist()], dtype="U4")
    column = {one: i for i, one in enumerate(AMINO)}
    amino = np.array([column.get(one, -1) for one in names.tolist()], np.int8)
    protein = amino >= 0
    trace = np.flatnonzero(protein & (model.atom_name == "CA"))
    folds, crowd = _by_residue(model, trace, residue)
    b_factor = 1.2 * (100 - model.b_factor) + 15 if predicted else model.b_factor
    return Entry(
        name,
        model.xyz.astype(np.float32),
        element,
        np.where(protein, [_atom_class(one) for one in model.atom_name.tolist()], 0).astype(np.int8),
        _nucleic(model),
        amino,
        np.where(protein, folds, -1).astype(np.int8),
        np.where(protein, [_depth(one) for one in model.atom_name.tolist()], 0).astype(np.int8),
        residue.astype(np.int32),
        np.unique(model.chain, return_inverse=True)[1].astype(np.int16),
        np.where(protein, crowd, 0).astype(np.float32),
        np.clip(b_factor, 5, 300).astype(np.float32),
    )


def _parent(residue_name: str) -> str:
    letter = MODIFIED_AMINO_ACIDS.get(residue_name)
    return PROTEIN_NAMES[letter] if letter else residue_name


def _residues(model: Model) -> NDArray[np.intp]:
    keys = (model.chain, model.residue_number, model.insertion_code, model.residue_name)
    codes = [np.unique(key, return_inverse=True)[1] for key in keys]
    if not len(model):
        return np.zeros(0, np.intp)
    found: NDArray[np.intp] = np.unique(np.array(codes), axis=1, return_inverse=True)[1].ravel()
    return found


def _by_residue(
    model: Model, trace: NDArray[np.intp], residue: NDArray[np.intp]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Secondary structure and neighbours of each atom's residue."""
    n = int(residue.max()) + 1 if len(residue) else 0
    folds = np.full(n, STRUCTURE.index("coil"), np.int8)
    crowd = np.zeros(n, np.float32)
    if len(trace):
        folds[residue[trace]] = secondary_structure(model.xyz[trace], model.chain[trace])
        pairs, _ = neighbour_pairs(model.xyz[trace], CROWD)
        crowd[residue[trace]] = np.bincount(np.asarray(pairs).ravel(), minlength=len(trace))
    return folds[residue], crowd[residue]


def _atom_class(name: str) -> int:
    if name == "OXT":
        name = "O"
    return ATOMS.index(name) if name in ATOMS else ATOMS.index("other")


def _depth(name: str) -> int:
    return DEPTH.get(name[1:2], 0) if name not in ("CA", "C", "N", "O", "OXT") else 0


def _nucleic(model: Model) -> NDArray[np.int8]:
    nucleotide = np.isin(model.residue_name, list(NUCLEOTIDES))
    names = model.atom_name
    phosphate = np.isin(names, ["P", "OP1", "OP2", "OP3", "O1P", "O2P", "O3P"])
    sugar = np.char.endswith(names.astype(np.str_), "'") | np.char.endswith(names.astype(np.str_), "*")
    kind = np.where(phosphate, NUCLEIC.index("P"), np.where(sugar, NUCLEIC.index("sugar"), NUCLEIC.index("base")))
    return np.where(nucleotide, kind, 0).astype(np.int8)
