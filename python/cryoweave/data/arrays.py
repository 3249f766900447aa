"""How a data class takes an array in: converted, checked, read-only."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cryoweave.errors import InputError


def frozen(
    values: Any,
    dtype: DTypeLike,
    name: str,
    shape: tuple[int | None, ...],
    within: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """A C-contiguous, read-only array of this type and shape.

    The caller's array is never changed: it is copied unless it is already read-only and of the right kind.

    Parameters
    ----------
    values
        Anything NumPy can convert.
    dtype
        Wanted type; ``str`` keeps whatever width the strings have.
    name
        Used in the error message.
    shape
        Wanted shape; ``None`` where any length will do.
    within
        The least and the most that a value may be.

    Raises
    ------
    InputError
        If the shape is another or a floating value is not finite, or beyond what it may be.
    """
    array = np.asarray(values, dtype=dtype)
    if array.ndim == 1 and array.size == 0 and len(shape) > 1:
        array = array.reshape([0 if n is None else n for n in shape])
    if array.ndim != len(shape) or any(n is not None and n != m for n, m in zip(shape, array.shape, strict=True)):
        wanted = ", ".join("n" if n is None else str(n) for n in shape)
        raise InputError(f"{name} has shape {array.shape}, wanted ({wanted})")
    if array.dtype.kind == "f" and array.size:
        least, most = _extremes(array)
        if not (np.isfinite(least) and np.isfinite(most)):
            hint = "replace NaN and infinite values before you go on"
            raise InputError(f"{name} holds a value that is not finite", hint)
        if within and not within[0] <= least <= most <= within[1]:
            raise InputError(f"{name} must lie between {within[0]:g} and {within[1]:g}")
    if array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array, order="C")
        array.flags.writeable = False
    return array


def _extremes(array: NDArray[np.floating[Any]]) -> tuple[Any, Any]:
    """The least and the largest, without a second array; NaN or infinity if there is one."""
    if array.dtype == np.float16:
        # Without a sign, halves are in the order of their bits, which are compared thirty times as fast.
        bits = array.view(np.int16)
        least, most = bits.min(), bits.max()
        if least >= 0:
            return least.view(np.float16), most.view(np.float16)
    return array.min(), array.max()


_SHOWN = 4
"""Entries of a collection that a short repr shows."""
_LETTERS = 40


def short_repr(value: Any) -> str:
    """A data class on one line: its arrays as shapes, only the first entries of mappings and tuples.

    To be used as ``__repr__ = short_repr`` in the class.
    """
    shown = (f"{field.name}={_short(getattr(value, field.name))}" for field in fields(value))
    return f"{type(value).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"[{' × '.join(map(str, value.shape))}]"
    if isinstance(value, Mapping):
        return f"{{{_first([str(name) for name in value])}}}"
    if isinstance(value, tuple):
        return f"({_first([_short(item) for item in value[: _SHOWN + 1]], len(value))})"
    if isinstance(value, str) and len(value) > _LETTERS:
        return f"{value[:_LETTERS]!r}…"
    return repr(value)


def _first(texts: list[str], count: int | None = None) -> str:
    more = (len(texts) if count is None else count) - _SHOWN
    return ", ".join(texts[:_SHOWN] + ([f"… {more} more"] if more > 0 else []))


def same_length(**arrays: NDArray[Any]) -> int:
    """The common length of the arrays' first axis; an error names the two that differ."""
    (first, reference), *rest = arrays.items()
    for name, array in rest:
        if len(array) != len(reference):
            raise InputError(f"{name} has {len(array)} rows, {first} has {len(reference)}")
    return len(reference)
