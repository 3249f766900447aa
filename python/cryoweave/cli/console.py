"""Everything that is printed: data on stdout, progress, logs and errors on stderr, and the exit code."""

import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.errors import CryoweaveError
from cryoweave.pipeline.machine import HINTS, hint_of

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
BUG = 4

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]


def err() -> "Console":
    """The console for people: stderr, in colour only on a terminal and without ``NO_COLOR``."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say(message: str, style: str = "") -> None:
    """One line for people, on stderr; square brackets are text."""
    err().print(message, style=style or None, markup=False, soft_wrap=True)


def data(line: str) -> None:
    """One line of data, on stdout."""
    sys.stdout.write(line + "\n")


def data_json(value: Any) -> None:
    """A value as JSON on stdout; what is no number (NaN, infinite) is ``null``."""
    data(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """The value in JSON's own types: dataclasses as objects, paths as text, NumPy scalars as numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(entry) for entry in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, float):
        return value if value - value == 0 else None
    return plain(value.tolist()) if hasattr(value, "tolist") else str(value)


def number(value: float | None) -> str:
    """A figure for a table: counts whole, others with four digits; a dash where it cannot be computed."""
    if value is None:
        return ""
    if value != value:
        return "-"
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else _four_digits(value)


def _four_digits(value: float) -> str:
    return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout: ruled and wrapped on a terminal, else one whole line a row for pipes."""
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _ruled(headers, cells)
        return
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    for row in (headers, *cells):
        data("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def markdown(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A Markdown table on stdout."""

    def line(row: Sequence[Any]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |"

    data(line(headers))
    data("|" + "---|" * len(headers))
    for row in rows:
        data(line(row))


def _ruled(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    ruled = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in headers:
        ruled.add_column(header, overflow="fold")
    for row in rows:
        ruled.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(ruled)


def show_error(message: str, hint: str = "") -> None:
    """What is wrong, and on a line of its own what to do next."""
    console = err()
    console.print(f"[bold red]error:[/] {_escape(message)}", soft_wrap=True)
    if hint:
        console.print(f"[bold]hint:[/] {_escape(hint)}", soft_wrap=True)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def guard(command: Callable[[], Any]) -> int:
    """Call the command line; what it raises becomes a message and the exit code."""
    try:
        command()
        sys.stdout.flush()
    except SystemExit as ending:
        return _ending(ending)
    except CryoweaveError as error:
        show_error(str(error), hint_of(error))
        return error.exit_code
    except KeyboardInterrupt:
        show_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_left()
    except MemoryError as error:
        show_error(f"not enough memory ({error})" if str(error) else "not enough memory", "crop or resample the map")
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in HINTS:
            place = f"{error.filename}: " if error.filename else ""
            show_error(f"{place}{error.strerror}", HINTS[error.errno])
            return 1
        show_bug(error)
        return BUG
    return 0


def _ending(ending: SystemExit) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_left()
    return ending.code if isinstance(ending.code, int) else int(ending.code is not None)


def _reader_left() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def show_bug(error: BaseException) -> None:
    """Write a bug report and say where it is."""
    report = bug_report(error)
    where = "".join(f", {note}" for note in getattr(error, "__notes__", ()))  # which stage, of which package
    show_error(
        f"this is a bug in cryoweave or in a plugin: {type(error).__name__}: {error}{where}",
        f"please send us the report {report}",
    )


def bug_report(error: BaseException) -> Path:
    """A file with the traceback, versions and the command, in the current folder or a temporary one."""
    import platform
    from importlib.metadata import distributions, version

    names = {"cryoweave", "numpy", "gemmi", "mrcfile", "pydantic", "typer", "pluggy"}
    found = {entry.name: entry.version for entry in distributions() if entry.name}
    text = "\n".join(
        [
            f"cryoweave {version('cryoweave')}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {sys.argv}",
            *(f"{name} {found[name]}" for name in sorted(found) if name in names or name.startswith("cryoweave-")),
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    name = time.strftime("cryoweave-bug-%Y%m%d-%H%M%S") + f"-{os.getpid()}.txt"
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        try:
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)
