"""Facts of a run, put into lines and tables for the page."""

import json
import math
import shlex
from typing import Any

import numpy as np

from cryoweave.data import Model
from cryoweave.report.columns import Column
from cryoweave.report.folder import RunFolder

_TAKEN = ("seconds", "cpu_seconds", "peak_mb")


def number(value: object) -> str:
    """A number as people read it: whole numbers whole, others with three or four figures, NaN as a dash."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}".replace(",", "\u2009")
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        return f"{value:.3g}"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.{3 if abs(value) < 10 else 1}f}"


def seconds(value: float) -> str:
    """A time as people read it."""
    if value >= 3600:
        return f"{int(value // 3600)} h {round(value % 3600 / 60)} min"
    if value >= 100:
        return f"{int(value // 60)} min {round(value % 60)} s"
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def head(run: RunFolder) -> list[tuple[str, str]]:
    """What was run with what, line by line."""
    record = run.record
    named = " – ".join(str(record[key]) for key in ("recipe", "summary") if record.get(key))
    lines = [("Recipe", named)] if run.builds else []
    lines += [(name.capitalize(), _input_line(entry)) for name, entry in record.get("inputs", {}).items()]
    if run.header is not None:
        nz, ny, nx = run.header.shape_zyx
        voxel = " × ".join(dict.fromkeys(f"{v:.4g}" for v in run.header.voxel_xyz))
        origin = ", ".join(f"{round(v, 3):g}" for v in run.header.origin_xyz)
        lines.append(("Grid", f"{nx} × {ny} × {nz} voxels of {voxel} Å; origin {origin} Å ({run.header.origin_rule})"))
    if record.get("resolution") is not None:
        lines.append(("Resolution", f"{number(record['resolution'])} Å"))
    if run.model is not None:
        trace = run.model.trace_atoms()
        chains = len(dict.fromkeys(trace.chain.tolist()))
        lines.append(("Size", f"{len(trace)} residues in {chains} chain(s), {len(run.model)} atoms: model.cif"))
    lines.append(("Started", str(record.get("started", "?"))))
    lines.append(("Took", f"{seconds(float(record.get('seconds') or 0))} until this report was begun"))
    machine = [f"{record.get('cpu_count', '?')} cores, {record.get('threads', '?')} threads used"]
    machine += [str(record[key]) for key in ("device", "platform") if record.get(key)]
    lines.append(("Machine", "; ".join(machine)))
    lines.append(("Seed", str(record.get("seed", "?"))))
    versions = [
        f"cryoweave {record.get('cryoweave', '?')}",
        *(f"{p} {v}" for p, v in record.get("plugins", {}).items()),
    ]
    versions += [f"Python {record['python']}"] if record.get("python") else []
    return [*lines, ("Versions", ", ".join(versions)), ("Command", _command(record.get("command")))]


def _input_line(entry: dict[str, Any]) -> str:
    files = [entry, *entry.get("more", [])]
    return ", ".join(f"{f.get('path') or 'a value from Python'} (SHA-256 {str(f.get('sha256'))[:12]}…)" for f in files)


def _command(command: object) -> str:
    return shlex.join(str(word) for word in command) if isinstance(command, list) else "from Python"


def figures(run: RunFolder) -> list[dict[str, Any]]:
    """Tables of whole-model scores: those that need a reference apart from those that do not."""
    if run.scores is None:
        return []
    against = run.reference_metrics()
    steps = {str(name): str(step["step"]) for step in run.steps for name in step.get("scores", [])}
    tables = []
    for caption, wanted in (("Against the reference model", True), ("Without a reference", False)):
        rows = [
            {"name": name, "value": value, "metric": run.scores.metrics[name], "step": steps.get(name, "")}
            for name, value in run.scores.whole.items()
            if (name in against) == wanted
        ]
        if rows:
            tables.append({"caption": caption, "rows": rows})
    return tables


def stages(run: RunFolder) -> list[dict[str, Any]]:
    """A row per step of the record."""
    longest = max((float(step.get("seconds") or 0) for step in run.steps), default=0) or 1.0
    versions = run.record.get("plugins", {})
    return [
        {
            **{"reused": False, "reason": "", "inputs": {}, "version": "?", "package": "", "stage": "?"},
            **step,
            "facts": step.get("facts") or {},
            "taken": [step.get(key) for key in _TAKEN],
            "package_version": versions.get(step.get("package"), ""),
            "parameters": parameters(step),
            "share": float(step.get("seconds") or 0) / longest,
        }
        for step in run.steps
    ]


def totals(run: RunFolder) -> list[float | None]:
    """Sum of wall and CPU seconds, and the largest peak of memory."""
    rows = [[float(step.get(key) or 0) for step in run.steps] for key in _TAKEN]
    return [sum(rows[0]), sum(rows[1]), max(rows[2], default=0.0)]


def parameters(step: dict[str, Any]) -> list[dict[str, Any]]:
    """A step's parameters; ``changed`` is None where this installation does not know the stage in that version."""
    from cryoweave import host

    stage = host.registry().stages.get(str(step.get("stage")))
    known = stage.params.model_fields if stage is not None and stage.version == step.get("version") else {}
    rows = []
    for name, value in step.get("params", {}).items():
        found = known.get(name)
        extra = found.json_schema_extra if found is not None else None
        default = (
            None if found is None else json.loads(json.dumps(found.get_default(call_default_factory=True), default=str))
        )
        rows.append({
            "name": name,
            "value": value,
            "unit": extra.get("unit", "") if isinstance(extra, dict) else "",
            "help": (found.description or "") if found is not None else "",
            "changed": None if found is None else value != default,
            "default": default,
        })  # fmt: skip
    return rows


def citations(run: RunFolder) -> list[tuple[str, list[str]]]:
    """Each DOI with the steps that follow it."""
    found: dict[str, list[str]] = {}
    for doi in run.record.get("cites", []):
        found.setdefault(str(doi), []).append("the recipe")
    for step in run.steps:
        for doi in step.get("cites", []):
            found.setdefault(str(doi), []).append(str(step["step"]))
    return list(found.items())


def chain_means(trace: Model, columns: list[Column]) -> list[tuple[str, int, list[float]]]:
    """Each chain with its number of residues and the mean of each score over those that have a value."""
    rows = []
    for chain in dict.fromkeys(trace.chain.tolist()):
        own = trace.chain == chain
        values = [column.values[own & np.isfinite(column.values)] for column in columns]
        rows.append((str(chain), int(own.sum()), [float(v.mean()) if len(v) else math.nan for v in values]))
    return rows
