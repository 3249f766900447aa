"""What the cells of a bench gave, read from their folders: scores, cost, and how those ended that gave none."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.bench.drive import CELLS, read_bench
from cryoweave.bench.outcome import Outcome, State, read_outcome
from cryoweave.bench.sheet import Target
from cryoweave.bench.worker import RUN, VALIDATION
from cryoweave.data import Metric
from cryoweave.errors import CryoweaveError, InputError, UsageError
from cryoweave.pipeline.chain import near
from cryoweave.pipeline.record import cost_of, read_record

RESULTS = "results.tsv"
COLUMNS = ("target", "recipe", "seed", "state", "metric", "value")
COSTS = {
    "seconds": Metric("time of the recipe's steps when they ran, also of those taken from another cell", "s", False),
    "cpu_seconds": Metric("CPU time of the same steps, of all threads", "s", False),
    "peak_gb": Metric("memory that the process held at most, or the largest of the same steps took", "GB", False),
}
USUAL = ("right_residue", "tm_score", "recall", "precision", "seconds", "peak_gb")
"""What is shown where nothing else is asked for, as far as it is there; the first decides the order."""


@dataclass(frozen=True)
class Result:
    """What one cell gave.

    Parameters
    ----------
    target, recipe, seed
        Which cell.
    state, error
        How it ended, and what went wrong.
    takes
        Inputs that its steps took.
    values
        Scores of the whole model, and what it cost.
    metrics
        What each of them means.
    """

    target: str
    recipe: str
    seed: int
    state: State | None
    error: str = ""
    takes: tuple[str, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Relative to the bench's."""
        return f"{CELLS}/{self.target}/{self.recipe}/{self.seed}"


@dataclass(frozen=True)
class Results:
    """What all cells of a bench gave.

    Parameters
    ----------
    folder
        The bench's.
    bench
        What its ``bench.json`` says.
    targets, recipes, seeds
        In the order of the sheet and the command.
    cells
        One for each.
    """

    folder: Path
    bench: Mapping[str, Any]
    targets: tuple[Target, ...]
    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    cells: tuple[Result, ...]

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """Every score and cost that some cell has."""
        return {name: metric for cell in self.cells for name, metric in cell.metrics.items()} | COSTS

    def chosen(self, names: Sequence[str]) -> dict[str, Metric]:
        """Metrics by name; of no name the usual ones, else the first scores that say what is better.

        Raises
        ------
        UsageError
            If no cell has one.
        """
        known = self.metrics
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise UsageError(f"no cell has the score {unknown!r}", near(unknown, list(known)))
        usual = [name for name in USUAL if name in known]
        if not names and set(usual) <= set(COSTS):
            telling = [name for name, metric in known.items() if metric.higher_is_better and name not in COSTS]
            usual = [*telling[:4], *usual]
        return {name: known[name] for name in names or usual}

    def table(self, name: str) -> NDArray[np.float64]:
        """A metric by target and recipe, mean over the seeds.

        A cell that failed has 0 where higher is better; NaN stands where it did not run, the recipe does not suit the
        target, or nothing is known.
        """
        metric = self.metrics[name]
        sums = np.zeros((len(self.targets), len(self.recipes)))
        counts = np.zeros(sums.shape)
        row = {target.name: i for i, target in enumerate(self.targets)}
        column = {recipe: j for j, recipe in enumerate(self.recipes)}
        for cell in self.cells:
            value = cell.values.get(name, math.nan)
            if failed(cell) and metric.higher_is_better and name not in COSTS:
                value = 0.0
            if math.isfinite(value):
                sums[row[cell.target], column[cell.recipe]] += value
                counts[row[cell.target], column[cell.recipe]] += 1
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def failed(cell: Result) -> bool:
    """Whether a cell ran and gave no scores."""
    return cell.state not in (None, State.DONE, State.UNFIT)


def read_results(folder: Path) -> Results:
    """What the folder of a bench holds now.

    Raises
    ------
    UsageError
        If it holds no bench.
    InputError
        If it was damaged.
    """
    entries = read_bench(folder)
    try:
        targets = tuple(Target.model_validate(target) for target in entries["targets"])
        cells = tuple(_result(folder, identity) for identity in entries["cells"])
        seeds = tuple(int(seed) for seed in entries["seeds"])
        return Results(folder, entries, targets, tuple(entries["recipes"]), seeds, cells)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder} holds a damaged bench: {error}", "run it again") from error


def _result(folder: Path, identity: str) -> Result:
    target, recipe, seed = identity.split("/")
    place = folder / CELLS / identity
    outcome = read_outcome(place)
    if outcome is None:
        return Result(target, recipe, int(seed), None)
    takes = tuple(_spec(place).get("takes", ()))
    cost = _cost(place, outcome)
    values, metrics, error = dict(cost), dict(COSTS), outcome.error
    state = outcome.state
    if state is State.DONE:
        from cryoweave.io.scores import read_whole

        try:
            scores, meanings = read_whole(place / VALIDATION)
        except CryoweaveError as damage:
            state, error = State.NO_RESULT, str(damage)
        else:
            values, metrics = {**scores, **cost}, {**meanings, **COSTS}
    return Result(target, recipe, int(seed), state, error, takes, values, metrics)


def _spec(place: Path) -> dict[str, Any]:
    from cryoweave.bench.worker import SPEC

    try:
        found: dict[str, Any] = json.loads((place / SPEC).read_bytes())
    except (OSError, ValueError):
        return {}
    return found


def _cost(place: Path, outcome: Outcome) -> dict[str, float]:
    if outcome.state is State.UNFIT:
        return {}
    own = {"seconds": outcome.seconds, "cpu_seconds": outcome.cpu_seconds, "peak_gb": outcome.peak_mb / 1000}
    if outcome.state is not State.DONE:
        return own  # what it took until it ended
    steps = cost_of(read_record(place / RUN) or {})
    return {**own, **steps, "peak_gb": max(own["peak_gb"], steps.get("peak_gb", 0.0))}


def write_results(results: Results, path: Path) -> None:
    """Write a tidy table: a line for each score of each cell.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    from cryoweave.io.atomic import atomic_file

    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, "excel-tab", lineterminator="\n")
        writer.writerow(COLUMNS)
        for cell in results.cells:
            head = (cell.target, cell.recipe, cell.seed, cell.state or "")
            values = cell.values or {"seconds": math.nan}
            writer.writerows((*head, name, repr(float(value))) for name, value in values.items())


Key = tuple[str, str, int]


def read_table(path: Path) -> dict[Key, tuple[str, dict[str, float]]]:
    """State and values of each cell from a ``results.tsv``.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    found: dict[Key, tuple[str, dict[str, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, dialect="excel-tab", strict=True):
                key = (row["target"], row["recipe"], int(row["seed"]))
                found.setdefault(key, (row["state"], {}))[1][row["metric"]] = float(row["value"])
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is no table of a bench: {error}", f"give the folder of a bench, or its {RESULTS}"
        ) from error
    return found


@dataclass(frozen=True)
class Change:
    """A cell that is not what it was.

    Parameters
    ----------
    target, recipe, seed
        Which.
    state
        Before and now; empty where there was or is no such cell.
    values
        By metric before and now.
    """

    target: str
    recipe: str
    seed: int
    state: tuple[str, str]
    values: Mapping[str, tuple[float, float]]


def changes(
    results: Results, before: Mapping[Key, tuple[str, Mapping[str, float]]], names: Iterable[str]
) -> list[Change]:
    """Cells that changed in state, or by more than a rounding in one of some metrics; cost is not compared."""
    wanted = [name for name in names if name not in COSTS]
    found = []
    now = {(cell.target, cell.recipe, cell.seed): cell for cell in results.cells}
    for key in dict.fromkeys([*now, *before]):
        cell, (state, values) = now.get(key), before.get(key, ("", {}))
        present = str(cell.state or "") if cell else ""
        pairs = {
            name: (values.get(name, math.nan), cell.values.get(name, math.nan) if cell else math.nan) for name in wanted
        }
        moved = {name: pair for name, pair in pairs.items() if not same(*pair)}
        if state != present or moved:
            found.append(Change(*key, (state, present), moved))
    return found


def same(one: float, other: float, close: float = 1e-9) -> bool:
    """Whether two figures differ by no more than a rounding, ``close`` of their size, or are both unknown."""
    return math.isclose(one, other, rel_tol=close, abs_tol=close / 1000) or (math.isnan(one) and math.isnan(other))
