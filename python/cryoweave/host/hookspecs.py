"""The hooks that a plugin may implement; all of them are optional."""

from typing import Any

import pluggy

from cryoweave.host.records import Check, Command, Format, Recipe, Stage

GROUP = "cryoweave.plugins"
hookspec = pluggy.HookspecMarker("cryoweave")
hookimpl = pluggy.HookimplMarker("cryoweave")


@hookspec
def cryoweave_stages() -> list[Stage]:
    """Hand over the stages that the plugin brings."""
    raise NotImplementedError


@hookspec
def cryoweave_recipes() -> list[Recipe]:
    """Hand over the recipes that the plugin brings."""
    raise NotImplementedError


@hookspec
def cryoweave_formats() -> list[Format]:
    """Hand over the file formats that a run can start from."""
    raise NotImplementedError


@hookspec
def cryoweave_checks() -> list[Check]:
    """Hand over the checks that ``cryoweave plugins doctor`` runs."""
    raise NotImplementedError


@hookspec
def cryoweave_commands() -> list[Command]:
    """Hand over commands of the plugin's own."""
    raise NotImplementedError


@hookspec
def cryoweave_stage_started(step: str, stage: Stage) -> None:
    """Watch: a stage of a run begins."""


@hookspec
def cryoweave_stage_finished(step: str, stage: Stage, record: dict[str, Any]) -> None:
    """Watch: a stage of a run ended; ``record`` is its entry in ``record.json``."""
