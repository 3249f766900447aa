"""One of several places for each group of atoms, chosen so that nothing overlaps."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.graph import integers
from cryoweave.kernels.grid import points
from cryoweave.kernels.refine import Progress


@dataclass(frozen=True, eq=False)
class Candidates:
    """Groups of atoms (side chains, or what never moves) and the places that each may take.

    Parameters
    ----------
    xyz
        Atoms of all candidates, one candidate after the other, shape ``(m, 3)``, Å.
    radius
        Å, shape ``(m,)``: two atoms overlap if they are closer than the sum of theirs.
    polar
        Atoms that may share a hydrogen bond with another such, shape ``(m,)``.
    atoms
        First atom of each candidate, and the end, shape ``(candidates + 1,)``.
    groups
        First candidate of each group, and the end, shape ``(groups + 1,)``; each has at least one.
    costs
        Of each candidate by itself, shape ``(candidates,)``.
    free
        Pairs of groups that never overlap with each other, shape ``(k, 2)``.
    """

    xyz: NDArray[np.float64]
    radius: NDArray[np.float64]
    polar: NDArray[np.bool_]
    atoms: NDArray[np.int64]
    groups: NDArray[np.int64]
    costs: NDArray[np.float64]
    free: NDArray[np.int32]


class Choice(NamedTuple):
    """What was chosen."""

    candidate: NDArray[np.int32]
    """Of each group, counted within the group, shape ``(groups,)``."""
    energy: float
    """Of costs and overlaps of all groups together."""


def choose_candidates(
    given: Candidates,
    stiffness: float = 10.0,
    hydrogen_bond: float = 0.4,
    window: float = np.inf,
    seed: int = 0,
    progress: Progress | None = None,
) -> Choice:
    """The candidates whose costs and overlaps are least together.

    Dead ends are eliminated (Goldstein 1994, Biophys. J. 66, 1335); what still hangs together is searched exactly where
    it has up to 100,000 combinations, and annealed where it has more.

    Parameters
    ----------
    given
        The groups.
    stiffness
        Energy for each Å² of overlap.
    hydrogen_bond
        Å that two polar atoms may come closer.
    window
        A candidate is left out at once if it costs this much more than the best of its group, overlaps with groups
        of one candidate included.
    seed
        Of the annealing.
    progress
        Called now and then, so that what it raises stops the search.

    Raises
    ------
    InputError
        If lengths differ, a number is not finite, offsets are out of order, or a group is empty.
    """
    if seed < 0:
        raise InputError(f"a seed must be at least 0, not {seed}")
    found = _core.choose_candidates(
        (points(given.xyz), np.asarray(given.radius, np.float64), np.asarray(given.polar, np.bool_)),
        (offsets(given.atoms), offsets(given.groups), np.asarray(given.costs, np.float64)),
        integers("free", given.free, 2),
        (stiffness, hydrogen_bond, window, seed),
        progress,
    )
    return Choice(*found)


def offsets(values: ArrayLike) -> NDArray[np.int64]:
    """Offsets as whole numbers, shape ``(k,)``."""
    found = np.asarray(values)
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise InputError(f"offsets must be whole numbers of the shape (k,), not {found.dtype} of {found.shape}")
    return found.astype(np.int64)
