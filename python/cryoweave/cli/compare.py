"""``cryoweave compare``: runs side by side."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryoweave.data import Metric

Rows = dict[str, list[Any]]


@dataclass
class Run:
    """What of a run is compared."""

    name: str
    facts: dict[str, Any]
    params: dict[str, Any]
    scores: dict[str, float] = field(default_factory=dict)
    metrics: "dict[str, Metric]" = field(default_factory=dict)


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="RUN...", readable=False, help="Run folders.")],
    only_changed: Annotated[bool, typer.Option("--only-changed", help="Only rows in which the runs differ.")] = False,
    all_params: Annotated[bool, typer.Option("--all-params", help="Also the parameters that are equal.")] = False,
    sort_by: Annotated[str, typer.Option("--sort-by", metavar="SCORE", help="Best run first, by this row.")] = "",
    markdown: Annotated[bool, typer.Option("--md", help="Print a Markdown table.")] = False,
    as_json: console.Json = False,
) -> None:
    """Recipe, cost, scores and differing parameters of several runs, one column a run."""
    if markdown and as_json:
        raise UsageError("--md and --json exclude each other", "choose one of them")
    runs = [read_run(folder) for folder in folders]
    if sort_by:
        runs = _sorted(runs, sort_by)
    rows = {name: row for group in _groups(runs, all_params) for name, row in group.items()}
    if only_changed:
        rows = {name: row for name, row in rows.items() if _differs(row)}
    names = [run.name for run in runs]
    if as_json:
        console.data_json([{"run": name, **{key: row[i] for key, row in rows.items()}} for i, name in enumerate(names)])
    elif markdown:
        console.markdown(("", *names), [(name, *map(_text, row)) for name, row in rows.items()])
    else:
        console.table(("", *names), [(name, *map(_text, row)) for name, row in rows.items()])


def read_run(folder: Path) -> Run:
    """A run as its folder tells it.

    Raises
    ------
    InputError
        If the folder holds no run.
    """
    from cryoweave.io.scores import read_whole
    from cryoweave.pipeline.lock import in_use
    from cryoweave.pipeline.record import cost_of, read_record

    record = read_record(folder)
    if record is None or not isinstance(record.get("steps"), list):
        raise InputError(f"{folder} is not the folder of a run", "give folders that `cryoweave run` wrote")
    facts = {name: record.get(name) for name in ("recipe", "state", "seconds", "seed", "threads", "device")}
    facts |= cost_of(record)
    if sure := record.get("confidence"):
        facts |= {"mean confidence": sure["mean"], f"share below {sure['low_below']:g}": sure["low_share"]}
    if facts["state"] == "running" and not in_use(folder):
        facts["state"] = "stopped"
    inputs = record.get("inputs", {})
    facts |= {f"input {name}": Path(str(entry.get("path"))).name for name, entry in inputs.items()}
    params = {
        f"{step.get('step')}.{name}": value
        for step in record["steps"]
        for name, value in step.get("params", {}).items()
    }
    run = Run(str(folder), facts, params)
    if earlier := record.get("earlier"):
        facts["model and scores there"] = f"of the run of {str(earlier.get('started'))[:16]}"
    elif (folder / "scores.json").is_file():
        run.scores, run.metrics = read_whole(folder)
    return run


def _groups(runs: list[Run], all_params: bool) -> Iterator[Rows]:
    yield _table([run.facts for run in runs])
    yield _table([run.scores for run in runs])
    params = _table([run.params for run in runs])
    yield {name: row for name, row in params.items() if all_params or _differs(row)}


def _table(columns: list[dict[str, Any]]) -> Rows:
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: [column.get(name) for column in columns] for name in names}


def _differs(row: list[Any]) -> bool:
    return any(repr(value) != repr(row[0]) for value in row[1:])


def _sorted(runs: list[Run], name: str) -> list[Run]:
    """Best first; runs without the value last."""
    from cryoweave.bench.statistics import best_first

    known = sorted({key for run in runs for key in (*run.scores, "seconds")})
    if name not in known:
        raise UsageError(f"no run has the score {name!r}", f"there are: {', '.join(known)}")
    metric = next((run.metrics[name] for run in runs if name in run.metrics), None)
    values = [run.scores.get(name, run.facts.get(name)) for run in runs]
    known_values = [float(value) if isinstance(value, int | float) else math.nan for value in values]
    return [runs[i] for i in best_first(known_values, metric is not None and metric.higher_is_better)]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return console.number(value) if isinstance(value, float) else str(value)
