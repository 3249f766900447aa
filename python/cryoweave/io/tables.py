"""Tables as TSV and records as JSON: the formats that every program opens."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file
from cryoweave.io.content import read_content

_DAMAGED = "the file was edited or is damaged; make it again"


def write_table(path: str | Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write columns of equal length as TSV with a header line.

    Floating numbers are written with the fewest digits that give the same number again; NaN as ``nan``.

    Raises
    ------
    InputError
        If a text holds a tab or a line end, or the file cannot be written.
    """
    texts = [column.astype(np.str_).tolist() for column in columns.values()]
    for column in ([*columns], *texts):
        if _breaks("".join(column)):
            broken = next(text for text in column if _breaks(text))
            raise InputError(f"a table cannot hold {broken!r}: it has a tab or a line end", "take them out")
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, "excel-tab", lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*texts, strict=True))


def _breaks(text: str) -> bool:
    return any(c in text for c in "\t\n\r\0")


def read_table(path: str | Path, dtypes: Mapping[str, DTypeLike]) -> dict[str, NDArray[Any]]:
    """Read the named columns of a TSV file.

    Parameters
    ----------
    path
        The file.
    dtypes
        Type of each wanted column; columns of the file that are not named are left out.

    Raises
    ------
    InputError
        If a column is missing, rows differ in length or a value is of another type.
    """
    header, rows = _rows(Path(path))
    missing = [name for name in dtypes if name not in header]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}", _DAMAGED)
    columns = {}
    for name, dtype in dtypes.items():
        place = header.index(name)
        texts = [row[place] for row in rows]
        try:
            columns[name] = np.array(texts, dtype=np.str_).astype(dtype)
        except (ValueError, OverflowError) as error:
            raise InputError(f"{path}: column {name!r} holds a value of another type: {error}", _DAMAGED) from error
    return columns


def header_of(path: str | Path) -> list[str]:
    """Names of a TSV file's columns."""
    return _rows(Path(path))[0]


def _rows(path: Path) -> tuple[list[str], list[list[str]]]:
    try:
        text = read_content(path).decode("utf-8")
        header, *rows = csv.reader(io.StringIO(text, newline=""), "excel-tab", strict=True)
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise InputError(f"{path} is not a table: {error}", _DAMAGED) from error
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{path}: line {number} has {len(row)} values for {len(header)} columns", _DAMAGED)
    return header, rows


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON with indentation; NaN becomes null."""
    with atomic_file(path) as temporary:
        text = json.dumps(_without_nan(value), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: str | Path, wanted: Mapping[str, type]) -> dict[str, Any]:
    """Read a JSON object whose members have these names and types; others are kept as they are.

    Raises
    ------
    InputError
        If the file is no such object.
    """
    try:
        value = json.loads(read_content(Path(path)).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", _DAMAGED) from error
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON object", _DAMAGED)
    for name, kind in wanted.items():
        if not isinstance(value.get(name), kind):
            raise InputError(f"{path} has no {name!r} that is a {kind.__name__}", _DAMAGED)
    return value


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
