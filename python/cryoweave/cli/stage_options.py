"""Options that validators of plugins bring to a command that has ``--set`` and ``--only``."""

import inspect
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from cryoweave.cli import console
from cryoweave.errors import PluginError, UsageError

if TYPE_CHECKING:
    from cryoweave.host.options import StageOption


class ValidatorCommand(TyperCommand):
    """A command that takes each option of a validator for the ``--set`` that it stands for.

    Use it as ``app.command(cls=ValidatorCommand)``; the command's function has the parameters ``settings`` and
    ``only``, the texts of ``--set`` and ``--only``, and knows nothing of the options.
    """

    @cached_property
    def _brought(self) -> "list[tuple[StageOption, Any]]":
        """The options of all plugins but those that two of them claim, each with what parses it."""
        from cryoweave.host import registry

        found = registry()
        options = [option for name, option in found.options.items() if ("options", name) not in found.conflicts]
        panels = [f"Options of {found.package_of('options', option.name)}" for option in options]
        return list(zip(options, _parsers(options, panels), strict=True))

    def _own(self, ctx: Any) -> set[str]:
        """Names of the options that the command has itself."""
        return {name for param in super().get_params(ctx) for name in (*param.opts, *param.secondary_opts)}

    def _split(self, ctx: Any) -> "tuple[list[tuple[StageOption, Any]], list[StageOption]]":
        """What of it the command can have, and what it cannot because it has an option of that name itself."""
        taken = self._own(ctx)
        usable = [(option, parser) for option, parser in self._brought if option.name not in taken]
        return usable, [option for option, _ in self._brought if option.name in taken]

    def get_params(self, ctx: Any) -> Any:
        """The command's own options, then those of plugins."""
        return [*super().get_params(ctx), *(parser for _, parser in self._split(ctx)[0])]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Say what is wrong with the options of plugins before the line is read."""
        if not ctx.resilient_parsing:
            self._complain(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if type(error).__name__ != "NoSuchOption":  # Typer gives it no public name
                raise
            raise _no_such_option(str(error), getattr(error, "possibilities", None)) from None

    def _complain(self, ctx: Any, args: list[str]) -> None:
        from cryoweave.host import registry

        found = registry()
        given = {arg.partition("=")[0] for arg in args} - self._own(ctx)
        for (what, name), message in found.conflicts.items():
            if what == "options" and name in given:
                raise PluginError(message, "give --set STAGE.PARAM=VALUE instead, or uninstall one of the two packages")
        for option in self._split(ctx)[1]:
            console.say(
                f"warning: {found.package_of('options', option.name)} brings the option {option.name}, which "
                f"`{ctx.command_path}` has itself: give --set {option.stages[0]}.{option.param}=VALUE for it",
                "yellow",
            )

    def invoke(self, ctx: Any) -> Any:
        """Hand over each option that was given as the ``--set`` that it stands for."""
        values = {parser.name: option for option, parser in self._brought}
        given = [(values[name], ctx.params.pop(name)) for name in list(ctx.params) if name in values]
        settings, only = list(ctx.params["settings"] or ()), list(ctx.params["only"] or ())
        keys = {text.partition("=")[0].strip() for text in settings}
        for option, value in given:
            if value is None or value is False:
                continue
            targets = [f"{stage}.{option.param}" for stage in option.stages]
            if twice := keys.intersection(targets):
                raise UsageError(f"both {option.name} and --set {min(twice)} are given", "give one of them")
            if only and not set(only).intersection(option.stages):
                console.say(f"{option.name} is not used: --only leaves out {' and '.join(option.stages)}", "yellow")
            settings += [f"{target}={_toml(option, value)}" for target in targets]
        ctx.params["settings"] = settings
        return super().invoke(ctx)


def _parsers(options: "list[StageOption]", panels: list[str]) -> list[Any]:
    """Typer's own objects, made as for a function with these options: its classes for them are not public."""
    from rich.markup import escape

    def nothing() -> None: ...

    parameters = []
    for number, (option, panel) in enumerate(zip(options, panels, strict=True)):
        flag, file = option.value_type is bool, option.value_type is Path
        wanted = typer.Option(
            option.name,
            metavar="FILE" if file else "|".join(option.choices) or None,
            readable=False,
            help=escape(option.summary),
            show_default=False,
            rich_help_panel=panel,
        )
        parameters.append(
            inspect.Parameter(
                f"stage_option_{number}",  # no function has such a parameter
                inspect.Parameter.KEYWORD_ONLY,
                default=False if flag else None,
                annotation=Annotated[bool if flag else option.value_type | None, wanted],
            )
        )
    nothing.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(nothing)
    return [param for param in typer.main.get_command(app).params if param.name != "help"]


def _toml(option: "StageOption", value: Any) -> str:
    """The value as ``--set`` reads it; a flag turns the default round."""
    import tomli_w

    plain = not option.default if option.value_type is bool else str(value) if isinstance(value, Path) else value
    return tomli_w.dumps({"value": plain}).partition("=")[2].strip()


def _no_such_option(message: str, near: list[str] | None) -> UsageError:
    hints = [f"did you mean {' or '.join(near)}?"] if near else []
    hints.append("a validator's options come with its plugin: `cryoweave plugins list` shows what is installed")
    return UsageError(message, " ".join([*hints, *_broken()]))


def _broken() -> Iterator[str]:
    from cryoweave.host import registry

    for row in registry().plugins:
        if row.error:
            yield f"({row.package} is broken: {row.error})"
