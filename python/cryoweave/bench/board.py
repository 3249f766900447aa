"""The board of a bench: what its page, its table and its JSON show, from the results."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave import host
from cryoweave.bench.outcome import State
from cryoweave.bench.results import COSTS, Change, Key, Result, Results, changes, failed
from cryoweave.bench.sheet import Target
from cryoweave.bench.statistics import best_first, differences, mean_of, ranked
from cryoweave.bench.worker import VALIDATION
from cryoweave.data import Metric
from cryoweave.data.means import Mean
from cryoweave.errors import CryoweaveError, UsageError
from cryoweave.kernels.symmetry import symmetry_of
from cryoweave.pipeline.chain import load_recipe, near
from cryoweave.pipeline.outputs import MODEL, REPORT
from cryoweave.report.leaderboard import Block, Board, Contender, Entry
from cryoweave.report.overlay import Overlay

COST = "seconds"
_WORDS = {"density": "map", "models": "models", "model": "model"}
Before = Mapping[Key, tuple[str, Mapping[str, float]]]


def board_of(
    results: Results, names: Sequence[str] = (), *, show: str = "", before: Before | None = None, since: str = ""
) -> Board:
    """The board.

    Parameters
    ----------
    results
        What the cells gave.
    names
        Metrics to show, the first of which decides the order; the usual ones if none are named.
    show
        Target whose models are laid over each other; the first of which two recipes have a model if empty, none if
        ``"none"``.
    before, since
        States and values of an earlier bench, and what it is called.

    Raises
    ------
    UsageError
        If a metric or the target does not exist.
    """
    chosen = results.chosen(names)
    seen = _seen(results)
    blocks = [_block(results, name, metric, seen) for name, metric in chosen.items()]
    cost = next((block for block in blocks if block.name == COST), None)
    first = next(iter(chosen), "")
    moved = None if before is None else [_told(change) for change in changes(results, before, chosen)]
    return Board(
        title=f"{len(results.recipes)} recipes on {len(results.targets)} maps",
        facts=_facts(results),
        contenders=[_contender(results, recipe) for recipe in results.recipes],
        maps=[(target.name, target.note) for target in results.targets],
        blocks=blocks,
        cost=cost or _block(results, COST, COSTS[COST], seen),
        failures=[(c.folder.partition("/")[2], c.folder, str(c.state), c.error) for c in results.cells if failed(c)],
        changes=moved,
        before=since,
        overlay=None if show == "none" else _overlay(results, first, show),
        notes=_notes(results, blocks),
    )


def _notes(results: Results, blocks: Sequence[Block]) -> list[str]:
    notes = []
    if waiting := sum(cell.state is None for cell in results.cells):
        notes.append(f"{waiting} of {len(results.cells)} cells have not run: means are of those that have.")
    judged = {mean.count for mean in blocks[0].means if mean.count} if blocks else set()
    if len(judged) > 1:
        where = f"Recipes were judged on different maps, {min(judged)} to {max(judged)} of them"
        notes.append(f"{where}: their means do not compare; see pair by pair.")
    return notes


def _seen(results: Results) -> set[tuple[str, str]]:
    """Target and recipe of each cell whose recipe has a stage of a plugin that was trained on the target."""
    found = set()
    for recipe, source in results.bench["recipes"].items():
        try:
            stages = [step.stage for step in load_recipe(source).steps]
            packages = {host.registry().package_of("stages", stage) for stage in stages}
        except CryoweaveError:
            continue  # the plugin is not here any more; its figures stay
        found |= {(target.name, recipe) for target in results.targets if packages & set(target.trained_on)}
    return found


def _block(results: Results, name: str, metric: Metric, seen: set[tuple[str, str]]) -> Block:
    table = results.table(name)
    pairs = [] if name in COSTS or metric.higher_is_better is None else differences(table)
    return Block(
        name, metric, ranked(table, metric.higher_is_better), [mean_of(column) for column in table.T],
        _entries(results, table, seen), pairs,
    )  # fmt: skip


def _entries(results: Results, table: NDArray[np.float64], seen: set[tuple[str, str]]) -> list[list[Entry]]:
    cells: dict[tuple[str, str], list[Result]] = {}
    for cell in results.cells:
        cells.setdefault((cell.target, cell.recipe), []).append(cell)
    return [
        [
            _entry(
                results.folder, cells.get((target.name, recipe), []), float(table[i, j]), (target.name, recipe) in seen
            )
            for j, recipe in enumerate(results.recipes)
        ]
        for i, target in enumerate(results.targets)
    ]


def _entry(folder: Path, cells: Sequence[Result], value: float, seen: bool) -> Entry:
    bad = [cell for cell in cells if cell.state is not State.DONE]
    good = [cell for cell in cells if cell.state is State.DONE]
    state = (str(bad[0].state or "not run") + (f" {len(bad)} of {len(cells)}" if good else "")) if bad else ""
    place = f"{good[0].folder}/{VALIDATION}/" if good else ""
    report = f"{place}{REPORT}" if place and (folder / place / REPORT).is_file() else place
    return Entry(value, state, report, seen)


def _contender(results: Results, recipe: str) -> Contender:
    own = [cell for cell in results.cells if cell.recipe == recipe]
    takes = dict.fromkeys(name for cell in own for name in cell.takes)
    return Contender(
        recipe,
        [_WORDS.get(name, name) for name in takes],
        sum(cell.state is State.DONE for cell in own),
        sum(failed(cell) for cell in own),
        sum(cell.state is State.UNFIT for cell in own),
    )


def _facts(results: Results) -> list[tuple[str, str]]:
    entries, options = results.bench, results.bench["options"]
    inputs = "all recipes get what the sheet gives of a map, and none the reference; resolution, contour and symmetry "
    facts = [
        ("Begun", str(entries["started"])[:16].replace("T", " ")),
        ("Machine", f"{entries['platform']}, {entries['cpu_count']} cores; {options['threads']} thread(s) a cell"),
        ("cryoweave", str(entries["cryoweave"])),
        ("Command", " ".join(map(str, entries["command"]))),
        ("Inputs", f"{inputs}go to all steps that ask for them"),
        ("Judged by", ", ".join(options["validators"])),
        ("Seeds", ", ".join(map(str, results.seeds))),
    ]
    if groups := [f"{target.name}: {target.equal_copies}" for target in results.targets if target.equal_copies]:
        facts.append(("Symmetry", f"{'; '.join(groups)}. A model on another copy of the reference is as right"))
    if options["settings"]:
        facts.append(("Set", ", ".join(f"{name} = {value}" for name, value in options["settings"].items())))
    if options["time_budget"] is not None:
        facts.append(("Time budget", f"{options['time_budget']:g} s for the searches of each run"))
    trained = [f"{target.name}: {', '.join(target.trained_on)}" for target in results.targets if target.trained_on]
    return [*facts, ("Seen in training", "; ".join(trained) or "no map, as the sheet says")]


def _told(change: Change) -> tuple[str, str]:
    cell = f"{change.target}/{change.recipe}/{change.seed}"
    was, now = (state or "not there" for state in change.state)
    words = [] if was == now else [f"{was} → {now}"]
    words += [f"{name} {_number(one)} → {_number(other)}" for name, (one, other) in change.values.items()]
    return cell, "; ".join(words)


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "none"


def _overlay(results: Results, first: str, show: str) -> Overlay | None:
    by_target: dict[str, dict[str, Result]] = {}
    for cell in results.cells:
        if cell.state is State.DONE:
            by_target.setdefault(cell.target, {}).setdefault(cell.recipe, cell)
    if show and show not in by_target:
        raise UsageError(f"no recipe has a model of {show!r}", near(show, [*by_target, "none"]))
    name = show or next((target for target, cells in by_target.items() if len(cells) > 1), "")
    if not name:
        return None
    target = next(target for target in results.targets if target.name == name)
    return _read_overlay(results, target, by_target[name], first)


def _read_overlay(results: Results, target: Target, cells: Mapping[str, Result], first: str) -> Overlay | None:
    """Models, map and reference; what cannot be read any more is left out."""
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model

    metric = results.metrics.get(first)
    values = [cell.values.get(first, math.nan) for cell in cells.values()]
    order = best_first(values, metric is None or metric.higher_is_better is not False)
    models = []
    for recipe in (list(cells)[i] for i in order):
        model = _read(read_model, results.folder / cells[recipe].folder / VALIDATION / MODEL)
        if model is not None and len(model.trace_atoms()):
            models.append((recipe, model, results.recipes.index(recipe)))
    if not models:
        return None
    reference = _read(read_model, target.reference) if target.reference else None
    density = _read(read_map, target.map)
    symmetry = symmetry_of(target.equal_copies, density.frame) if target.equal_copies and density else None
    return Overlay(target.name, density, target.contour, reference, symmetry, models)


def _read(reader: Any, path: Path) -> Any:
    try:
        return reader(path)
    except CryoweaveError:
        return None


def rows_of(board: Board) -> list[dict[str, Any]]:
    """The leaderboard in JSON's types, best first."""
    if not board.blocks:
        return []
    rows = []
    for j in board.blocks[0].order:
        one = board.contenders[j]
        row: dict[str, Any] = {"recipe": one.name, "done": one.done, "failed": one.failed, "unfit": one.unfit}
        row["takes"] = list(one.takes)
        row["means"] = {block.name: _plain(block.means[j]) for block in board.blocks}
        row["maps"] = {
            name: {block.name: block.entries[i][j].value for block in board.blocks}
            for i, (name, _note) in enumerate(board.maps)
        }
        rows.append(row)
    return rows


def _plain(mean: Mean) -> dict[str, float]:
    return {"mean": mean.value, "low": mean.low, "high": mean.high, "maps": mean.count}
