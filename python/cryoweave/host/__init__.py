"""What plugin authors import: records, parameters, the context, programs and the hook marker."""

from cryoweave.host.context import Context
from cryoweave.host.hookspecs import hookimpl
from cryoweave.host.params import NoParams, Params, param
from cryoweave.host.program import Program
from cryoweave.host.records import Check, CheckResult, Command, Format, Kind, Recipe, Stage, Step
from cryoweave.host.registry import PluginRow, Registry, registry

__all__ = [
    "Check",
    "CheckResult",
    "Command",
    "Context",
    "Format",
    "Kind",
    "NoParams",
    "Params",
    "PluginRow",
    "Program",
    "Recipe",
    "Registry",
    "Stage",
    "Step",
    "hookimpl",
    "param",
    "registry",
]
