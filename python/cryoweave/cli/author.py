"""``cryoweave plugins new`` and ``check``: for authors of plugins."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from cryoweave.cli import console
from cryoweave.cli.interrupts import interruptible


def new(
    name: Annotated[str, typer.Argument(help="Name of the plugin, e.g. my-peaks.")],
    kind: Annotated[
        str, typer.Option("--kind", "-k", help="What to begin with: detector, tracer, fitter, validator or program.")
    ] = "detector",
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where its folder is made.")] = Path(),
    author: Annotated[str, typer.Option("--author", help='Who writes it: "Name" or "Name <address>".')] = "",
) -> None:
    """Begin a plugin: a package that works, with a small method of its kind, a recipe and tests. Needs `copier`."""
    from cryoweave.author.new import new_plugin
    from cryoweave.host import registry

    folder = new_plugin(name, kind, output, registry(), author)
    console.data(str(folder))
    console.say("next, in that folder: pip install -e '.[test]' && pytest; its README.md says what is where")


def check(
    name: Annotated[str, typer.Argument(help="Name of the plugin or of its package.")],
    may_be_empty: Annotated[
        list[str] | None,
        typer.Option("--may-be-empty", metavar="STAGE:INPUT", help="An empty one is no mistake; may be repeated."),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Hold the contract against every stage of a plugin, on made inputs. Exit 1 if a promise is broken."""
    from cryoweave.author.check import Outcome, check_plugin
    from cryoweave.host import registry

    logging.getLogger("cryoweave.stage").setLevel(logging.CRITICAL)  # what stages say of made inputs helps nobody
    with interruptible("nothing was changed"):
        verdicts = list(check_plugin(registry(), name, may_be_empty or []))
    if as_json:
        console.data_json(verdicts)
    else:
        console.table(
            ("id", "promise", "state", "message"),
            [(verdict.id, verdict.promise, verdict.outcome, verdict.message) for verdict in verdicts],
        )
    count = {outcome: sum(verdict.outcome is outcome for verdict in verdicts) for outcome in Outcome}
    console.say(", ".join(f"{number} {outcome}" for outcome, number in count.items() if number) or "nothing to check")
    if count[Outcome.FAILED]:
        raise typer.Exit(1)
