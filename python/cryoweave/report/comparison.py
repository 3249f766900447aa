"""Several validated models on one page: figures side by side, curves in common axes, links to each report."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.io.atomic import atomic_file
from cryoweave.report.columns import residue_keys
from cryoweave.report.curves import curve_plots
from cryoweave.report.facts import number
from cryoweave.report.page import environment, own, policy

_MAIN_CHAIN = (
    "N", "CA", "C", "O", "OXT", "CB", "P", "OP1", "OP2", "O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'",
)  # fmt: skip
_NO_SIDE_CHAIN = ("GLY", "ALA")
_WATER = ("HOH", "DOD", "WAT")
_MOST = 0.5
"""Share of the residues that must have a side chain where their kind has one."""


@dataclass(frozen=True)
class Atoms:
    """Which atoms a model has, how many residues and how many heavy atoms but water."""

    kind: str
    residues: int
    heavy: int


@dataclass(frozen=True)
class Row:
    """A model: its name, the address of its report as seen from the page, its scores and its atoms, if known."""

    name: str
    report: str
    scores: ScoreTable | None
    model: Model | None = None


def write(path: Path, models: list[Row]) -> Path:
    """Write the page.

    Parameters
    ----------
    path
        Where.
    models
        At least one; the order stays.
    """
    sizes = [atoms_of(one.model) if one.model is not None else Atoms("", 0, 0) for one in models]
    alike = len({size.kind for size in sizes}) == 1
    context: dict[str, Any] = {
        "models": [(model.name, quote(model.report)) for model in models],
        "sizes": sizes if any(size.kind for size in sizes) else [],
        "alike": alike,
        "whole": _table(models, _whole, lambda scores: scores.whole, starred=alike),
        "means": _table(models, _mean, lambda scores: scores.residues, starred=alike),
        "curves": curve_plots({model.name: model.scores.functions() for model in models if model.scores}),
        "style": own("style.css"),
        "policy": policy("", []),
    }
    with atomic_file(path) as temporary:
        text = environment().get_template("comparison.html.j2").render(context)
        temporary.write_text(text, encoding="utf-8")
    return path


def atoms_of(model: Model) -> Atoms:
    """Which atoms a model has: most of its side chains, the main chain, or one atom a residue."""
    trace = model.trace_atoms()
    heavy = model.select(~np.isin(model.element, ("H", "D")) & ~np.isin(model.residue_name, _WATER))
    keys = residue_keys(trace)
    with_side = set(residue_keys(heavy.select(~np.isin(heavy.atom_name, _MAIN_CHAIN))))
    may_have = [key for key, name in zip(keys, trace.residue_name.tolist(), strict=True) if name not in _NO_SIDE_CHAIN]
    share = sum(key in with_side for key in may_have) / max(len(may_have), 1)
    kind = "with side chains" if share >= _MOST else "main chain" if len(heavy) > 2 * len(trace) else "a trace"
    return Atoms(kind, len(trace), len(heavy))


def _whole(scores: ScoreTable, name: str) -> float:
    return scores.whole.get(name, math.nan)


def _mean(scores: ScoreTable, name: str) -> float:
    values = scores.residues.get(name, np.zeros(0))
    return float(np.nanmean(values)) if np.isfinite(values).any() else math.nan


def _table(
    models: list[Row], value: Any, names: Any, *, starred: bool
) -> list[tuple[str, Metric, list[tuple[float, bool]]]]:
    """Name, meaning and values of each score; with each value whether it is the best of several as they are shown."""
    metrics = {name: m.scores.metrics[name] for m in models if m.scores for name in names(m.scores)}
    rows = []
    for name, metric in metrics.items():
        values = [value(model.scores, name) if model.scores else math.nan for model in models]
        known = [v for v in values if math.isfinite(v)]
        best = ""
        if starred and metric.higher_is_better is not None and len(set(map(number, known))) > 1:
            best = number(max(known) if metric.higher_is_better else min(known))
        rows.append((name, metric, [(v, number(v) == best) for v in values]))
    return rows
