"""Registries without installed packages."""

from collections.abc import Sequence
from types import SimpleNamespace

from cryoweave.host import Check, Format, PluginRow, Recipe, Registry, Stage, hookimpl


def make_registry(
    stages: Sequence[Stage] = (),
    recipes: Sequence[Recipe] = (),
    checks: Sequence[Check] = (),
    formats: Sequence[Format] = (),
    package: str = "test-package",
) -> Registry:
    """A registry as if one installed package brought these records."""
    registry = Registry()
    plugin = SimpleNamespace(
        cryoweave_stages=hookimpl(lambda: list(stages)),
        cryoweave_recipes=hookimpl(lambda: list(recipes)),
        cryoweave_checks=hookimpl(lambda: list(checks)),
        cryoweave_formats=hookimpl(lambda: list(formats)),
    )
    registry.add(PluginRow("test", package, "1.0"), plugin)
    return registry
