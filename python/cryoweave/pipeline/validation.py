"""All installed validators on one model, whatever recipe or program built it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryoweave import host
from cryoweave.data import DensityMap, Model, ScoreTable, SequenceSet
from cryoweave.errors import CryoweaveError
from cryoweave.host.records import Kind, Stage
from cryoweave.pipeline.execute import run_stage
from cryoweave.pipeline.outputs import merge_scores
from cryoweave.pipeline.wiring import HOW_TO_GIVE


@dataclass
class Validation:
    """What the validators said of one model.

    Parameters
    ----------
    ran
        Stages that gave scores.
    left_out
        Why the others did not run, by stage: an input was not given.
    failed
        Errors of those that could not give a result.
    scores
        All their scores in one table; None if there are none.
    """

    ran: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, CryoweaveError] = field(default_factory=dict)
    scores: ScoreTable | None = None


def validate(
    model: Model,
    *,
    density: DensityMap | None = None,
    reference: Model | None = None,
    sequences: SequenceSet | None = None,
    seed: int = 0,
    threads: int = 0,
) -> Validation:
    """Run every validate stage whose inputs are there, with its default parameters.

    Parameters
    ----------
    model
        What is judged.
    density, reference, sequences
        What it is judged by.
    seed, threads
        As for a run.
    """
    given = {"density": density, "model": model, "sequences": sequences, "reference": reference}
    present = {name: value for name, value in given.items() if value is not None}
    result = Validation()
    tables = []
    for stage in sorted(host.registry().stages.values(), key=lambda stage: stage.id):
        if stage.kind is not Kind.VALIDATE or stage.gives is not ScoreTable:
            continue
        inputs, missing = choose_inputs(stage, present)
        if missing:
            ways = ", ".join(HOW_TO_GIVE.get(name, name) for name in missing)
            result.left_out[stage.id] = f"needs {' and '.join(missing)}: give {ways}"
            continue
        try:
            tables.append((stage.id, run_stage(stage.id, seed=seed, threads=threads, **inputs)))
        except CryoweaveError as error:
            result.failed[stage.id] = error
        else:
            result.ran.append(stage.id)
    result.scores = merge_scores(tables)
    return result


def choose_inputs(stage: Stage, present: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The stage's inputs, by name or else by type, and the names of those that are not there."""
    inputs: dict[str, Any] = {}
    missing = []
    for name, wanted in stage.takes.items():
        same_type = [value for other, value in present.items() if isinstance(value, wanted) and other != "reference"]
        if name in HOW_TO_GIVE:
            same_type = [present[name]] if isinstance(present.get(name), wanted) else []
        if same_type:
            inputs[name] = same_type[0]
        elif name not in stage.optional:
            missing.append(name)
    return inputs, missing
