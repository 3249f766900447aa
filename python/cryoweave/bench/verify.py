"""Whether the models of a bench still give the figures that it shows."""

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryoweave.bench.outcome import State
from cryoweave.bench.results import Result, read_results, same
from cryoweave.bench.sheet import Target
from cryoweave.bench.worker import RUN, SPEC, VALIDATION, built, judge
from cryoweave.errors import CryoweaveError
from cryoweave.pipeline.record import read_record

CLOSE = 1e-6
"""Relative difference that rounding in the model's file may make."""


@dataclass(frozen=True)
class Verdict:
    """One cell, judged again.

    Parameters
    ----------
    cell
        Which.
    figures
        How many figures were worked out.
    differ
        Name, shown and found value of those that are not as shown.
    error
        Why nothing could be worked out.
    """

    cell: str
    figures: int = 0
    differ: tuple[tuple[str, float, float], ...] = ()
    error: str = ""


def verify(folder: Path) -> Iterator[Verdict]:
    """Judge the model of each cell that is done once more.

    Parameters
    ----------
    folder
        Of a bench.

    Raises
    ------
    UsageError
        If it holds none.
    """
    for cell in read_results(folder).cells:
        if cell.state is State.DONE:
            yield _verdict(folder, cell)


def _verdict(folder: Path, cell: Result) -> Verdict:
    from cryoweave.io.scores import read_whole

    place, name = folder / cell.folder, cell.folder.partition("/")[2]
    try:
        spec = json.loads((place / SPEC).read_bytes())
        model = built(place / RUN, (read_record(place / RUN) or {}).get("outputs", {}))
        with tempfile.TemporaryDirectory() as scratch:
            target = Target.model_validate(spec["target"])
            judge(model, target, spec | {"pages": False}, Path(scratch) / VALIDATION)
            found = read_whole(Path(scratch) / VALIDATION)[0]
    except (CryoweaveError, OSError, ValueError, KeyError) as error:
        return Verdict(name, error=str(error))
    shown = read_whole(place / VALIDATION)[0]
    names = dict.fromkeys([*shown, *found])
    pairs = [(one, shown.get(one, math.nan), found.get(one, math.nan)) for one in names]
    return Verdict(name, len(found), tuple(pair for pair in pairs if not same(*pair[1:], CLOSE)))
