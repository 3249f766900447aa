"""How a cell ended: the marker that is written last, when all else of the cell is there."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

MARKER = "cell.json"


class State(StrEnum):
    """How a cell ended."""

    DONE = "done"
    FAILED = "failed"
    CRASHED = "crashed"
    OUT_OF_MEMORY = "out of memory"
    TIMED_OUT = "timed out"
    NO_RESULT = "no result"
    UNFIT = "unfit"


@dataclass(frozen=True)
class Outcome:
    """What ``cell.json`` says.

    Parameters
    ----------
    cell, key
        Which cell, and the digest of all that decided its result.
    state
        How it ended.
    error, hint
        What went wrong.
    exit_code
        Of the process; negative for the signal that killed it.
    seconds, cpu_seconds
        Of the process and its children.
    peak_mb
        The most memory that they held together, in MB of 10⁶ bytes.
    started
        When.
    """

    cell: str
    key: str
    state: State
    error: str = ""
    hint: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    started: str = ""


def read_outcome(folder: Path) -> Outcome | None:
    """How a cell ended; None if it did not, or its marker cannot be read."""
    try:
        entries = json.loads((folder / MARKER).read_bytes())
        return Outcome(**{**entries, "state": State(entries["state"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write ``cell.json``: last, so that it says that all else is there."""
    from cryoweave.io.tables import write_json

    write_json(folder / MARKER, asdict(outcome))
