"""Ordered points: what a tracer makes of a detection."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.errors import InputError


@dataclass(frozen=True, eq=False)
class Traces:
    """Fragments, each a path of points in space; several candidates may explain the same density.

    Parameters
    ----------
    xyz
        Positions in Å along all fragments one after the other, float64, shape ``(n, 3)``.
    weight
        Density or probability at each point, float32, shape ``(n,)``.
    fragment
        Fragment of each point, int32, shape ``(n,)``: 0, 0, …, 1, 1, …, ascending without holes.
    candidate
        Candidate that each fragment belongs to, int32, shape ``(k,)``. Fragments of one candidate are meant to be
        used together; those of different candidates are alternatives.
    score
        Score of each fragment, the higher the better, float64, shape ``(k,)``.
    """

    xyz: NDArray[np.float64]
    weight: NDArray[np.float32]
    fragment: NDArray[np.int32]
    candidate: NDArray[np.int32]
    score: NDArray[np.float64]

    __repr__ = short_repr

    def __post_init__(self) -> None:
        for name, dtype, shape in (
            ("xyz", np.float64, (None, 3)),
            ("weight", np.float32, (None,)),
            ("fragment", np.int32, (None,)),
            ("candidate", np.int32, (None,)),
            ("score", np.float64, (None,)),
        ):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype, name, shape))
        same_length(xyz=self.xyz, weight=self.weight, fragment=self.fragment)
        same_length(candidate=self.candidate, score=self.score)
        if len(self.fragment) and not 0 <= self.fragment.min() <= self.fragment.max() < len(self.candidate):
            raise InputError(f"a point names a fragment that is not there (fragments: {len(self.candidate)})")
        expected = np.repeat(np.arange(len(self.candidate)), np.bincount(self.fragment, minlength=len(self.candidate)))
        if len(expected) != len(self.fragment) or not np.array_equal(expected, self.fragment):
            raise InputError("fragments must be numbered 0, 1, … in the order of their points")

    def __len__(self) -> int:
        return len(self.candidate)

    def points_of(self, fragment: int) -> slice:
        """Where the points of one fragment stand in ``xyz`` and ``weight``."""
        first, last = np.searchsorted(self.fragment, [fragment, fragment + 1])
        return slice(int(first), int(last))

    def candidates(self) -> Iterator[tuple[int, list[int]]]:
        """Each candidate with its fragments, in ascending order."""
        for candidate in np.unique(self.candidate):
            yield int(candidate), [int(i) for i in np.flatnonzero(self.candidate == candidate)]
