"""Sequences of the molecules that a map should hold."""

import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cryoweave.data.arrays import short_repr
from cryoweave.data.residues import ALPHABETS
from cryoweave.errors import InputError

Molecule = Literal["protein", "rna", "dna"]
SECONDARY_STRUCTURE = "HEC"


@dataclass(frozen=True)
class Sequence:
    """One chain's sequence.

    Parameters
    ----------
    name
        Name in the file; also the wish for the chain's id.
    letters
        One-letter codes, upper case. ``X`` (``N`` for nucleotides) stands for an unknown residue.
    molecule
        ``protein``, ``rna`` or ``dna``.
    secondary_structure
        ``H`` helix, ``E`` strand, ``C`` other, one letter per residue; empty if it is not known.
    copies
        How many chains of the map have this sequence.
    """

    name: str
    letters: str
    molecule: Molecule = "protein"
    secondary_structure: str = ""
    copies: int = 1

    __repr__ = short_repr

    def __post_init__(self) -> None:
        if not self.letters:
            raise InputError(f"sequence {self.name!r} is empty", "remove the entry or add its residues")
        unknown = sorted(set(self.letters) - set(ALPHABETS[self.molecule]))
        if unknown:
            raise InputError(
                f"sequence {self.name!r} holds {', '.join(map(repr, unknown))}: no {self.molecule} letter",
                f"letters: {ALPHABETS[self.molecule]}",
            )
        if self.secondary_structure and len(self.secondary_structure) != len(self.letters):
            raise InputError(
                f"the secondary structure of {self.name!r} has {len(self.secondary_structure)} letters "
                f"for {len(self.letters)} residues"
            )
        if set(self.secondary_structure) - set(SECONDARY_STRUCTURE):
            raise InputError(f"the secondary structure of {self.name!r} may hold only {', '.join(SECONDARY_STRUCTURE)}")
        if self.copies < 1:
            raise InputError(f"sequence {self.name!r} must have at least one copy, not {self.copies}")

    def __len__(self) -> int:
        return len(self.letters)


@dataclass(frozen=True)
class SequenceSet:
    """The sequences of one map, in the order of the file."""

    sequences: tuple[Sequence, ...]

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "sequences", tuple(self.sequences))
        names = [sequence.name for sequence in self.sequences]
        double = sorted({name for name in names if names.count(name) > 1})
        if double:
            raise InputError(f"two sequences have the name {double[0]!r}", "give each its own name")

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Sequence]:
        return iter(self.sequences)

    @property
    def residues(self) -> int:
        """Residues of all copies of all sequences."""
        return sum(len(sequence) * sequence.copies for sequence in self.sequences)

    def alike(self) -> list[tuple[Sequence, tuple[int, ...]]]:
        """Each different sequence with the numbers of its chains, counted over all copies of all sequences.

        Entries with the same letters of the same molecule are copies of the first one.
        """
        found: dict[tuple[str, Molecule], tuple[Sequence, list[int]]] = {}
        first = 0
        for one in self.sequences:
            _, numbers = found.setdefault((one.letters, one.molecule), (one, []))
            numbers += range(first, first + one.copies)
            first += one.copies
        return [(one, tuple(numbers)) for one, numbers in found.values()]


def chain_ids(names: list[str]) -> list[str]:
    """One id a chain: the sequence's name where it is short enough to be one and free, else A, B, … Z, AA, AB …"""
    single = list(string.ascii_uppercase)
    free = ("".join(letters) for n in itertools.count(1) for letters in itertools.product(single, repeat=n))
    wishes = {name for name in names if name.isascii() and name.isalnum() and len(name) <= 4}
    ids: list[str] = []
    for name in names:
        ids.append(name if name in wishes and name not in ids else next(i for i in free if i not in wishes))
    return ids
