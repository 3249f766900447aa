"""Parameters of a stage: one pydantic model makes the CLI, the TOML check, the JSON schema and the docs table."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Base of every stage's parameters: frozen, unknown names refused, every field made by :func:`param`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def param(
    default: Any,
    description: str,
    *,
    unit: str = "",
    source: str = "",
    option: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> Any:
    """A field of :class:`Params`.

    Parameters
    ----------
    default
        The value if the user says nothing.
    description
        One help line.
    unit
        E.g. ``Å``; ``map`` for density in the map's own units; empty for pure numbers and names.
    source
        Where a scientific number comes from.
    option
        An option of its own, e.g. ``--model-weights``, that ``cryoweave validate`` has while the plugin is installed:
        short for ``--set STAGE.PARAM=VALUE``, a flag if the parameter is a bool. Only a validator's counts.
    ge, gt, le, lt
        Bounds.
    """
    if option and not _OPTION.fullmatch(option):
        raise ValueError(f"an option is written --like-this, not {option!r}")
    given = (("unit", unit), ("source", source), ("option", option))
    extra: dict[str, Any] = {key: value for key, value in given if value}
    return Field(default, description=description, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


class NoParams(Params):
    """For a stage that has nothing to choose."""


@dataclass(frozen=True)
class ParamRow:
    """One parameter as users see it.

    Parameters
    ----------
    name, type, default
        As in a recipe's TOML; ``type`` is a word or two, e.g. ``float`` or ``cpu | gpu``.
    unit, bounds, description, source
        As given to :func:`param`; ``bounds`` reads like ``> 0, <= 10``. Empty where there is none.
    option
        Its own option of ``cryoweave validate``, if it has one.
    """

    name: str
    type: str
    default: Any
    unit: str
    bounds: str
    description: str
    source: str
    option: str = ""


_OPTION = re.compile(r"--[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def describe(params: type[Params]) -> list[ParamRow]:
    """What a stage's parameters are, in their order."""
    rows = []
    for name, field in params.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        rows.append(
            ParamRow(
                name,
                _type_name(field.annotation),
                field.default,
                str(extra.get("unit", "")),
                ", ".join(_bounds(field.metadata)),
                field.description or "",
                str(extra.get("source", "")),
                str(extra.get("option", "")),
            )
        )
    return rows


def _bounds(metadata: list[Any]) -> list[str]:
    return [f"{sign} {getattr(item, key):g}" for item in metadata for key, sign in _SIGNS.items() if hasattr(item, key)]


def _type_name(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    if isinstance(annotation, UnionType):
        return " | ".join("None" if kind is NoneType else _type_name(kind) for kind in get_args(annotation))
    if annotation is Path:
        return "path"
    if get_origin(annotation) is dict:
        return f"table of {_type_name(get_args(annotation)[1])}s"
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
