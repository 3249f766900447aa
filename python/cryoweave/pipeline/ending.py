"""The end of a run: the files that people open, and the report."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cryoweave.data import Model, PointCloud, Poses, ScoreTable, Threading, Traces
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.outputs import (
    REPORT,
    SCENE,
    UNFINISHED,
    merge_scores,
    replaced_outputs,
    score_names,
    write_outputs,
    write_points,
    write_points_script,
    write_poses,
    write_residues,
    write_scripts,
)
from cryoweave.pipeline.record import EARLIER, Record
from cryoweave.pipeline.wiring import Wired

if TYPE_CHECKING:
    from cryoweave.report.folder import RunFolder

log = logging.getLogger("cryoweave.run")
LOW_CONFIDENCE = 0.2
"""Below it a residue says little. Measured on EMD-2566 with confidence as agreement of the best 20 threadings: means of
0.25 and 0.35 for traces with 88 and 90 % of the Cα within 3 Å, 0.07 to 0.10 for a wrong sequence, and 0.09 to 0.13 for
noise instead of the map."""


@dataclass
class Found:
    """What the steps so far gave: of each kind the last, and every table of scores with its step."""

    model: Model | None = None
    points: PointCloud | Traces | None = None
    threading: Threading | None = None
    poses: Poses | None = None
    tables: list[tuple[str, ScoreTable]] = field(default_factory=list)

    def take(self, step: str, value: object) -> None:
        """A step's result, if it is one of these."""
        if isinstance(value, Model):
            self.model = value
        elif isinstance(value, PointCloud | Traces):
            self.points = value
        elif isinstance(value, Threading):
            self.threading = value
        elif isinstance(value, Poses):
            self.poses = value
        elif isinstance(value, ScoreTable):
            self.tables.append((step, value))


def finish(
    folder: Path, wired: Wired, record: Record, inputs: Mapping[str, RunInput], found: Found, *, pages: bool = True
) -> ScoreTable | None:
    """Write all files of a run that is done, with or without those for people; its scores in one table."""
    model, tables = found.model, found.tables
    scores = merge_scores(tables)
    named = {step: list(names.values()) for (step, _), names in zip(tables, score_names(tables), strict=True)}
    for entry in record.entries["steps"]:
        entry["scores"] = named.get(entry["step"], [])
    cut = len(wired.steps) + len(wired.left_out) < len(wired.recipe.steps)
    outputs: dict[str, str] = {}
    if EARLIER not in record.entries or not cut or model is not None or scores is not None:
        outputs = _replace_outputs(folder, wired, record, inputs, found, scores)
    sure = confidence_of(model) if model is not None else None
    record.write(state="done", outputs=outputs, **({"confidence": sure} if sure else {}))
    if sure and sure["mean"] < LOW_CONFIDENCE:
        log.warning("the mean confidence of the model is only %.2f: it may well be wrong everywhere", sure["mean"])
    if pages:
        _write_pages(folder, record, inputs, found, scores)
    return scores


def _write_pages(
    folder: Path, record: Record, inputs: Mapping[str, RunInput], found: Found, scores: ScoreTable | None
) -> None:
    from cryoweave.report import read_run

    shown = read_run(folder)
    reference = inputs.get("reference")
    where: dict[str, Any] = {
        "map_path": shown.density_path,
        "reference_path": reference.paths[0] if reference else None,
        "level": shown.contour if shown.density is not None else None,
    }
    scripts: dict[str, str] = {}
    if found.model is not None:
        scripts = write_scripts(folder, found.model, scores, **where)
    elif "points" in record.entries["outputs"]:
        scripts = write_points_script(folder, **where)
    record.write(outputs=record.entries["outputs"] | scripts)
    report(folder, record, shown)


def confidence_of(model: Model) -> dict[str, float] | None:
    """How sure the method is of its model, where its B column holds 100 × confidence.

    Returns
    -------
    ``mean`` over the residues, ``low_share`` of those below ``low_below``, and how many ``residues`` there are; None
    if it holds none, or values beyond 0 to 100.
    """
    trace = model.trace_atoms()
    values = trace.b_factor.astype(np.float64) / 100
    if not values.size or not trace.b_is_confidence.all() or not ((values >= 0) & (values <= 1)).all():
        return None
    low = float(np.mean(values < LOW_CONFIDENCE))
    return {
        "mean": round(float(values.mean()), 4),
        "low_share": round(low, 4),
        "low_below": LOW_CONFIDENCE,
        "residues": int(values.size),
    }


def _replace_outputs(
    folder: Path,
    wired: Wired,
    record: Record,
    inputs: Mapping[str, RunInput],
    found: Found,
    scores: ScoreTable | None,
) -> dict[str, str]:
    model, poses = found.model, found.poses
    sequences = inputs.get("sequences")
    with replaced_outputs(folder) as staged:
        outputs = write_outputs(
            staged,
            model,
            scores,
            sequences=sequences.value if sequences else None,
            dois=_dois(wired),
            steps=record.entries["steps"],
        )
        if model is not None and found.threading is not None:
            outputs |= write_residues(staged, model, found.threading)
        if model is None and found.points is not None:
            outputs |= write_points(staged, found.points)
        if poses is not None and (models := inputs.get("models")):
            outputs |= write_poses(staged, poses, models.value)
        record.entries.pop(EARLIER, None)
        record.write()  # killed from here on, the next run knows that what lies there is nobody's
    return outputs


def report(folder: Path, record: Record, shown: "RunFolder | None" = None) -> None:
    """Write the report: beside that of an earlier run whose files are still there, and then without these.

    Parameters
    ----------
    folder, record
        The run folder and its record.
    shown
        What ``read_run`` made of the folder, if that was done already.
    """
    from cryoweave.io.atomic import atomic_file
    from cryoweave.report import read_run, write_report

    name = REPORT
    if EARLIER in record.entries:
        from cryoweave.report.page import render

        shown = shown or read_run(folder)
        name, shown.model, shown.scores = UNFINISHED, None, None
        with atomic_file(folder / name) as temporary:
            temporary.write_text(render(shown), encoding="utf-8")
    else:
        write_report(folder, shown)
    scene = {"scene": SCENE} if name == REPORT and (folder / SCENE).is_file() else {}
    record.write(outputs={**record.entries["outputs"], **scene, "report": name})


def _dois(wired: Wired) -> dict[str, str]:
    dois = dict.fromkeys(wired.recipe.cites, f"cryoweave recipe {wired.recipe.id}")
    for step in wired.steps:
        for doi in step.stage.cites:
            dois.setdefault(doi, f"cryoweave stage {step.stage.id}")
    return dois
