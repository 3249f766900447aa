"""How well a model agrees with a reference: superposition, TM-score and GDT, lDDT, and which points correspond."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError


class Superposition(NamedTuple):
    """``mobile @ rotation.T + translation`` lies on the target."""

    rotation: NDArray[np.float64]
    """Shape ``(3, 3)``, proper."""
    translation: NDArray[np.float64]
    """Shape ``(3,)``, Å."""
    rmsd: float
    """Å, after the motion."""


class Similarity(NamedTuple):
    """TM-score and GDT of two structures."""

    tm: float
    rotation: NDArray[np.float64]
    """Shape ``(3, 3)``: with `translation` the motion of the mobile points that gives `tm`."""
    translation: NDArray[np.float64]
    """Shape ``(3,)``, Å."""
    gdt_ts: float
    """Mean of the shares of native residues within 1, 2, 4 and 8 Å, from 0 to 1."""
    gdt_ha: float
    """Mean of the shares within 0.5, 1, 2 and 4 Å."""
    within: NDArray[np.float64]
    """Shape ``(5,)``: shares within 0.5, 1, 2, 4 and 8 Å, each at its own best superposition."""


class Matches(NamedTuple):
    """Points of two sets that lie on each other, one to one."""

    pairs: NDArray[np.int32]
    """Shape ``(k, 2)``: indices into both sets, sorted by the first."""
    distances: NDArray[np.float64]
    """Shape ``(k,)``, Å."""


class Kept(NamedTuple):
    """Shares of the reference's local distances that a model keeps, from 0 to 1; NaN where there is no distance."""

    total: float
    """Of all distances."""
    residues: NDArray[np.float64]
    """Shape ``(n_residues,)``: of the distances that each residue's atoms have to atoms of other residues."""


class Agreement(NamedTuple):
    """Shares from 0 to 1."""

    precision: float
    recall: float
    f1: float


def superpose(mobile: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> Superposition:
    """The rigid motion that lays points on their partners with the least weighted squared distance.

    Parameters
    ----------
    mobile, target
        Shape ``(n, 3)``, Å, n >= 1, row by row partners.
    weights
        Shape ``(n,)``, not negative and not all 0; all alike if absent.

    Returns
    -------
    A proper rotation (never a mirror), a translation and the weighted RMSD. Points on a line or in one place leave the
    rotation open; then it is one of the best.

    Raises
    ------
    InputError
        If there are no points, lengths differ, or a value is not finite or beyond 1e9 Å.

    Notes
    -----
    By the quaternion of the largest eigenvalue: Horn 1987, J. Opt. Soc. Am. A 4, 629.
    """
    count = None if weights is None else np.asarray(weights, dtype=np.float64)
    return Superposition(*_core.superpose(_points("mobile", mobile), _points("target", target), count))


def tm_score(
    mobile: ArrayLike,
    target: ArrayLike,
    native_length: int,
    progress: Callable[[int, int], object] | None = None,
) -> Similarity:
    """TM-score and GDT of residues that are already paired, at the best superposition found for each.

    Parameters
    ----------
    mobile, target
        Cα of the paired residues, shape ``(n, 3)``, Å, n >= 1, in the chain's order: its fragments seed the search.
    native_length
        Residues of the whole reference, paired or not: the denominator of all scores.
    progress
        Called now and then with the number of seeds done and of all.

    Returns
    -------
    The score Σ 1 / (1 + (d / d0)²) / native_length with d0 of `tm_distance_scale`, its motion, and GDT.

    Raises
    ------
    InputError
        If there are no pairs, lengths differ, a value is not finite, or the native length is below 1.

    Notes
    -----
    Zhang & Skolnick 2004, Proteins 57, 702; GDT: Zemla 2003, Nucleic Acids Res. 31, 3370. As for every program that
    gives these, the search is a heuristic and the result a lower bound.
    """
    if native_length < 1:
        raise InputError(f"native_length must be at least 1, not {native_length}")
    tm, rotation, translation, within = _core.tm_score(
        _points("mobile", mobile), _points("target", target), native_length, progress
    )
    gdt_ts, gdt_ha = sum(within[1:]) / 4, sum(within[:4]) / 4
    return Similarity(tm, rotation, translation, gdt_ts, gdt_ha, np.array(within))


def tm_distance_scale(native_length: int) -> float:
    """d0 of the TM-score in Å: ``1.24 (L - 15)^(1/3) - 1.8``, but at least 0.5.

    Zhang & Skolnick 2004, Proteins 57, 702.
    """
    if native_length < 0:
        raise InputError(f"native_length must not be negative, not {native_length}")
    return float(_core.tm_distance_scale(native_length))


def match_points(a: ArrayLike, b: ArrayLike, max_distance: float) -> Matches:
    """Pair points of two sets one to one, the closest pair first.

    Parameters
    ----------
    a, b
        Shapes ``(n, 3)`` and ``(m, 3)``, Å; either may be empty.
    max_distance
        Å, positive; a pair just that far apart counts. Cα of a model and of its reference: usually 3.

    Returns
    -------
    Pairs and distances, sorted by the index into ``a``. Of equal distances the lower indices go first.

    Raises
    ------
    InputError
        If a coordinate is not finite or beyond 1e9 Å, or the distance is not positive.
    """
    return Matches(*_core.match_points(_points("a", a), _points("b", b), max_distance))


def lddt(
    model: ArrayLike,
    reference: ArrayLike,
    partner: ArrayLike,
    residue: ArrayLike,
    *,
    radius: float = 15.0,
    thresholds: Sequence[float] = (0.5, 1.0, 2.0, 4.0),
    progress: Callable[[int, int], object] | None = None,
) -> Kept:
    """Local distance difference test: distances between atoms that a model keeps, without superposition.

    Parameters
    ----------
    model
        Atoms of the model, shape ``(m, 3)``, Å.
    reference
        Atoms of the reference, shape ``(n, 3)``, Å.
    partner
        For each reference atom the model atom that it is, shape ``(n,)``; -1 if the model lacks it.
    residue
        For each reference atom its residue, counted from 0, shape ``(n,)``. Distances within a residue do not count.
    radius
        Distances up to this in the reference count, Å.
    thresholds
        Å; a distance that changes by no more than one of them is kept, and the score is the mean over all of them.
    progress
        Called now and then with the tasks done and their number.

    Returns
    -------
    Kept shares; a distance to an atom that the model lacks is not kept. There is a residue for each number up to the
    highest. The result is the same for any number of threads.

    Raises
    ------
    InputError
        If a coordinate is not finite or beyond 1e9 Å, lengths differ, a partner or a residue does not exist, or the
        radius or a threshold is not positive.

    Notes
    -----
    Radius and thresholds: Mariani et al. 2013, Bioinformatics 29, 2722. Atoms that are alike by symmetry (the oxygens
    of a carboxylate) are not swapped. Time grows with the number of atoms times those within the radius.
    """
    of = np.asarray(partner, dtype=np.int32), np.asarray(residue, dtype=np.int32)
    points, limits = (_points("model", model), _points("reference", reference)), [float(limit) for limit in thresholds]
    return Kept(*_core.lddt(*points, *of, radius, limits, progress))


def precision_recall(n_matched: int, n_model: int, n_reference: int) -> Agreement:
    """Precision, recall and F1 from the number of matches; a share of nothing is 0.

    Parameters
    ----------
    n_matched
        Pairs, e.g. ``len(match_points(model, reference, 3.0).pairs)``.
    n_model, n_reference
        Points in all.
    """
    if not 0 <= n_matched <= min(n_model, n_reference):
        raise InputError(f"{n_matched} matches are impossible between {n_model} and {n_reference} points")
    precision = n_matched / n_model if n_model else 0.0
    recall = n_matched / n_reference if n_reference else 0.0
    f1 = 2 * n_matched / (n_model + n_reference) if n_matched else 0.0
    return Agreement(precision, recall, f1)


def _points(name: str, xyz: ArrayLike) -> NDArray[np.float64]:
    points = np.asarray(xyz, dtype=np.float64)
    if points.ndim != 2:
        raise InputError(f"{name} must have the shape (n, 3), not {points.shape}")
    return points
