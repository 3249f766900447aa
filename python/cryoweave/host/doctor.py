"""What of the installed plugins works, and how to mend what does not."""

import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cryoweave.errors import PluginError
from cryoweave.host.records import CheckResult, Recipe, Stage, load_object
from cryoweave.host.registry import HOW_TO_GET, Registry


class Health(StrEnum):
    """``missing`` is something optional that is not installed; ``broken`` needs mending."""

    OK = "ok"
    MISSING = "missing"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What the doctor says of one thing.

    Parameters
    ----------
    what
        ``plugin``, ``check``, ``stage``, ``recipe``, ``format`` or ``command``.
    id
        Its name.
    package
        The distribution that brings it.
    health, message, hint
        How it is, in one line, and what to do.
    """

    what: str
    id: str
    package: str
    health: Health
    message: str = ""
    hint: str = ""


def diagnose(registry: Registry, package: str = "") -> Iterator[Finding]:
    """Load everything, run every check.

    Parameters
    ----------
    registry
        What to look at.
    package
        Look only at what this distribution brings; at everything if empty.

    Yields
    ------
    One finding for each plugin, conflict, check, stage, recipe, format and command.
    """

    def own(hook: str, names: Iterable[str]) -> list[str]:
        return [name for name in names if not package or registry.package_of(hook, name) == package]

    for row in registry.plugins:
        if package not in ("", row.package):
            continue
        hint = f"reinstall it, or remove it: pip uninstall {row.package}; if it is yours, see its entry point"
        yield Finding("plugin", row.name, row.package, _broken_if(row.error), row.error, hint if row.error else "")
    for (hook, name), message in registry.conflicts.items():
        origin = registry.package_of(hook, name)
        if package and package not in message.split():  # the message names both packages
            continue
        yield Finding(hook[:-1], name, origin, Health.BROKEN, message, "uninstall one of the two packages")
    stages = [registry.stages[name] for name in own("stages", registry.stages)]
    asked = {*own("checks", registry.checks), *(need for stage in stages for need in stage.needs)}
    checks = {name: run_check(registry, name) for name in registry.checks if name in asked}
    yield from (checks[name] for name in own("checks", registry.checks))
    for stage in stages:
        yield _stage(registry, stage, checks)
    for name in own("recipes", registry.recipes):
        yield _recipe(registry, registry.recipes[name])
    for hook, table in (("formats", registry.formats), ("commands", registry.commands)):
        for name in own(hook, table):
            yield _loads(hook[:-1], name, registry.package_of(hook, name), table[name].load)


def run_check(registry: Registry, name: str) -> Finding:
    """Run one check; a check that raises or answers nonsense is broken itself."""
    check = registry.checks[name]
    package = registry.package_of("checks", name)
    try:
        result = load_object(check.load)()
    except Exception as error:
        return Finding("check", name, package, Health.BROKEN, f"the check failed: {error}", f"tell {package}'s authors")
    if not isinstance(result, CheckResult):
        return Finding(
            "check", name, package, Health.BROKEN, f"the check answered {result!r}", f"tell {package}'s authors"
        )
    return Finding("check", name, package, Health.OK if result.ok else Health.MISSING, result.message, result.hint)


def _stage(registry: Registry, stage: Stage, checks: dict[str, Finding]) -> Finding:
    package = registry.package_of("stages", stage.id)
    for need in stage.needs:
        if need not in checks:
            message = f"it needs {need!r}, which no plugin checks for"
            return Finding("stage", stage.id, package, Health.BROKEN, message, f"tell {package}'s authors")
        found = checks[need]
        if found.health is not Health.OK:
            return Finding("stage", stage.id, package, found.health, f"needs {need}: {found.message}", found.hint)
    try:
        names = list(inspect.signature(stage.function()).parameters)
    except PluginError as error:
        return Finding("stage", stage.id, package, Health.BROKEN, str(error), f"reinstall {package}")
    wanted = [*stage.takes, "params", "ctx"]
    if names != wanted:
        message = f"the function takes {', '.join(names)}; its record says {', '.join(wanted)}"
        return Finding("stage", stage.id, package, Health.BROKEN, message, f"tell {package}'s authors")
    return Finding("stage", stage.id, package, Health.OK)


def _recipe(registry: Registry, recipe: Recipe) -> Finding:
    package = registry.package_of("recipes", recipe.id)
    unknown = [step.stage for step in recipe.steps if step.stage not in registry.stages]
    if not unknown:
        return Finding("recipe", recipe.id, package, Health.OK)
    message = f"no installed plugin brings its stage {unknown[0]}"
    return Finding(
        "recipe",
        recipe.id,
        package,
        Health.BROKEN,
        message,
        f"install or mend the plugin that has it; all of ours: {HOW_TO_GET}",
    )


def _loads(what: str, name: str, package: str, path: str) -> Finding:
    try:
        load_object(path)
    except PluginError as error:
        return Finding(what, name, package, Health.BROKEN, str(error), f"reinstall {package}")
    return Finding(what, name, package, Health.OK)


def _broken_if(error: str) -> Health:
    return Health.BROKEN if error else Health.OK
