"""Gaussian mixtures: few Gaussians that stand for many voxels or atoms, their overlap, and rigid fits by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.grid import points

if TYPE_CHECKING:
    from cryoweave.data.frame import Frame

Progress = Callable[[int, int], object]
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mixture:
    """``Σ weight · N(mean, covariance)``.

    Parameters
    ----------
    weight
        Integral of each Gaussian over space, shape ``(n,)``, not negative.
    mean
        Their centres in Å, shape ``(n, 3)``.
    covariance
        Å², symmetric and positive definite, shape ``(n, 3, 3)``.
    """

    weight: Array
    mean: Array
    covariance: Array

    def __len__(self) -> int:
        return len(self.weight)

    @classmethod
    def of_points(cls, xyz: ArrayLike, weight: ArrayLike, variance: ArrayLike) -> Mixture:
        """One isotropic Gaussian for each point.

        Parameters
        ----------
        xyz
            In Å, shape ``(n, 3)``.
        weight
            Shape ``(n,)`` or one number.
        variance
            Along each axis, Å², positive, shape ``(n,)`` or one number. A ball of radius ``r`` has ``r² / 5``, a cube
            of side ``a`` has ``a² / 12``.
        """
        mean = points(xyz)
        weights, variances = (np.broadcast_to(np.asarray(one, np.float64), len(mean)) for one in (weight, variance))
        return cls(weights, mean, variances[:, None, None] * np.eye(3))

    def moments(self) -> tuple[float, Array, Array]:
        """Weight, centre (Å) and covariance about it (Å²) of the whole."""
        total = float(self.weight.sum())
        centre = self.weight @ self.mean / total
        away = self.mean - centre
        each = self.covariance + away[:, :, None] * away[:, None, :]
        return total, centre, np.tensordot(self.weight, each, 1) / total

    def plain(self) -> tuple[Array, Array, Array]:
        """As the core takes it."""
        covariance = np.asarray(self.covariance, np.float64)
        if covariance.ndim != 3 or covariance.shape[1:] != (3, 3):
            raise InputError(f"covariances must have the shape (n, 3, 3), not {covariance.shape}")
        return np.asarray(self.weight, np.float64).reshape(-1), points(self.mean), covariance.reshape(-1, 9)


class Fitted(NamedTuple):
    """A mixture and how the likelihood rose."""

    mixture: Mixture
    """Weights sum to those of the input."""
    log_likelihood: Array
    """Mean over the input before each round; never falls."""


class Placed(NamedTuple):
    """Ends of descents, in the order of their starts: a point ``x`` goes to ``rotation @ x + translation``."""

    rotation: Array
    """Shape ``(n, 3, 3)``."""
    translation: Array
    """Å, shape ``(n, 3)``."""
    correlation: Array
    """Of both mixtures there, shape ``(n,)``."""


class Assembled(NamedTuple):
    """Ends of descents of whole complexes, in the order of their starts; ``m`` copies each."""

    rotation: Array
    """Shape ``(n, m, 3, 3)``; all copies of the first model, then those of the second."""
    translation: Array
    """Å, shape ``(n, m, 3)``."""
    alone: Array
    """Correlation of each copy alone with the map, shape ``(n, m)``."""
    correlation: Array
    """Of the whole with the map, shape ``(n,)``."""
    clash: Array
    """Overlap of all pairs of copies over that of each with itself, shape ``(n,)``."""


def map_mixture(values: NDArray[np.float32], frame: Frame, threshold: float, side: int = 1) -> Mixture:
    """The density above a threshold as one Gaussian for each cube of voxels.

    Neighbouring voxels merged into one Gaussian with their moments are what Kawabata (2018), doi
    10.1016/j.jsb.2018.03.002, calls down-sampled Gaussian functions. A voxel is a cube of even density.

    Parameters
    ----------
    values
        Density, shape ``(nz, ny, nx)``; a voxel's weight is its density.
    frame
        Where the voxels are.
    threshold
        In the map's own units; voxels at or below it, or not above zero, are left out.
    side
        Voxels along each axis of a cube.

    Raises
    ------
    InputError
        If no voxel is left, or one is not finite.
    """
    place = (tuple(map(float, frame.voxel_xyz)), tuple(map(float, frame.origin_xyz)))
    return _mixture(_core.map_mixture(np.asarray(values, np.float32), *place, threshold, side))


def fit_mixture(
    given: Mixture,
    components: int,
    *,
    seed: int = 0,
    rounds: int = 200,
    tolerance: float = 1e-5,
    progress: Progress | None = None,
) -> Fitted:
    """A mixture of many Gaussians by one of few: expectation-maximisation with Gaussian input.

    What is maximised is ``Σ_n a_n ln Σ_k w_k exp(E_n[ln N(x | k)])``, the mean taken over the Gaussian of point ``n``
    (Kawabata 2018, doi 10.1016/j.jsb.2018.03.002). Centre and covariance of the whole stay exactly what they are, and
    no Gaussian is narrower than those that it stands for. The start is drawn as by k-means++ (Arthur and Vassilvitskii
    2007).

    Parameters
    ----------
    given
        Points, voxels or atoms; the time grows with their number times ``components``.
    components
        Gaussians to fit, at most the number of points.
    seed
        Same seed, same mixture.
    rounds
        At most.
    tolerance
        Stop when a round raises the mean log likelihood by less.
    progress
        Called now and then with rounds done and ``rounds``.

    Raises
    ------
    InputError
        If there are fewer points than components, or a number is not finite, a weight negative, a covariance not
        positive definite.
    """
    found, history = _core.fit_mixture(given.plain(), components, rounds, tolerance, seed, progress)
    return Fitted(_mixture(found), history)


def overlap(one: Mixture, other: Mixture) -> float:
    """The integral of the product of two mixtures over space; :class:`InputError` for numbers that make no mixture."""
    return _core.mixture_overlap(one.plain(), other.plain())


def correlation(one: Mixture, other: Mixture) -> float:
    """The overlap over the geometric mean of each one's with itself, 0 to 1."""
    return float(overlap(one, other) / np.sqrt(overlap(one, one) * overlap(other, other)))


def overlap_slope(
    fixed: Mixture, moving: Mixture, rotation: ArrayLike, translation: ArrayLike
) -> tuple[float, Array, Array]:
    """The overlap with a mixture that was moved, and its slope by a further small motion.

    Parameters
    ----------
    fixed, moving
        The mixtures.
    rotation, translation
        Shapes ``(3, 3)`` and ``(3,)`` (Å): a point ``x`` of ``moving`` goes to ``rotation @ x + translation``.

    Returns
    -------
    The overlap; its change for each Å of a further shift; its change for each radian of a further turn about x, y and
    z through ``translation``.

    Raises
    ------
    InputError
        For numbers that make no mixture.
    """
    turned = np.asarray(rotation, np.float64).reshape(9).tolist()
    shifted = np.asarray(translation, np.float64).reshape(3).tolist()
    value, force, torque = _core.mixture_overlap_slope(fixed.plain(), moving.plain(), turned, shifted)
    return value, np.asarray(force), np.asarray(torque)


def starting_poses(fixed: Mixture, moving: Mixture, count: int, seed: int = 0) -> tuple[Array, Array]:
    """Where to start: principal axes on principal axes in four ways, then at random.

    Parameters
    ----------
    fixed, moving
        The map's mixture and the model's.
    count
        Random starts: rotations uniform over all (Shoemake 1992), the model's centre drawn from ``fixed``.
    seed
        Same seed, same starts.

    Returns
    -------
    Rotations, shape ``(4 + count, 3, 3)``, and translations in Å, shape ``(4 + count, 3)``.

    Raises
    ------
    InputError
        For numbers that make no mixture.
    """
    rotation, translation = _core.mixture_starts(fixed.plain(), moving.plain(), count, seed)
    return rotation.reshape(-1, 3, 3), translation


def fit_rigid(
    fixed: Mixture,
    moving: Mixture,
    rotation: ArrayLike,
    translation: ArrayLike,
    *,
    steps: int = 200,
    background: float = 0.0,
    progress: Progress | None = None,
) -> Placed:
    """From each start uphill in the correlation of two mixtures, by a quasi-Newton method over six parameters.

    Parameters
    ----------
    fixed, moving
        The map's mixture and the model's.
    rotation, translation
        Starts, shapes ``(n, 3, 3)`` and ``(n, 3)`` (Å).
    steps
        Of each descent, at most.
    background
        σ in Å of a Gaussian, 0 for none. Both mixtures' own blur by it is taken off in the product,
        ``∫ f (g - g blurred)``: a filter of differences, so that even density around the model counts for nothing.
    progress
        Called now and then with descents done and in all.

    Raises
    ------
    InputError
        If a start is not a proper rotation or not finite, or numbers make no mixture.
    """
    starts = (np.asarray(rotation, np.float64).reshape(-1, 9), points(translation))
    found = _core.fit_rigid_mixture(fixed.plain(), moving.plain(), starts, (steps, background), progress)
    return Placed(found[0].reshape(-1, 3, 3), *found[1:])


def fit_complex(
    fixed: Mixture,
    moving: Sequence[Mixture],
    *,
    order: int = 1,
    starts: int = 100,
    steps: int = 200,
    background: float = 0.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Assembled:
    """Several models at once from random configurations: drawn into the map and pushed off each other.

    The energy is minus each copy's overlap with the map plus the overlap of each pair of copies, the map scaled to the
    weight of all copies: half of the squared difference of map and copies, but for a constant.

    Parameters
    ----------
    fixed
        The map's mixture.
    moving
        The models', one for each subunit (several times the same for copies without symmetry).
    order
        Copies of each model by turns about one axis, which is fitted too; 1 for no symmetry.
    starts
        Random configurations.
    steps
        Of each descent, at most.
    background
        As for :func:`fit_rigid`, in every overlap.
    seed
        Same seed, same configurations.
    progress
        Called now and then with descents done and in all.

    Raises
    ------
    InputError
        If there is no model, ``order`` is zero, ``background`` out of range, or numbers make no mixture.
    """
    models = [one.plain() for one in moving]
    found = _core.fit_complex_mixture(fixed.plain(), models, (order, starts, seed), (steps, background), progress)
    rotation, translation, alone, whole, clash = found
    copies = len(models) * order
    return Assembled(
        rotation.reshape(-1, copies, 3, 3), translation.reshape(-1, copies, 3), alone.reshape(-1, copies), whole, clash
    )


def _mixture(plain: tuple[Array, Array, Array]) -> Mixture:
    weight, mean, covariance = plain
    return Mixture(weight, mean, covariance.reshape(-1, 3, 3))
