"""What a run folder holds, as far as the report needs it."""

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cryoweave.data import DensityMap, Model, ScoreTable, SequenceSet
from cryoweave.errors import InputError
from cryoweave.io import store
from cryoweave.io.header import MapInfo
from cryoweave.io.maps import inspect_map, read_map
from cryoweave.io.models import read_model
from cryoweave.io.scores import read_scores
from cryoweave.io.sequences import read_sequences
from cryoweave.report.placements import Placements, read_placements

SCHEMA, EARLIER = "cryoweave-record/1", "earlier"
VALIDATION = "validate"
"""Stands for the recipe in the record of a validation, which judges a model and builds none."""
_LOG_LINE = re.compile(r"^\S+ \S+ (?P<level>WARNING|ERROR|CRITICAL) (?P<name>\S+): (?P<message>.*)$")


_EVENT = re.compile(r"^\S+ \S+ INFO cryoweave\.run: (?P<event>run_finished|stage_started)\b(?: step=(?P<step>\S+))?")
_OF_STEP = "cryoweave.stage."


def _standing(log: Iterable[str]) -> list[str]:
    """Warnings of a log to which every run adds: those of the last, and of each step from when it last ran."""
    found: list[tuple[str, str]] = []
    over = False
    for line in log:
        event, said = _EVENT.match(line), _LOG_LINE.match(line)
        if over:
            found = [one for one in found if one[0]]
        if event and event["step"]:
            found = [one for one in found if one[0] != event["step"]]
        if said:
            name = said["name"]
            found.append((name.removeprefix(_OF_STEP) if name.startswith(_OF_STEP) else "", said["message"]))
        over = bool(event and event["event"] == "run_finished")
    return [message for _, message in found]


@dataclass
class RunFolder:
    """A finished, failed or interrupted run, or a validation.

    Parameters
    ----------
    path
        The folder.
    record
        ``record.json``.
    events
        ``events.jsonl`` since the run was last started, in order.
    model, scores, reference, density, sequences
        What there is of them. The density is the one that the method saw: after the steps that prepare it.
    placements
        Poses of models, if the run gave any.
    header
        What the header of the map that was given says.
    density_name, density_path
        Where the density comes from, in words, and its file.
    mean, deviation
        Of the density.
    contour
        Density to draw the surface at, in the units of ``density``.
    contour_rule
        Where the contour comes from, in words.
    problems
        What could not be shown, a sentence each.
    """

    path: Path
    record: dict[str, Any]
    events: list[dict[str, Any]]
    model: Model | None = None
    scores: ScoreTable | None = None
    reference: Model | None = None
    density: DensityMap | None = None
    sequences: SequenceSet | None = None
    placements: Placements | None = None
    header: MapInfo | None = None
    density_name: str = ""
    density_path: Path | None = None
    mean: float = 0.0
    deviation: float = 0.0
    contour: float = 0.0
    contour_rule: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def builds(self) -> bool:
        """Whether the model is the run's own."""
        return self.record.get("recipe") != VALIDATION

    @property
    def steps(self) -> list[dict[str, Any]]:
        """Steps that the record knows, in order."""
        return list(self.record.get("steps", []))

    def input_path(self, name: str) -> Path | None:
        """The file that was given as this input; None if none was, or a value from Python."""
        path = self.record.get("inputs", {}).get(name, {}).get("path")
        return Path(path) if path else None

    def model_file(self) -> Path | None:
        """The model's mmCIF file."""
        return self.path / "model.cif" if self.model is not None else None

    def warnings(self) -> list[str]:
        """Checks and notes of the record, and warnings and errors of the log but the one that ended the run."""
        log = self.path / "log.txt"
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
        texts = [*self._checks("warn"), *self.record.get("notes", []), *_standing(lines)]
        return [text for text in dict.fromkeys(texts) if text != self.record.get("error")]

    def alarms(self) -> list[str]:
        """What makes the scores of a validation meaningless, and which validators gave no result: read first."""
        failed = self.record.get("failed") or {}
        checks = [f"Check failed: {text}" for text in self._checks("fail")]
        return checks + [f"No result: {why}" for why in failed.values()]

    def _checks(self, level: str) -> list[str]:
        found = [check for check in self.record.get("checks", []) if check.get("level") == level]
        return [f"{check['message']}; {check['hint']}" if check.get("hint") else check["message"] for check in found]

    def failed_step(self) -> str:
        """The step that ended the run; empty if none did."""
        failed = [str(event.get("step", "")) for event in self.events if event.get("event") == "stage_failed"]
        return failed[-1] if failed else ""

    def not_run(self) -> list[tuple[str, str]]:
        """Steps that did not end, with what became of them."""
        planned = [str(name) for event in self.events[:1] for name in event.get("steps", [])]
        done = {step["step"] for step in self.steps}
        failed = self.failed_step()
        missing = [(name, "failed" if name == failed else "did not run") for name in planned if name not in done]
        missing += [(str(name), f"failed: {why}") for name, why in (self.record.get("failed") or {}).items()]
        return missing + [(str(k), f"left out: {v}") for k, v in (self.record.get("left_out") or {}).items()]

    def reference_metrics(self) -> set[str]:
        """Names of the scores that compare with the reference."""
        against = (step for step in self.steps if "reference" in step.get("inputs", {}))
        return {str(name) for step in against for name in step.get("scores", [])}

    def trouble(self, what: str) -> "_Trouble":
        """A block in which an expected error becomes one of the report's ``problems``."""
        return _Trouble(self, what)


@dataclass
class _Trouble:
    run: RunFolder
    what: str

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, InputError):
            return False
        self.run.problems.append(f"Not shown: {self.what}. {error}")
        return True


def read_run(path: Path, given: Mapping[str, Any] | None = None) -> RunFolder:
    """Read a run folder and the files that its record names.

    Parameters
    ----------
    path
        The folder.
    given
        Inputs that were read already, by name: these are not read again.

    Raises
    ------
    InputError
        If the folder has no record that can be read. Whatever else is missing goes to ``problems``.
    """
    given = given or {}
    run = RunFolder(path, _record(path), _events(path))
    if (path / "model.cif").exists():
        with run.trouble("the model"):
            run.model = read_model(path / "model.cif")
    if (path / "scores.json").exists():
        with run.trouble("the scores"):
            run.scores = read_scores(path)
    if EARLIER not in run.record:  # else what lies there is an earlier run's
        with run.trouble("the poses"):
            run.placements = read_placements(path, run.record, run.model)
    copy = run.record.get("outputs", {}).get("reference")
    if reference := (path / copy if copy else run.input_path("reference")):
        with run.trouble("the reference"):
            run.reference = given.get("reference") or read_model(reference)
    if sequences := run.input_path("sequences"):
        with run.trouble("the sequences"):
            run.sequences = given.get("sequences") or read_sequences(sequences)
    with run.trouble("the map"):
        _read_density(run, given.get("density"))
    return run


def _record(path: Path) -> dict[str, Any]:
    file = path / "record.json"
    hint = "give the folder that `cryoweave run` wrote"
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is not a run folder: it has no record.json", hint) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}", hint) from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise InputError(f"{file} is not a run's record of the schema {SCHEMA}", hint)
    return record


def _events(path: Path) -> list[dict[str, Any]]:
    file = path / "events.jsonl"
    if not file.exists():
        return []
    events = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except ValueError:  # the last line of a killed run may be half written
            continue
        if isinstance(event, dict):
            events.append(event)
    starts = [i for i, event in enumerate(events) if event.get("event") == "run_started"]
    return events[starts[-1] :] if starts else events


def _read_density(run: RunFolder, given: DensityMap | None) -> None:
    path = run.input_path("density")
    if path is not None:
        run.header = inspect_map(path)
    steps = run.steps
    users = [step for step in steps if step.get("kind") != "prepare" and step.get("inputs", {}).get("density")]
    with_threshold = [step for step in users if _number((step.get("facts") or {}).get("threshold"))]
    user = next(iter(with_threshold or users), None)
    source = str(user["inputs"]["density"]) if user else "input.density"
    prepared = next((step for step in steps if step["step"] == source), None)
    if prepared is not None:
        run.density = store.load(DensityMap, run.path / prepared["folder"])
        run.density_path = run.path / prepared["folder"] / store.DENSITY
        run.density_name = f"the map as step {source} prepared it"
    elif path is not None:
        run.density, run.density_name = given or read_map(path), path.name
        run.density_path = path
        if given is None:
            _check_digest(run, path)
    if run.density is None:
        return
    _choose_contour(run, run.density, user if with_threshold else None)


def _choose_contour(run: RunFolder, density: DensityMap, user: dict[str, Any] | None) -> None:
    """The contour that was given, the threshold of the step that had one, or else mean + 3 σ."""
    values = density.values
    run.mean = float(values.mean(dtype=np.float64))
    squares = [float(np.square(section - np.float32(run.mean)).mean(dtype=np.float64)) for section in values]
    run.deviation = math.sqrt(sum(squares) / len(squares))  # section by section: a map may fill half of the memory
    run.contour, run.contour_rule = run.mean + 3 * run.deviation, "mean + 3 σ of the map"
    given = run.record.get("contour")
    if _number(given):
        run.contour, run.contour_rule = float(given or 0), "as given"
    elif user:
        threshold = float(user["facts"]["threshold"])
        if run.mean + run.deviation < threshold < float(values.max()):
            run.contour, run.contour_rule = threshold, f"the threshold of step {user['step']}"
        else:
            run.contour_rule += f"; the threshold of step {user['step']}, {threshold:g}, would show noise or nothing"


def _check_digest(run: RunFolder, path: Path) -> None:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != run.record["inputs"]["density"].get("sha256"):
        run.problems.append(f"The map {path} has changed since the run: the picture shows what it is now.")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
