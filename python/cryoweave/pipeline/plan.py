"""What a run would do, step by step and why, before it does anything."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cryoweave.host.records import Recipe
from cryoweave.pipeline.again import complete
from cryoweave.pipeline.cache import identify, look_up
from cryoweave.pipeline.chain import load_recipe
from cryoweave.pipeline.gate import check_before
from cryoweave.pipeline.inputs import RunInput, input_types, load_inputs
from cryoweave.pipeline.lock import LOCK
from cryoweave.pipeline.preflight import Finding
from cryoweave.pipeline.record import check_folder, check_lenders, check_same_problem
from cryoweave.pipeline.settings import parse_settings
from cryoweave.pipeline.wiring import Wired, WiredStep, check_needs, select, wire

Action = Literal["run", "reuse", "perhaps"]
FORCED, FROM = "forced", "at or after --from"


@dataclass(frozen=True)
class PlannedStep:
    """One step of a plan.

    Parameters
    ----------
    step
        The step with its stage, parameters and sources of its inputs.
    action
        ``run``; ``reuse`` a kept result; ``perhaps``: depends on whether an earlier step gives the same as before.
    reason
        Why.
    folder
        Where its result lies, relative to the run folder.
    """

    step: WiredStep
    action: Action
    reason: str
    folder: str


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    Parameters
    ----------
    recipe
        The recipe.
    steps
        In the order in which they would run.
    left_out
        Optional steps that would not run, with the reason.
    unused
        Inputs that no step takes.
    findings
        What is odd with the inputs.
    """

    recipe: Recipe
    steps: tuple[PlannedStep, ...]
    left_out: Mapping[str, str]
    unused: tuple[str, ...]
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The plan in JSON's types."""
        steps = [
            {**describe(entry.step), "action": entry.action, "reason": entry.reason, "folder": entry.folder}
            for entry in self.steps
        ]
        return {
            "recipe": self.recipe.id,
            "summary": self.recipe.summary,
            "steps": steps,
            "left_out": dict(self.left_out),
            "unused_inputs": list(self.unused),
            "checks": [dataclasses.asdict(finding) for finding in self.findings],
        }


def describe(step: WiredStep) -> dict[str, Any]:
    """A step in JSON's types, as plans and records hold it."""
    measures = {name: dataclasses.asdict(metric) for name, metric in step.stage.measures.items()}
    return {
        "step": step.name,
        "stage": step.stage.id,
        "kind": step.stage.kind.value,
        "package": step.package,
        "version": step.stage.version,
        "params": step.params.model_dump(mode="json"),
        "inputs": dict(step.sources),
        "gives": step.stage.gives.__name__,
        "cites": list(step.stage.cites),
        **({"measures": measures} if measures else {}),
    }


def plan(
    recipe: Recipe | str | Path,
    inputs: Mapping[str, Any],
    settings: Mapping[str, Any] | Sequence[str] = (),
    *,
    secondary_structure: str | Path | None = None,
    output: str | Path | None = None,
    start: str | None = None,
    until: str | None = None,
    force: Sequence[str] = (),
    replace: bool = False,
    reuse: Sequence[str | Path] = (),
    ignore_checks: bool = False,
    seed: int | None = None,
    time_budget: float | None = None,
) -> Plan:
    """Check a run and say what it would do. Nothing is written.

    Parameters
    ----------
    recipe
        A recipe, its id, or the path of its TOML file, whose table ``[run]`` gives what is not given here.
    inputs
        Paths or values by name: ``density``, ``sequences``, ``model``, ``models``, ``reference``, or a format's id.
    settings
        Parameters, ``{"step.param": value}`` or ``["step.param=value"]``.
    secondary_structure
        File that belongs to the proteins' sequences.
    output
        The run folder, if there is one: what is kept there is taken into account.
    start, until, force, replace, reuse, ignore_checks
        As the options ``--from``, ``--until``, ``--force``, ``--replace``, ``--reuse`` and ``--ignore-checks``.
    seed, time_budget
        Of the run.

    Raises
    ------
    UsageError
        If recipe, parameters and inputs do not fit together.
    InputError
        If an input cannot be read, or a check of it fails.
    PluginError
        If a stage's plugin or something that it needs is missing.
    """
    begin = complete(recipe, inputs, secondary_structure, seed)
    wired = prepare(recipe, begin.inputs, settings)
    chosen, forced = select(wired, start, until, tuple(force))
    check_needs(chosen)
    lenders = check_lenders(reuse)
    values = load_inputs(begin.inputs, begin.secondary_structure)
    folder = Path(output) if output else None
    if folder is not None:
        check_folder(folder, wired.recipe, LOCK)
        if not replace:
            check_same_problem(folder, values)
    findings = check_before(chosen, values, ignore=ignore_checks)
    return dataclasses.replace(
        preview(chosen, forced, values, folder, start, begin.seed, time_budget, lenders), findings=findings
    )


def prepare(
    recipe: Recipe | str | Path, inputs: Mapping[str, Any], settings: Mapping[str, Any] | Sequence[str]
) -> Wired:
    """The recipe with its stages, parameters and wiring; reads no input."""
    found = load_recipe(recipe)
    chosen = settings if isinstance(settings, Mapping) else parse_settings(settings, found)
    return wire(found, input_types(inputs), chosen)


def preview(
    wired: Wired,
    forced: frozenset[str],
    inputs: Mapping[str, RunInput],
    folder: Path | None,
    start: str | None,
    seed: int,
    time_budget: float | None = None,
    lenders: Sequence[Path] = (),
) -> Plan:
    """What would happen to each step of a chain that :func:`cryoweave.pipeline.wiring.select` cut."""
    digests = {f"input.{name}": entry.digest for name, entry in inputs.items()}
    steps = []
    for step in wired.steps:
        place = wired.folder(step.name)
        unknown = [source for source in step.sources.values() if source not in digests]
        action: Action = "run"
        if step.name in forced:
            reason = why_forced(wired, step.name, start)
        elif unknown:
            action, reason = ("perhaps" if folder and (folder / place).is_dir() else "run"), f"after {unknown[0]}"
        else:
            identity = identify(step, digests, seed)
            own = folder / place if folder else None
            kept, reason = look_up(own, lenders, identity, step.stage.gives, time_budget, take=False)
            if not isinstance(kept, str):
                action, digests[step.name] = "reuse", kept.digest
        steps.append(PlannedStep(step, action, reason, place))
    return Plan(wired.recipe, tuple(steps), wired.left_out, wired.unused)


def why_forced(wired: Wired, name: str, start: str | None) -> str:
    """The reason of a step that runs whatever is kept."""
    names = [step.name for step in wired.steps]
    return FROM if start and names.index(name) >= names.index(start) else FORCED
