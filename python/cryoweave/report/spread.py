"""Scores of poses as dots: by rank, and how they are spread (SVG, drawn by the template)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.report.curves import BOTTOM, COLORS, LEFT, RIGHT, TOP, Axis
from cryoweave.report.placements import Placements

COMPARED = "laplacian"
"""Measure whose spread is shown if it is there, else the score: it means the same whichever method found the poses."""
MOST_MARKS = 100
"""So many poses tell what they are when pointed at."""
STACKS = 60
"""Ranges of values in which dots stand on each other."""
SLACK = 0.06
"""Share of the values' range that is left free to either side."""


@dataclass(frozen=True)
class Mark:
    """A dot that says what it is."""

    x: float
    y: float
    color: str
    chosen: bool
    words: str


@dataclass(frozen=True)
class DotPlot:
    """Poses as dots; positions are those of the SVG.

    Parameters
    ----------
    title, x_label, y_label, caption
        Words.
    x_ticks, y_ticks
        Position and label.
    paths
        Colour and path of the dots that say nothing.
    marks
        The others.
    keys
        Colour and name of each model, if there are several.
    """

    title: str
    x_label: str
    y_label: str
    caption: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    paths: list[tuple[str, str]]
    marks: list[Mark]
    keys: list[tuple[str, str]]


def pose_plots(there: Placements | None) -> list[DotPlot]:
    """Scores by rank, and the spread of the measure that methods have in common; none of a single pose."""
    if there is None or len(there.poses) < 2:
        return []
    poses = there.poses
    rank = np.arange(1.0, len(poses) + 1)
    across = Axis(0.0, len(poses) + 1.0, LEFT, RIGHT)
    up = _axis(poses.score, BOTTOM, TOP)
    first = _drawn(
        there, (across.at(rank), up.at(poses.score)), ("scores by rank", "rank", "score"),
        (_whole(across.ticks()), up.ticks()), "Score of each pose by its rank", poses.score,
    )  # fmt: skip
    name = COMPARED if np.isfinite(poses.measures.get(COMPARED, [np.nan])).any() else "score"
    values = poses.measures[name] if name == COMPARED else poses.score
    return [first, _stacked(there, name, values)]


def _stacked(there: Placements, name: str, values: NDArray[np.float64]) -> DotPlot:
    """Each pose above its value, on those with about the same."""
    across = _axis(values, LEFT, RIGHT)
    x = across.at(values)
    level = np.full(len(values), np.nan)
    heights: dict[int, int] = {}
    chosen_first = sorted(np.flatnonzero(np.isfinite(values)).tolist(), key=lambda i: i not in there.placed)
    for i in chosen_first:
        stack = int((x[i] - LEFT) / (RIGHT - LEFT) * STACKS)
        heights[stack] = heights.get(stack, 0) + 1
        level[i] = heights[stack]
    up = Axis(0.0, max(5.0, 1.1 * max(heights.values())), BOTTOM, TOP)
    caption = f"Each dot is a pose, above its {name}"
    return _drawn(
        there, (x, up.at(level)), (f"spread of {name}", name, "poses"), (across.ticks(), _whole(up.ticks())),
        caption, values,
    )  # fmt: skip


def _drawn(
    there: Placements,
    at: tuple[NDArray[np.float64], NDArray[np.float64]],
    labels: tuple[str, str, str],
    ticks: tuple[list[tuple[float, str]], list[tuple[float, str]]],
    caption: str,
    values: NDArray[np.float64],
) -> DotPlot:
    names = list(dict.fromkeys(there.poses.model.tolist()))
    several = 1 < len(names) <= len(COLORS)
    colors = {name: COLORS[i] if several else COLORS[0] for i, name in enumerate(names)}
    x, y = at
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y)).tolist()
    telling = sorted({*known[:MOST_MARKS], *(i for i in known if i in there.placed)}, key=lambda i: i in there.placed)
    plain = set(known).difference(telling)
    paths = dict.fromkeys(colors.values(), "")
    for i in sorted(plain):
        paths[colors[str(there.poses.model[i])]] += f"M{x[i]:.1f} {y[i]:.1f}h0"
    marks = []
    for i in telling:
        name = str(there.poses.model[i])
        words = f"pose {i + 1}, {name}: {values[i]:.4g}{', placed' if i in there.placed else ''}"
        marks.append(Mark(round(float(x[i]), 1), round(float(y[i]), 1), colors[name], i in there.placed, words))
    caption += "; a ring marks what was placed." if there.placed else "."
    keys = [(color, name) for name, color in colors.items()] if several else []
    return DotPlot(*labels, caption, *ticks, [(c, path) for c, path in paths.items() if path], marks, keys)


def _axis(values: NDArray[np.float64], start: float, end: float) -> Axis:
    """From the smallest value to the largest, and a little more."""
    finite = values[np.isfinite(values)]
    low, high = float(finite.min()), float(finite.max())
    room = SLACK * (high - low) if high - low > 1e-12 * max(abs(high), 1.0) else 0.5
    return Axis(low - room, high + room, start, end)


def _whole(ticks: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
    """Those at whole numbers from 1 on."""
    return [(at, label) for at, label in ticks if "." not in label and "e" not in label and label != "0"]
