"""Means and differences with their intervals."""

import math

import numpy as np
import pytest

from cryoweave.bench import statistics
from cryoweave.bench.statistics import differences, mean_of, ranked


def test_interval_covers_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    inside = sum(m.low <= 0.5 <= m.high for m in (mean_of(rng.random(30), seed=s) for s in range(300)))
    assert 0.90 <= inside / 300 <= 0.98


def test_interval_against_a_plain_bootstrap():
    values = np.random.default_rng(0).normal(1, 2, 12)
    rng = np.random.default_rng(9)
    means = [np.mean(rng.choice(values, 12)) for _ in range(20_000)]
    found = mean_of(values)
    assert found.value == pytest.approx(values.mean())
    np.testing.assert_allclose([found.low, found.high], np.percentile(means, [2.5, 97.5]), atol=0.04)
    assert mean_of(values) == found


def test_few_values_have_no_interval():
    assert mean_of(np.array([np.nan, np.nan])).count == 0
    one = mean_of(np.array([2.0, np.nan, 4.0]))
    assert (one.value, one.count) == (3.0, 2)
    assert math.isnan(one.low)
    assert not one.sure


def test_blocks_of_draws_do_not_change_the_interval(monkeypatch):
    values = np.random.default_rng(0).normal(size=50)
    whole = mean_of(values)
    monkeypatch.setattr(statistics, "_AT_ONCE", 5_000)
    parts = mean_of(values)
    assert parts.low == pytest.approx(whole.low, abs=0.02)
    assert parts.high == pytest.approx(whole.high, abs=0.02)


def test_differences_are_of_the_maps_that_both_have():
    table = np.array([[0.9, 0.5, np.nan], [0.8, 0.4, 0.1], [0.7, np.nan, 0.2], [0.9, 0.6, 0.3], [0.9, 0.5, 0.3]])
    found = differences(table)
    assert found[0][1].value == pytest.approx(0.375)
    assert found[0][1].count == 4
    assert found[0][1].sure
    assert found[1][0].value == pytest.approx(-0.375)
    assert found[2][2].value == 0
    assert not found[1][2].sure


def test_the_best_come_first_and_the_unknown_last():
    table = np.array([[0.1, np.nan, 0.9], [0.3, np.nan, 0.5]])
    assert ranked(table, True) == [2, 0, 1]
    assert ranked(table, False) == [0, 2, 1]
