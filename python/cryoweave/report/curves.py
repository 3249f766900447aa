"""Figures that are functions, and the map's histogram, as line plots (SVG, drawn by the template)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, DensityMap

LEFT, RIGHT, TOP, BOTTOM = 62.0, 470.0, 12.0, 232.0
"""Where the curves stand in a plot of 480 × 290 units."""
COLORS = ("#3b78c2", "#d55e00", "#009e73", "#b5559b", "#c98a00", "#3aa6d8", "#7a6a58")
"""After Okabe and Ito: told apart with any colour vision."""
DASHES = ("", "7 3", "2 3", "9 3 2 3")
MOST_POINTS = 400
BINS = 128
"""Of the histogram, as EMDB's validation has them."""
FSC_RULES = ((0.5, "0.5"), (0.143, "0.143"))
"""0.5: map against model; 0.143: half against half map (Rosenthal & Henderson 2003, doi 10.1016/j.jmb.2003.07.013)."""


@dataclass(frozen=True)
class Line:
    """One curve: its name, what it is, its SVG path and its look."""

    name: str
    definition: str
    path: str
    color: str
    dash: str


@dataclass(frozen=True)
class Plot:
    """Curves with the same axes; positions are those of the SVG.

    Parameters
    ----------
    title, x_label, y_label
        Words.
    lines
        The curves.
    x_ticks, y_ticks
        Position and label.
    x_rules, y_rules
        Lines across the plot, with their labels.
    """

    title: str
    x_label: str
    y_label: str
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    x_rules: list[tuple[float, str]] = field(default_factory=list)
    y_rules: list[tuple[float, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Axis:
    """Maps values to positions."""

    low: float
    high: float
    start: float
    end: float

    def at(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.start + (np.asarray(values) - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, label: str = "") -> list[tuple[float, str]]:
        """Round values; for spatial frequencies each as ``1/resolution``."""
        step = _round_step((self.high - self.low) / 6)
        first = math.ceil(self.low / step - 1e-9)
        values = [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        inverse = is_frequency(label)
        names = [f"1/{1 / v:.3g}" if inverse and v > 1e-9 else f"{round(v, 10):g}" for v in values]
        return [(round(float(self.at(np.array(v))), 1), name) for v, name in zip(values, names, strict=True)]

    def rules(self, values: Iterable[tuple[float, str]]) -> list[tuple[float, str]]:
        inside = [(value, name) for value, name in values if self.low <= value <= self.high]
        return [(round(float(self.at(np.array(value))), 1), name) for value, name in inside]


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= least * (1 - 1e-9))


def is_frequency(label: str) -> bool:
    """Whether an axis is one of spatial frequencies."""
    return any(unit in label for unit in ("1/Å", "Å⁻¹", "Å^-1", "Å-1"))


def curve_plots(models: Mapping[str, Mapping[str, Curve]], contour: float | None = None) -> list[Plot]:
    """Plots of all curves, those with the same axes in one plot.

    Parameters
    ----------
    models
        Curves by name, by the name of the model; only where there are several models its name is shown.
    contour
        Marked where the x axis is a density.
    """
    groups: dict[tuple[str, str], list[tuple[str, Curve]]] = {}
    for model, curves in models.items():
        for name, curve in curves.items():
            if (np.isfinite(curve.x) & np.isfinite(curve.y)).sum() > 1:
                shown = f"{model}: {name}" if len(models) > 1 else name
                groups.setdefault((curve.x_label, curve.y_label), []).append((shown, curve))
    return [_curve_plot(axes, curves, contour) for axes, curves in groups.items()]


def _curve_plot(axes: tuple[str, str], curves: list[tuple[str, Curve]], contour: float | None) -> Plot:
    x_label, y_label = axes
    shell = is_frequency(x_label) and any("fsc" in name.lower() for name, _ in curves)
    on_density = any(word in x_label.lower() for word in ("contour", "density"))
    marks = [(contour, f"contour {contour:.3g}")] if on_density and contour is not None else []
    title = ", ".join(dict.fromkeys(name.rpartition(": ")[2] for name, _ in curves))
    return _plot(title, x_label, y_label, curves, x_rules=marks, y_rules=FSC_RULES if shell else ())


def _plot(
    title: str,
    x_label: str,
    y_label: str,
    curves: list[tuple[str, Curve]],
    *,
    x_rules: Sequence[tuple[float, str]] = (),
    y_rules: Sequence[tuple[float, str]] = (),
    powers: bool = False,
) -> Plot:
    """``powers``: what is plotted are powers of ten."""
    x, y = _range([curve.x for _, curve in curves]), _range([curve.y for _, curve in curves])
    if powers:
        y = (0.0, max(y[1], 1.0))
    elif y[0] >= -1 and y[1] <= 1 and y[1] - y[0] > 0.05:
        y = (min(0.0, y[0]), 1.0)
    elif y[0] > 0:
        y = (0.0, y[1])
    across, up = Axis(*x, LEFT, RIGHT), Axis(*y, BOTTOM, TOP)
    lines = [
        Line(name, c.definition, _path(across, up, c), COLORS[i % len(COLORS)], DASHES[i % len(DASHES)])
        for i, (name, c) in enumerate(curves)
    ]
    y_ticks = up.rules((float(p), f"{10.0**p:g}") for p in range(int(y[1]) + 1)) if powers else up.ticks()
    return Plot(
        title, x_label, y_label, lines, across.ticks(x_label), y_ticks, across.rules(x_rules), up.rules(y_rules)
    )


def _range(columns: list[NDArray[np.float64]]) -> tuple[float, float]:
    values = np.concatenate(columns)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    return (low, high) if high - low > 1e-12 * max(abs(high), 1) else (low - 0.5, high + 0.5)


def _path(across: Axis, up: Axis, curve: Curve) -> str:
    """SVG path; a break where a value is missing, thinned where there are more points than the plot shows."""
    every = math.ceil(len(curve.x) / MOST_POINTS)
    x, y = across.at(curve.x[::every]), up.at(curve.y[::every])
    there = np.isfinite(x) & np.isfinite(y)
    begins = there & ~np.concatenate(([False], there[:-1]))
    return "".join(f"{'M' if begins[i] else 'L'}{x[i]:.1f} {y[i]:.1f}" for i in np.flatnonzero(there))


def histogram(density: DensityMap, contour: float | None = None) -> Plot | None:
    """How many voxels have which density, logarithmic; None for a constant map.

    Parameters
    ----------
    density
        The whole map.
    contour
        Marked in it.
    """
    low, high = float(density.values.min()), float(density.values.max())
    if not high > low:
        return None
    counts = np.zeros(BINS, dtype=np.int64)
    for section in density.values:  # section by section: a map may fill half of the memory
        level = ((section.astype(np.float64) - low) * (BINS / (high - low))).astype(np.intp)
        counts += np.bincount(np.minimum(level, BINS - 1).ravel(), minlength=BINS)
    edges = np.linspace(low, high, BINS + 1)
    with np.errstate(divide="ignore"):
        heights = np.where(counts > 0, np.log10(counts), 0.0)
    curve = Curve(
        np.repeat(edges, 2)[1:-1], np.repeat(heights, 2), "", "", f"voxels in each of {BINS} ranges of density"
    )
    marks = [(contour, f"contour {contour:.3g}")] if contour is not None else []
    return _plot("voxels", "density", "voxels", [("voxels", curve)], x_rules=marks, powers=True)
