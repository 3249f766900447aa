"""Several validated models on one page: figures side by side, curves in common axes, links to each report."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from cryoweave.data import Metric, ScoreTable
from cryoweave.io.atomic import atomic_file
from cryoweave.report.curves import curve_plots
from cryoweave.report.page import environment, own, policy


@dataclass(frozen=True)
class Row:
    """A model: its name, the address of its report as seen from the page, and its scores, if it has any."""

    name: str
    report: str
    scores: ScoreTable | None


def write(path: Path, models: list[Row]) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        Where.
    models
        At least one; the order stays.
    """
    context: dict[str, Any] = {
        "models": [(model.name, quote(model.report)) for model in models],
        "whole": _table(models, _whole, lambda scores: scores.whole),
        "means": _table(models, _mean, lambda scores: scores.residues),
        "curves": curve_plots({model.name: model.scores.functions() for model in models if model.scores}),
        "style": own("style.css"),
        "policy": policy("", []),
    }
    with atomic_file(path) as temporary:
        text = environment().get_template("comparison.html.j2").render(context)
        temporary.write_text(text, encoding="utf-8")
    return path


def _whole(scores: ScoreTable, name: str) -> float:
    return scores.whole.get(name, math.nan)


def _mean(scores: ScoreTable, name: str) -> float:
    values = scores.residues.get(name, np.zeros(0))
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _table(models: list[Row], value: Any, names: Any) -> list[tuple[str, Metric, list[tuple[float, bool]]]]:
    """Name, meaning and values of each score; with each value whether it is the best of several."""
    metrics = {name: m.scores.metrics[name] for m in models if m.scores for name in names(m.scores)}
    rows = []
    for name, metric in metrics.items():
        values = [value(model.scores, name) if model.scores else math.nan for model in models]
        known = [v for v in values if math.isfinite(v)]
        best = math.nan
        if metric.higher_is_better is not None and len(set(known)) > 1:
            best = max(known) if metric.higher_is_better else min(known)
        rows.append((name, metric, [(v, v == best) for v in values]))
    return rows
