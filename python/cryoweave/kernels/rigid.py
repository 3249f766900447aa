"""Rigid placements off the lattice: refinement, scores, and which of many are different places.

A pose puts a point ``x`` at ``rotation @ x + translation``.
"""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.kernels.rotations import as_matrices

Progress = Callable[[int, int], object]
Metric = Literal["overlap", "correlation", "about_mean", "vectors"]
METRICS: tuple[Metric, ...] = ("overlap", "correlation", "about_mean", "vectors")
Matrices = NDArray[np.float64]


class Points(NamedTuple):
    """What is placed."""

    xyz: NDArray[np.float64]
    """In Å, shape ``(n, 3)``."""
    values: NDArray[np.float64]
    """What the map is compared with at each, shape ``(n,)``; of vectors ``(n, 3)``."""
    weights: NDArray[np.float64] | None = None
    """How much each counts, shape ``(n,)``; alike if None."""


class Candidates(NamedTuple):
    """Poses of one model with their scores."""

    rotation: Matrices
    """Shape ``(n, 3, 3)``."""
    translation: NDArray[np.float64]
    """Shape ``(n, 3)``, Å."""
    score: NDArray[np.float64]
    """Shape ``(n,)``."""

    def select(self, which: NDArray[np.bool_] | NDArray[np.integer] | slice) -> "Candidates":
        """Those that a mask, a list of indices or a slice names."""
        return Candidates(self.rotation[which], self.translation[which], self.score[which])

    def best_first(self) -> "Candidates":
        """By falling score; equal ones in the order given."""
        return self.select(np.argsort(-self.score, kind="stable"))

    def distinct(self, xyz: NDArray[np.float64], *, rmsd: float, most: int = 1_000_000) -> "Candidates":
        """The first of each place, as :func:`distinct_poses` tells them apart."""
        return self.select(distinct_poses(self.rotation, self.translation, xyz, rmsd=rmsd, most=most).first)

    @staticmethod
    def joined(parts: "Iterable[Candidates]") -> "Candidates":
        """Those of several parts, one part after the other."""
        return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Measured(NamedTuple):
    """Scores of poses, each of shape ``(n,)``."""

    overlap: NDArray[np.float64]
    """``Σ m t v / Σ m`` of values ``t`` and weights ``m`` of the points, and map values ``v`` where they lie."""
    correlation: NDArray[np.float64]
    """``Σ m t v / √(Σ m t² Σ m v²)``."""
    about_mean: NDArray[np.float64]
    """The same after the weighted means of ``t`` and ``v`` are taken off."""
    average: NDArray[np.float64]
    """``Σ m v / Σ m``."""
    inside: NDArray[np.float64]
    """Share of the points where the map is above the threshold."""


def refine_poses(
    values: NDArray[np.float32],
    frame: Frame,
    points: Points,
    rotation: Matrices,
    translation: NDArray[np.float64],
    metric: Metric = "about_mean",
    steps: int = 200,
    progress: Progress | None = None,
) -> Candidates:
    """Climb from each pose to the best score nearby, by L-BFGS with analytic gradients through the tricubic map.

    Parameters
    ----------
    values
        The map, shape ``(z, y, x)``; for ``vectors`` its components x, y, z, shape ``(3, z, y, x)``.
    frame
        Where the voxels are. Beyond the map all is 0.
    points
        What is placed.
    rotation, translation
        The starts, shapes ``(n, 3, 3)`` and ``(n, 3)``.
    metric
        As the members of :class:`Measured`; ``vectors`` is the correlation of vectors that turn with the points.
    steps
        Most steps of each, of at most half an Å (times √2 with the turn) each.
    progress
        Called now and then with poses done and poses in all.

    Returns
    -------
    Where they came to rest, in the order of the starts.

    Raises
    ------
    InputError
        If lengths or shapes differ, there is no point, a value is not finite, or a matrix is no proper rotation.
    """
    if metric not in METRICS:
        raise InputError(f"there is no metric {metric!r}", f"there are {', '.join(METRICS)}")
    if steps < 0:
        raise InputError(f"steps must be 0 or more, not {steps}")
    channels = np.ascontiguousarray(values, np.float32)
    channels = channels[None] if channels.ndim == 3 else channels
    if channels.shape[1:] != tuple(frame.shape_zyx) or len(channels) != (3 if metric == "vectors" else 1):
        raise InputError(f"a map of the shape {np.shape(values)} does not fit its frame and the metric {metric}")
    placed = (channels, frame.voxel_xyz, frame.origin_xyz)
    starts = (as_matrices(rotation), _rows(translation))
    return Candidates(*_core.refine_poses(placed, _placed(points), metric, starts, int(steps), progress))


def measure_poses(
    density: DensityMap, points: Points, rotation: Matrices, translation: NDArray[np.float64], threshold: float = 0.0
) -> Measured:
    """All scores of poses against a map.

    Raises
    ------
    InputError
        As :func:`refine_poses`.
    """
    placed = (density.values, density.frame.voxel_xyz, density.frame.origin_xyz)
    starts = (as_matrices(rotation), _rows(translation))
    table = _core.measure_poses(placed, _placed(points), starts, float(threshold))
    return Measured(*np.ascontiguousarray(table.T))


class Distinct(NamedTuple):
    """Poses by place."""

    first: NDArray[np.int64]
    """Index of the first pose of each place."""
    place: NDArray[np.int64]
    """Place of each pose, -1 if there were enough without it."""


def distinct_poses(
    rotation: Matrices,
    translation: NDArray[np.float64],
    xyz: NDArray[np.float64],
    *,
    rmsd: float | None = None,
    angle: float = 6.0,
    shift: float = 3.0,
    most: int = 1_000_000,
) -> Distinct:
    """The first pose of each place, in the order given.

    Parameters
    ----------
    rotation, translation
        Poses, best first, shapes ``(n, 3, 3)`` and ``(n, 3)``.
    xyz
        Points of the model, shape ``(m, 3)``.
    rmsd
        Poses are one place if the points are at most so many Å apart (root mean square, by their moments: exact).
    angle, shift
        Without ``rmsd``: if they are at most so many degrees and their centres so many Å apart.
    most
        Stop looking for places after so many.

    Raises
    ------
    InputError
        If there is no point, a value is not finite, a matrix is no proper rotation, or a limit is negative.
    """
    points = _rows(xyz)
    if most < 0:
        raise InputError(f"most must be 0 or more, not {most}")
    if not len(points):
        raise InputError("there are no points to tell places apart by")
    centre = points.mean(axis=0)
    moments = np.ascontiguousarray((points - centre).T @ (points - centre) / len(points))
    x, y, z = (float(value) for value in centre)
    near = (None, float(angle), float(shift)) if rmsd is None else (moments, float(rmsd), 0.0)
    return Distinct(*_core.distinct_poses(as_matrices(rotation), _rows(translation), (x, y, z), near, int(most)))


def standing_out(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each score stands out of all: from their median, in robust standard deviations; 0 if they do not differ.

    Most of the distinct places of a search are wrong ones, so median and median deviation describe these.
    """
    middle = np.median(score)
    spread = 1.4826 * np.median(np.abs(score - middle))
    return np.asarray((score - middle) / spread if spread > 0 else np.zeros(len(score)))


def _placed(
    points: Points,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]:
    weights = None if points.weights is None else np.asarray(points.weights, np.float64).reshape(-1)
    return _rows(points.xyz), np.ascontiguousarray(points.values, np.float64).reshape(-1), weights


def _rows(xyz: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(xyz, np.float64)
    if array.size and (array.shape[-1:] != (3,) or array.ndim > 2):
        raise InputError(f"points and translations must have the shape (n, 3), not {array.shape}")
    return np.ascontiguousarray(array.reshape(-1, 3))
