"""Plots that need no script: strips of scores along each chain (SVG, drawn by the template) and the still picture."""

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.report.columns import NO_VALUE, Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEFT, WIDTH, TOP, HEIGHT = 60.0, 930.0, 8.0, 56.0
"""Where the bars stand in a strip of 1000 × 84 units."""
LONGEST_STEP = 5.5
"""Å; Cα atoms farther apart than this are not joined in the picture."""


@dataclass(frozen=True)
class Strip:
    """One score along one chain.

    Parameters
    ----------
    name, definition, unit
        Of the score.
    paths
        Colour and SVG path of the bars of that colour.
    missing
        SVG path that marks the residues without a value.
    bar
        Width of a bar.
    ticks
        Height and label of the marks on the y axis.
    without
        How many residues have no value.
    """

    name: str
    definition: str
    unit: str
    paths: list[tuple[str, str]]
    missing: str
    bar: float
    ticks: list[tuple[float, str]]
    without: int


@dataclass(frozen=True)
class ChainPlot:
    """The strips of one chain; ``x = left + slot * (number - first + 0.5)``."""

    chain: str
    first: int
    last: int
    residues: int
    slot: float
    ticks: list[tuple[float, int]]
    strips: list[Strip]


def chain_plots(trace: Model, columns: list[Column]) -> list[ChainPlot]:
    """Strips of all columns, chain by chain.

    Parameters
    ----------
    trace
        One atom a residue.
    columns
        Scores of these residues.
    """
    return [_chain_plot(str(chain), trace, columns) for chain in dict.fromkeys(trace.chain.tolist())]


def _chain_plot(chain: str, trace: Model, columns: list[Column]) -> ChainPlot:
    rows = np.flatnonzero(trace.chain == chain)
    numbers = trace.residue_number[rows].astype(np.int64)
    first, last = int(numbers.min()), int(numbers.max())
    slot = WIDTH / (last - first + 1)
    x = (LEFT + slot * (numbers - first + 0.5)).astype(np.float64)
    step = _round_step((last - first + 1) / 10)
    marks = range(-(-first // step) * step, last + 1, step)
    ticks = [(round(LEFT + slot * (n - first + 0.5), 1), n) for n in marks]
    strips = [_strip(column, column.values[rows], x, slot) for column in columns]
    return ChainPlot(chain, first, last, len(rows), slot, ticks, strips)


def _round_step(least: float) -> int:
    power = 10 ** math.floor(math.log10(max(least, 1)))
    return int(next(m * power for m in (1, 2, 5, 10) if m * power >= least - 1e-9))


def _strip(column: Column, values: NDArray[np.float64], x: NDArray[np.float64], slot: float) -> Strip:
    scale = column.scale
    height = TOP + HEIGHT * (1 - np.clip((values - scale.low) / (scale.high - scale.low), 0.02, 1))
    zero = TOP + HEIGHT * (1 - min(max((0 - scale.low) / (scale.high - scale.low), 0), 1))
    paths = [
        (color, "".join(f"M{x[i]:.1f} {zero:.1f}V{_off_zero(height[i], zero):.1f}" for i in rows))
        for color, rows in scale.bins(values)
    ]
    without = np.flatnonzero(~np.isfinite(values))
    missing = "".join(f"M{x[i]:.1f} {TOP + HEIGHT + 1:.0f}v5" for i in without)
    at = [scale.low, scale.high] + ([0.0] if scale.low < 0 < scale.high else [])
    ticks = [(TOP + HEIGHT * (1 - (v - scale.low) / (scale.high - scale.low)), f"{v:.3g}") for v in at]
    unit = f"{column.metric.unit}" if column.metric.unit else ""
    bar = round(max(slot * 0.85, 0.8), 2)
    return Strip(column.name, column.metric.definition, unit, paths, missing, bar, ticks, len(without))


def _off_zero(height: float, zero: float) -> float:
    """At least a hair, so that a value of zero is seen."""
    return height if abs(height - zero) >= 1 else zero - 1


def picture(density: DensityMap | None, trace: Model, column: Column | None, contour: float) -> bytes:
    """Projections of the density along z, y and x with the trace on top, as PNG.

    Parameters
    ----------
    density
        The part of the map around the model, if there is a map.
    trace
        One atom a residue; may be empty.
    column
        Score to colour the trace by.
    contour
        Density that the projections' grey scale is made for.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=80, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for place, (name, across, up) in enumerate((("z", 0, 1), ("y", 0, 2), ("x", 1, 2)), start=1):
        axes = figure.add_subplot(1, 3, place)
        axes.set_title(f"along {name}", fontsize=10)
        axes.set_xlabel(f"{'xyz'[across]} (Å)", fontsize=8)
        axes.set_ylabel(f"{'xyz'[up]} (Å)", fontsize=8)
        axes.tick_params(labelsize=7)
        if density is not None:
            _projection(axes, density, across, up, contour)
        _trace(axes, trace, column, across, up)
        axes.set_aspect("equal")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _projection(axes: "Axes", density: DensityMap, across: int, up: int, contour: float) -> None:
    frame = density.frame
    depth = ({0, 1, 2} - {across, up}).pop()
    image = density.values.max(axis=2 - depth)
    low = frame.to_xyz([[-0.5, -0.5, -0.5]])[0]
    high = frame.to_xyz([[n - 0.5 for n in frame.shape_zyx]])[0]
    extent = (low[across], high[across], low[up], high[up])
    most = max(float(image.max()), contour * 1.01 if contour > 0 else float(image.max()) + 1e-6)
    shown = axes.imshow(image, cmap="Greys", origin="lower", extent=extent, interpolation="bilinear")
    shown.set_clim(min(0.0, contour), 1.6 * most)
    if min(image.shape) > 1 and image.min() < contour < image.max():
        axes.contour(image, [contour], origin="lower", extent=extent, colors="#8fa6c2", linewidths=0.8)


def _trace(axes: "Axes", trace: Model, column: Column | None, across: int, up: int) -> None:
    from matplotlib.collections import LineCollection

    points = trace.xyz[:, [across, up]]
    joined = (trace.chain[1:] == trace.chain[:-1]) & (np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1) < LONGEST_STEP)
    colors = _trace_colors(trace, column)
    if joined.any():
        lines = list(np.stack((points[:-1][joined], points[1:][joined]), axis=1))
        axes.add_collection(LineCollection(lines, colors=list(colors[:-1][joined]), linewidths=2, capstyle="round"))
    axes.scatter(points[:, 0], points[:, 1], s=5, c=colors, linewidths=0, zorder=3)
    axes.autoscale_view()


def _trace_colors(trace: Model, column: Column | None) -> NDArray[np.float64]:
    if column is not None:
        return column.scale.rgb(column.values)
    rgb = [int(NO_VALUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return np.tile(rgb, (len(trace), 1))
