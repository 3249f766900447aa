"""The page: facts of a run put into the order in which they are read."""

import base64
import hashlib
import json
import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoweave.data import Model
from cryoweave.io.atomic import atomic_file
from cryoweave.report import plots, scene
from cryoweave.report.columns import Column, columns_of
from cryoweave.report.folder import RunFolder, read_run

if TYPE_CHECKING:
    from jinja2 import Environment

FILE = "report.html"
_TAKEN = ("seconds", "cpu_seconds", "peak_mb")


def write_report(folder: Path, run: RunFolder | None = None) -> Path:
    """Write ``report.html`` into a run folder: one file that needs no network.

    Parameters
    ----------
    folder
        Run folder, also of a run that failed. Read besides it: the map, the reference and the sequences that its
        record names.
    run
        What `read_run` made of it, if that was done already.

    Returns
    -------
    Path
        The report; it appears whole or not at all.

    Raises
    ------
    InputError
        If it is no run folder, or it cannot be written.
    """
    folder = Path(folder)
    text = render(run or read_run(folder))
    with atomic_file(folder / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / FILE


def render(run: RunFolder) -> str:
    """The page as text."""
    trace = run.model.trace_atoms() if run.model is not None else _no_trace()
    columns = columns_of(trace, run.scores)
    view = _viewer(run, trace, columns)
    style, script = _own("style.css"), _own("viewer.js")
    context = {
        "state": str(run.record.get("state", "unknown")),
        "error": str(run.record.get("error") or ""),
        "version": str(run.record.get("cryoweave", "?")),
        "title": f"{run.record.get('recipe') or 'chain'} on {_map_name(run)}",
        "failed_step": run.failed_step(),
        "head": head(run),
        "sequences": run.sequences,
        "figures": figures(run),
        "viewer": view,
        "chains": plots.chain_plots(trace, columns) if columns else [],
        "plot": {"left": plots.LEFT, "width": plots.WIDTH, "top": plots.TOP, "height": plots.HEIGHT},
        "columns": columns,
        "stages": stages(run),
        "not_run": run.not_run(),
        "totals": totals(run),
        "citations": citations(run),
        "bibtex": _text(run.path / "citations.bib"),
        "warnings": run.warnings(),
        "problems": run.problems,
        "data": _data(trace, columns, view),
        "style": style,
        "script": script,
        "policy": _policy(script, view),
    }
    return _environment().get_template("template.html.j2").render(context)


def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("cryoweave.report", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = number
    return environment


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
    lines = [("Recipe", " – ".join(filter(None, (str(record.get("recipe") or ""), str(record.get("summary") or "")))))]
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
        lines.append(("Model", f"{len(trace)} residues in {chains} chain(s), {len(run.model)} atoms: model.cif"))
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
    import shlex

    return shlex.join(str(word) for word in command) if isinstance(command, list) else "from Python"


def figures(run: RunFolder) -> list[dict[str, Any]]:
    """Tables of whole-model scores: those that need a reference apart from those that do not."""
    if run.scores is None:
        return []
    against = run.reference_metrics()
    tables = []
    for caption, wanted in (("Against the reference model", True), ("Without a reference", False)):
        rows = [
            {"name": name, "value": value, "metric": run.scores.metrics[name]}
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


def _viewer(run: RunFolder, trace: Model, columns: list[Column]) -> dict[str, Any] | None:
    """What the 3-D panel needs; None if there is neither map nor model."""
    if run.density is None and run.model is None:
        return None
    part = scene.cropped(run.density, run.model) if run.density is not None else None
    small = scene.reduced(part, run.mean, run.deviation, run.contour) if part is not None else None
    if run.model is not None:
        view = scene.best_view(run.model.xyz)
    else:
        assert part is not None
        view = scene.best_view(part.frame.to_xyz([[0, 0, 0], part.frame.shape_zyx]))
    packed = scene.archive(small, run.model_file(), run.model, columns, run.reference)
    files = scene.viewer_files()
    still = plots.picture(part, trace, columns[0] if columns else None, run.contour)
    return {
        "scene": scene.text_of(packed),
        "js": scene.text_of(files["js"]),
        "css": scene.text_of(files["css"]),
        "js_hash": _hash(scene.unpacked(files["js"])),
        "still": scene.text_of(still),
        "small": small,
        "contour_rule": run.contour_rule,
        "density_name": run.density_name + _averaged(run, small),
        "look": view,
        "model": run.model is not None,
        "thin": run.model is not None and scene.alpha_only(run.model),
        "reference": run.reference is not None,
    }


def _averaged(run: RunFolder, small: scene.SmallMap | None) -> str:
    """Says so where the picture's voxels are larger than the map's."""
    if small is None or run.density is None:
        return ""
    spacing = [run.density.frame.voxel_xyz[0], small.levels.frame.voxel_xyz[0]]
    blocks = round(spacing[1] / spacing[0])
    return f" (its voxels of {number(spacing[0])} Å averaged over blocks of {blocks})" if blocks > 1 else ""


def _data(trace: Model, columns: list[Column], view: dict[str, Any] | None) -> dict[str, Any]:
    residues: dict[str, dict[int, list[Any]]] = {}
    for i, (chain, residue) in enumerate(zip(trace.chain.tolist(), trace.residue_number.tolist(), strict=True)):
        values = [round(v, 4) if math.isfinite(v := float(c.values[i])) else None for c in columns]
        residues.setdefault(chain, {})[residue] = [str(trace.residue_name[i]), *values]
    small = view["small"] if view else None
    return {
        "columns": [column.name for column in columns],
        "residues": residues,
        "view": view["look"] if view else None,
        "map": {"floor": small.floor, "step": small.step} if small else None,
    }


def _policy(script: str, view: dict[str, Any] | None) -> str:
    """Content security policy: no network at all, and no script but this page's own two."""
    hashes = [_hash(script.encode()), *([view["js_hash"]] if view else [])]
    scripts = " ".join(f"'sha256-{digest}'" for digest in hashes)
    scripts += " 'unsafe-eval'" if view else ""  # one of Mol*'s libraries compiles functions when it is loaded
    inside = "img-src data: blob:; connect-src data: blob:; font-src data:"
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; {inside}; base-uri 'none'"


def _hash(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _map_name(run: RunFolder) -> str:
    path = run.input_path("density")
    return path.name if path else "a map"


def _own(name: str) -> str:
    return (resources.files("cryoweave.report") / name).read_text(encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _no_trace() -> Model:
    import numpy as np

    none: Any = np.array([], dtype=np.str_)
    return Model.from_trace(np.zeros((0, 3)), none, none, np.zeros(0, np.int32), np.zeros(0, np.float32))
