"""Atomic models as columns of arrays."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from string import ascii_uppercase

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS, NUCLEOTIDES

_DTYPES: dict[str, type] = {
    "element": np.str_, "atom_name": np.str_, "residue_name": np.str_, "chain": np.str_, "residue_number": np.int32,
    "insertion_code": np.str_, "altloc": np.str_, "occupancy": np.float32, "b_factor": np.float32, "hetero": np.bool_,
    "b_is_confidence": np.bool_,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Model:
    """One atomic model; every column has one entry per atom.

    Parameters
    ----------
    xyz
        Positions in Å, float64, shape ``(n, 3)``.
    element
        Symbol as in the periodic table, e.g. ``C``, ``Zn``.
    atom_name, residue_name
        Names as in PDB files, without padding.
    chain, residue_number, insertion_code
        Author's chain id, residue number and insertion code (empty if none).
    altloc
        Alternative location, empty if none.
    occupancy, b_factor
        As in PDB files; B in Å², or a score where a program writes one there.
    hetero
        True for HETATM records: ligands, ions, water.
    b_is_confidence
        True where ``b_factor`` is known to say how sure a method is of the atom, so that it is no B factor; ours are
        100 × a chance. False for all if it is not given.
    """

    xyz: NDArray[np.float64]
    element: NDArray[np.str_]
    atom_name: NDArray[np.str_]
    residue_name: NDArray[np.str_]
    chain: NDArray[np.str_]
    residue_number: NDArray[np.int32]
    insertion_code: NDArray[np.str_]
    altloc: NDArray[np.str_]
    occupancy: NDArray[np.float32]
    b_factor: NDArray[np.float32]
    hetero: NDArray[np.bool_]
    b_is_confidence: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyz", frozen(self.xyz, np.float64, "atom positions", (None, 3)))
        if not len(self.b_is_confidence):
            object.__setattr__(self, "b_is_confidence", np.zeros(len(self.xyz), np.bool_))
        for name, dtype in _DTYPES.items():
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, name, (None,)))
        same_length(xyz=self.xyz, **{name: getattr(self, name) for name in _DTYPES})

    def __len__(self) -> int:
        return len(self.xyz)

    def select(self, atoms: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Model":
        """The atoms that a mask, a list of indices or a slice names."""
        return Model(**{column.name: getattr(self, column.name)[atoms] for column in fields(self)})

    def trace_atoms(self) -> "Model":
        """One atom a residue: Cα of amino acids, P (C4' where it is missing) of nucleotides, first altloc.

        Hetero atoms count only in modified amino acids, so that a calcium named ``CA`` is no Cα.
        """
        protein = np.isin(self.residue_name, [*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS, "UNK"])
        nucleic = np.isin(self.residue_name, list(NUCLEOTIDES))
        alpha = protein & (self.atom_name == "CA") & (self.element == "C")
        phosphorus = nucleic & (self.atom_name == "P")
        sugar = nucleic & (self.atom_name == "C4'")
        preferred = np.flatnonzero(alpha | phosphorus | sugar)
        preferred = preferred[np.argsort(sugar[preferred], kind="stable")]
        seen: dict[tuple[str, int, str], int] = {}
        for i in preferred.tolist():
            key = (str(self.chain[i]), int(self.residue_number[i]), str(self.insertion_code[i]))
            seen.setdefault(key, i)
        return self.select(np.array(sorted(seen.values()), dtype=np.intp))

    def residue_xyz(self) -> NDArray[np.float64]:
        """Positions of :meth:`trace_atoms`, shape ``(n, 3)``; of all atoms if there are none."""
        trace = self.trace_atoms().xyz
        return trace if len(trace) else self.xyz

    @classmethod
    def from_trace(
        cls,
        xyz: NDArray[np.float64],
        residue_name: NDArray[np.str_],
        chain: NDArray[np.str_],
        residue_number: NDArray[np.int32],
        b_factor: NDArray[np.float32],
        *,
        b_is_confidence: bool = False,
    ) -> "Model":
        """A model of Cα atoms only, one a residue; ``b_is_confidence`` holds for all of them."""
        n = len(xyz)
        return cls(
            xyz=xyz,
            element=np.full(n, "C"),
            atom_name=np.full(n, "CA"),
            residue_name=residue_name,
            chain=chain,
            residue_number=residue_number,
            insertion_code=np.full(n, ""),
            altloc=np.full(n, ""),
            occupancy=np.ones(n, np.float32),
            b_factor=b_factor,
            hetero=np.zeros(n, bool),
            b_is_confidence=np.full(n, b_is_confidence),
        )


def joined_models(parts: Iterable[Model]) -> Model:
    """All atoms of several models in one."""
    models = list(parts)
    return Model(
        **{column.name: np.concatenate([getattr(one, column.name) for one in models]) for column in fields(Model)}
    )


def with_own_chains(parts: Iterable[Model]) -> Iterator[Model]:
    """Parts whose chains have different names: their own as long as they are free, else A to Z, AA to ZZ, A1 and on."""
    pairs = ("".join(pair) for pair in itertools.product(ascii_uppercase, repeat=2))
    spare = itertools.chain(ascii_uppercase, pairs, (f"A{number}" for number in itertools.count(1)))
    taken: set[str] = set()
    for part in parts:
        names = np.array(part.chain, dtype=object)
        for name in dict.fromkeys(part.chain.tolist()):
            free = name if name and name not in taken else next(one for one in spare if one not in taken)
            taken.add(free)
            names[part.chain == name] = free
        yield replace(part, chain=names.astype(np.str_))
