"""Residues laid onto points: what a threader makes of traces and sequences."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.data.sequences import SequenceSet, chain_ids
from cryoweave.errors import InputError


def _no_parts() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Threading:
    """A ranked pool of candidates, each a placement of residues of the sequences in space.

    Parameters
    ----------
    sequences
        The sequences that the residues belong to.
    candidate
        Candidate of each placed residue, int32, shape ``(n,)``, ascending; 0 is the best candidate.
    chain
        Chain of each placed residue, counted over all copies of all sequences, int32, shape ``(n,)``.
    residue
        Index (from 0) in the sequence, int32, shape ``(n,)``.
    xyz
        Position of the residue's Cα (P for nucleotides) in Å, float64, shape ``(n, 3)``.
    confidence
        0..1 for each placed residue, float32, shape ``(n,)``.
    score
        Score of each candidate, the higher the better, float64, shape ``(k,)``.
    origin
        Where each candidate comes from (trace, direction, parameters), one text each.
    part
        What each placed residue comes from, as an index into ``parts``, int32, shape ``(n,)``; -1, or empty, where
        there is no more to say than its candidate's origin.
    parts
        Pieces of a trace, a predicted model, the line between two neighbours: one text each.
    """

    sequences: SequenceSet
    candidate: NDArray[np.int32]
    chain: NDArray[np.int32]
    residue: NDArray[np.int32]
    xyz: NDArray[np.float64]
    confidence: NDArray[np.float32]
    score: NDArray[np.float64]
    origin: tuple[str, ...]
    part: NDArray[np.int32] = field(default_factory=_no_parts)
    parts: tuple[str, ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name, dtype, shape in (
            ("candidate", np.int32, (None,)),
            ("chain", np.int32, (None,)),
            ("residue", np.int32, (None,)),
            ("xyz", np.float64, (None, 3)),
            ("confidence", np.float32, (None,)),
            ("score", np.float64, (None,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, name, shape))
        if not len(self.part):
            object.__setattr__(self, "part", np.full(len(self.candidate), -1))
        object.__setattr__(self, "part", frozen(self.part, np.int32, "part", (None,)))
        object.__setattr__(self, "parts", tuple(self.parts))
        if np.any((self.part < -1) | (self.part >= len(self.parts))):
            raise InputError(f"a residue names a part that is not there (parts: {len(self.parts)})")
        same_length(
            candidate=self.candidate,
            chain=self.chain,
            residue=self.residue,
            xyz=self.xyz,
            confidence=self.confidence,
            part=self.part,
        )
        object.__setattr__(self, "origin", tuple(self.origin))
        if len(self.origin) != len(self.score):
            raise InputError(f"{len(self.origin)} origins for {len(self.score)} candidates")
        if np.any(np.diff(self.candidate) < 0):
            raise InputError("residues must stand in the order of their candidates")
        if len(self.candidate) and not 0 <= self.candidate[0] <= self.candidate[-1] < len(self.score):
            raise InputError(f"a residue names a candidate that is not there (candidates: {len(self.score)})")
        self._check_residues()

    def _check_residues(self) -> None:
        lengths = np.array([len(sequence) for sequence, _ in self.chains()], dtype=np.int64)
        if len(self.chain) and not 0 <= self.chain.min() <= self.chain.max() < len(lengths):
            raise InputError(f"a residue names a chain that is not there (chains: {len(lengths)})")
        if np.any((self.residue < 0) | (self.residue >= lengths[self.chain])):
            raise InputError("a residue's index is outside of its sequence")

    def __len__(self) -> int:
        return len(self.score)

    def chains(self) -> list[tuple[str, str]]:
        """For each chain its sequence's letters and name, copies one after the other."""
        return [(s.letters, s.name) for s in self.sequences for _ in range(s.copies)]

    def rows_of(self, candidate: int) -> slice:
        """Where the residues of one candidate stand."""
        first, last = np.searchsorted(self.candidate, [candidate, candidate + 1])
        return slice(int(first), int(last))

    def chain_ids(self) -> list[str]:
        """The id of each chain in a model."""
        return chain_ids([name for _, name in self.chains()])

    def origins(self) -> list[str]:
        """Where each placed residue comes from, as far as that is known."""
        return [
            self.parts[part] if part >= 0 else self.origin[candidate]
            for part, candidate in zip(self.part, self.candidate, strict=True)
        ]
