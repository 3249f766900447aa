"""Which value each input of each step gets; everything that can be wrong with a chain is found here, before it runs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryoweave import host
from cryoweave.data import DensityMap, Model, ModelSet, SequenceSet
from cryoweave.errors import PluginError, UsageError
from cryoweave.host.params import Params
from cryoweave.host.records import CheckResult, Recipe, Stage, Step, load_object
from cryoweave.pipeline.chain import near
from cryoweave.pipeline.settings import assign, check_params

REFERENCE = "reference"
TYPES: dict[str, type] = {
    "density": DensityMap,
    "sequences": SequenceSet,
    "model": Model,
    "models": ModelSet,
    REFERENCE: Model,
}
HOW_TO_GIVE = {
    "density": "-v MAP",
    "sequences": "--sequence FILE",
    "model": "--model FILE",
    "models": "--model FILE",
    REFERENCE: "--reference FILE",
}


@dataclass(frozen=True)
class WiredStep:
    """One step, ready to run.

    Parameters
    ----------
    step, stage, package
        The recipe's step, its stage and the distribution that brings it.
    params
        All parameters, checked.
    sources
        Where each input comes from: ``input.NAME`` or an earlier step's name. Optional inputs that nothing gives are
        not in it.
    """

    step: Step
    stage: Stage
    package: str
    params: Params
    sources: Mapping[str, str]

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name


@dataclass(frozen=True)
class Wired:
    """A recipe whose steps are ready to run.

    Parameters
    ----------
    recipe
        The recipe.
    steps
        In the order in which they run.
    left_out
        Optional steps that do not run, with the reason.
    unused
        Inputs that the user gave and no step takes.
    """

    recipe: Recipe
    steps: tuple[WiredStep, ...]
    left_out: Mapping[str, str]
    unused: tuple[str, ...]

    def folder(self, name: str) -> str:
        """Where in the run folder a step's result lies."""
        return f"stages/{[step.name for step in self.recipe.steps].index(name) + 1:02d}-{name}"


class _MissingError(Exception):
    """An input that nothing gives."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def wire(recipe: Recipe, given: Mapping[str, type], settings: Mapping[str, Any]) -> Wired:
    """Resolve the stages of a recipe, check their parameters and connect their inputs.

    Parameters
    ----------
    recipe
        The recipe.
    given
        Type of each input of the run by name: ``density``, ``sequences``, ``model``, ``reference``, or the id of a
        file format.
    settings
        The user's parameters, ``"step.param" -> value``.

    Raises
    ------
    UsageError
        If a stage, step or parameter does not exist, a value is out of bounds, or an input is missing or of another
        type than the stage takes.
    PluginError
        If a stage is brought by two packages or by one that is broken.
    """
    if not recipe.steps:
        raise UsageError(f"the recipe {recipe.id} has no step")
    own = assign(recipe, settings)
    values = {f"input.{name}": type_ for name, type_ in given.items()}
    steps: list[WiredStep] = []
    left_out: dict[str, str] = {}
    for step in recipe.steps:
        stage = host.registry().stage(step.stage)
        params = check_params(step, stage, own[step.name])
        try:
            sources = dict(_sources(step, stage, values, left_out))
        except _MissingError as missing:
            if not step.optional:
                raise UsageError(str(missing), missing.hint) from None
            left_out[step.name] = str(missing)
            continue
        steps.append(WiredStep(step, stage, host.registry().package_of("stages", stage.id), params, sources))
        values[step.name] = stage.gives
    used = {source for step in steps for source in step.sources.values()}
    unused = tuple(name for name in given if f"input.{name}" not in used)
    return Wired(recipe, tuple(steps), left_out, unused)


def _sources(
    step: Step, stage: Stage, values: Mapping[str, type], left_out: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for name in step.inputs:
        if name not in stage.takes:
            raise UsageError(f"step {step.name}: stage {stage.id} takes no {name!r}", near(name, list(stage.takes)))
    for name, wanted in stage.takes.items():
        if name in step.inputs:
            source: str | None = _explicit(step, name, wanted, values, left_out)
        else:
            source = _latest(name, wanted, values)
        if source is not None:
            yield name, source
        elif name not in stage.optional:
            raise _missing(stage, name, wanted, step.inputs.get(name, ""))


def _explicit(
    step: Step, name: str, wanted: type, values: Mapping[str, type], left_out: Mapping[str, str]
) -> str | None:
    source = step.inputs[name]
    if source in left_out:
        raise _MissingError(f"step {step.name} takes {name} from {source}, which is left out", left_out[source])
    if source not in values:
        known = [*TYPES, *host.registry().formats]
        if source.startswith("input.") and source.removeprefix("input.") in known:
            return None
        raise UsageError(
            f"step {step.name} takes {name} from {source!r}, which is no earlier step", near(source, list(values))
        )
    if not issubclass(values[source], wanted):
        raise UsageError(
            f"step {step.name} takes {name} from {source}, which gives {values[source].__name__}, not {wanted.__name__}"
        )
    return source


def _latest(name: str, wanted: type, values: Mapping[str, type]) -> str | None:
    """The latest step's value of the type, else the run's; a reference is only what the user gave as such."""
    reference = f"input.{REFERENCE}"
    if name == REFERENCE:
        return reference if issubclass(values.get(reference, type(None)), wanted) else None
    fitting = [source for source, type_ in values.items() if issubclass(type_, wanted) and source != reference]
    steps = [source for source in fitting if not source.startswith("input.")]
    return steps[-1] if steps else next(iter(fitting), None)


def _missing(stage: Stage, name: str, wanted: type, source: str) -> _MissingError:
    source = source.removeprefix("input.") or (REFERENCE if name == REFERENCE else "")
    formats = {key: f"--given {key}=FILE" for key, entry in host.registry().formats.items() if entry.gives is wanted}
    direct = {key: how for key, how in HOW_TO_GIVE.items() if TYPES[key] is wanted and key != REFERENCE}
    message = f"stage {stage.id} needs {name}" + ("" if wanted.__name__.lower() == name else f" ({wanted.__name__})")
    if source:
        return _MissingError(message, f"give {HOW_TO_GIVE.get(source) or formats[source]}")
    ways = [*direct.values(), *formats.values()]
    makers = sorted(key for key, entry in host.registry().stages.items() if issubclass(entry.gives, wanted))
    hints = [f"give {' or '.join(ways)}"] if ways else []
    if makers and not direct:
        hints.append(f"put a stage before it that gives {wanted.__name__}: {', '.join(makers[:6])}")
    return _MissingError(message, ", or ".join(hints) or f"no installed plugin gives {wanted.__name__}")


def check_needs(wired: Wired) -> None:
    """Ask the checks that the stages name, each once.

    Raises
    ------
    PluginError
        If something that a stage needs is not there.
    """
    found: dict[str, CheckResult] = {}
    for step in wired.steps:
        for need in step.stage.needs:
            if need not in found:
                found[need] = load_object(host.registry().check(need).load)()
            if not found[need].ok:
                raise PluginError(
                    f"stage {step.stage.id} needs {need}: {found[need].message}",
                    found[need].hint or "see `cryoweave plugins doctor`",
                )


def select(wired: Wired, start: str | None, until: str | None, force: tuple[str, ...]) -> tuple[Wired, frozenset[str]]:
    """Cut the chain after ``until``, and name the steps that must run whatever is kept.

    Raises
    ------
    UsageError
        If one of the names is no step of the recipe, or ``start`` comes after ``until``.
    """
    names = [step.name for step in wired.steps]
    for option, name in (("--from", start), ("--until", until), *(("--force", name) for name in force)):
        if name is not None and name not in names:
            if name in wired.left_out:
                raise UsageError(f"{option} {name}: the step is left out, since {wired.left_out[name]}")
            raise UsageError(f"{option} {name}: the recipe {wired.recipe.id} has no such step", near(name, names))
    last = names.index(until) if until else len(names) - 1
    first = names.index(start) if start else len(names)
    if start and first > last:
        raise UsageError(f"--from {start} comes after --until {until}", f"the order is {' > '.join(names)}")
    kept = replace(wired, steps=wired.steps[: last + 1])
    return kept, frozenset(force) | frozenset(names[first:])
