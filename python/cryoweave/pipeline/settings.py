"""Parameters of the steps: the stage's defaults, then the recipe's, then the user's, checked by the stage's class."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from cryoweave import host
from cryoweave.data import ModelSet, Poses
from cryoweave.errors import UsageError
from cryoweave.host.params import Params
from cryoweave.host.records import Recipe, Stage, Step
from cryoweave.pipeline.chain import near, parse_value


def parse_settings(texts: Iterable[str], recipe: Recipe) -> dict[str, Any]:
    """``STEP.PARAM=VALUE`` texts as a mapping ``"step.param" -> value``; the last one wins.

    Parameters
    ----------
    texts
        As the user wrote them.
    recipe
        Whose steps they mean; for hints.

    Raises
    ------
    UsageError
        If one is not of this form.
    """
    return parsed(texts, lambda key, value: _how_to_set(recipe, key, value))


def parsed(texts: Iterable[str], how: Callable[[str, str], str]) -> dict[str, Any]:
    """``STEP.PARAM=VALUE`` texts as a mapping; ``how`` gives the hint for one that is not of this form.

    Raises
    ------
    UsageError
        If one is not.
    """
    settings = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or "." not in key.strip("."):
            raise UsageError(f"cannot read --set {text!r}", how(key.strip(), value.strip()))
        settings[key.strip()] = parse_value(value, f"--set {key.strip()}")
    return settings


def _how_to_set(recipe: Recipe, name: str, value: str) -> str:
    """The steps that have a parameter of this name, else how to write one at all, with one that exists."""
    stages = {step.name: host.registry().stage(step.stage) for step in recipe.steps}
    known = [f"{step}.{param}" for step, stage in stages.items() for param in stage.params.model_fields]
    same = [entry for entry in known if entry.rpartition(".")[2] == name]
    if same:
        return "write " + " or ".join(f"--set {entry}={value or 'VALUE'}" for entry in same)
    if not known:
        return f"no step of {recipe.id} has a parameter"
    if name in known:
        return f"write --set {name}=VALUE"
    close = difflib.get_close_matches(name, [entry.rpartition(".")[2] for entry in known], n=1, cutoff=0.6)
    like = [entry for entry in known if entry.rpartition(".")[2] in close]
    if like:
        return f"write --set STEP.PARAM=VALUE; did you mean {' or '.join(like)}?"
    return f"write --set STEP.PARAM=VALUE, e.g. --set {known[0]}=VALUE; the steps are {', '.join(stages)}"


def assign(recipe: Recipe, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each step by the step's name; a stage's id serves too where one step alone has that stage.

    Raises
    ------
    UsageError
        If a setting names no step.
    """
    found: dict[str, dict[str, Any]] = {step.name: {} for step in recipe.steps}
    for key, value in settings.items():
        name, _, param = key.rpartition(".")
        found[_step(recipe, name, key)][param] = value
    return found


def shared_settings(recipe: Recipe, values: Mapping[str, Any]) -> dict[str, Any]:
    """Each value for every step of the recipe that has a parameter of its name, as ``"step.param" -> value``.

    Raises
    ------
    UsageError
        If no step has such a parameter.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        steps = [step for step in recipe.steps if name in host.registry().stage(step.stage).params.model_fields]
        if not steps:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"no step of {recipe.id} takes {option}", f"leave {option} out")
        found |= {f"{step.name}.{name}": value for step in steps}
    return found


def places_models(recipe: Recipe) -> bool:
    """Whether the recipe gives poses of models."""
    stages = [host.registry().stages.get(step.stage) for step in recipe.steps]
    return any(stage is not None and stage.gives is Poses and ModelSet in stage.takes.values() for stage in stages)


def _step(recipe: Recipe, name: str, key: str) -> str:
    names = [step.name for step in recipe.steps]
    if name in names:
        return name
    same = [step.name for step in recipe.steps if step.stage == name]
    if len(same) == 1:
        return same[0]
    if same:
        raise UsageError(f"{key!r} may mean the steps {' and '.join(same)}", "name the step instead of its stage")
    raise UsageError(f"{key!r}: the recipe {recipe.id} has no step {name!r}", near(name, names))


def check_params(step: Step, stage: Stage, settings: Mapping[str, Any]) -> Params:
    """The step's parameters.

    Raises
    ------
    UsageError
        If a name is unknown or a value does not fit; the message names the step, the parameter and the bound.
    """
    given = {**step.params, **settings}
    try:
        return stage.params(**given)
    except ValidationError as error:
        first = error.errors()[0]
    param = str(first["loc"][0]) if first["loc"] else ""
    known = list(stage.params.model_fields)
    if param and param not in known:
        raise UsageError(f"step {step.name} ({stage.id}) has no parameter {param!r}", near(param, known))
    reason = first["msg"].removeprefix("Value error, ")
    raise UsageError(
        f"{step.name}.{param} = {given.get(param)!r}: {reason[:1].lower()}{reason[1:]}"
        if param
        else f"parameters of {step.name}: {reason}",
        f"see `cryoweave stages show {stage.id}`",
    )
