"""All installed validators on one model, whatever recipe or program built it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave import host
from cryoweave.data import DensityMap, Model, ScoreTable, SequenceSet
from cryoweave.errors import CryoweaveError, NotApplicableError, NotGivenError, UsageError
from cryoweave.host.context import Fact
from cryoweave.host.records import Recipe, Stage, Step
from cryoweave.kernels.symmetry import copies_at, symmetry_of
from cryoweave.pipeline.chain import near
from cryoweave.pipeline.events import warned
from cryoweave.pipeline.execute import bug_in, facts_of, run_stage
from cryoweave.pipeline.measure import measured
from cryoweave.pipeline.offers import NO_OFFER, Offer, Progress, offers_for
from cryoweave.pipeline.outputs import merge_scores, score_names
from cryoweave.pipeline.settings import assign, check_params, parse_settings
from cryoweave.pipeline.wiring import HOW_TO_GIVE

WAYS = {**HOW_TO_GIVE, "half_a": "--half-maps A B", "half_b": "--half-maps A B", "resolution": "--resolution d"}
BY_NAME = {"reference", "half_a", "half_b"}
"""Inputs that are taken by their name alone."""


@dataclass
class Validation:
    """What the validators said of one model.

    Parameters
    ----------
    ran
        Stages that gave scores.
    left_out
        Why the others did not run, by stage: an input or a parameter was not given.
    failed
        Errors of those that could not give a result.
    notes
        What they warn of, each once.
    steps
        An entry each as in a run's record: parameters, what it took, names of its scores and curves.
    scores
        All their scores in one table, residues in the order of the model; None if there are none.
    offered
        What other stages made for validators, by the validator's id.
    copy
        The reference as the copies by symmetry that the model has; None if it is as given.
    """

    ran: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, CryoweaveError] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    scores: ScoreTable | None = None
    offered: Mapping[str, Offer] = field(default_factory=dict)
    copy: Model | None = None


def validate(
    model: Model,
    *,
    density: DensityMap | None = None,
    reference: Model | None = None,
    sequences: SequenceSet | None = None,
    half_maps: tuple[DensityMap, DensityMap] | None = None,
    resolution: float | None = None,
    contour: float | None = None,
    symmetry: str | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    stages: Collection[str] | None = None,
    seed: int = 0,
    threads: int = 0,
    offered: Mapping[str, Offer] | None = None,
    progress: Progress | None = None,
) -> Validation:
    """Run every validate stage whose inputs are there.

    Parameters
    ----------
    model
        What is judged.
    density, reference, sequences, half_maps
        What it is judged by.
    resolution
        Of the map, Å: given to every stage that has a parameter of this name; those are left out without it.
    contour
        Density of the map's recommended surface: given to every stage that has a parameter of this name.
    symmetry
        Of the map about z, see `symmetry_of`: every copy of the reference is as right as the one that is given.
    params
        Parameters that differ from the defaults, by stage.
    stages
        Run only these; all if absent.
    seed, threads
        As for a run.
    offered
        What other stages made for validators before, by the validator's id; made now if absent.
    progress
        Called while it is made, see :data:`~cryoweave.pipeline.offers.Progress`.

    Raises
    ------
    UsageError
        If there is no such symmetry, or one and no map.
    """
    copy, where = _copy_there(reference, model, density, symmetry)
    half_a, half_b = half_maps or (None, None)
    given: dict[str, Any] = {"density": density, "model": model, "sequences": sequences, "reference": copy or reference}
    given |= {"half_a": half_a, "half_b": half_b}
    common = {name: value for name, value in (("resolution", resolution), ("contour", contour)) if value is not None}
    present = {name: value for name, value in given.items() if value is not None}
    chosen = [stage for stage in validators() if not stages or stage.id in stages]
    if offered is None:
        offered = offers_for(chosen, present, params or {}, seed=seed, threads=threads, progress=progress)
    result = Validation(offered=offered, copy=copy, notes=where)
    tables: list[tuple[dict[str, Any], ScoreTable]] = []
    for stage in chosen:
        known = stage.params.model_fields
        own = {name: value for name, value in common.items() if name in known} | dict((params or {}).get(stage.id, {}))
        inputs, missing = choose_inputs(stage, present)
        if "resolution" in known and "resolution" not in own:
            missing.append("resolution")
        if missing:
            ways = ", ".join(dict.fromkeys(WAYS.get(name, name) for name in missing))
            result.left_out[stage.id] = f"needs {' and '.join(missing)}: give {ways}"
            continue
        offer = offered.get(stage.id, NO_OFFER)
        try:
            with warned(f"cryoweave.stage.{stage.id}") as notes:
                step, table = _run(stage, own, inputs | offer.inputs, seed, threads)
                _say(step, offer)
        except (NotGivenError, NotApplicableError) as error:
            reason = f"{str(error).removeprefix(f'stage {stage.id}: ')}: {error.hint}"
            result.left_out[stage.id] = f"{reason}{offer.excuse}"
        except CryoweaveError as error:
            result.failed[stage.id] = error
        except Exception as error:  # a bug in one must not cost the figures of the others
            result.failed[stage.id] = bug_in(stage.id, error)
        else:
            result.ran.append(stage.id)
            result.notes += [note for note in (*notes, *offer.notes) if note not in result.notes]
            tables.append((step, table))
    result.steps, result.scores = _joined(tables, model)
    return result


def _copy_there(
    reference: Model | None, model: Model, density: DensityMap | None, symmetry: str | None
) -> tuple[Model | None, list[str]]:
    """The reference as its copies by symmetry that the model has, if others than given, and what to say of it."""
    if reference is None or symmetry is None:
        return None, []
    if density is None:
        raise UsageError("the axis of a symmetry is that of the map, and no map is given", "give --map, or no symmetry")
    found = copies_at(reference, model, symmetry_of(symmetry, density.frame))
    if found is reference:
        return None, []
    moved = reference.chain[(found.xyz[: len(reference)] != reference.xyz).any(axis=1)]
    further = len(set(found.chain[len(reference) :].tolist()))
    words = [f"{' and '.join(dict.fromkeys(moved.tolist()))} where the model has it"] if len(moved) else []
    words += [f"{further} more, which the model has too"] if further else []
    return found, [f"compared with copies by {symmetry} of the reference's chains: {', and '.join(words)}"]


def _say(step: dict[str, Any], offer: Offer) -> None:
    """Where an input is from that nobody gave."""
    step["inputs"] |= dict.fromkeys(offer.inputs, offer.stage)
    step["facts"] |= facts_of({f"{offer.stage}: {name}": value for name, value in offer.facts.items()})


def _run(
    stage: Stage, own: Mapping[str, Any], inputs: Mapping[str, Any], seed: int, threads: int
) -> tuple[dict[str, Any], ScoreTable]:
    params = check_params(Step(stage.id, stage.id), stage, dict(own))
    facts: dict[str, Fact] = {}
    with measured() as taken:
        table: ScoreTable = run_stage(stage.id, params=params, seed=seed, threads=threads, facts=facts, **inputs)
    entry = {
        "step": stage.id,
        "stage": stage.id,
        "kind": stage.kind.value,
        "package": host.registry().package_of("stages", stage.id),
        "version": stage.version,
        "params": params.model_dump(mode="json"),
        "inputs": {name: f"input.{name}" for name in inputs},
        "gives": ScoreTable.__name__,
        "facts": facts_of(facts),
        "cites": list(stage.cites),
        "seconds": round(taken.seconds, 4),
        "cpu_seconds": round(taken.cpu_seconds, 4),
        "peak_mb": taken.peak_mb if taken.peak_mb is None else round(taken.peak_mb, 2),
    }
    return entry, table


def _joined(
    found: Sequence[tuple[dict[str, Any], ScoreTable]], model: Model
) -> tuple[list[dict[str, Any]], ScoreTable | None]:
    """Steps and scores: what the map says first, then the model's geometry, comparisons last."""

    def order(one: tuple[dict[str, Any], ScoreTable]) -> tuple[bool, bool]:
        return one[0]["step"].startswith("compare."), "density" not in one[0]["inputs"]

    found = sorted(found, key=order)
    tables = [(step["step"], table) for step, table in found]
    for (step, _), names in zip(found, score_names(tables), strict=True):
        step["scores"] = list(names.values())
    merged = merge_scores(tables)
    return [step for step, _ in found], merged and _in_order(merged, model)


def _in_order(scores: ScoreTable, model: Model) -> ScoreTable:
    """The rows as the model's residues come; rows that it does not have last."""
    place: dict[tuple[str, int, str], int] = {}
    for key in zip(*(column.tolist() for column in _keys(model)), strict=True):
        place.setdefault(key, len(place))
    rows = zip(*(column.tolist() for column in _keys(scores)), strict=True)
    order = np.argsort([place.get(key, len(place)) for key in rows], kind="stable")
    return replace(
        scores,
        chain=scores.chain[order],
        residue_number=scores.residue_number[order],
        insertion_code=scores.insertion_code[order],
        residue_name=scores.residue_name[order],
        residues={name: values[order] for name, values in scores.residues.items()},
    )


def _keys(table: Model | ScoreTable) -> tuple[NDArray[Any], ...]:
    return table.chain, table.residue_number, table.insertion_code


def validators() -> list[Stage]:
    """Every installed stage that judges a model, by id."""
    found = (stage for stage in host.registry().stages.values() if stage.is_validator)
    return sorted(found, key=lambda stage: stage.id)


def parse_options(settings: Iterable[str], only: Iterable[str]) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """``STAGE.PARAM=VALUE`` texts by stage, and the validators to run, each known to exist.

    Raises
    ------
    UsageError
        If a text is not of this form, or names no validator.
    """
    names = [stage.id for stage in validators()]
    recipe = Recipe("validate", "all validators", tuple(Step(stage=name, name=name) for name in names))
    chosen = list(only)
    for name in chosen:
        if name not in names:
            raise UsageError(f"there is no validator {name!r}", near(name, names))
    return assign(recipe, parse_settings(settings, recipe)), chosen


def choose_inputs(stage: Stage, present: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The stage's inputs, by name or else by type, and the names of those that are not there."""
    inputs: dict[str, Any] = {}
    missing = []
    for name, wanted in stage.takes.items():
        same_type = [value for other, value in present.items() if isinstance(value, wanted) and other not in BY_NAME]
        if name in WAYS:
            same_type = [present[name]] if isinstance(present.get(name), wanted) else []
        if same_type:
            inputs[name] = same_type[0]
        elif name not in stage.optional:
            missing.append(name)
    return inputs, missing
