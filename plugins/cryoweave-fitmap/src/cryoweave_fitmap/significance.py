"""How surely a score is no chance: against wrong poses of one structure, and against other structures.

All written from the formulas; what SciPy would give is what the tests hold it against.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
NEWTON = 50
"""Steps at most; each at least halves the bracket, so that is 15 digits."""
MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
LEAST = 1e-12
"""Correlations are kept so far from 1, where Fisher's z is infinite."""


class Null(NamedTuple):
    """What chance gives: a normal distribution about 0."""

    spread: float
    """Its standard deviation; infinite if the values are spread so evenly that no normal distribution fits."""
    share: float
    """Share of the values that it explains (η₀)."""


def fisher(correlation: Column) -> Column:
    """Fisher's z, which is about normal where a correlation is not."""
    return np.arctanh(np.clip(correlation, LEAST - 1, 1 - LEAST))


def null_of(z: Column, share: float = 0.95) -> Null:
    """The null distribution of values of which most, but not the largest, are chance.

    The standard deviation s of a normal distribution about 0, cut off at the ``share`` quantile c of the sizes, that
    makes the values within most likely. With t = c/s, φ and Φ of the standard normal distribution and G(t) = 2Φ(t) - 1
    it is the root of ``mean(z²) t²/c² - 1 + 2 t φ(t)/G(t)`` (Strimmer 2008, doi 10.1186/1471-2105-9-303, "pct0").

    Parameters
    ----------
    z
        Shape ``(n,)``.
    share
        Of the values, the smallest by size, that the fit takes for chance.
    """
    size = np.sort(np.abs(z))
    cut = float(np.quantile(size, share)) if len(size) else 0.0
    if cut <= 0:
        return Null(math.inf, 1.0)
    within = size[size <= cut]
    second = float(np.mean(within**2)) / cut**2
    if second >= 1 / 3 - 1e-9:  # as even as a uniform distribution, or more so
        return Null(math.inf, 1.0)
    t = _root(second)
    return Null(cut / t, min(1.0, len(within) / len(size) / _within(t)))


def _root(second: float) -> float:
    """The root t of ``second t² - 1 + h(t)``, by Newton's steps that never leave a shrinking bracket."""
    low, high = 0.0, 1.0 / math.sqrt(second)  # h is positive, so the root lies below
    t = high
    for _ in range(NEWTON):
        bulge = 2 * t * _bell(t) / _within(t)
        value = second * t * t - 1 + bulge
        low, high = (low, t) if value > 0 else (t, high)
        slope = 2 * second * t + bulge / t * (1 - t * t - bulge)
        step = t - value / slope if slope > 0 else low
        new = step if low < step < high else (low + high) / 2
        if abs(new - t) <= 1e-14 * t:
            break
        t = new
    return t


def _bell(t: float) -> float:
    return math.exp(-t * t / 2) / math.sqrt(2 * math.pi)


def _within(t: float) -> float:
    return math.erf(t / math.sqrt(2))


def two_tailed(z: Column, spread: float) -> Column:
    """Chance of a value at least so far from 0."""
    return np.array([math.erfc(abs(value) / spread / math.sqrt(2)) for value in z.tolist()])


def one_tailed(z: Column, spread: float) -> Column:
    """Chance of a value at least so large."""
    return np.array([math.erfc(value / spread / math.sqrt(2)) / 2 for value in z.tolist()])


def adjusted(p: Column) -> Column:
    """p-values for many tests by Benjamini & Hochberg (1995): those below q are false in a share q at most."""
    order = np.argsort(-p, kind="stable")
    rank = len(p) - np.arange(len(p))
    found = np.empty(len(p))
    found[order] = np.minimum(1.0, np.minimum.accumulate(p[order] * len(p) / np.maximum(rank, 1)))
    return found


class Line(NamedTuple):
    """A straight line through most of the points, however far off the others are."""

    slope: float
    at_zero: float
    spread: float
    """Robust standard deviation of the points about it, or of those above it if that is larger."""

    def residual(self, x: Column, y: Column) -> Column:
        """How far each point lies above, in standard deviations."""
        off = y - self.at_zero - self.slope * x
        return np.asarray(off / self.spread if self.spread > 0 else np.zeros(len(off)))


def line_through(x: Column, y: Column) -> Line:
    """Theil and Sen's line: the median slope of all pairs, the median height, the median deviation."""
    i, j = np.triu_indices(len(x), 1)
    run = x[j] - x[i]
    slopes = (y[j] - y[i])[run != 0] / run[run != 0]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    rest = y - slope * x
    at_zero = float(np.median(rest))
    off = rest - at_zero
    above = float(np.median(off[off > 0])) if (off > 0).any() else 0.0
    return Line(slope, at_zero, MAD * max(above, float(np.median(np.abs(off)))))
