"""CP-SAT against every set there is, and what happens without it."""

from itertools import combinations

import numpy as np
import pytest

pytest.importorskip("ortools", reason="OR-Tools is not installed")

from cryoweave_assembly import solver
from cryoweave_assembly.solver import Problem, best_set, greedy, reduced


def silent(_done, _total):
    pass


def a_problem(seed, n=11, groups=3, signed=False):
    rng = np.random.default_rng(seed)
    cost = rng.gamma(1.0, 0.6, (n, n)) - (0.4 if signed else 0.0)
    cost[rng.random((n, n)) < 0.4] = 0.0
    cost[rng.random((n, n)) < 0.15] = np.inf
    cost = np.maximum(np.triu(cost, 1), np.triu(cost, 1).T) if not signed else np.triu(cost, 1) + np.triu(cost, 1).T
    gain = rng.normal(1.0, 1.0, n)
    return Problem(gain, cost, rng.integers(0, groups, n).astype(np.intp), rng.integers(1, 4, groups).astype(np.intp))


def every_set(problem):
    """Value of the best set by trying all, and all values."""
    n = len(problem.gain)
    best = (0.0, ())
    for size in range(1, n + 1):
        for chosen in combinations(range(n), size):
            rows = np.array(chosen)
            counts = np.bincount(problem.group[rows], minlength=len(problem.most))
            if np.any(counts > problem.most):
                continue
            value = sum(problem.gain[i] for i in chosen) - sum(problem.cost[i, j] for i, j in combinations(chosen, 2))
            best = max(best, (value, chosen))
    return best


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_it_finds_the_best_of_all_sets(seed, signed):
    problem = a_problem(seed, signed=signed)
    value, _ = every_set(problem)
    found = best_set(problem, 30.0, 0, silent)
    assert found.value == pytest.approx(value, abs=1e-4)
    assert found.value == pytest.approx(problem.value(found.chosen))
    assert found.gap < 1e-4


@pytest.mark.parametrize("seed", range(12))
def test_what_is_left_out_beforehand_is_in_no_better_set(seed):
    problem = a_problem(seed, signed=True)
    value, chosen = every_set(problem)
    assert set(chosen) <= set(reduced(problem, value - 1e-9).tolist())
    assert problem.value(greedy(problem)) <= value + 1e-9


def test_a_bound_that_nothing_reaches_is_no_solution():
    problem = a_problem(3)
    value, _ = every_set(problem)
    assert not len(best_set(problem, 30.0, 0, silent, least=value + 0.1).chosen)
    assert best_set(problem, 30.0, 0, silent, least=value - 0.1).value == pytest.approx(value, abs=1e-4)


def test_greedy_alone_would_not_do():
    # The best single one stands in the way of two that are better together.
    cost = np.array([[0, np.inf, np.inf], [np.inf, 0, 0], [np.inf, 0, 0]], float)
    problem = Problem(np.array([3.0, 2.0, 2.0]), cost, np.array([0, 1, 1]), np.array([1, 2]))
    assert best_set(problem, 30.0, 0, silent).chosen.tolist() == [1, 2]


def test_the_same_set_each_time():
    problem = a_problem(5, n=40, groups=5)
    first, again = (best_set(problem, 30.0, 1, silent) for _ in range(2))
    assert first.chosen.tolist() == again.chosen.tolist()
    assert first.value == again.value


def test_an_interrupt_ends_the_search(monkeypatch):
    def stop(_done, _total):
        raise KeyboardInterrupt

    monkeypatch.setattr(solver, "reduced", lambda problem, _wanted: np.arange(len(problem.gain)))
    with pytest.raises(KeyboardInterrupt):
        best_set(a_problem(7, n=60, groups=6), 30.0, 0, stop)


def test_a_limit_leaves_an_honest_bound(monkeypatch):
    monkeypatch.setattr(solver, "reduced", lambda problem, _wanted: np.arange(len(problem.gain)))
    problem = a_problem(8, n=120, groups=6)
    short, whole = best_set(problem, 0.01, 0, silent), best_set(problem, 20.0, 0, silent)
    assert short.value <= whole.value + 1e-6 <= short.bound + 1e-3


def test_what_is_too_much_for_the_solver_counts_in_the_bound(monkeypatch):
    monkeypatch.setattr(solver, "MANY", 5)
    monkeypatch.setattr(solver, "reduced", lambda problem, _wanted: np.arange(len(problem.gain)))
    for seed in range(6):
        problem = a_problem(seed, signed=True)
        value, _ = every_set(problem)
        found = best_set(problem, 30.0, 0, silent)
        assert found.value <= value + 1e-6 <= found.bound + 2e-4
