"""Per-residue scores as the report shows them: one table and one colour scale for plots, picture and 3-D view."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable

BETTER_HIGH = ("#d73027", "#fc8d59", "#fee090", "#91bfdb", "#4575b4")
"""Red is bad and blue is good: ColorBrewer's RdYlBu, told apart with any colour vision."""
DIVERGING = ("#7b3294", "#c2a5cf", "#dcdcdc", "#a6dba0", "#008837")
SEQUENTIAL = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
NO_VALUE = "#a3a8ae"
"""Residues without a value."""

CONFIDENCE = Metric(
    "how sure the method is of this residue, 0 to 1 (the model's B column / 100); "
    "the scale ends at this model's highest",
    "",
    True,
)


@dataclass(frozen=True)
class Scale:
    """Colours spread evenly from ``low`` to ``high``; values beyond take the colour of the end."""

    colors: tuple[str, ...]
    low: float
    high: float

    def stops(self) -> list[tuple[str, float]]:
        """Each colour with the value that it stands for."""
        return list(zip(self.colors, np.linspace(self.low, self.high, len(self.colors)).tolist(), strict=True))

    def rgb(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Colours of values, shape ``(n, 3)``, 0 to 1; NaN takes `NO_VALUE`."""
        table = np.array([_rgb(color) for color in self.colors])
        at = np.linspace(self.low, self.high, len(table))
        colors = np.column_stack([np.interp(values, at, table[:, i]) for i in range(3)])
        colors[~np.isfinite(values)] = _rgb(NO_VALUE)
        return colors

    def bins(self, values: NDArray[np.float64], n: int = 15) -> list[tuple[str, NDArray[np.intp]]]:
        """Values sorted into ``n`` colours, those that occur only; NaN is left out."""
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        level = np.where(np.isfinite(share), np.rint(np.nan_to_num(share) * (n - 1)), -1).astype(int)
        found = []
        for i in np.unique(level[level >= 0]):
            color = self.rgb(np.array([self.low + (self.high - self.low) * i / (n - 1)]))[0]
            found.append(("#" + "".join(f"{round(c * 255):02x}" for c in color), np.flatnonzero(level == i)))
        return found


@dataclass(frozen=True)
class Column:
    """One score of every residue of the model.

    Parameters
    ----------
    name
        As in the score table.
    metric
        What it means.
    values
        Shape ``(n,)``, in the order of the model's residues; NaN where there is none.
    scale
        Its colours.
    """

    name: str
    metric: Metric
    values: NDArray[np.float64]
    scale: Scale


def _rgb(color: str) -> tuple[float, float, float]:
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def residue_keys(table: Model | ScoreTable) -> list[tuple[str, int, str]]:
    """Chain, number and insertion code of each row."""
    return list(zip(table.chain.tolist(), table.residue_number.tolist(), table.insertion_code.tolist(), strict=True))


def columns_of(trace: Model, scores: ScoreTable | None) -> list[Column]:
    """The confidence in the B column, if it says anything, and all scores by residue.

    Parameters
    ----------
    trace
        One atom a residue, as `Model.trace_atoms` gives them.
    scores
        Scores of the same model.
    """
    columns = []
    confidence = trace.b_factor.astype(np.float64) / 100
    if len(confidence) and np.ptp(confidence) > 0:
        scale = Scale(BETTER_HIGH, min(0.0, float(confidence.min())), float(confidence.max()))
        columns.append(Column("confidence", CONFIDENCE, confidence, scale))
    if scores is None:
        return columns
    row = {key: i for i, key in enumerate(residue_keys(scores))}
    rows = np.array([row.get(key, -1) for key in residue_keys(trace)], dtype=np.intp)
    for name, found in scores.residues.items():
        values = np.append(found, np.nan)[rows]
        if np.isfinite(values).any():
            metric = scores.metrics[name]
            columns.append(Column(name, metric, values, scale_of(values, metric)))
    return columns


def scale_of(values: NDArray[np.float64], metric: Metric) -> Scale:
    """Colours for a metric: 0 to 1 for values that all lie there, else the central 96 % of the values."""
    finite = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(finite, [2, 98]))
    if finite.min() >= 0 and finite.max() <= 1:
        low, high = 0.0, 1.0
    elif finite.min() >= 0 or 0 < low < high / 2:
        low = 0.0
    if metric.higher_is_better is None and finite.min() < 0 < finite.max():
        high = max(abs(low), abs(high))
        low = -high
    if np.array_equal(finite, np.rint(finite)):
        low, high = math.floor(low), math.ceil(high)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    if metric.higher_is_better is not None:
        return Scale(BETTER_HIGH if metric.higher_is_better else BETTER_HIGH[::-1], low, high)
    return Scale(DIVERGING if low < 0 < high else SEQUENTIAL, low, high)
