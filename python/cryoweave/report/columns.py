"""Per-residue scores as the report shows them: one table and one colour scale for plots, picture and 3-D view."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.kernels.chains import joined

BETTER_HIGH = ("#d73027", "#fc8d59", "#fee090", "#91bfdb", "#4575b4")
"""Red is bad and blue is good: ColorBrewer's RdYlBu, told apart with any colour vision."""
DIVERGING = ("#7b3294", "#c2a5cf", "#dcdcdc", "#a6dba0", "#008837")
SEQUENTIAL = ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")
NO_VALUE = "#a3a8ae"
"""Residues without a value."""

CONFIDENCE = Metric(
    "how sure the method is of this residue, 0 to 1 (the model's B column, or that / 100 where it exceeds 1); "
    "the scale ends at this model's highest",
    "",
    True,
)

B_FACTOR = Metric("the model's B column: B factors in Å², or what the program that built it wrote there")
MOST_VALUES = 50_000
"""Residues × scores that a page carries: with the viewer it then stays below 3 MB."""
PLACE_OF_A_GAP = 30
"""Places that a longer gap in the numbers takes."""


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


def places_of(trace: Model, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Place of each residue along its chain, from 0: as the numbers count, but one more for what is bonded.

    So residues with insertion codes make no gap. A step back in the numbers counts as one, a gap of more than
    `PLACE_OF_A_GAP` as so many.

    Parameters
    ----------
    trace
        One atom a residue.
    rows
        Those of one chain.
    """
    steps = np.diff(trace.residue_number[rows].astype(np.int64))
    steps = np.where((steps < 1) | joined(trace.select(rows)), 1, np.minimum(steps, PLACE_OF_A_GAP))
    return np.concatenate(([0], np.cumsum(steps))).astype(np.intp)[: len(rows)]


def label_of(trace: Model | ScoreTable, row: int) -> str:
    """Number and insertion code of a residue."""
    return f"{trace.residue_number[row]}{trace.insertion_code[row]}"


def columns_of(trace: Model, scores: ScoreTable | None, *, built: bool = True) -> list[Column]:
    """The B column, if it says anything, and all scores by residue but angles, which have a plot of their own.

    Parameters
    ----------
    trace
        One atom a residue, as `Model.trace_atoms` gives them.
    scores
        Scores of the same model.
    built
        Whether the run built the model: its confidence then comes first. The B column of another model comes last.
    """
    columns = [] if scores is None else _telling_first(_score_columns(trace, scores))
    b_factor = trace.b_factor.astype(np.float64)
    if not len(b_factor) or np.ptp(b_factor) == 0:
        return columns
    if not trace.b_is_confidence.all():
        return [*columns, Column("b_factor", B_FACTOR, b_factor, scale_of(b_factor, B_FACTOR))]
    confidence = b_factor / (100 if built or b_factor.max() > 1 else 1)
    scale = Scale(BETTER_HIGH, min(0.0, float(confidence.min())), float(confidence.max()))
    own = Column("confidence", CONFIDENCE, confidence, scale)
    return [own, *columns] if built else [*columns, own]


def _telling_first(columns: list[Column]) -> list[Column]:
    """The same with a score in front that says what is good: pictures are first coloured by that.

    If the first is none, the first that does and in which most residues differ; better one that rises with quality.
    """

    def dull(column: Column) -> tuple[bool, bool, bool]:
        finite = column.values[np.isfinite(column.values)]
        alike = float(np.median(np.abs(finite - np.median(finite)))) == 0
        return column.metric.higher_is_better is None, alike, not column.metric.higher_is_better

    if not columns or columns[0].metric.higher_is_better is not None:
        return columns
    first = min(columns, key=dull)
    return [first, *(column for column in columns if column is not first)]


def _score_columns(trace: Model, scores: ScoreTable) -> list[Column]:
    columns = []
    rows = rows_in(scores, trace)
    for name, values in scores.residues.items():
        metric = scores.metrics[name]
        found = np.append(values, np.nan)[rows]
        if np.isfinite(found).any() and not is_angle(metric):
            columns.append(Column(name, metric, found, scale_of(found, metric)))
    return columns


def rows_in(scores: ScoreTable, trace: Model) -> NDArray[np.intp]:
    """Row of each of the model's residues in the table; -1 where it is not there."""
    row = {key: i for i, key in enumerate(residue_keys(scores))}
    return np.array([row.get(key, -1) for key in residue_keys(trace)], dtype=np.intp)


def is_angle(metric: Metric) -> bool:
    """Whether a score is an angle that is neither good nor bad."""
    return metric.higher_is_better is None and metric.unit in ("°", "deg", "degrees")


def carried(columns: list[Column], residues: int) -> list[Column]:
    """The columns that a page has room for; with too many residues, those that say what is good go first."""
    room = max(1, MOST_VALUES // max(residues, 1))
    if len(columns) <= room:
        return columns
    order = sorted(range(len(columns)), key=lambda i: columns[i].metric.higher_is_better is None)
    return [columns[i] for i in sorted(order[:room])]


def scale_of(values: NDArray[np.float64], metric: Metric) -> Scale:
    """Colours for a metric: 0 to 1 for pure numbers that all lie there, else the central 96 % of the values."""
    finite = values[np.isfinite(values)]
    low, high = (float(v) for v in np.percentile(finite, [2, 98]))
    if not metric.unit and finite.min() >= 0 and finite.max() <= 1:
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
