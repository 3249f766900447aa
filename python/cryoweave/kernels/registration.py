"""Motions between clouds of points with directions: from correspondences, by closest points, in a field of vectors.

Points are ``(n, 3)`` as xyz in Å. A motion is a rotation, ``(3, 3)``, and a translation, ``(3,)``: a point ``x`` goes
to ``rotation @ x + translation``; several are arrays ``(n, 3, 3)`` and ``(n, 3)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.kernels.cloud import Cloud
from cryoweave.kernels.grid import points

if TYPE_CHECKING:
    from cryoweave.data.frame import Frame

Progress = Callable[[int, int], object]
Points = NDArray[np.float64]


class Motion(NamedTuple):
    """A point ``x`` goes to ``rotation @ x + translation``."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def apply(self, xyz: Points) -> Points:
        """Where points ``(n, 3)`` go."""
        moved: Points = xyz @ self.rotation.T + self.translation
        return moved


class Motions(NamedTuple):
    """Several motions: rotations ``(n, 3, 3)`` and translations ``(n, 3)``."""

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def select(self, which: ArrayLike) -> Motions:
        """Those that a mask or a list of indices names."""
        chosen = np.asarray(which)
        return Motions(self.rotation[chosen], self.translation[chosen])


class Registration(NamedTuple):
    """A motion; the pairs that agree with each other; how many of all it brings near; if no more can agree."""

    motion: Motion
    clique: NDArray[np.int64]
    inliers: int
    exact: bool


def register(mobile: ArrayLike, target: ArrayLike, noise: float = 5.0, *, limit: int = 20_000) -> Registration | None:
    """The motion on which most of some pairs of points agree, however many of the others are wrong.

    Two pairs agree if their points' distances differ by at most twice the noise. Of a largest set of pairs that all
    agree the rotation is taken by truncated least squares with graduated non-convexity (factor 1.4), then the
    translation, axis by axis (Yang, Shi & Carlone 2021, doi 10.1109/TRO.2020.3033695).

    Parameters
    ----------
    mobile, target
        Points in Å, both ``(n, 3)``; row ``i`` of one belongs to row ``i`` of the other.
    noise
        How far a point may be off, in Å.
    limit
        Branchings in the search for the largest set. Beyond them the largest one found is taken, ``exact`` is false.

    Returns
    -------
    The motion and what speaks for it; None if fewer than three pairs agree.

    Raises
    ------
    InputError
        If a coordinate is not finite, lengths differ, the noise is not positive or there are more than 65536 pairs.
    """
    found = _core.register(points(mobile), points(target), noise, limit)
    if found is None:
        return None
    motion, clique, inliers, exact = found
    return Registration(Motion(*motion), clique, inliers, exact)


def robust_icp(
    source: ArrayLike, target: ArrayLike, start: Motion, *, last_scale: float | None = None
) -> tuple[Motion, float]:
    """Improve a motion by closest points, far ones losing their weight (Welsch's function).

    A pair at distance ``r`` counts ``exp(-r² / 2 s²)``. The scale ``s`` begins at three times the median distance and
    is halved, whenever the motion rests, down to the median distance of the target's six nearest neighbours over
    ``3√3`` (Zhang, Yao & Deng 2021, doi 10.1109/TPAMI.2021.3054619; without its acceleration).

    Parameters
    ----------
    source, target
        Points in Å, ``(n, 3)`` and ``(m, 3)``.
    start
        A motion near the wanted one.
    last_scale
        Ends the halving, in Å, in place of what the target's spacing says.

    Returns
    -------
    The motion, and the median distance in Å from the moved points to the closest of the target.

    Raises
    ------
    InputError
        If a cloud is empty or a number not finite.
    """
    rotation = np.asarray(start.rotation, dtype=np.float64)
    shift = [float(along) for along in start.translation]
    motion, median, _ = _core.robust_icp(points(source), points(target), rotation, shift, last_scale)
    return Motion(*motion), median


def agreement(
    source: Cloud,
    target: Cloud,
    motions: Motions,
    *,
    within: float = 10.0,
    cosine: float = 0.6,
    progress: Progress | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of a moved cloud lies on another and points the same way.

    Parameters
    ----------
    source, target
        Clouds with directions.
    motions
        Of the source.
    within
        A point is matched if the closest of the target is at most this far, in Å.
    cosine
        Directions agree if their cosine is at least this.
    progress
        Called now and then with ``(done, total)`` motions.

    Returns
    -------
    matched
        Share of the source's points that are matched, float64 ``(n,)``.
    agreeing
        Share of the matched points whose directions agree, float64 ``(n,)``; 0 where none is matched.

    Raises
    ------
    InputError
        If a number is not finite or lengths differ.
    """
    clouds = [(points(cloud.xyz), points(cloud.normals)) for cloud in (source, target)]
    counts = _core.agreement(clouds[0], clouds[1], *_both(motions), within, cosine, progress)
    near, alike = counts.astype(np.float64).T
    return near / max(len(clouds[0][0]), 1), alike / np.maximum(near, 1.0)


def triple_motions(
    mobile: ArrayLike,
    target: ArrayLike,
    noise: float = 3.0,
    *,
    least_side: float = 8.0,
    most: int = 100_000,
    progress: Progress | None = None,
) -> Motions:
    """The motion of each three pairs of points whose triangles agree: guesses, of which something else has to judge.

    Parameters
    ----------
    mobile, target
        Points in Å, both ``(n, 3)``; row ``i`` of one belongs to row ``i`` of the other.
    noise
        How far a point may be off, in Å; sides may differ by twice that.
    least_side
        Triangles with a shorter side, or a height below half of it, fix no rotation (Å).
    most
        Of more triangles only so many are taken, evenly spread over all.
    progress
        Called now and then with ``(done, total)`` triangles.

    Returns
    -------
    The motions; there may be none.

    Raises
    ------
    InputError
        If a coordinate is not finite, lengths differ, a number is not positive or there are more than 65536 pairs.
    """
    return Motions(*_core.triple_motions(points(mobile), points(target), (noise, least_side, most), progress))


def field_scores(
    vectors: NDArray[np.float32], frame: Frame, cloud: Cloud, motions: Motions, *, progress: Progress | None = None
) -> NDArray[np.float64]:
    """How well a moved cloud's directions follow a field of vectors.

    Parameters
    ----------
    vectors, frame
        Vectors as xyz on a grid, ``(nz, ny, nx, 3)``, between which is interpolated linearly; zero beyond it. See
        :func:`~cryoweave.kernels.cloud.unit_vectors`.
    cloud
        At least one point.
    motions
        Of the cloud.
    progress
        Called now and then with ``(done, total)`` motions.

    Returns
    -------
    For each motion the mean over the points of direction times field: from -1 to 1, float64 ``(n,)``.

    Raises
    ------
    InputError
        If the cloud is empty, a number not finite or the field not of the frame's shape.
    """
    field = np.asarray(vectors, dtype=np.float32)
    return _core.field_scores(field, _grid(frame), _directed(cloud), *_both(motions), progress)


def field_ascent(
    vectors: NDArray[np.float32],
    frame: Frame,
    cloud: Cloud,
    motions: Motions,
    step: float = 3.0,
    *,
    progress: Progress | None = None,
) -> tuple[Motions, NDArray[np.float64]]:
    """Bring motions to where the score of :func:`field_scores` has a maximum.

    Steps along the axes and turns about the axes through the cloud's centre are tried, and halved where none helps,
    down to a 64th.

    Parameters
    ----------
    vectors, frame, cloud, motions
        As for :func:`field_scores`.
    step
        The first step in Å; turns move a point at the cloud's radius of gyration as far.
    progress
        Called now and then with ``(done, total)`` motions.

    Returns
    -------
    The motions, and the score of each, float64 ``(n,)``.

    Raises
    ------
    InputError
        As for :func:`field_scores`, or if the step is not positive.
    """
    field = np.asarray(vectors, dtype=np.float32)
    found, scores = _core.field_ascent(field, _grid(frame), _directed(cloud), *_both(motions), step, progress)
    return Motions(*found), scores


def _grid(frame: Frame) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    return tuple(frame.shape_zyx), tuple(frame.voxel_xyz), tuple(frame.origin_xyz)


def _directed(cloud: Cloud) -> tuple[Points, Points]:
    return points(cloud.xyz), points(cloud.normals)


def _both(motions: Motions) -> tuple[NDArray[np.float64], Points]:
    return np.asarray(motions.rotation, dtype=np.float64).reshape(-1, 3, 3), points(motions.translation)
