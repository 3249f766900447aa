"""Many random placements of one structure, each climbing to the nearest best place; which of them are the same."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap
from cryoweave.kernels.rigid import Metric, Points, Progress, distinct_poses, measure_poses, refine_poses
from cryoweave.kernels.rotations import random_rotations

Column = NDArray[np.float64]
ANGLE, SHIFT = 6.0, 3.0
"""Degrees and Å by which fits differ; as in ChimeraX."""


class Fits(NamedTuple):
    """Distinct fits, best first."""

    rotation: NDArray[np.float64]
    """Shape ``(n, 3, 3)``."""
    translation: Column
    """Shape ``(n, 3)``, Å."""
    score: Column
    """What was climbed."""
    measures: dict[str, Column]
    """Other numbers of each by name."""

    def select(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> "Fits":
        """Some of them."""
        measures = {name: column[chosen] for name, column in self.measures.items()}
        return Fits(self.rotation[chosen], self.translation[chosen], self.score[chosen], measures)


def random_starts(
    density: DensityMap, contour: float, centre: Column, count: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], Column]:
    """Random rotations, and shifts that put ``centre`` anywhere in the box around the density above the contour."""
    inside = np.argwhere(density.values > contour)
    corners = density.frame.to_xyz(np.array([inside.min(axis=0), inside.max(axis=0)]))
    rotation = random_rotations(count, int(rng.integers(2**31)))
    place = rng.uniform(corners.min(axis=0), corners.max(axis=0), (count, 3))
    return rotation, place - rotation @ centre


def fitted(
    field: DensityMap,
    points: Points,
    starts: tuple[NDArray[np.float64], Column],
    metric: Metric,
    steps: int,
    progress: Progress,
    hits: Column | None = None,
) -> Fits:
    """Climb from each start, and put those together that came to one place.

    Of each place the best fit stays; ``hits`` is how many starts led there, each of which may stand for several.
    """
    found = refine_poses(field.values, field.frame, points, *starts, metric, steps, progress)
    order = np.argsort(-found.score, kind="stable")
    found = found.select(order)
    places = distinct_poses(found.rotation, found.translation, points.xyz, angle=ANGLE, shift=SHIFT)
    each = np.ones(len(order)) if hits is None else hits[order]
    count: Column = np.bincount(places.place, each, minlength=len(places.first)).astype(np.float64)
    return Fits(*found.select(places.first), {"hits": count})


def measured(fits: Fits, density: DensityMap, points: Points, contour: float) -> Fits:
    """With the other scores of the same points in a map, and the share of them above the contour."""
    found = measure_poses(density, points, fits.rotation, fits.translation, contour)
    columns = {
        "correlation": found.correlation,
        "about_mean": found.about_mean,
        "overlap": found.overlap,
        "average": found.average,
        "inside": found.inside,
    }
    return fits._replace(measures={**columns, **fits.measures})
