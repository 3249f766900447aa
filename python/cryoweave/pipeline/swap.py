"""One step of a recipe done by another stage."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cryoweave import host
from cryoweave.errors import UsageError
from cryoweave.host.records import Recipe, Step
from cryoweave.pipeline.chain import near, parse_chain
from cryoweave.pipeline.wiring import REFERENCE

EXAMPLE = 'write --swap STEP=STAGE, e.g. --swap "points=peaks.maxima(threshold=0.2)"'


def swapped(recipe: Recipe, swaps: Sequence[str]) -> Recipe:
    """The recipe with other stages in place of some steps.

    Parameters
    ----------
    recipe
        Any.
    swaps
        Each ``STEP=STAGE`` or ``STEP=STAGE(param=value) > STAGE``, as in an inline chain. The last stage takes the
        step's name and its place, and of the step's own inputs those that it takes too. Steps that only made what the
        step took, and nothing takes any more, are left out. ``STEP=`` leaves the step itself out.

    Raises
    ------
    UsageError
        If there is no such step or stage, or a swap cannot be read.
    """
    for text in swaps:
        name, equals, chain = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise UsageError(f"cannot read the swap {text!r}", EXAMPLE)
        names = [step.name for step in recipe.steps]
        if name not in names:
            raise UsageError(f"--swap {name}: the recipe {recipe.id} has no such step", near(name, names))
        before = set(_sources(recipe.steps))
        at = names.index(name)
        new = tuple(_in_place(recipe.steps[at], parse_chain(chain).steps, names)) if chain else ()
        steps = _without_idle((*recipe.steps[:at], *new, *recipe.steps[at + 1 :]), before)
        change = f"+{new[-1].stage}" if new else f"-{name}"
        recipe = replace(recipe, id=recipe.id + change, steps=steps)
    return recipe


def _in_place(old: Step, new: Sequence[Step], taken: Sequence[str]) -> Iterator[Step]:
    """The new steps under free names, the last under the old one's."""
    for number, step in enumerate(new):
        takes = host.registry().stage(step.stage).takes
        if number == len(new) - 1:
            inputs = {name: source for name, source in old.inputs.items() if name in takes}
            yield replace(step, name=old.name, inputs=inputs, optional=old.optional)
        else:
            yield replace(step, name=step.name if step.name not in taken else f"{old.name}-{step.name}")


def _sources(steps: Sequence[Step]) -> Iterator[str]:
    """Names of the steps whose values later steps take."""
    gives: dict[str, type] = {}
    for step in steps:
        stage = host.registry().stage(step.stage)
        for name, wanted in stage.takes.items():
            fitting = [source for source, type_ in gives.items() if issubclass(type_, wanted)]
            if name in step.inputs:
                yield step.inputs[name]
            elif fitting and name != REFERENCE:
                yield fitting[-1]
        gives[step.name] = stage.gives


def _without_idle(steps: tuple[Step, ...], before: set[str]) -> tuple[Step, ...]:
    """Without steps that something took before, and nothing takes any more."""
    while True:
        used = set(_sources(steps))
        kept = tuple(step for step in steps if step.name in used or step.name not in before)
        if len(kept) == len(steps):
            return kept
        steps = kept
