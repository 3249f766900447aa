"""Which chosen fragments of equal chains are in one of them: exchanges between two until all are compact."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Threading
from cryoweave.host import Context
from cryoweave_tracing.choice import Choice

STEP = 3.8
"""Å between the Cα of neighbours (trans peptide)."""
TRIES = 400
"""Exchanges that are tried for each fragment; ours."""
COLD = 0.01
"""Temperature at the end, in units of a chain pulled straight between two fragments; at the start it is that of the
worst pair. Ours."""


def links(
    threading: Threading, sequence: NDArray[np.intp], chosen: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What speaks against each two of the chosen fragments in one chain, and the first residue of each.

    The square of the share to which the chain between their nearest ends is pulled straight, ``(n, n)``; 0 for
    different sequences and where they overlap.
    """
    ends = []
    for one in chosen.tolist():
        rows = np.arange(len(threading.candidate))[threading.rows_of(one)]
        ends.append(rows[[np.argmin(threading.residue[rows]), np.argmax(threading.residue[rows])]])
    rows = np.array(ends, np.intp).reshape(-1, 2)
    first, last = threading.residue[rows].astype(np.float64).T
    many = first[None] - last[:, None]
    away = np.linalg.norm(threading.xyz[rows[:, 1]][:, None] - threading.xyz[rows[:, 0]][None], axis=2)
    pulled = np.where(many > 0, away / (STEP * np.maximum(many, 1)), 0.0) ** 2
    own = sequence[chosen]
    return np.where(own[:, None] == own[None], pulled + pulled.T, 0.0), first


class Copies:
    """Fragments in copies, and what speaks against it."""

    def __init__(self, choice: Choice, copy: NDArray[np.intp], link: NDArray[np.float64]) -> None:
        self.copy, self._link, self._sequence = copy.copy(), link, choice.sequence
        self._against = np.zeros((len(copy), len(copy)), bool)
        a, b = choice.conflicts.pairs.T
        self._against[a, b] = self._against[b, a] = choice.sequence[a] == choice.sequence[b]

    def cost(self) -> float:
        """Sum over all pairs in one chain."""
        together = (self._sequence[:, None] == self._sequence[None]) & (self.copy[:, None] == self.copy[None])
        return float(self._link[together].sum()) / 2

    def bound_to(self, moved: NDArray[np.bool_], one: int, other: int) -> NDArray[np.bool_]:
        """Fragments that change places between two copies if some of one sequence do: no conflict comes of it."""
        sequence = self._sequence[np.argmax(moved)]
        both = (self._sequence == sequence) & ((self.copy == one) | (self.copy == other))
        moved = moved & both
        while True:
            more = both & (moved | self._against[moved].any(axis=0))
            if (more == moved).all():
                return moved
            moved = more

    def gain(self, moved: NDArray[np.bool_], one: int, other: int) -> float:
        """What the cost falls by if these, bound to each other, change places."""
        mine = self._sequence == self._sequence[np.argmax(moved)]
        sign = np.where(self.copy == one, 1.0, np.where(self.copy == other, -1.0, 0.0)) * mine
        # A moved fragment leaves those that stay in its copy (the same sign) and comes to those of the other.
        return float((sign * moved) @ self._link @ (sign * ~moved))

    def exchange(self, moved: NDArray[np.bool_], one: int, other: int) -> None:
        """Change places."""
        self.copy[moved] = one + other - self.copy[moved]


def compact(
    choice: Choice, copy: NDArray[np.intp], link: NDArray[np.float64], first: NDArray[np.float64], ctx: Context
) -> NDArray[np.intp]:
    """The copy of each fragment such that little speaks against those in one chain; conflicts stay kept.

    Simulated annealing (Kirkpatrick et al. 1983, Science 220, 671) with exchanges between two copies of one fragment,
    or of it and all behind it, and of those that must go with them (chains of Kempe in the colouring of graphs).

    Parameters
    ----------
    choice
        The chosen fragments and their conflicts.
    copy
        Of each, from 0, ``(n,)``.
    link
        What speaks against two in one chain, ``(n, n)``, symmetric.
    first
        First residue of each, ``(n,)``.
    ctx
        Its seed, and when to stop.
    """
    many = choice.copies[choice.sequence]
    free = np.flatnonzero(many > 1)
    if not len(free):
        return copy
    rng, state = ctx.rng(), Copies(choice, copy, link)
    now = lowest = state.cost()
    best = state.copy.copy()
    for number, heat in enumerate(np.geomspace(max(float(link.max()), COLD), COLD, TRIES * len(free)).tolist()):
        if number % 100 == 0:
            ctx.progress(0, 0)
        one = int(rng.choice(free))
        here = int(state.copy[one])
        other = (here + int(rng.integers(1, many[one]))) % int(many[one])
        behind = (choice.sequence == choice.sequence[one]) & (first >= first[one])
        moved = state.bound_to(behind if rng.random() < 0.5 else np.arange(len(copy)) == one, here, other)
        gain = state.gain(moved, here, other)
        if gain > 0 or rng.random() < np.exp(gain / heat):
            state.exchange(moved, here, other)
            now -= gain
            if now < lowest - 1e-9:
                lowest, best = now, state.copy.copy()
    return best
