"""Options of commands that parameters of validators declare with ``param(..., option="--name")``."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from cryoweave.errors import PluginError
from cryoweave.host.params import describe
from cryoweave.host.records import Stage

SIMPLE = (bool, int, float, str, Path)


@dataclass(frozen=True)
class StageOption:
    """An option that sets one parameter of the validators of one plugin.

    Parameters
    ----------
    name
        As typed, e.g. ``--model-weights``.
    param
        The parameter's name.
    stages
        Ids of the validators that have it.
    value_type
        ``bool`` (a flag that turns the default round), ``int``, ``float``, ``str`` or ``Path``.
    choices
        The texts that are allowed; empty if any is.
    default
        The value without the option.
    summary
        The parameter's help line, with unit, bounds and default.
    """

    name: str
    param: str
    stages: tuple[str, ...]
    value_type: type
    choices: tuple[str, ...]
    default: Any
    summary: str


def options_of(stages: Iterable[Stage]) -> list[StageOption]:
    """The options that validators among a plugin's stages declare, each once.

    Raises
    ------
    PluginError
        If a parameter's type has no place on a command line, or one option is declared for different parameters.
    """
    found: dict[str, StageOption] = {}
    for stage in stages:
        for option in _declared(stage) if stage.is_validator else ():
            known = found.setdefault(option.name, option)
            if replace(known, stages=option.stages) != option:
                raise PluginError(
                    f"the option {option.name} is declared for two parameters that differ: "
                    f"{known.stages[0]}.{known.param} and {stage.id}.{option.param}"
                )
            if stage.id not in known.stages:
                found[option.name] = replace(known, stages=(*known.stages, stage.id))
    return list(found.values())


def _declared(stage: Stage) -> Iterator[StageOption]:
    for row in describe(stage.params):
        if row.option:
            value_type, choices = _on_a_command_line(stage.params.model_fields[row.name].annotation)
            if value_type is None:
                raise PluginError(f"{stage.id}.{row.name} is {row.type}, which the option {row.option} cannot be")
            shown = value_type is not bool and row.default is not None
            details = ", ".join(filter(None, (row.unit, row.bounds, f"default {row.default}" if shown else "")))
            summary = f"{row.description} ({details})" if details else row.description
            yield StageOption(row.option, row.name, (stage.id,), value_type, choices, row.default, summary)


def _on_a_command_line(annotation: Any) -> tuple[type | None, tuple[str, ...]]:
    """Type and choices of an option for a field of this annotation; no type where there cannot be one."""
    if get_origin(annotation) in (UnionType, Union):
        some = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _on_a_command_line(some[0]) if len(some) == 1 else (None, ())
    if get_origin(annotation) is Literal and all(isinstance(choice, str) for choice in get_args(annotation)):
        return str, get_args(annotation)
    return (annotation, ()) if annotation in SIMPLE else (None, ())
