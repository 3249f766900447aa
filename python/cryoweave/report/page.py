"""The page: facts of a run put into the order in which they are read."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.io.atomic import atomic_file
from cryoweave.report import curves, facts, pictures, poses, regions, scene, spread, strips, torsions
from cryoweave.report.columns import Column, carried, columns_of
from cryoweave.report.folder import RunFolder, read_run

if TYPE_CHECKING:
    from jinja2 import Environment

FILE, SCENE = "report.html", "view.mvsx"


def write_report(folder: Path, run: RunFolder | None = None) -> Path:
    """Write ``report.html`` into a run folder, one file that needs no network, and ``view.mvsx``, its 3-D view.

    Parameters
    ----------
    folder
        Run folder, also of a run that failed, or of a validation. Read besides it: the map, the reference and the
        sequences that its record names.
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
    run = run or read_run(folder)
    subject = Subject.of(run)
    text = render(run, subject)
    if subject.packed:
        with atomic_file(folder / SCENE) as temporary:
            temporary.write_bytes(subject.packed)
    with atomic_file(folder / FILE) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return folder / FILE


@dataclass(frozen=True)
class Subject:
    """What the page shows in pictures.

    Parameters
    ----------
    trace
        One atom a residue; may be empty.
    columns
        All its scores.
    shown
        Those that the page has room for.
    part, small
        The map around the model, and as the 3-D view carries it.
    packed
        The 3-D view; empty if there is neither map nor model.
    ghosts
        Poses that it shows besides.
    """

    trace: Model
    columns: list[Column]
    shown: list[Column]
    part: DensityMap | None
    small: scene.SmallMap | None
    packed: bytes
    ghosts: list[scene.Ghost]

    @classmethod
    def of(cls, run: RunFolder) -> "Subject":
        """Made of what the run folder holds."""
        trace = run.model.trace_atoms() if run.model is not None else _no_trace()
        columns = columns_of(trace, run.scores, built=run.builds)
        shown = carried(columns, len(trace))
        ghosts = poses.ghosts_of(run.placements)
        if run.density is None:
            anything = run.model is not None or ghosts
            packed = scene.archive(None, run.model, shown, run.reference, ghosts) if anything else b""
            return cls(trace, columns, shown, None, None, packed, ghosts)
        around = atoms_shown(run, ghosts)
        for longest in (scene.LONGEST_SIDE, 3 * scene.LONGEST_SIDE // 4, scene.LONGEST_SIDE // 2):
            part = scene.cropped(run.density, around, longest)
            small = scene.reduced(part, run.mean, run.deviation, run.contour)
            packed = scene.archive(small, run.model, shown, run.reference, ghosts)
            if len(packed) <= scene.MOST_BYTES:
                break
        return cls(trace, columns, shown, part, small, packed, ghosts)


def atoms_shown(run: RunFolder, ghosts: list[scene.Ghost]) -> NDArray[np.float64] | None:
    """Places of the model's atoms and of those of the poses beside it; None if there are neither."""
    shown = [run.model.xyz] if run.model is not None else []
    shown += [ghost.xyz for ghost in ghosts]
    return np.concatenate(shown) if shown else None


def render(run: RunFolder, subject: Subject | None = None) -> str:
    """The page as text."""
    it = subject or Subject.of(run)
    view = _viewer(run, it) if it.packed else None
    style, script = own("style.css"), own("viewer.js")
    context = {
        **_top(run),
        "figures": facts.figures(run),
        "poses": poses.table_of(run, it.ghosts),
        "pose_plots": spread.pose_plots(run.placements),
        "chain_means": facts.chain_means(it.trace, it.columns),
        "viewer": view,
        "regions": regions.worst_regions(it.trace, it.columns),
        "curves": curves.curve_plots({"": run.scores.functions() if run.scores else {}}, _contour(run)),
        "ramachandran": torsions.ramachandran(run.scores),
        "chains": strips.chain_plots(it.trace, it.shown) if it.shown else [],
        "strip": {"left": strips.LEFT, "width": strips.WIDTH, "top": strips.TOP, "height": strips.HEIGHT,
                  "row": strips.ROW},
        "columns": it.shown,
        "all_columns": it.columns,
        "slices": _picture(pictures.slices, it, run) if it.part is not None else "",
        "histogram": curves.histogram(run.density, run.contour) if run.density is not None else None,
        "stages": facts.stages(run),
        "not_run": run.not_run(),
        "totals": facts.totals(run),
        "citations": facts.citations(run),
        "bibtex": _text(run.path / "citations.bib"),
        "data": _data(it, view),
        "style": style,
        "script": script,
        "policy": policy(script, [view["js_hash"]] if view else []),
    }  # fmt: skip
    return environment().get_template("template.html.j2").render(context)


def _top(run: RunFolder) -> dict[str, Any]:
    record = run.record
    return {
        "state": str(record.get("state", "unknown")),
        "error": str(record.get("error") or ""),
        "alarms": run.alarms(),
        "failed": [len(record.get("failed") or {}), len(record.get("failed") or {}) + len(run.steps)],
        "version": str(record.get("cryoweave", "?")),
        "title": str(record.get("title") or f"{record.get('recipe') or 'chain'} on {_map_name(run)}"),
        "builds": run.builds,
        "failed_step": run.failed_step(),
        "head": facts.head(run),
        "sequences": run.sequences,
        "warnings": run.warnings(),
        "problems": run.problems,
    }


def _contour(run: RunFolder) -> float | None:
    return run.contour if run.density is not None else None


def _picture(draw: Callable[..., bytes], it: Subject, run: RunFolder) -> str:
    return scene.text_of(draw(it.part, it.trace, it.columns[0] if it.columns else None, run.contour))


def environment() -> "Environment":
    """Templates, with what they need to write numbers."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("cryoweave.report", ".")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = facts.number
    return environment


def _viewer(run: RunFolder, it: Subject) -> dict[str, Any]:
    """What the 3-D panel needs."""
    shown = atoms_shown(run, it.ghosts)
    if shown is not None:
        view = scene.best_view(shown)
    else:
        assert it.part is not None
        view = scene.best_view(it.part.frame.to_xyz([[0, 0, 0], it.part.frame.shape_zyx]))
    files = scene.viewer_files()
    return {
        "scene": scene.text_of(it.packed),
        "js": scene.text_of(files["js"]),
        "css": scene.text_of(files["css"]),
        "js_hash": digest(scene.unpacked(files["js"])),
        "still": _picture(pictures.projections, it, run),
        "small": it.small,
        "contour_rule": run.contour_rule,
        "density_name": run.density_name + _averaged(run, it.small),
        "look": view,
        "title": _view_title(run, it),
        "model": run.model is not None,
        "around": run.density is not None and shown is not None and scene.beside(run.density.frame, shown),
        "thin": run.model is not None and scene.alpha_only(run.model),
        "part": scene.part_shown(len(it.trace)),
        "reference": run.reference is not None,
        "ghosts": it.ghosts,
    }


def _view_title(run: RunFolder, it: Subject) -> str:
    if run.model is None:
        return "Poses in the map" if it.ghosts else "The map"
    return "Model in the map" if it.small else "The model"


def _averaged(run: RunFolder, small: scene.SmallMap | None) -> str:
    """Says so where the picture's voxels are larger than the map's."""
    if small is None or run.density is None:
        return ""
    spacing = [run.density.frame.voxel_xyz[0], small.levels.frame.voxel_xyz[0]]
    blocks = round(spacing[1] / spacing[0])
    return f" (its voxels of {facts.number(spacing[0])} Å averaged over blocks of {blocks})" if blocks > 1 else ""


def _data(it: Subject, view: dict[str, Any] | None) -> dict[str, Any]:
    """What the page's script knows; the scores by residue it reads from the view."""
    return {
        "columns": [column.name for column in it.shown],
        "view": view["look"] if view else None,
        "map": {"floor": it.small.floor, "step": it.small.step} if it.small else None,
    }


def policy(script: str, others: list[str]) -> str:
    """Content security policy: no network at all, and no script but the page's own.

    Parameters
    ----------
    script
        The page's script.
    others
        Digests of other scripts: the viewer's.
    """
    hashes = [digest(script.encode()), *others]
    scripts = " ".join(f"'sha256-{found}'" for found in hashes)
    scripts += " 'unsafe-eval'" if others else ""  # one of Mol*'s libraries compiles functions when it is loaded
    inside = "img-src data: blob:; connect-src data: blob:; font-src data:"
    return f"default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; {inside}; base-uri 'none'"


def digest(content: bytes) -> str:
    """SHA-256 in base64, as the policy wants it."""
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _map_name(run: RunFolder) -> str:
    path = run.input_path("density")
    return path.name if path else "a map"


def own(name: str) -> str:
    """One of the files of this room."""
    return (resources.files("cryoweave.report") / name).read_text(encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _no_trace() -> Model:
    none: Any = np.array([], dtype=np.str_)
    return Model.from_trace(np.zeros((0, 3)), none, none, np.zeros(0, np.int32), np.zeros(0, np.float32))
