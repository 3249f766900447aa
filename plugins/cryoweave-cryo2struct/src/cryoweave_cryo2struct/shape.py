"""How far apart and how twisted Cα atoms along a chain are, seen with a detector's errors."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.hmm import Geometry, Transitions
from cryoweave_cryo2struct.sequences import LETTERS

DENSITY = 0.0085
"""Points in a cubic Å of protein: one Cα in 135 Å³ (1.35 g/cm³, 110 Da a residue), and some false ones."""
LEAST = -14.0
"""Log-odds of a distance below which it is none that a chain has."""
LEAST_BEND = -6.0
BOND = 3.8
"""Å between the Cα atoms of a trans peptide."""
SHARPEST = 0.1
"""Å to which errors of distances are known at best: a bin of the counted ones."""
LEAST_TWIST = 1e-5
"""Share of a bin of dihedral angles, so that none is forbidden."""


@cache
def counted() -> dict[str, Any]:
    """What ``training/fit_chain_shape.py`` counted along chains of known structures."""
    found: dict[str, Any] = json.loads((files("cryoweave_cryo2struct") / "chain_shape.json").read_text("utf-8"))
    return found


def frequencies() -> NDArray[np.float64]:
    """Share of each amino acid in proteins, in the order of ``LETTERS``."""
    found = np.array([counted()["letters"][letter] for letter in LETTERS], float)
    return np.asarray(found / found.sum())


def geometry(error: float, missing: float, forward: int) -> Geometry:
    """Log-odds of a chain's distances and angles against those of points that lie anywhere.

    Parameters
    ----------
    error
        Root mean square error of the points in Å.
    missing
        Share of the residues that have no point.
    forward
        Most residues from one point to the next.
    """
    step = float(counted()["step"])
    deviation = max(np.sqrt(2 / 3) * error, SHARPEST)
    spans = np.array(counted()["spans"][:forward], float)
    seen = np.array([_blurred(row / row.sum() / step, deviation / step) for row in spans])
    distance = (np.arange(seen.shape[1]) + 0.5) * step
    skipped = np.arange(forward)[:, None] * np.log(missing) + np.log(1 - missing)
    anywhere = 4 * np.pi * distance**2 * DENSITY
    odds = np.log(np.maximum(seen, 1e-12) / anywhere) + skipped
    odds[odds < LEAST] = -np.inf
    # A point at the end of a bond that may turn anywhere is d away with a density of 2 d / (2 · 3.8)².
    ends = np.where(distance < 2 * BOND, 2 * distance / (2 * BOND) ** 2, 0)
    two = spans[1] if forward > 1 else np.array(counted()["spans"][1], float)
    bend = _odds(_blurred(two / two.sum() / step, deviation / step), _blurred(ends, deviation / step))
    return Geometry(step, odds.astype(np.float32), bend.astype(np.float32), _twist(error))


def _odds(seen: NDArray[np.float64], anywhere: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(np.log(np.maximum(seen, 1e-6) / np.maximum(anywhere, 1e-6)), LEAST_BEND)


def _blurred(row: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """A density over distances with their error, in bins."""
    reach = int(5 * deviation) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    return np.convolve(row, kernel / kernel.sum(), mode="same")


def _twist(error: float) -> NDArray[np.float32]:
    """Log-odds of dihedral angles, turned by the error of points that are some 2 Å off the axis in between."""
    counts = np.array(counted()["twist"], float)
    n = len(counts)
    deviation = max(error / 2.0 / np.sqrt(3) * 1.2, 0.05) / (2 * np.pi / n)
    turn = np.minimum(np.arange(n), n - np.arange(n))
    kernel = np.exp(-0.5 * (turn / deviation) ** 2)
    blurred = np.fft.irfft(np.fft.rfft(counts / counts.sum()) * np.fft.rfft(kernel / kernel.sum()), n)
    return np.asarray(np.log(np.maximum(blurred, LEAST_TWIST) * n), np.float32)


def transitions(xyz: NDArray[np.float64], shape: Geometry) -> list[Transitions]:
    """The spans of a shape between points, for each number of residues forward."""
    known = [np.flatnonzero(np.isfinite(row)) for row in shape.spans]
    pairs, distance = neighbour_pairs(xyz, (max(int(bins.max(initial=0)) for bins in known) + 1) * shape.step)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    found = []
    for row, bins in zip(shape.spans, known, strict=True):
        if not len(bins):
            found.append(Transitions.only(len(xyz), np.zeros((0, 2)), []))
            continue
        place = np.tile(distance, 2) / shape.step
        inside = (place >= bins[0]) & (place <= bins[-1])
        values = np.interp(place[inside], bins, row[bins])
        found.append(Transitions.only(len(xyz), both[inside], values))
    return found
