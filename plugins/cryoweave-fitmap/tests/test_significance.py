"""p-values against SciPy, and on what is chance by construction."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import false_discovery_control, norm, siegelslopes, theilslopes

from cryoweave_fitmap.significance import adjusted, fisher, line_through, null_of, one_tailed, two_tailed


def most_likely_spread(z, share):
    """The obvious twin: SciPy maximises the truncated likelihood."""
    cut = np.quantile(np.abs(z), share)
    within = np.abs(z)[np.abs(z) <= cut]

    def against(log_spread):
        s = np.exp(log_spread)
        return -(norm.logpdf(within, 0, s) - np.log(norm.cdf(cut, 0, s) - norm.cdf(-cut, 0, s))).sum()

    guess = np.log(np.std(within))
    return np.exp(minimize_scalar(against, bounds=(guess - 2, guess + 4), options={"xatol": 1e-11}).x)


@pytest.mark.parametrize(("count", "spread", "far"), [(40, 0.1, 2), (500, 3.0, 10), (200, 0.02, 0)])
def test_the_null_is_the_most_likely_one(count, spread, far):
    rng = np.random.default_rng(count)
    z = rng.normal(0, spread, count)
    z[:far] += 6 * spread
    null = null_of(z)
    assert null.spread == pytest.approx(most_likely_spread(z, 0.95), rel=1e-6)
    assert 0.9 < null.share <= 1.0


def test_p_values_are_scipys():
    rng = np.random.default_rng(0)
    z = rng.normal(0, 2, 300)
    assert two_tailed(z, 1.5) == pytest.approx(2 * norm.sf(np.abs(z) / 1.5), abs=1e-15)
    assert one_tailed(z, 1.5) == pytest.approx(norm.sf(z / 1.5), abs=1e-15)
    p = two_tailed(z, 1.5)
    assert adjusted(p) == pytest.approx(false_discovery_control(p), abs=1e-15)
    assert fisher(np.array([0.3, -1.0, 1.0]))[0] == pytest.approx(np.arctanh(0.3))
    assert np.isfinite(fisher(np.array([-1.0, 1.0]))).all()


def test_p_values_of_chance_are_even():
    """Of 400 sets of 100 values that are all chance, a share of about p has a p-value below p."""
    rng = np.random.default_rng(1)
    p = np.concatenate([two_tailed(z, null_of(z).spread) for z in rng.normal(0, 0.1, (400, 100))])
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.01)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.03)
    called = [adjusted(two_tailed(z, null_of(z).spread)).min() < 0.05 for z in rng.normal(0, 0.1, (400, 100))]
    assert np.mean(called) < 0.15


def test_values_that_tell_nothing_are_never_significant():
    for z in (np.zeros(10), np.linspace(-1, 1, 50), np.array([])):
        null = null_of(z)
        assert null.spread == np.inf
        assert (two_tailed(z, null.spread) == 1).all()


def test_the_line_is_theil_and_sens_and_forgets_outliers():
    rng = np.random.default_rng(2)
    x = rng.uniform(3, 7, 80)
    y = 2 - 0.5 * x + rng.normal(0, 0.1, 80)
    y[:5] += 3
    line = line_through(x, y)
    assert line.slope == pytest.approx(theilslopes(y, x).slope, abs=1e-12)
    assert line.slope == pytest.approx(siegelslopes(y, x).slope, abs=0.05)
    assert line.spread == pytest.approx(0.1, abs=0.03)
    assert line.residual(x, y)[:5].min() > 10


def test_a_line_through_equal_sizes_is_flat():
    line = line_through(np.ones(5), np.arange(5.0))
    assert (line.slope, line.at_zero) == (0.0, 2.0)
