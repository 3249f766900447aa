"""Pictures that need no script: the map seen from three sides and cut in the middle, with the model over it (PNG)."""

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.report.columns import NO_VALUE, Column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONGEST_STEP = 5.5
"""Å; Cα atoms farther apart than this are not joined in the picture."""
SLAB = 2.0
"""Å to either side of a slice; trace atoms in there are drawn on it."""
_SIDES = (("z", 0, 1), ("y", 0, 2), ("x", 1, 2))
"""Axis to look along, and those that then lie across and up."""


def projections(density: DensityMap | None, trace: Model, column: Column | None, contour: float) -> bytes:
    """Largest densities along z, y and x with the trace on top, as PNG.

    Parameters
    ----------
    density
        The part of the map around the model, if there is a map.
    trace
        One atom a residue; may be empty.
    column
        Score to colour the trace by.
    contour
        Density that the grey scale is made for.
    """
    figure = _figure()
    for place, (name, across, up) in enumerate(_SIDES, start=1):
        axes = _axes(figure, place, f"along {name}", across, up)
        if density is not None:
            depth = ({0, 1, 2} - {across, up}).pop()
            _image(axes, density, density.values.max(axis=2 - depth), across, up, contour)
        _trace(axes, trace, column, across, up)
        axes.set_aspect("equal")
    return _png(figure)


def slices(density: DensityMap, trace: Model, column: Column | None, contour: float) -> bytes:
    """Sections through the middle of the model (of the map, if there is none), as PNG.

    Parameters
    ----------
    density, trace, column, contour
        As for `projections`. Trace atoms within `SLAB` of a section are drawn on it.
    """
    figure = _figure()
    frame = density.frame
    middle = (np.array(frame.shape_zyx) - 1) / 2
    if len(trace):
        middle = frame.to_zyx([(trace.xyz.min(axis=0) + trace.xyz.max(axis=0)) / 2])[0]
    node = np.clip(np.rint(middle), 0, np.array(frame.shape_zyx) - 1).astype(int)
    at = frame.to_xyz([node])[0]
    for place, (name, across, up) in enumerate(_SIDES, start=1):
        depth = ({0, 1, 2} - {across, up}).pop()
        axes = _axes(figure, place, f"{name} = {at[depth]:.1f} Å", across, up)
        _image(axes, density, density.values.take(node[2 - depth], axis=2 - depth), across, up, contour)
        near = np.abs(trace.xyz[:, depth] - at[depth]) <= SLAB
        colors = _trace_colors(trace, column)[near]
        x, y = trace.xyz[near][:, [across, up]].T
        axes.scatter(x, y, s=14, c=colors, edgecolors="#222222", linewidths=0.4, zorder=3)
        axes.set_aspect("equal")
    return _png(figure)


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), dpi=80, facecolor="white")
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.11, top=0.93, wspace=0.18)
    return figure


def _png(figure: "Figure") -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return packed(np.asarray(canvas.buffer_rgba())[..., :3])


def packed(pixels: NDArray[np.uint8]) -> bytes:
    """PNG with a palette of at most 64 colours: a third of the size of one without.

    Parameters
    ----------
    pixels
        Red, green and blue, shape ``(rows, columns, 3)``.
    """
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels)).quantize(64, dither=Image.Dither.NONE)
    image.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _axes(figure: "Figure", place: int, title: str, across: int, up: int) -> "Axes":
    axes = figure.add_subplot(1, 3, place)
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(f"{'xyz'[across]} (Å)", fontsize=8)
    axes.set_ylabel(f"{'xyz'[up]} (Å)", fontsize=8)
    axes.tick_params(labelsize=7)
    return axes


def _image(axes: "Axes", density: DensityMap, image: NDArray[np.float32], across: int, up: int, contour: float) -> None:
    frame = density.frame
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
