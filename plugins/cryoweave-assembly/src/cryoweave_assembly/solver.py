"""The best set of placements as a problem for CP-SAT."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from cryoweave.host.solver import solved

Progress = Callable[[int, int], object]
UNITS = 1_000_000
"""Steps in which the objective is counted, of its upper bound."""
MANY = 400
"""Most placements that the solver gets; the bound counts those that are left out."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Choose placements: the sum of their gains less the costs of chosen pairs is to be largest.

    Parameters
    ----------
    gain
        Shape ``(n,)``.
    cost
        Of each pair, symmetric, of any sign, ``inf`` where both cannot stand; shape ``(n, n)``, diagonal zero.
    group
        What each places, shape ``(n,)``.
    most
        How many of each group at most, shape ``(groups,)``.
    """

    gain: NDArray[np.float64]
    cost: NDArray[np.float64]
    group: NDArray[np.intp]
    most: NDArray[np.intp]

    def value(self, chosen: NDArray[np.intp]) -> float:
        """The objective of a set of placements."""
        return float(self.gain[chosen].sum() - self.cost[np.ix_(chosen, chosen)].sum() / 2)

    def only(self, kept: NDArray[np.intp]) -> "Problem":
        """The same with these placements only."""
        return Problem(self.gain[kept], self.cost[np.ix_(kept, kept)], self.group[kept], self.most)


class Solution(NamedTuple):
    """A set of placements."""

    chosen: NDArray[np.intp]
    value: float
    bound: float
    """No set is better than this."""

    @property
    def gap(self) -> float:
        """How much better a set could be at most, as a share of this one; 0 if this one is the best."""
        return max(0.0, (self.bound - self.value) / abs(self.value)) if self.value else 0.0


def best_set(problem: Problem, seconds: float, seed: int, progress: Progress, least: float | None = None) -> Solution:
    """The best set of placements.

    Placements that cannot be in any set as good as one that is known are left out first, which changes nothing; what
    is left is solved by CP-SAT.

    Parameters
    ----------
    problem
        What to choose from.
    seconds
        Limit, in CP-SAT's deterministic seconds: the same on every machine.
    seed
        Of the solver.
    progress
        Called now and then, so that the run can be stopped.
    least
        Only sets of at least this value are of interest.

    Returns
    -------
    The best set found; nothing is chosen, and the value is -inf, if none of at least ``least`` was found: there is
    none if the bound is below that.
    """
    known = greedy(problem)
    value = problem.value(known)
    wanted = value if least is None else max(value, least)
    kept = reduced(problem, wanted)
    if not len(kept):
        empty = np.zeros(0, np.intp)
        return Solution(empty, 0.0, 0.0) if least is None else Solution(empty, -np.inf, -np.inf)
    kept, dropped = _fewer(problem, kept, known)
    part = problem.only(kept)
    start = np.flatnonzero(np.isin(kept, known))
    found = _solved(part, start, seconds, seed, progress)
    best = kept[found[0]] if part.value(found[0]) >= value else known
    bound = max(found[1], problem.value(best), dropped)
    if least is not None and problem.value(best) < least:
        return Solution(np.zeros(0, np.intp), -np.inf, bound)
    return Solution(np.sort(best), problem.value(best), bound)


def greedy(problem: Problem) -> NDArray[np.intp]:
    """Always the placement that adds most, then single ones exchanged as long as that helps."""
    chosen: list[int] = []
    _fill(problem, chosen)
    for _ in range(len(problem.gain)):
        before = problem.value(np.array(chosen, np.intp))
        best: list[int] = []
        for out in chosen:
            trial = [one for one in chosen if one != out]
            _fill(problem, trial, without=out)
            after = problem.value(np.array(trial, np.intp))
            if after > before * (1 + 1e-9):
                best, before = trial, after
        if not best:
            break
        chosen = best
    return np.sort(np.array(chosen, np.intp))


def _fill(problem: Problem, chosen: list[int], without: int = -1) -> None:
    """Add placements in place, the one that adds most first, as long as one adds anything."""
    adds = problem.gain - problem.cost[chosen].sum(axis=0)
    left = problem.most - np.bincount(problem.group[chosen], minlength=len(problem.most))
    adds[chosen] = -np.inf
    if without >= 0:
        adds[without] = -np.inf
    while True:
        open_ = np.where(left[problem.group] > 0, adds, -np.inf)
        best = int(np.argmax(open_)) if len(open_) else -1
        if best < 0 or not open_[best] > 0:
            return
        chosen.append(best)
        left[problem.group[best]] -= 1
        adds = adds - problem.cost[best]
        adds[best] = -np.inf


def reduced(problem: Problem, wanted: float) -> NDArray[np.intp]:
    """Placements that may be in a set of at least the wanted value.

    Half of the best bonus (negative cost) that each group could pay a placement is added to its gain; no set is better
    than the sum of the best of these of each group.
    """
    kept = np.arange(len(problem.gain))
    slack = 1e-6 * abs(wanted)
    while len(kept):
        part = problem.only(kept)
        upper, total, last = _upper(part)
        left = kept[total - last[part.group] + np.minimum(upper, last[part.group]) >= wanted - slack]
        if len(left) == len(kept):
            return kept
        kept = left
    return kept


def _fewer(problem: Problem, kept: NDArray[np.intp], known: NDArray[np.intp]) -> tuple[NDArray[np.intp], float]:
    """At most ``MANY`` placements with those of a known set, and a bound of all sets with one that is dropped."""
    if len(kept) <= MANY:
        return kept, -np.inf
    part = problem.only(kept)
    upper, total, last = _upper(part)
    reach = total - last[part.group] + np.minimum(upper, last[part.group])
    order = np.argsort(-np.where(np.isin(kept, known), np.inf, reach), kind="stable")
    return np.sort(kept[order[:MANY]]), float(reach[order[MANY:]].max())


def _upper(problem: Problem) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """The most that each placement can add, the sum of the best of these, and the least of the best of each group."""
    upper = problem.gain + _bonus(problem) / 2
    total, last = 0.0, np.zeros(len(problem.most))
    for g, most in enumerate(problem.most.tolist()):
        mine = -np.sort(-np.maximum(upper[problem.group == g], 0.0))[:most]
        total += float(mine.sum())
        last[g] = mine[-1] if most and len(mine) == most else 0.0
    return upper, total, last


def _bonus(problem: Problem) -> NDArray[np.float64]:
    """The most that others can pay each placement."""
    found = np.zeros(len(problem.gain))
    for g, most in enumerate(problem.most):
        mine = np.flatnonzero(problem.group == g)
        if len(mine) and most:
            paid = np.maximum(-problem.cost[:, mine], 0.0)
            count = min(int(most), len(mine))
            found += np.sort(paid, axis=1)[:, len(mine) - count :].sum(axis=1)
    return found


def _solved(
    problem: Problem, start: NDArray[np.intp], seconds: float, seed: int, progress: Progress
) -> tuple[NDArray[np.intp], float]:
    """What CP-SAT chooses, and its bound."""
    model = cp_model.CpModel()
    taken = [model.new_bool_var(f"x{i}") for i in range(len(problem.gain))]
    for g, most in enumerate(problem.most.tolist()):
        mine = [taken[i] for i in np.flatnonzero(problem.group == g)]
        if len(mine) > most:
            model.add(sum(mine) <= most)
    upper = _upper(problem)[1]
    unit = max(upper, float(np.abs(problem.gain).max()), 1e-12) / UNITS
    pairs = _pairs(model, problem, taken, unit)
    worth = [round(gain / unit) for gain in problem.gain.tolist()]
    model.maximize(
        cp_model.LinearExpr.weighted_sum([*taken, *(var for var, _ in pairs)], [*worth, *(-cost for _, cost in pairs)])
    )
    for i in range(len(taken)):
        model.add_hint(taken[i], i in start)
    solver = cp_model.CpSolver()
    status = solved(solver, model, seconds, seed, progress)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return start, upper
    chosen = np.array([i for i, one in enumerate(taken) if solver.value(one)], np.intp)
    slack = 0.0 if status == cp_model.OPTIMAL else solver.best_objective_bound - solver.objective_value
    return chosen, problem.value(chosen) + slack * unit


def _pairs(
    model: cp_model.CpModel, problem: Problem, taken: list[cp_model.IntVar], unit: float
) -> list[tuple[cp_model.IntVar, int]]:
    """Forbidden pairs as clauses; a variable and its cost for each pair that has one."""
    found = []
    one_only = problem.most[problem.group] == 1
    for a, b in zip(*np.nonzero(np.triu(problem.cost, 1)), strict=True):
        if problem.group[a] == problem.group[b] and one_only[a]:
            continue
        cost = problem.cost[a, b]
        if not np.isfinite(cost):
            model.add_at_most_one(taken[a], taken[b])
        elif cost_in_units := round(cost / unit):
            both = model.new_bool_var(f"y{a}_{b}")
            if cost > 0:
                model.add_bool_or(~taken[a], ~taken[b], both)
            else:
                model.add_implication(both, taken[a])
                model.add_implication(both, taken[b])
            found.append((both, cost_in_units))
    return found
