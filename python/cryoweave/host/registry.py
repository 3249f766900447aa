"""Finding plugins, and what they bring. A broken plugin is a row and a warning, never a crash."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

import pluggy

from cryoweave.errors import CryoweaveError, PluginError, UsageError
from cryoweave.host import hookspecs
from cryoweave.host.options import StageOption, options_of
from cryoweave.host.records import Check, Command, Format, Recipe, Stage

Record = TypeVar("Record", Stage, Recipe, Format, Check, Command)
_HOOKS: dict[str, type] = {"stages": Stage, "recipes": Recipe, "formats": Format, "checks": Check, "commands": Command}
NONE, HOW_TO_GET = "no plugin is installed", "pip install 'cryoweave[plugins]'"


@dataclass(frozen=True)
class PluginRow:
    """One installed plugin.

    Parameters
    ----------
    name
        Name of its entry point.
    package, version
        The distribution that brings it.
    error
        Why it cannot be used; empty if it can.
    """

    name: str
    package: str
    version: str
    error: str = ""


@dataclass
class Registry:
    """What all plugins bring, by id."""

    plugins: list[PluginRow] = field(default_factory=list)
    stages: dict[str, Stage] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    commands: dict[str, Command] = field(default_factory=dict)
    options: dict[str, StageOption] = field(default_factory=dict)
    origins: dict[tuple[str, str], str] = field(default_factory=dict)
    conflicts: dict[tuple[str, str], str] = field(default_factory=dict)
    manager: pluggy.PluginManager = field(default_factory=lambda: _manager())

    def stage(self, name: str) -> Stage:
        """The stage with this id, or an error that says what is near and which plugins are broken."""
        return self._get("stages", self.stages, name)

    def recipe(self, name: str) -> Recipe:
        """The recipe with this id, or an error that says what is near and which plugins are broken."""
        return self._get("recipes", self.recipes, name)

    def check(self, name: str) -> Check:
        """The check with this id."""
        return self._get("checks", self.checks, name)

    def format(self, name: str) -> Format:
        """The file format with this id."""
        return self._get("formats", self.formats, name)

    def package_of(self, hook: str, name: str) -> str:
        """The distribution that brings a record; ``hook`` is ``stages``, ``recipes`` … or ``options``."""
        return self.origins[hook, name]

    def _get(self, hook: str, table: dict[str, Record], name: str) -> Record:
        if (hook, name) in self.conflicts:
            raise PluginError(self.conflicts[hook, name], "uninstall one of the two packages")
        if name in table:
            return table[name]
        if not self.plugins:
            raise PluginError(f"there is no {hook[:-1]} {name!r}: {NONE}", HOW_TO_GET)
        broken = [row for row in self.plugins if row.error]
        if broken:
            raise PluginError(
                f"no plugin that works has the {hook[:-1]} {name!r}; broken: "
                + "; ".join(f"{row.package} ({row.error})" for row in broken),
                "mend or reinstall the broken plugin; `cryoweave plugins doctor` says more",
            )
        import difflib

        near = difflib.get_close_matches(name, table, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(table)) or 'none'}"
        raise UsageError(f"there is no {hook[:-1]} {name!r}", hint)

    def add(self, row: PluginRow, plugin: Any) -> None:
        """Take in one plugin; a defect makes it a row with an error and nothing of it is used."""
        try:
            records = {hook: _records(plugin, hook, kind) for hook, kind in _HOOKS.items()}
            records["options"] = options_of(records["stages"])
            self.manager.register(plugin, name=f"{row.package}:{row.name}")
            self.manager.check_pending()
        except (Exception, SystemExit) as error:
            if self.manager.has_plugin(f"{row.package}:{row.name}"):
                self.manager.unregister(plugin)
            self.plugins.append(PluginRow(row.name, row.package, row.version, _cause(error)))
            return
        self.plugins.append(row)
        for hook, found in records.items():
            for record in found:
                self._add_record(hook, record, row.package)

    def _add_record(self, hook: str, record: Any, package: str) -> None:
        name = record.name if isinstance(record, Command | StageOption) else record.id
        if (hook, name) in self.origins:
            other = self.origins[hook, name]
            self.conflicts[hook, name] = f"{other} and {package} both bring the {hook[:-1]} {name!r}"
            return
        getattr(self, hook)[name] = record
        self.origins[hook, name] = package


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("cryoweave")
    manager.add_hookspecs(hookspecs)
    return manager


def _records(plugin: Any, hook: str, kind: type) -> list[Any]:
    function = getattr(plugin, f"cryoweave_{hook}", None)
    records = [] if function is None else list(function())
    for record in records:
        if not isinstance(record, kind):
            raise PluginError(f"cryoweave_{hook} handed over {record!r}, which is no {kind.__name__}")
    return records


def _cause(error: Exception | SystemExit) -> str:
    if isinstance(error, SystemExit):
        return "it ended the program"
    return str(error) if isinstance(error, CryoweaveError) else f"{type(error).__name__}: {error}"


def discover(points: Iterable[EntryPoint]) -> Registry:
    """A registry of the plugins behind these entry points, in the order of their names."""
    registry = Registry()
    for point in sorted(points, key=lambda point: (point.name, point.value)):
        package = point.dist.name if point.dist else point.value
        version = point.dist.version if point.dist else "?"
        row = PluginRow(point.name, package, version)
        try:
            plugin = point.load()
        except (Exception, SystemExit) as error:  # whatever a stranger's module does at import stays in its row
            registry.plugins.append(PluginRow(row.name, row.package, row.version, _cause(error)))
            continue
        registry.add(row, plugin)
    return registry


@cache
def registry() -> Registry:
    """The plugins installed in this environment, found once per process."""
    return discover(entry_points(group=hookspecs.GROUP))
