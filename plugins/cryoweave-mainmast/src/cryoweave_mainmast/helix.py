"""Paths through density, put back to where the Cα atoms are.

Blurred density pulls a path towards the axis of a helix: at 3–4 Å a traced helix turns with a radius of about 1.4 Å in
place of the 2.3 Å of its Cα atoms, and has 2.2–2.6 Å of path for each residue in place of 3.8. So where a path turns
like a helix, its distance from the axis is stretched to that of Cα atoms.
"""

import numpy as np
from numpy.typing import NDArray

Path = NDArray[np.float64]

STEP = 0.7
"""Å between nodes while a path is worked on."""
RADIUS = 2.3
"""Å from a helix's axis to its Cα atoms (Pauling's α helix)."""
AXIS_WIDTH = 4.5
"""Å along the path: standard deviation of the smoothing that leaves the axis; about half a turn."""
HALF_TURNS = (4.0, 4.7, 5.4, 6.1, 6.8)
"""Å along the path of half a turn, from a path shrunk towards the axis to one along the Cα atoms."""
HELICAL = (0.35, 0.55)
"""Helicity at which stretching begins and at which it is full."""
MOST_STRETCH = 2.6


def resampled(path: Path, step: float) -> Path:
    """The same path with nodes every ``step`` Å, straight between the old ones."""
    along = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))))
    places = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(places, along, path[:, axis]) for axis in range(3)], axis=1)


def smoothed(values: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Columns behind a Gaussian of ``sigma`` nodes; the ends are continued by point reflection."""
    reach = min(int(3 * sigma) + 1, len(values) - 1)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    before = 2 * values[0] - values[1 : reach + 1][::-1]
    after = 2 * values[-1] - values[-reach - 1 : -1][::-1]
    padded = np.concatenate([before, values, after])
    columns = [np.convolve(column, kernel / kernel.sum(), "valid") for column in padded.T]
    return np.stack(columns, axis=1)


def helicity(path: Path, step: float) -> NDArray[np.float64]:
    """How much a path turns like a helix at each node, 0..1; nodes ``step`` Å apart.

    The vectors from the axis to the path point to opposite sides half a turn later: minus the mean cosine of the two.
    """
    if len(path) < 2:
        return np.zeros(len(path))
    outward = path - smoothed(path, AXIS_WIDTH / step)
    radius = np.linalg.norm(outward, axis=1)
    most = np.zeros(len(path))
    for half_turn in HALF_TURNS:
        lag = round(half_turn / step)
        if len(path) <= 2 * lag + 1:
            continue
        window = np.ones(2 * lag + 1)
        opposite = np.convolve((outward[:-lag] * outward[lag:]).sum(axis=1), window, "same")
        scale = np.convolve(radius[:-lag] * radius[lag:], window, "same")[: len(path) - lag]
        cosine = opposite[: len(path) - lag] / np.maximum(scale, 1e-6)
        first = lag // 2
        most[first : first + len(cosine)] = np.maximum(most[first : first + len(cosine)], -cosine)
    return np.asarray(np.clip(most, 0, 1))


def restored(path: Path, step: float) -> Path:
    """The path resampled to ``step`` Å, with helices stretched to the radius of Cα atoms."""
    nodes = resampled(path, STEP)
    if len(nodes) > 2 * AXIS_WIDTH / STEP:
        axis = smoothed(nodes, AXIS_WIDTH / STEP)
        outward = nodes - axis
        turn = np.ones(int(10 / STEP))
        radius = np.sqrt(np.convolve((outward**2).sum(axis=1), turn / len(turn), "same")[: len(nodes)])
        stretch = np.clip(RADIUS / np.maximum(radius, 0.6), 1, MOST_STRETCH)
        share = np.clip((helicity(nodes, STEP) - HELICAL[0]) / (HELICAL[1] - HELICAL[0]), 0, 1)
        share = smoothed(share[:, None], 2 / STEP)[:, 0]
        nodes = axis + outward * (1 + share * (stretch - 1))[:, None]
    return resampled(nodes, step)
