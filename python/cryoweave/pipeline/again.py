"""A run that ``run.toml`` tells again: what the user does not give comes from its table ``[run]``."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoweave.errors import UsageError
from cryoweave.host.records import Recipe
from cryoweave.pipeline.inputs import STRUCTURE

_TYPES: dict[str, type] = {"seed": int, "threads": int, "device": str, "inputs": dict}


@dataclass(frozen=True)
class Start:
    """What a run starts from besides its recipe; see :func:`cryoweave.pipeline.run.run`."""

    inputs: Mapping[str, Any]
    secondary_structure: str | Path | None
    seed: int
    threads: int
    device: str


def complete(
    recipe: Recipe | str | Path,
    inputs: Mapping[str, Any],
    secondary_structure: str | Path | None = None,
    seed: int | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Start:
    """What the user gave, then what the recipe's file says of the run that wrote it, then the defaults.

    Raises
    ------
    UsageError
        If the table ``[run]`` of the file cannot be used.
    """
    table = run_table(recipe)
    kept = _inputs(table.get("inputs", {}), recipe)
    given = {name: value for name, value in inputs.items() if value is not None}
    if "sequences" not in given and secondary_structure is None:
        secondary_structure = kept.get(STRUCTURE)
    kept.pop(STRUCTURE, None)
    return Start(
        {**kept, **given},
        secondary_structure,
        table.get("seed", 0) if seed is None else seed,
        table.get("threads", 0) if threads is None else threads,
        table.get("device", "auto") if device is None else device,
    )


def run_table(recipe: Recipe | str | Path) -> Mapping[str, Any]:
    """The table ``[run]`` of a recipe's file; empty if there is none."""
    if isinstance(recipe, Recipe) or not str(recipe).endswith(".toml"):
        return {}
    try:
        table = tomllib.loads(Path(recipe).read_text(encoding="utf-8")).get("run", {})
    except (OSError, ValueError):
        return {}  # reading the recipe itself says what is wrong
    wrong = [name for name, wanted in _TYPES.items() if name in table and not isinstance(table[name], wanted)]
    if not isinstance(table, dict) or wrong:
        what = f"{wrong[0]} of its table [run] is" if wrong else "its table [run] is"
        raise UsageError(f"{recipe}: {what} not as `cryoweave run` writes it", "take it out, and give it as an option")
    return table


def _inputs(kept: Mapping[str, Any], recipe: object) -> dict[str, Any]:
    """Paths by input; those of sequences by molecule."""
    found: dict[str, Any] = {}
    for name, value in kept.items():
        if isinstance(value, dict):
            found[name] = {molecule: path for molecule, path in value.items() if molecule != STRUCTURE}
            found |= {STRUCTURE: value[STRUCTURE]} if STRUCTURE in value else {}
        elif isinstance(value, list) and name == "models":
            found[name] = value
        elif isinstance(value, list) and len(value) == 1:
            found[name] = value[0]
        else:
            raise UsageError(f"{recipe} does not say what each file of the input {name} is", "give them as options")
    return found
