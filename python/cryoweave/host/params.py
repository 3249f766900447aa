"""Parameters of a stage: one pydantic model makes the CLI, the TOML check, the JSON schema and the docs table."""

from typing import Any

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
    ge, gt, le, lt
        Bounds.
    """
    extra: dict[str, Any] = {key: value for key, value in (("unit", unit), ("source", source)) if value}
    return Field(default, description=description, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


class NoParams(Params):
    """For a stage that has nothing to choose."""
