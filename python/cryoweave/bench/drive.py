"""All cells of a bench through an executor: what is done stays, what is missing runs."""

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, as_completed, wait
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoweave.bench.cells import Cell, Digests, Options, Planned, cells_of, plan_cell, spec_of
from cryoweave.bench.outcome import Outcome, State, read_outcome, write_outcome
from cryoweave.bench.process import Limits, kill_all
from cryoweave.bench.running import run_cell
from cryoweave.bench.sheet import Target
from cryoweave.bench.worker import SPEC
from cryoweave.errors import CryoweaveError, InputError, UsageError
from cryoweave.pipeline.lock import LOCK, locked
from cryoweave.pipeline.record import here_and_now

SCHEMA = "cryoweave-bench/1"
BENCH, CELLS, DIGESTS = "bench.json", "cells", "digests.json"
_PATIENCE = 100
"""Tenths of a second that killed cells are waited for."""
Watch = Callable[[Outcome, int, int], object]
"""Called when a cell ended, with how many of how many have."""


@dataclass(frozen=True)
class Bench:
    """Cells of a folder, in their order.

    Parameters
    ----------
    folder
        The bench's.
    planned
        The cells, each ready to run or with the reason why it cannot.
    left
        Cells that the folder's bench had before and has no more.
    """

    folder: Path
    planned: tuple[Planned, ...]
    left: tuple[str, ...] = ()

    def place(self, cell: Cell) -> Path:
        """Folder of a cell."""
        return self.folder / CELLS / cell.id


def prepare_bench(
    folder: Path, targets: Sequence[Target], recipes: Mapping[str, str], seeds: Sequence[int], options: Options
) -> Bench:
    """Plan all cells and write what their processes must know; runs nothing.

    Parameters
    ----------
    folder
        Made if need be.
    targets
        The maps.
    recipes
        What `load_recipe` takes, by name.
    seeds
        Each a cell of its own.
    options
        What all cells have in common.

    Raises
    ------
    UsageError
        If the folder holds something else, or settings do not suit the recipes.
    InputError
        If it cannot be written.
    PluginError
        If a plugin, or something that it needs, is missing.
    """
    from cryoweave.io.tables import write_json

    check_folder(folder)
    _check_settings(options, recipes)
    digests = Digests(folder / DIGESTS)
    planned_cells = tuple(plan_cell(cell, options, digests) for cell in cells_of(targets, recipes, seeds))
    now = {planned.cell.id for planned in planned_cells}
    before = read_bench(folder)["cells"] if (folder / BENCH).is_file() else []
    bench = Bench(folder, planned_cells, tuple(cell for cell in before if cell not in now))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for planned in bench.planned:
            bench.place(planned.cell).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make folders in {folder}: {error.strerror}", "choose another with -o") from error
    digests.write()
    for planned in bench.planned:
        place = bench.place(planned.cell)
        write_json(place / SPEC, spec_of(planned, options))
        if planned.unfit:
            write_outcome(place, Outcome(planned.cell.id, "", State.UNFIT, planned.unfit))
    entries = {
        "schema": SCHEMA,
        **here_and_now(),
        "targets": [target.model_dump(mode="json") for target in targets],
        "recipes": dict(recipes),
        "seeds": list(seeds),
        "options": asdict(options),
        "cells": [planned.cell.id for planned in bench.planned],
    }
    write_json(folder / BENCH, entries)
    return bench


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds something other than a bench.

    Raises
    ------
    UsageError
        If it does, or is a file.
    """
    hint = "choose another folder with -o"
    try:
        if not folder.exists():
            return
        if not folder.is_dir():
            raise UsageError(f"{folder} is a file, not a folder", hint)
        known = {BENCH, CELLS, DIGESTS, LOCK}
        if not (folder / BENCH).is_file() and any(path.name not in known for path in folder.iterdir()):
            raise UsageError(f"{folder} holds files that are no bench", hint)
    except OSError as error:
        raise UsageError(f"cannot look into the folder {folder}: {error.strerror}", hint) from error


def _check_settings(options: Options, recipes: Mapping[str, str]) -> None:
    """A setting that suits none of the recipes is a slip of the pen."""
    from cryoweave.pipeline.chain import load_recipe, near

    steps = sorted({step.name for source in recipes.values() for step in load_recipe(source).steps})
    for key in options.settings:
        name = key.rpartition(".")[0]
        if name not in steps:
            raise UsageError(f"--set {key}: no recipe has a step {name!r}", near(name, steps))


def read_bench(folder: Path) -> dict[str, Any]:
    """What ``bench.json`` says.

    Raises
    ------
    UsageError
        If the folder holds no bench.
    """
    try:
        entries = json.loads((folder / BENCH).read_bytes())
    except (OSError, ValueError):
        entries = {}
    if not isinstance(entries, dict) or entries.get("schema") != SCHEMA:
        raise UsageError(f"{folder} is not the folder of a bench", "give one that `cryoweave bench run` wrote")
    return entries


def to_do(bench: Bench, only_failed: bool) -> list[Planned]:
    """Cells that are to run: those without a result, or whose recipe, inputs or options changed.

    Parameters
    ----------
    bench
        All cells.
    only_failed
        In their place those that ended and gave no scores.
    """
    found = []
    for planned in bench.planned:
        outcome = read_outcome(bench.place(planned.cell))
        if planned.unfit:
            continue
        if only_failed:
            wanted = outcome is not None and outcome.state not in (State.DONE, State.UNFIT)
        else:
            wanted = outcome is None or outcome.key != planned.key
        found += [planned] if wanted else []
    return found


def run_bench(
    bench: Bench,
    executor: AbstractContextManager[Executor],
    limits: Limits,
    *,
    only_failed: bool = False,
    keep_going: bool = True,
    watch: Watch = lambda _outcome, _done, _total: None,
    command: Sequence[str] = (),
) -> list[Outcome]:
    """Run what is missing.

    Parameters
    ----------
    bench
        As `prepare_bench` gave it.
    executor
        Where the cells run; entered here.
    limits
        Of each cell.
    only_failed
        Run those again that failed, and nothing else.
    keep_going
        Go on after a cell that failed.
    watch
        Called for each cell that ended.
    command
        Another program than ours in each cell, to try the rest.

    Returns
    -------
    How each cell ended, in the order of the bench; those that did not run are left out.

    Raises
    ------
    UsageError
        If another process runs the same bench.
    """
    with locked(bench.folder):
        todo = to_do(bench, only_failed)
        found: dict[str, Outcome] = {}
        with closing(_run(bench, todo, executor, limits, tuple(command))) as running:
            for outcome in running:
                found[outcome.cell] = outcome
                watch(outcome, len(found), len(todo))
                if not keep_going and outcome.state is not State.DONE:
                    break
    cells = [planned.cell for planned in bench.planned]
    outcomes = (found.get(cell.id) or read_outcome(bench.place(cell)) for cell in cells)
    return [outcome for outcome in outcomes if outcome is not None]


def _run(
    bench: Bench,
    todo: Sequence[Planned],
    context: AbstractContextManager[Executor],
    limits: Limits,
    command: Sequence[str],
) -> Generator[Outcome]:
    """Each cell's outcome as it ends; leaving early stops all others."""
    with context as executor:
        futures: dict[Future[Outcome], Planned] = {}
        try:
            for planned in todo:
                place = str(bench.place(planned.cell).absolute())
                futures[executor.submit(run_cell, place, limits, command)] = planned
            for future in as_completed(futures):
                yield _outcome(future, futures.pop(future))
        finally:
            _stop(futures)


def _stop(futures: Iterable[Future[Outcome]]) -> None:
    """End what has not ended: cells of this process are killed, those on other machines go on to their own end."""
    left = {future for future in futures if not future.cancel()}
    for _ in range(_PATIENCE):
        kill_all()
        left = wait(left, timeout=0.1).not_done
        if not left:
            return


def _outcome(future: "Future[Outcome]", planned: Planned) -> Outcome:
    """What a cell gave; that its marker could not be written is a failure too."""
    try:
        return future.result()
    except CryoweaveError as error:
        return Outcome(planned.cell.id, planned.key, State.FAILED, str(error), error.hint)
    except CancelledError:
        raise
    except Exception as error:  # e.g. a worker that died more often than the scheduler allows
        reason = f"{type(error).__name__}: {error}"
        return Outcome(planned.cell.id, planned.key, State.CRASHED, reason, "look at the worker's own log")
