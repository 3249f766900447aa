"""``cryoweave plugins``: what is installed, and whether it works."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import author, console
from cryoweave.errors import UsageError

if TYPE_CHECKING:
    from cryoweave.host import PluginRow, Registry

app = typer.Typer(help="The installed plugins: what they bring, whether they work.", no_args_is_help=True)
app.command("new")(author.new)
app.command("check")(author.check)


@app.command("list")
def list_plugins(as_json: console.Json = False) -> None:
    """Name, package, version and state of each plugin; broken ones too."""
    from cryoweave.host import registry
    from cryoweave.host.registry import HOW_TO_GET, NONE

    found = registry()
    rows = [_row(found, plugin) for plugin in found.plugins]
    if as_json:
        console.data_json(rows)
        return
    console.table(
        ("plugin", "package", "version", "stages", "recipes", "state"),
        [
            (row["name"], row["package"], row["version"], len(row["stages"]), len(row["recipes"]), row["state"])
            for row in rows
        ],
    )
    if not rows:
        console.say(f"{NONE}; get ours with: {HOW_TO_GET}")
    for row in rows:
        if row["error"]:
            console.say(f"warning: {row['package']} cannot be used: {row['error']}", "yellow")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of the plugin or of its package.")], as_json: console.Json = False
) -> None:
    """Everything that one plugin brings."""
    from cryoweave.host import registry

    found = registry()
    plugins = [row for row in found.plugins if name in (row.name, row.package)]
    if not plugins:
        known = ", ".join(row.name for row in found.plugins) or "none"
        raise UsageError(f"there is no plugin {name!r}", f"there are: {known}")
    rows = [_row(found, plugin) for plugin in plugins]
    if as_json:
        console.data_json(rows[0])
        return
    for row in rows:
        console.data(f"{row['name']}: {row['package']} {row['version']}, {row['state']}")
        if row["error"]:
            console.data(f"  error: {row['error']}")
        for hook in _BRINGS:
            for entry in row[hook]:
                console.data(f"  {hook[:-1]:8} {entry}  {getattr(found, hook)[entry].summary}")


@app.command("doctor")
def doctor(as_json: console.Json = False) -> None:
    """Load every stage, run every check; says what is missing and how to get it. Exit 3 if something is broken."""
    from cryoweave.host import registry
    from cryoweave.host.doctor import Health, diagnose

    findings = list(diagnose(registry()))
    if as_json:
        console.data_json(findings)
    else:
        console.table(
            ("what", "id", "package", "state", "message"),
            [(f.what, f.id, f.package, f.health, f.message) for f in findings],
        )
        for finding in findings:
            if finding.hint and finding.health is not Health.OK:
                console.say(f"{finding.what} {finding.id}: {finding.hint}", "yellow")
    count = {health: sum(f.health is health for f in findings) for health in Health}
    console.say(", ".join(f"{number} {health}" for health, number in count.items()))
    if count[Health.BROKEN]:
        raise typer.Exit(3)


_BRINGS = ("stages", "recipes", "formats", "checks", "commands", "options")


def _row(found: "Registry", plugin: "PluginRow") -> dict[str, Any]:
    brings: dict[str, list[str]] = {hook: [] for hook in _BRINGS}
    if not plugin.error:
        for (hook, entry), package in found.origins.items():
            if package == plugin.package:
                brings[hook].append(entry)
    state = "broken" if plugin.error else "ok"
    return {
        "name": plugin.name,
        "package": plugin.package,
        "version": plugin.version,
        **brings,
        "state": state,
        "error": plugin.error,
    }
