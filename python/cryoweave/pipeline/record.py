"""``record.json`` and ``run.toml``: what was run with what."""

import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.errors import UsageError
from cryoweave.host.records import Recipe
from cryoweave.pipeline.chain import INLINE
from cryoweave.pipeline.events import now
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.wiring import Wired

SCHEMA = "cryoweave-record/1"
RECORD, SETTINGS = "record.json", "run.toml"
EARLIER = "earlier"
"""Entry of a run that has no results: the record of the one whose results still lie in the folder."""


class Record:
    """The record of one run, written again after each change.

    Parameters
    ----------
    folder
        The run folder.
    entries
        What it holds at first.
    """

    def __init__(self, folder: Path, entries: dict[str, Any]) -> None:
        self._path = folder / RECORD
        self._begun = time.perf_counter()
        self.entries = entries
        self.write()

    def write(self, **changes: Any) -> None:
        """Change entries and write the file."""
        from cryoweave.io.tables import write_json

        self.entries.update(changes, seconds=round(time.perf_counter() - self._begun, 3))
        write_json(self._path, self.entries)


def new_entries(
    wired: Wired,
    inputs: Mapping[str, RunInput],
    earlier: dict[str, Any] | None = None,
    *,
    seed: int,
    threads: int,
    device: str,
) -> dict[str, Any]:
    """What a record holds before the first step ran; ``earlier`` is the record that :func:`finished` gave."""
    used = {step.package for step in wired.steps}
    return {
        "schema": SCHEMA,
        **here_and_now(),
        "recipe": wired.recipe.id,
        "summary": wired.recipe.summary,
        "state": "running",
        "seconds": 0.0,
        "seed": seed,
        "threads": threads,
        "device": device,
        "inputs": {name: entry.entry() for name, entry in inputs.items()},
        "plugins": {row.package: row.version for row in host.registry().plugins if row.package in used},
        "left_out": dict(wired.left_out),
        "steps": [],
        "outputs": {},
        **({EARLIER: earlier} if earlier else {}),
    }


def here_and_now() -> dict[str, Any]:
    """What a record says of this program, this machine and this moment."""
    from importlib.metadata import version

    return {
        "cryoweave": version("cryoweave"),
        "started": now(),
        "command": list(sys.argv),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
    }


def write_run_toml(
    folder: Path, wired: Wired, inputs: Mapping[str, RunInput], *, seed: int, threads: int, device: str
) -> None:
    """Write ``run.toml``: a recipe that gives the same again, and a table ``[run]`` with all else.

    Parameters that are None are not in it: TOML has no such value, and None is then their default.
    """
    from importlib.metadata import version

    import tomli_w

    from cryoweave.io.atomic import atomic_file

    steps = []
    for step in wired.steps:
        params = {name: value for name, value in step.params.model_dump(mode="json").items() if value is not None}
        optional = {"optional": True} if step.step.optional else {}
        sources = dict(step.sources)
        steps.append({"stage": step.stage.id, "name": step.name, "params": params, "inputs": sources, **optional})
    recipe = wired.recipe
    table = {
        "recipe": {"id": recipe.id, "summary": recipe.summary, "cites": list(recipe.cites)},
        "run": {
            "cryoweave": version("cryoweave"),
            "seed": seed,
            "threads": threads,
            "device": device,
            "inputs": {name: entry.files() for name, entry in inputs.items()},
        },
        "step": steps,
    }
    with atomic_file(folder / SETTINGS) as temporary:
        temporary.write_text(tomli_w.dumps(table), encoding="utf-8")


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record of a run folder; None if there is none that can be read."""
    try:
        entries = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return None
    return entries if isinstance(entries, dict) else None


def cost_of(record: Mapping[str, Any]) -> dict[str, float]:
    """What all steps took when they ran, also those that a later run found kept: seconds, CPU seconds, largest memory.

    What no step tells is not in it.
    """
    steps = [step for step in record.get("steps", []) if isinstance(step, dict)]
    known = {
        name: [float(step[name]) for step in steps if isinstance(step.get(name), int | float)]
        for name in ("seconds", "cpu_seconds", "peak_mb")
    }
    cost = {name: sum(values) for name, values in known.items() if values and name != "peak_mb"}
    return cost | ({"peak_gb": max(known["peak_mb"]) / 1000} if known["peak_mb"] else {})


def check_folder(folder: Path, recipe: Recipe, lock: str) -> None:
    """Refuse a folder that a run of this recipe may not use.

    Raises
    ------
    UsageError
        If it is or lies in a file, holds something that is no run, or a run of another recipe, or cannot be read.
    """
    hint = "choose another folder with -o"
    try:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise UsageError(f"{there} is a file, not a folder", hint)
        if there != folder or not any(folder.iterdir()):
            return
    except OSError as error:
        raise UsageError(f"cannot look into the folder {folder}: {error.strerror}", hint) from error
    record = read_record(folder)
    if record is None and (folder / lock).exists():
        return  # a run that was killed before it wrote anything, or one that begins at this moment
    if record is None or record.get("schema") != SCHEMA:
        raise UsageError(f"{folder} holds files that are not a run", hint)
    if record.get("recipe") != recipe.id:
        raise UsageError(f"{folder} holds a run of {record.get('recipe')}, not of {recipe.id}", hint)


def check_lenders(folders: Sequence[str | Path]) -> tuple[Path, ...]:
    """Refuse a folder that holds no run, from which results shall be taken.

    Raises
    ------
    UsageError
        If it does not.
    """
    for folder in folders:
        if read_record(Path(folder)) is None:
            raise UsageError(f"{folder} holds no run whose results could be used", "name the run folder of another run")
    return tuple(Path(folder) for folder in folders)


def finished(folder: Path) -> dict[str, Any] | None:
    """The record of the run whose model or scores lie in the folder, without what came before it; None if none do."""
    record = read_record(folder) or {}
    record = record.get(EARLIER) or record
    outputs = record.get("outputs") or {}
    there = any((folder / outputs[name]).is_file() for name in ("model", "scores") if name in outputs)
    return record if there else None


def check_same_problem(folder: Path, inputs: Mapping[str, RunInput]) -> None:
    """Refuse a folder that holds the results of another map, other sequences or models; other parameters are fine.

    Raises
    ------
    UsageError
        If they would be replaced.
    """
    old = (finished(folder) or {}).get("inputs", {})
    for name, word in (("density", "another map"), ("sequences", "other sequences"), ("models", "other models")):
        if name in old and name in inputs and old[name].get("content") not in (None, inputs[name].content()):
            raise UsageError(
                f"{folder} holds the results of {word}: {old[name]['path']}",
                "choose another folder with -o, or give --replace to give these results up",
            )


def remove_stale_stages(folder: Path, wired: Wired) -> None:
    """In the folder of inline chains, remove the results of steps that the present chain does not have."""
    from shutil import rmtree

    if wired.recipe.id != INLINE:
        return
    names = {Path(wired.folder(step.name)).name for step in wired.recipe.steps}
    for found in (folder / "stages").iterdir():
        if found.name not in names:
            rmtree(found)
