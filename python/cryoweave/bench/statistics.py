"""Averages over maps, and differences between recipes, with what chance makes of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.means import Mean

DRAWS, FEWEST = 10_000, 1_000
"""Of the bootstrap; of very many maps fewer are as good."""
_AT_ONCE = 5_000_000
"""Numbers drawn at once, so that memory stays small."""
FEWEST_MAPS = 4
"""With fewer an interval would say nothing."""
CENTRAL = (2.5, 97.5)
"""Percentiles between which 95 % of the draws lie."""


def mean_of(values: NDArray[np.float64], seed: int = 0) -> Mean:
    """Mean of what is known, with its bootstrap interval; the same for the same values.

    Parameters
    ----------
    values
        Shape ``(maps,)``; NaN is left out.
    seed
        Of the draws.
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return Mean(np.nan, np.nan, np.nan, 0)
    if len(known) < FEWEST_MAPS:
        return Mean(float(known.mean()), np.nan, np.nan, len(known))
    low, high = np.percentile(_drawn_means(known, np.random.default_rng(seed)), CENTRAL)
    return Mean(float(known.mean()), float(low), float(high), len(known))


def _drawn_means(known: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    draws = min(DRAWS, max(FEWEST, 10 * _AT_ONCE // len(known)))
    block = max(1, _AT_ONCE // len(known))
    sizes = [min(block, draws - begin) for begin in range(0, draws, block)]
    return np.concatenate([known[rng.integers(len(known), size=(size, len(known)))].mean(axis=1) for size in sizes])


def differences(table: NDArray[np.float64]) -> list[list[Mean]]:
    """For every pair of recipes, the mean difference over the maps that both have.

    Parameters
    ----------
    table
        Shape ``(maps, recipes)``, NaN where nothing is known.

    Returns
    -------
    ``[i][j]``: recipe i less recipe j.
    """
    recipes = range(table.shape[1])
    found = {(i, j): mean_of(table[:, i] - table[:, j]) for i in recipes for j in recipes if i <= j}
    return [[found[i, j] if i <= j else _negative(found[j, i]) for j in recipes] for i in recipes]


def _negative(mean: Mean) -> Mean:
    return Mean(-mean.value, -mean.high, -mean.low, mean.count)


def ranked(table: NDArray[np.float64], higher_is_better: bool | None) -> list[int]:
    """Recipes from the best mean to the worst; those with none last."""
    means = [float(np.mean(known)) if len(known := column[np.isfinite(column)]) else np.nan for column in table.T]
    return best_first(means, higher_is_better)


def best_first(values: Sequence[float], higher_is_better: bool | None) -> list[int]:
    """Places of values from the best to the worst; NaN last, and equal ones in their order."""
    sign = -1 if higher_is_better else 1
    return sorted(range(len(values)), key=lambda i: (np.isnan(values[i]), sign * np.nan_to_num(values[i])))
