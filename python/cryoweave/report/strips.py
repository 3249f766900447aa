"""Scores along each chain: a strip of bars a score (SVG), or a heat map a chain where bars would be too many (PNG)."""

import base64
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.report.columns import Column, Scale, label_of, places_of
from cryoweave.report.pictures import packed

LEFT, WIDTH, TOP, HEIGHT = 60.0, 930.0, 8.0, 56.0
"""Where the bars stand in a strip of 1000 × 84 units."""
MOST_BARS = 20_000
"""Residues × scores of a model; with more of them its chains are heat maps."""
ROW = 16
"""Height of a score in a heat map, in the same units."""
LETTER, LABEL = 6.0, 12.0
"""Width of a letter beside a heat map, and height of a label at an axis, in the same units."""


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
    """The scores of one chain; ``x = left + slot * (place + 0.5)`` with the places of `places_of`.

    Parameters
    ----------
    chain, first, last, residues
        Which it is, its first and last residue, and how many there are.
    left, width, slot
        Where the places begin, how wide all of them and each of them are.
    ticks
        Marks on the x axis.
    strips
        A strip a score; empty if there is a heat map.
    heat
        Heat map as PNG in base64, a row of pixels a score, a pixel a place; empty if there are strips.
    """

    chain: str
    first: str
    last: str
    residues: int
    left: float
    width: float
    slot: float
    ticks: list[tuple[float, str]]
    strips: list[Strip]
    heat: str


def chain_plots(trace: Model, columns: list[Column]) -> list[ChainPlot]:
    """The scores of all chains, chain by chain.

    Parameters
    ----------
    trace
        One atom a residue.
    columns
        Scores of these residues.
    """
    bars = len(trace) * len(columns) <= MOST_BARS
    return [_chain_plot(str(chain), trace, columns, bars) for chain in dict.fromkeys(trace.chain.tolist())]


def _chain_plot(chain: str, trace: Model, columns: list[Column], bars: bool) -> ChainPlot:
    rows = np.flatnonzero(trace.chain == chain)
    places = places_of(trace, rows)
    left = LEFT if bars else _room_for([column.name for column in columns])
    width = LEFT + WIDTH - left
    slot = width / (int(places[-1]) + 1)
    x = (left + slot * (places + 0.5)).astype(np.float64)
    return ChainPlot(
        chain,
        label_of(trace, rows[0]),
        label_of(trace, rows[-1]),
        len(rows),
        left,
        width,
        slot,
        _chain_ticks(trace, rows, x),
        [_strip(column, column.values[rows], x, slot) for column in columns] if bars else [],
        "" if bars else _heat_map(columns, rows, places),
    )


def _room_for(names: list[str]) -> float:
    """Left margin that the longest name beside a heat map needs."""
    return max(LEFT, 10 + LETTER * max(map(len, names), default=0))


def _chain_ticks(trace: Model, rows: NDArray[np.intp], x: NDArray[np.float64]) -> list[tuple[float, str]]:
    """Residues with round numbers, none closer than a label is wide."""
    step = _round_step((x[-1] - x[0]) / WIDTH * len(rows) / 10)
    ticks: list[tuple[float, str]] = []
    for i, row in enumerate(rows.tolist()):
        wanted = trace.residue_number[row] % step == 0 and not trace.insertion_code[row]
        if wanted and (not ticks or x[i] - ticks[-1][0] > 30):
            ticks.append((round(float(x[i]), 1), label_of(trace, row)))
    return ticks


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
    at = [scale.low, scale.high] + ([0.0] if _is_apart(0.0, scale) else [])
    ticks = [(TOP + HEIGHT * (1 - (v - scale.low) / (scale.high - scale.low)), f"{v:.3g}") for v in at]
    bar = round(max(slot * 0.85, 0.8), 2)
    metric = column.metric
    return Strip(column.name, metric.definition, metric.unit, paths, missing, bar, ticks, len(without))


def _is_apart(value: float, scale: Scale) -> bool:
    """Whether there is room for a label of the value between those of the scale's ends."""
    share = (value - scale.low) / (scale.high - scale.low)
    return LABEL / HEIGHT < share < 1 - LABEL / HEIGHT


def _off_zero(height: float, zero: float) -> float:
    """At least a hair, so that a value of zero is seen."""
    return height if abs(height - zero) >= 1 else zero - 1


def _heat_map(columns: list[Column], rows: NDArray[np.intp], places: NDArray[np.intp]) -> str:
    pixels = np.full((len(columns), int(places[-1]) + 1, 3), 255, dtype=np.uint8)
    for line, column in enumerate(columns):
        pixels[line, places] = np.rint(column.scale.rgb(np.full(1, np.nan)) * 255)
        for color, found in column.scale.bins(column.values[rows]):
            pixels[line, places[found]] = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    return base64.b64encode(packed(pixels)).decode()
