"""The folder of a validation: what a run's folder holds, for a model that anyone built."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryoweave import host
from cryoweave.data import Model
from cryoweave.errors import InputError, UsageError
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.outputs import (
    ATTRIBUTES,
    COMPARED,
    FILES,
    REPORT,
    SCENE,
    replaced_outputs,
    write_outputs,
    write_scripts,
)
from cryoweave.pipeline.preflight import Finding
from cryoweave.pipeline.record import RECORD, SCHEMA, here_and_now, read_record
from cryoweave.pipeline.validation import Validation

if TYPE_CHECKING:
    from cryoweave.report.folder import RunFolder

COMPARISON = "comparison.html"
INCOMPLETE = "incomplete"
"""State of a validation in which validators failed."""
_HINT = "choose another folder with -o"


@dataclass(frozen=True)
class Judged:
    """One model and what the validators said of it.

    Parameters
    ----------
    name
        What it is called.
    model
        The model.
    path
        Its file.
    result
        What the validators said.
    notes
        What a reader should know of how the file was read.
    findings
        What is odd with the model's place in the map, and with what it is judged by.
    """

    name: str
    model: Model
    path: Path
    result: Validation
    notes: list[str] = field(default_factory=list)
    findings: tuple[Finding, ...] = ()


def check_place(folder: Path, inputs: Iterable[Path]) -> None:
    """Refuse a folder in which a validation would replace something else.

    Raises
    ------
    UsageError
        If it holds a run or files of other origin with the names of our files, or one of the inputs.
    InputError
        If it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, not a folder", _HINT)
    ours = {(folder / name).resolve() for name in (*FILES, ATTRIBUTES)}
    for path in inputs:
        if path.resolve() in ours:
            raise UsageError(f"the input {path} would be replaced by the results", _HINT)
    record = read_record(folder)
    if record is not None and not is_validation(record):
        raise UsageError(f"{folder} holds a run, whose files would be replaced", _HINT)
    there = [name for name in (*FILES, ATTRIBUTES) if (folder / name).exists()]
    if record is None and there:
        raise UsageError(f"{folder} holds {there[0]}, which is of no validation", _HINT)


def leftovers(folder: Path, written: Collection[Path]) -> list[str]:
    """Names of what earlier validations left in a folder and the present one did not replace.

    Parameters
    ----------
    folder
        The folder of ``-o``.
    written
        Folders that the present one wrote reports into: this one, or several below it.
    """
    found = [COMPARISON] if len(written) == 1 and folder in written and (folder / COMPARISON).is_file() else []
    for place in (folder, *sorted(path for path in folder.iterdir() if path.is_dir())):
        record = read_record(place) if place not in written else None
        if record is not None and is_validation(record):
            found.append(REPORT if place == folder else f"{place.name}/")
    return found


def is_validation(record: Mapping[str, Any]) -> bool:
    """Whether a record is that of a validation."""
    from cryoweave.report.folder import VALIDATION

    return bool(record.get("schema") == SCHEMA and record.get("recipe") == VALIDATION)


def write_validation(
    folder: Path,
    judged: Judged,
    inputs: Mapping[str, RunInput],
    *,
    resolution: float | None = None,
    contour: float | None = None,
    symmetry: str | None = None,
    threads: int = 0,
    pages: bool = True,
) -> dict[str, str]:
    """Write model, scores, scripts for viewers, citations, report and record into a folder.

    Parameters
    ----------
    folder
        It is made if need be; `check_place` has accepted it.
    judged
        The model and its scores.
    inputs
        What it was judged by: ``density``, ``reference``, ``sequences``, half maps.
    resolution, contour, symmetry, threads
        As given.
    pages
        Whether to write the report and the scripts for viewers.

    Returns
    -------
    Name in the folder of each file by what it is.
    """
    from cryoweave.io.model_writing import write_model
    from cryoweave.io.tables import write_json
    from cryoweave.report import read_run, write_report

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}", _HINT) from error
    state = INCOMPLETE if judged.result.failed else "done"
    common = {"resolution": resolution, "contour": contour, "symmetry": symmetry, "threads": threads}
    record = _record(judged, inputs) | common
    sequences = inputs.get("sequences")
    with replaced_outputs(folder) as staged:
        outputs = write_outputs(
            staged,
            judged.model,
            judged.result.scores,
            sequences=sequences.value if sequences else None,
            dois=_dois(record["steps"]),
            steps=record["steps"],
        )
        if judged.result.copy is not None:
            write_model(staged / COMPARED, judged.result.copy)
            outputs["reference"] = COMPARED
        write_json(folder / RECORD, record)
    # The record on disk claims nothing until all files are there; the page already says how it ended.
    if pages:
        given = {name: entry.value for name, entry in inputs.items()}
        if judged.result.copy is not None:
            given["reference"] = judged.result.copy
        shown = read_run(folder, given)
        shown.record["state"] = state
        outputs |= _scripts(folder, judged, inputs, shown)
        write_report(folder, shown)
        outputs |= {"scene": SCENE, "report": REPORT}
    record |= {"outputs": outputs, "state": state}
    write_json(folder / RECORD, record)
    return dict(record["outputs"])


def _scripts(folder: Path, judged: Judged, inputs: Mapping[str, RunInput], shown: "RunFolder") -> dict[str, str]:
    density, reference, scores = inputs.get("density"), inputs.get("reference"), judged.result.scores
    known = reference.paths[0] if reference else None
    return write_scripts(
        folder,
        judged.model,
        scores,
        map_path=density.paths[0] if density else None,
        reference_path=known if judged.result.copy is None else folder / COMPARED,
        level=shown.contour if shown.density is not None else None,
        by_score=True,
    )


def _record(judged: Judged, inputs: Mapping[str, RunInput]) -> dict[str, Any]:
    from cryoweave.io import store
    from cryoweave.report.folder import VALIDATION

    result = judged.result
    used = {step["package"] for step in result.steps}
    makers = [offer.stage for offer in result.offered.values() if offer.value is not None]
    used |= {host.registry().package_of("stages", maker) for maker in makers}
    model = RunInput(judged.model, store.digest(judged.model), (judged.path,))
    against = next((inputs[name].paths[0].name for name in ("density", "reference") if name in inputs), "")
    return {
        "schema": SCHEMA,
        **here_and_now(),
        "recipe": VALIDATION,
        "title": f"{judged.name} against {against}" if against else judged.name,
        "state": "running",
        "seconds": round(sum(step["seconds"] for step in result.steps), 3),
        "seed": 0,
        "inputs": {name: entry.entry() for name, entry in {"model": model, **inputs}.items()},
        "plugins": {row.package: row.version for row in host.registry().plugins if row.package in used},
        "left_out": dict(result.left_out),
        "failed": {stage: str(error) for stage, error in result.failed.items()},
        "checks": [asdict(finding) for finding in judged.findings],
        "notes": [*judged.notes, *result.notes],
        "steps": [{"facts": {}, **step, "reused": False} for step in result.steps],
        "outputs": {},
    }


def _dois(steps: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {doi: f"cryoweave stage {step['stage']}" for step in reversed(steps) for doi in step["cites"]}


def write_comparison(folder: Path, judged: Sequence[tuple[Judged, Path]]) -> Path:
    """Write a page with the figures and curves of several models side by side.

    Parameters
    ----------
    folder
        Where to write ``comparison.html``.
    judged
        The models and the folders of their reports, which lie in ``folder``.
    """
    from cryoweave.report.comparison import Row, write

    rows = [
        Row(one.name, f"{place.relative_to(folder).as_posix()}/{REPORT}", one.result.scores, one.model)
        for one, place in judged
    ]
    return write(folder / COMPARISON, rows)
