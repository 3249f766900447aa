"""The Ramachandran plot (SVG, drawn by the template)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, ScoreTable
from cryoweave.report.columns import label_of

SIDE, LEFT, TOP = 360.0, 40.0, 10.0
"""The square in which the points stand, in a plot of 410 × 420 units."""
MOST_MARKED = 200
MANY = 3000
"""With more residues, dots stand at whole units, and those at one place are one."""
OUTLIER, ALLOWED = 0, 1
"""Values of the column ``rama_outcome``; what is more is favoured."""


@dataclass(frozen=True)
class Mark:
    """A residue worth a look: where it stands, and what to say of it."""

    x: float
    y: float
    chain: str
    number: int
    insertion: str
    words: str


@dataclass(frozen=True)
class Region:
    """What lies behind the points: an SVG path, and what it is."""

    path: str
    definition: str


@dataclass(frozen=True)
class Ramachandran:
    """All residues with both angles.

    Parameters
    ----------
    favoured, allowed
        SVG paths of these residues; favoured are all, if no validator told them apart.
    marks
        The outliers, at most `MOST_MARKED`.
    residues, outliers
        How many there are.
    classified
        Whether a validator told outliers from others.
    regions
        Outlines that a validator gave, to be filled in this order.
    """

    favoured: str
    allowed: str
    marks: list[Mark]
    residues: int
    outliers: int
    classified: bool
    regions: list[Region]


def ramachandran(scores: ScoreTable | None) -> Ramachandran | None:
    """The plot, if the table has columns ``phi`` and ``psi`` (°); outcomes are those of ``rama_outcome``."""
    columns = {} if scores is None else scores.residues
    if scores is None or "phi" not in columns or "psi" not in columns:
        return None
    there = np.flatnonzero(np.isfinite(columns["phi"]) & np.isfinite(columns["psi"]))
    if not len(there):
        return None
    x, y = _at(_wrapped(columns["phi"][there]), _wrapped(columns["psi"][there]))
    known = "rama_outcome" in columns
    outcome = columns["rama_outcome"][there] if known else np.full(len(there), np.nan)
    out = outcome == OUTLIER
    digits = 1 if len(there) <= MANY else 0
    dots = [f"M{a:.{digits}f} {b:.{digits}f}h0" for a, b in zip(x, y, strict=True)]
    favoured, allowed = ("".join(dict.fromkeys(dots[i] for i in np.flatnonzero(chosen))) for chosen in
                         (~out & (outcome != ALLOWED), outcome == ALLOWED))  # fmt: skip
    marks = [_mark(scores, int(there[i]), float(x[i]), float(y[i])) for i in np.flatnonzero(out)[:MOST_MARKED]]
    regions = [Region(_closed(curve), curve.definition) for curve in scores.outlines("phi", "psi").values()]
    return Ramachandran(favoured, allowed, marks, len(there), int(out.sum()), known, regions)


def _at(phi: NDArray[np.float64], psi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions in the plot."""
    return LEFT + (phi + 180) / 360 * SIDE, TOP + (180 - psi) / 360 * SIDE


def _closed(curve: Curve) -> str:
    """SVG path of an outline; a part ends where a value is missing."""
    x, y = _at(curve.x.clip(-180, 180), curve.y.clip(-180, 180))
    ends = np.flatnonzero(np.isnan(np.append(y, np.nan)))
    parts = [range(int(a), int(b)) for a, b in zip(np.append(0, ends + 1), ends, strict=False) if b > a]
    return "".join(f"M{'L'.join(f'{x[i]:.1f} {y[i]:.1f}' for i in part)}Z" for part in parts)


def _wrapped(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    return (angles + 180) % 360 - 180


def _mark(scores: ScoreTable, row: int, x: float, y: float) -> Mark:
    chain, name = str(scores.chain[row]), str(scores.residue_name[row])
    angles = f"φ {scores.residues['phi'][row]:.0f}°, ψ {scores.residues['psi'][row]:.0f}°"
    words = f"{chain} {label_of(scores, row)} {name}: {angles}"
    number, insertion = int(scores.residue_number[row]), str(scores.insertion_code[row])
    return Mark(round(x, 1), round(y, 1), chain, number, insertion, words)
