"""Candidates chosen together, against all combinations."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.rotamers import Candidates, choose_candidates

few = settings(max_examples=40, deadline=None)


def problem(seed, groups=5, most=4, size=6.0):
    """Groups of up to `most` candidates of up to three atoms in a box."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, most + 1, groups)
    sizes = np.repeat(rng.integers(0, 4, groups), counts)
    n = int(sizes.sum())
    return Candidates(
        xyz=rng.uniform(0, size, (n, 3)),
        radius=rng.uniform(0.8, 1.7, n),
        polar=rng.random(n) < 0.5,
        atoms=np.concatenate(([0], np.cumsum(sizes))),
        groups=np.concatenate(([0], np.cumsum(counts))),
        costs=rng.uniform(0, 4, int(counts.sum())),
        free=np.array([[1, 0], [2, 4]], np.int32),
    )


def energy(given, chosen, stiffness, hydrogen_bond):
    total = sum(given.costs[given.groups[g] + k] for g, k in enumerate(chosen))
    free = {frozenset(pair) for pair in given.free.tolist()}
    atoms = [range(*given.atoms[given.groups[g] + k :][:2]) for g, k in enumerate(chosen)]
    for g in range(len(chosen)):
        for h in range(g):
            for a, b in product(atoms[g], atoms[h]) if frozenset((g, h)) not in free else ():
                least = given.radius[a] + given.radius[b] - hydrogen_bond * (given.polar[a] & given.polar[b])
                total += stiffness * max(least - np.linalg.norm(given.xyz[a] - given.xyz[b]), 0) ** 2
    return total


@few
@given(st.integers(0, 2**32 - 1))
def test_no_other_combination_is_better(seed):
    given = problem(seed)
    found = choose_candidates(given, 3.0, 0.4)
    every = product(*(range(count) for count in np.diff(given.groups)))
    best = min(energy(given, chosen, 3.0, 0.4) for chosen in every)
    assert found.energy == pytest.approx(best, abs=1e-9)
    assert energy(given, found.candidate, 3.0, 0.4) == pytest.approx(best, abs=1e-9)


def test_a_crowd_is_the_same_for_any_number_of_threads_and_worse_by_chance():
    given = problem(3, groups=150, most=6, size=14.0)
    given = replace(given, free=np.empty((0, 2), np.int32))
    try:
        _core.set_threads(1)
        one = choose_candidates(given, seed=4)
        _core.set_threads(2)
        two = choose_candidates(given, seed=4)
    finally:
        _core.set_threads(0)
    np.testing.assert_array_equal(one.candidate, two.candidate)
    assert one.energy == two.energy
    assert energy(given, one.candidate, 10.0, 0.4) == pytest.approx(one.energy)
    for group, now in enumerate(one.candidate):
        for other in range(int(np.diff(given.groups)[group])):
            changed = one.candidate.copy()
            changed[group] = other
            if other != now:
                assert energy(given, changed, 10.0, 0.4) >= one.energy - 1e-9, "no single change helps"
        if group == 9:
            break


def test_a_window_leaves_out_what_costs_more_by_itself():
    given = problem(1)
    tight = choose_candidates(given, window=0.0)
    cheapest = [given.costs[a:b].argmin() for a, b in zip(given.groups, given.groups[1:], strict=False)]
    alone = replace(
        given, xyz=given.xyz + 100 * np.repeat(np.arange(len(given.atoms) - 1), np.diff(given.atoms))[:, None]
    )
    np.testing.assert_array_equal(choose_candidates(alone, window=0.0).candidate, cheapest)
    assert tight.energy >= choose_candidates(given).energy


def test_nothing_is_chosen_from_nothing():
    nothing = Candidates(
        np.empty((0, 3)), np.empty(0), np.empty(0, bool), np.zeros(1, int), np.zeros(1, int), np.empty(0),
        np.empty((0, 2), np.int32),
    )  # fmt: skip
    assert choose_candidates(nothing).energy == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"xyz": np.full((2, 3), np.nan)}, "point 0"),
        ({"radius": np.array([1.0, -1.0])}, "radius"),
        ({"radius": np.ones(3)}, "radii"),
        ({"polar": np.ones(3, bool)}, "polarity"),
        ({"costs": np.array([np.nan, 0.0])}, "cost is not finite"),
        ({"costs": np.zeros(3)}, "costs"),
        ({"atoms": np.array([0, 2, 1])}, "first atom"),
        ({"atoms": np.array([0, -1, 2])}, "negative"),
        ({"atoms": np.array([0.0, 1, 2])}, "whole numbers"),
        ({"groups": np.array([0, 0, 2])}, "no candidate"),
        ({"groups": np.array([0, 1, 3])}, "group"),
        ({"free": np.array([[0, 2]])}, "free pair"),
        ({"free": np.array([[-1, 0]])}, "free pair"),
    ],
)
def test_what_has_no_meaning_is_refused(wrong, message):
    given = Candidates(
        np.zeros((2, 3)), np.ones(2), np.zeros(2, bool), np.arange(3), np.arange(3), np.zeros(2),
        np.empty((0, 2), np.int32),
    )  # fmt: skip
    with pytest.raises(InputError, match=message):
        choose_candidates(replace(given, **wrong))


@pytest.mark.parametrize("rule", [{"stiffness": -1.0}, {"hydrogen_bond": np.nan}, {"window": -1.0}, {"seed": -1}])
def test_rules_without_a_meaning_are_refused(rule):
    with pytest.raises(InputError, match=next(iter(rule))):
        choose_candidates(problem(1), **rule)
