"""The best set of fragments as a problem for CP-SAT."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from cryoweave.host.solver import solved
from cryoweave_tracing.choice import Choice

UNITS = 1_000_000
"""Steps in which the objective is counted, of the sum of all scores."""


class Packing(NamedTuple):
    """Fragments that go together."""

    chosen: NDArray[np.intp]
    """Ascending."""
    copy: NDArray[np.intp]
    """The chain of its sequence that each is in, from 0."""
    bound: float
    """No set has a larger sum of scores."""


def best_packing(
    choice: Choice,
    start: NDArray[np.intp],
    seconds: float,
    seed: int,
    progress: Callable[[int, int], object],
    wall: float = math.inf,
) -> Packing:
    """The set of fragments with the largest sum of scores.

    Parameters
    ----------
    choice
        Fragments and their conflicts.
    start
        The copy of each fragment that is known to go with the others, -1 for the rest.
    seconds
        CP-SAT's deterministic seconds.
    seed
        Of the solver.
    progress
        Called all the time, so that it can be interrupted.
    wall
        Seconds of a clock. With none left, the best fragments first wherever there is room.
    """
    known = greedy(choice, start)
    if wall <= 0:
        return Packing(np.flatnonzero(known >= 0), known[known >= 0], float(choice.score.sum()))
    model = cp_model.CpModel()
    many = choice.copies[choice.sequence]
    taken = [[model.new_bool_var(f"x{f}_{k}") for k in range(int(many[f]))] for f in range(len(many))]
    for copies in taken:
        if len(copies) > 1:
            model.add_at_most_one(copies)
    pairs, clash = choice.conflicts.pairs.tolist(), choice.conflicts.clash.tolist()
    for (a, b), clashes in zip(pairs, clash, strict=True):
        if clashes:
            model.add_at_most_one([*taken[a], *taken[b]])
        else:
            for one, other in zip(taken[a], taken[b], strict=True):
                model.add_at_most_one([one, other])
    first_of_its_own(model, choice, taken, known)
    unit = max(float(choice.score.sum()), 1e-9) / UNITS
    flat = [
        (var, round(score / unit)) for copies, score in zip(taken, choice.score.tolist(), strict=True) for var in copies
    ]
    model.maximize(cp_model.LinearExpr.weighted_sum([var for var, _ in flat], [worth for _, worth in flat]))
    for f, copies in enumerate(taken):
        for k, var in enumerate(copies):
            model.add_hint(var, bool(known[f] == k))
    solver = cp_model.CpSolver()
    status = solved(solver, model, seconds, seed, progress, wall)
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        known = np.array([next((k for k, var in enumerate(copies) if solver.value(var)), -1) for copies in taken])
        bound = solver.best_objective_bound * unit
    else:
        bound = float(choice.score.sum())
    chosen = np.flatnonzero(known >= 0)
    value = float(choice.score[chosen].sum())
    # Scores were rounded to units.
    return Packing(chosen, known[chosen], value if status == cp_model.OPTIMAL else max(bound, value))


def first_of_its_own(
    model: cp_model.CpModel, choice: Choice, taken: list[list[cp_model.IntVar]], known: NDArray[np.intp]
) -> None:
    """Copies are alike: the best known fragment of each sequence is in its first one, if it is anywhere."""
    for sequence in np.unique(choice.sequence):
        mine = np.flatnonzero((choice.sequence == sequence) & (known == 0))
        if len(mine) and len(taken[mine[0]]) > 1:
            best = int(mine[np.argmax(choice.score[mine])])
            for var in taken[best][1:]:
                model.add(var == 0)


def greedy(choice: Choice, start: NDArray[np.intp]) -> NDArray[np.intp]:
    """The copy of each fragment, or -1: those of the start, then the best first wherever there is room."""
    found = start.copy()
    n = len(choice.score)
    against: list[list[tuple[int, bool]]] = [[] for _ in range(n)]
    for (a, b), clashes in zip(choice.conflicts.pairs.tolist(), choice.conflicts.clash.tolist(), strict=True):
        against[a].append((b, clashes))
        against[b].append((a, clashes))
    for f in np.argsort(-choice.score, kind="stable").tolist():
        if found[f] >= 0:
            continue
        if any(found[other] >= 0 and clashes for other, clashes in against[f]):
            continue
        full = {int(found[other]) for other, _ in against[f] if found[other] >= 0}
        free = [k for k in range(int(choice.copies[choice.sequence[f]])) if k not in full]
        if free:
            found[f] = free[0]
    return found
