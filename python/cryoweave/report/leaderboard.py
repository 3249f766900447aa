"""The page of a bench: recipes by their means over maps, map by map, pair by pair, and against what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cryoweave.data import Metric
from cryoweave.data.means import Mean
from cryoweave.io.atomic import atomic_file
from cryoweave.report.curves import BOTTOM, LEFT, RIGHT, TOP, Axis
from cryoweave.report.overlay import Overlay, OverlayView, color_of, view_of
from cryoweave.report.page import digest, environment, own, policy
from cryoweave.report.scene import text_of, unpacked, viewer_files
from cryoweave.report.spread import DotPlot, Mark


@dataclass(frozen=True)
class Entry:
    """One recipe on one map.

    Parameters
    ----------
    value
        Mean over the seeds; NaN if there is none.
    state
        How it ended, empty if well; ``unfit`` if the recipe does not suit the map.
    report
        Address of its report as seen from the page, empty if there is none.
    seen
        Whether weights that it uses saw the map in training.
    """

    value: float
    state: str = ""
    report: str = ""
    seen: bool = False


@dataclass(frozen=True)
class Block:
    """One metric.

    Parameters
    ----------
    name, metric
        What it is.
    order
        Recipes from the best mean to the worst, as places in the board's list.
    means
        Of each recipe, in the board's order.
    entries
        By map, then by recipe.
    differences
        ``[i][j]``: recipe i less recipe j over the maps that both have; empty for cost.
    """

    name: str
    metric: Metric
    order: Sequence[int]
    means: Sequence[Mean]
    entries: Sequence[Sequence[Entry]]
    differences: Sequence[Sequence[Mean]] = ()

    def best(self, row: int) -> str:
        """The best figure of a map as it is shown; empty if all are alike, or nothing says what is better."""
        known = [entry.value for entry in self.entries[row] if math.isfinite(entry.value)]
        if self.metric.higher_is_better is None or len(set(map(_shown, known))) < 2:
            return ""
        return _shown(max(known) if self.metric.higher_is_better else min(known))


@dataclass(frozen=True)
class Contender:
    """One recipe as the board presents it.

    Parameters
    ----------
    name
        Of the recipe.
    takes
        Inputs that it uses, as people call them.
    done, failed, unfit
        Cells that ended well, that did not, and that could not begin.
    """

    name: str
    takes: Sequence[str]
    done: int
    failed: int
    unfit: int


@dataclass(frozen=True)
class Board:
    """All that the page shows.

    Parameters
    ----------
    title, facts
        Words, and names with values: when, where, what judged.
    contenders
        The recipes.
    maps
        Name and note of each map.
    blocks
        The metrics; the first decides the order of recipes.
    cost
        The metric that stands for cost; None if it is not known.
    failures
        Cell, address of its folder, state and error of each that gave no scores.
    changes
        Cell, and what it was and is, of each that is not what it was; None if there is nothing to compare with.
    before
        What it was compared with.
    overlay
        The models of one map.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    contenders: Sequence[Contender]
    maps: Sequence[tuple[str, str]]
    blocks: Sequence[Block]
    cost: Block | None = None
    failures: Sequence[tuple[str, str, str, str]] = ()
    changes: Sequence[tuple[str, str]] | None = None
    before: str = ""
    overlay: Overlay | None = None
    notes: Sequence[str] = field(default_factory=tuple)


def write(path: Path, board: Board) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        Where.
    board
        What it shows.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    view = view_of(board.overlay) if board.overlay else None
    style, script = own("style.css"), own("viewer.js") if view else ""
    viewer = viewer_files() if view else {}
    context: dict[str, Any] = {
        "board": board,
        "plot": cost_plot(board),
        "view": view,
        "data": _data(view),
        "viewer": {kind: text_of(content) for kind, content in viewer.items()},
        "style": style,
        "script": script,
        "policy": policy(script, [digest(unpacked(viewer["js"]))] if viewer else []),
    }
    with atomic_file(path) as temporary:
        text = environment().get_template("leaderboard.html.j2").render(context)
        temporary.write_text(text, encoding="utf-8")
    return path


def _data(view: OverlayView | None) -> dict[str, Any]:
    if view is None:
        return {"columns": [], "view": None, "map": None}
    small = view.small
    return {"columns": [], "view": view.look, "map": {"floor": small.floor, "step": small.step} if small else None}


def _shown(value: float) -> str:
    from cryoweave.report.facts import number

    return number(value)


def cost_plot(board: Board) -> DotPlot | None:
    """Mean of the first metric against mean cost, on a scale of powers of ten; None if too little is known."""
    block, cost = board.blocks[0] if board.blocks else None, board.cost
    if block is None or cost is None or block.name == cost.name:
        return None
    points = [
        (j, cost.means[j].value, block.means[j])
        for j in range(len(board.contenders))
        if cost.means[j].value > 0 and math.isfinite(block.means[j].value)
    ]
    if len(points) < 2:
        return None
    log = np.log10([seconds for _, seconds, _ in points])
    values = np.array([mean.value for _, _, mean in points])
    low, high = math.floor(log.min()), math.ceil(log.max() - 1e-9)
    across = Axis(float(low), float(max(high, low + 1)), LEFT, RIGHT)
    top = 1.0 if values.min() >= 0 and values.max() <= 1 else float(values.max())
    up = Axis(min(0.0, float(values.min())), top if top > 0 else 1.0, BOTTOM, TOP)
    x, y = across.at(log), up.at(values)
    marks = [
        Mark(round(float(x[i]), 1), round(float(y[i]), 1), color_of(j), False, _words(board, j, seconds, mean))
        for i, (j, seconds, mean) in enumerate(points)
    ]
    ticks = across.rules((float(power), f"{10.0**power:g}") for power in range(low, max(high, low + 1) + 1))
    keys = [(color_of(j), board.contenders[j].name) for j, _, _ in points]
    unit = f" ({cost.metric.unit})" if cost.metric.unit else ""
    return DotPlot(
        f"{block.name} against {cost.name}", f"{cost.name}{unit}, mean over the maps", f"mean {block.name}",
        "Each dot is a recipe; hover for its figures.", ticks, up.ticks(), [], marks, keys,
    )  # fmt: skip


def _words(board: Board, place: int, seconds: float, mean: Mean) -> str:
    return f"{board.contenders[place].name}: {_shown(mean.value)} after {_shown(seconds)}"
