"""The table of poses, what each of its numbers means, and what to think of the best."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Poses
from cryoweave.data.poses import COMMON_MEASURES, ENOUGH, SURE
from cryoweave.kernels.graph import nearest
from cryoweave.report.folder import RunFolder
from cryoweave.report.placements import Placements
from cryoweave.report.scene import Ghost

CLOSE = 3.0
"""Å between the Cα (P) of two models that lie in the same place."""
SHARED = 0.05
"""Share of a pose's residues that may lie there."""
MOST_ROWS = 20
"""Poses in the table, besides those that were placed."""
MOST_GHOSTS, MOST_RESIDUES = 5, 6000
"""Poses in the 3-D view beside the model, and residues that their models may have together."""
GHOST_COLORS = ("#d55e00", "#009e73", "#b5559b", "#c98a00", "#3aa6d8")
SCORE = "what the method ranks by"
UNKNOWN = "as the method gives it; its page in docs/methods says more"


@dataclass(frozen=True)
class Row:
    """A pose.

    Parameters
    ----------
    rank, model, score, values
        Rank from 1, the model that it places, score and measures.
    remark
        Whether it was placed.
    taken
        Share of its residues within `CLOSE` of those of the run's model; NaN for those that were placed.
    color
        In the 3-D view; empty if it is not there.
    """

    rank: int
    model: str
    score: float
    values: list[float]
    remark: str
    taken: float
    color: str


@dataclass(frozen=True)
class PoseTable:
    """The section on poses.

    Parameters
    ----------
    score
        What the score is.
    columns
        Name and meaning of each measure.
    rows
        The best, and all that were placed.
    total, placed, copies
        How many poses there are, how many of them the model is made of, and its other copies.
    verdict, good
        What to think of the best, and whether that is well.
    """

    score: Metric
    columns: list[tuple[str, Metric]]
    rows: list[Row]
    total: int
    placed: int
    copies: int
    verdict: str
    good: bool


def table_of(run: RunFolder, ghosts: list[Ghost]) -> PoseTable | None:
    """The table of a run's poses; None if it gave none."""
    there = run.placements
    if there is None or not len(there.poses):
        return None
    poses = there.poses
    names = [name for name, values in poses.measures.items() if np.isfinite(values).any()]
    colors = {ghost.rank: ghost.color for ghost in ghosts}
    trace = run.model.trace_atoms().xyz if run.model is not None else np.zeros((0, 3))
    shown = sorted({*range(min(MOST_ROWS, len(poses))), *there.placed})
    rows = [
        Row(
            i + 1,
            str(poses.model[i]),
            float(poses.score[i]),
            [float(poses.measures[name][i]) for name in names],
            _remark(there, i),
            _taken(there, i, trace),
            colors.get(i + 1, ""),
        )
        for i in shown
    ]
    meanings = {**_told(run.steps), **COMMON_MEASURES}
    source = next((str(step["stage"]) for step in run.steps if step.get("gives") == "Poses"), "")
    score = Metric(f"{SCORE} ({source})" if source else SCORE, "", True)
    verdict, good = verdict_of(poses)
    sure = significant(poses)
    if doubled := sum(bool(sure[row.rank - 1]) and row.taken > SHARED for row in rows):
        verdict += f" {doubled} of them would overlap the model, which has better poses there, and cannot be right too."
    columns = [(name, meanings.get(name, Metric(UNKNOWN))) for name in names]
    return PoseTable(score, columns, rows, len(poses), len(there.placed), there.copies, verdict, good)


def _told(steps: Iterable[Mapping[str, Any]]) -> dict[str, Metric]:
    """What the run's steps say of their measures."""
    found = {}
    for step in steps:
        for name, about in (step.get("measures") or {}).items():
            unit, higher = about.get("unit"), about.get("higher_is_better")
            found[name] = Metric(str(about.get("definition") or UNKNOWN), str(unit or ""), higher)
    return found


def _remark(there: Placements, pose: int) -> str:
    if pose not in there.placed:
        return ""
    moved = there.placed[pose]
    return f"in the model, {moved:.1f} Å off" if moved else "placed"


def _taken(there: Placements, pose: int, model: NDArray[np.float64]) -> float:
    """How much of a pose lies where the model lies already."""
    trace = there.traces.get(str(there.poses.model[pose]))
    if trace is None or pose in there.placed or not len(model):
        return float("nan")
    _, distance = nearest(model, there.poses.moved(trace.xyz, pose), 1)
    return float(np.mean(distance < CLOSE))


def significant(poses: Poses) -> NDArray[np.bool_]:
    """Which poses are right by all that is known; none where the method does not say how sure they are."""
    if SURE not in poses.measures:
        return np.zeros(len(poses), dtype=bool)
    return np.asarray(poses.measures[SURE] >= ENOUGH)


def verdict_of(poses: Poses) -> tuple[str, bool]:
    """What to think of the best poses in words, and whether some are significant."""
    if SURE not in poses.measures:
        return (
            "This method does not say how sure a fit is. A right pose stands out: whichever score is looked at, it is "
            "clearly above that of the next poses which are not copies of it.",
            False,
        )
    count = int(significant(poses).sum())
    if count:
        return f"{count} of {len(poses)} poses are significant: {ENOUGH:.0%} or more likely to be right.", True
    best = float(np.max(np.nan_to_num(poses.measures[SURE]), initial=0.0))
    return f"No fit is significant: the best is right with a chance of {best:.0%}. Do not build on it.", False


def ghosts_of(there: Placements | None) -> list[Ghost]:
    """The best poses that are not in the model, as far as the 3-D view has room for them."""
    found: list[Ghost] = []
    read: dict[str, int] = {}
    if there is None:
        return found
    for i, name in enumerate(there.poses.model.tolist()):
        trace = there.traces.get(name)
        if trace is None or i in there.placed:
            continue
        if sum((read | {name: len(trace)}).values()) > MOST_RESIDUES:
            continue
        if len(found) == MOST_GHOSTS:
            break
        read[name] = len(trace)
        place = there.poses.rotation[i], there.poses.translation[i]
        found.append(Ghost(i + 1, name, trace, *place, GHOST_COLORS[len(found)]))
    return found
