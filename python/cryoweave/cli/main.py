"""The command ``cryoweave``: one file a command, imported light; what a command needs it imports when it runs."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cryoweave.cli import bench, check, compare, console, fit, map, plan, plugins, recipes, run, stages, validate
from cryoweave.cli.stage_options import ValidatorCommand

RUN, LOOK, PLUGINS = "Run", "Look and compare", "Plugins, stages and recipes"


class _Group(TyperGroup):
    """The commands below, and those that plugins bring, which are loaded only when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        from cryoweave.host import registry

        return [*super().list_commands(ctx), *sorted(set(registry().commands) - set(self.commands))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        from cryoweave.host import registry

        if cmd_name not in registry().commands:
            return None
        return _described(cmd_name, registry().commands[cmd_name].summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0] if args else ""
        if name in self.commands:
            return super().resolve_command(ctx, args)
        from cryoweave.host import registry
        from cryoweave.host.records import load_object

        if name not in registry().commands:
            return super().resolve_command(ctx, args)
        return name, typer.main.get_command(load_object(registry().commands[name].load)), args[1:]


def _described(name: str, summary: str) -> Any:
    listed = typer.Typer(add_completion=False)
    listed.command(name, help=summary, rich_help_panel=PLUGINS)(lambda: None)
    return typer.main.get_command(listed)


app = typer.Typer(
    name="cryoweave",
    cls=_Group,
    help="Atomic models from cryo-EM maps.",
    epilog="Example: cryoweave run RECIPE -v map.mrc --sequence chains.fasta -o out",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.data(f"cryoweave {version('cryoweave')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Atomic models from cryo-EM maps."""


app.command("run", rich_help_panel=RUN)(run.run)
app.command("fit", rich_help_panel=RUN)(fit.fit)
app.command("plan", rich_help_panel=RUN)(plan.plan)
app.command("check", rich_help_panel=LOOK)(check.check)
app.command("validate", cls=ValidatorCommand, rich_help_panel=LOOK)(validate.validate)
app.command("compare", rich_help_panel=LOOK)(compare.compare)
app.add_typer(bench.app, name="bench", rich_help_panel=LOOK)
app.add_typer(map.app, name="map", rich_help_panel=LOOK)
app.add_typer(plugins.app, name="plugins", rich_help_panel=PLUGINS)
app.add_typer(stages.app, name="stages", rich_help_panel=PLUGINS)
app.add_typer(recipes.app, name="recipes", rich_help_panel=PLUGINS)


def main() -> None:
    """Run the command line and end the program with its exit code."""
    sys.exit(console.guard(lambda: app(prog_name="cryoweave")))
