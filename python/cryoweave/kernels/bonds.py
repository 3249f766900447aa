"""Bonds between points that may follow each other in a chain, and what maps say of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.data import BondGraph, DensityMap, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.direction import OFFSETS, bond_odds
from cryoweave.kernels.graph import integers, neighbour_pairs
from cryoweave.kernels.grid import interpolate

_Index = TypeVar("_Index", bound=np.integer[Any])
Progress = Callable[[int, int], object]
MAIN_CHAIN = ("N", "CA", "C")
"""Classes whose probabilities add up to that of the main chain; ``BACKBONE`` where one of them is missing."""
BACKBONE = "backbone"
CARBON, NITROGEN = 0.38, 0.62
"""Where carbonyl C and N are nearest to the line between two Cα in a trans peptide, as shares of the 3.8 Å: from ideal
bonds and angles (Engh & Huber 1991, Acta Cryst. A47, 392)."""
FLOOR = 0.01
"""Added to every probability in log-odds, so that no single one decides alone."""


def along_bonds(
    density: DensityMap, xyz: ArrayLike, pairs: ArrayLike, fractions: Sequence[float], progress: Progress | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Least and mean of a map at places along bonds, by trilinear interpolation; 0 outside of the box.

    Parameters
    ----------
    density
        The map.
    xyz
        Points, Å, shape ``(n, 3)``.
    pairs
        Two points for each bond, int, shape ``(m, 2)``.
    fractions
        The places: shares of the way from the first point to the second, 0 to 1; at least one.
    progress
        Called now and then with ``(done, total)``, in chunks of bonds.

    Returns
    -------
    Least and mean, float32, each of shape ``(m,)``.

    Raises
    ------
    InputError
        If a pair names no point, a place lies outside of the bond, or the map is not finite where it is looked at.

    Notes
    -----
    Time grows with bonds times places; all threads are used.
    """
    frame = density.frame
    return _core.along_bonds(
        density.values, frame.voxel_xyz, frame.origin_xyz, _points(xyz), integers("pairs", pairs, 2),
        [float(t) for t in fractions], progress,
    )  # fmt: skip


def direction_odds(
    carbon: DensityMap, nitrogen: DensityMap, xyz: ArrayLike, pairs: ArrayLike, progress: Progress | None = None
) -> NDArray[np.float32]:
    """Log-odds that the chain runs from the first point of each pair to the second, N to C terminus.

    From a Cα towards the C terminus, carbonyl C comes before N: the odds are those of C near ``CARBON`` and N near
    ``NITROGEN`` of the way against the same seen from the other end.

    Parameters
    ----------
    carbon, nitrogen
        Probabilities of carbonyl C and of N on one grid.
    xyz, pairs, progress
        As in `along_bonds`.

    Returns
    -------
    float32, shape ``(m,)``, natural logarithm.
    """
    if carbon.frame != nitrogen.frame:
        raise InputError("the maps of C and N lie on different grids", "make them with one detector")
    frame = carbon.frame
    return _core.direction_odds(
        carbon.values, nitrogen.values, frame.voxel_xyz, frame.origin_xyz, _points(xyz), integers("pairs", pairs, 2),
        (CARBON, NITROGEN), FLOOR, progress,
    )  # fmt: skip


def bond_graph(
    points: PointCloud,
    density: DensityMap | None = None,
    maps: ProbabilityMaps | None = None,
    *,
    shortest: float = 2.0,
    longest: float = 6.0,
    samples: int = 9,
    progress: Progress | None = None,
) -> BondGraph:
    """All pairs of points within a window of distances, with what maps say of each.

    Parameters
    ----------
    points
        The points; without any there are no bonds.
    density
        Its least and mean along each bond, as a share of the median at the points (values below zero count as zero).
    maps
        In place of the density where given: the probability of the main chain along each bond, and the direction where
        there are maps of Cβ and O, or else of N and C.
    shortest, longest
        Å between bonded points, both included.
    samples
        Places inside each bond, equally far from each other and from its ends.
    progress
        Called now and then with ``(done, total)``.

    Raises
    ------
    InputError
        If the window is empty, or the maps have no main chain.
    StageError
        If the points have no density above zero.
    """
    if not 0 <= shortest < longest:
        raise InputError(f"no bond is from {shortest:g} to {longest:g} Å long", "give shortest < longest")
    pairs, length = neighbour_pairs(points.xyz, longest, progress=progress)
    kept = length >= shortest
    pairs, length = pairs[kept], length[kept]
    fractions = [(k + 1) / (samples + 1) for k in range(samples)]
    least: NDArray[np.float32] = np.ones(len(pairs), np.float32)
    mean = least
    forward: NDArray[np.float32] = np.zeros(len(pairs), np.float32)
    if maps is not None:
        least, mean = along_bonds(main_chain(maps), points.xyz, pairs, fractions, progress)
        if {*OFFSETS} <= {*maps.classes}:
            forward = bond_odds(maps, points.xyz, pairs, np.minimum(least, 1))
        elif {"N", "C"} <= {*maps.classes}:
            forward = direction_odds(maps.of("C"), maps.of("N"), points.xyz, pairs, progress)
    elif density is not None and len(points):
        least, mean = along_bonds(density, points.xyz, pairs, fractions, progress)
        usual = _usual(density, points)
        least, mean = ((np.maximum(one, 0) / usual).astype(np.float32) for one in (least, mean))
    return BondGraph(points, pairs, length, least, mean, forward)


def main_chain(maps: ProbabilityMaps) -> DensityMap:
    """The probability of N, Cα or C at each voxel, at most 1; that of the backbone where a class is missing."""
    if {*MAIN_CHAIN} <= {*maps.classes}:
        values = sum((maps.of(name).values for name in MAIN_CHAIN[1:]), maps.of(MAIN_CHAIN[0]).values)
        return DensityMap(np.minimum(values, np.float32(1)), maps.frame)
    if BACKBONE in maps.classes:
        return maps.of(BACKBONE)
    raise InputError(
        f"the maps have neither {', '.join(MAIN_CHAIN)} nor {BACKBONE}: {', '.join(maps.classes)}",
        "make them with a detector that knows the main chain",
    )


def walks(n: int, links: Iterable[Sequence[int]]) -> list[NDArray[np.intp]]:
    """Points along each chain of bonds, from the end with the lower number; a point without bonds is one by itself.

    Parameters
    ----------
    n
        How many points there are.
    links
        Pairs of points that are bonded; none of them closes a ring, and no point has more than two.

    Returns
    -------
    In the order of their first points, int ``(k,)`` each.
    """
    beside: list[list[int]] = [[] for _ in range(n)]
    for i, j in links:
        beside[i].append(j)
        beside[j].append(i)
    seen = np.zeros(n, bool)
    found = []
    for start in range(n):
        if seen[start] or len(beside[start]) > 1:
            continue
        path, before = [start], -1
        while following := [point for point in beside[path[-1]] if point != before]:
            before = path[-1]
            path.append(following[0])
        seen[path] = True
        found.append(np.array(path, np.intp))
    return found


def directed(path: NDArray[_Index], forward: Mapping[tuple[int, int], float]) -> NDArray[_Index]:
    """A path from its N to its C terminus, as far as that is known.

    Parameters
    ----------
    path
        Points along a chain.
    forward
        Of each bond, the lower point first, the log-odds that the chain runs from that one to the other.
    """
    steps = zip(path[:-1].tolist(), path[1:].tolist(), strict=True)
    odds = sum(forward[min(a, b), max(a, b)] * (1 if a < b else -1) for a, b in steps)
    return path[::-1] if odds < 0 else path


def _usual(density: DensityMap, points: PointCloud) -> float:
    usual = float(np.median(interpolate(density.values, density.frame, points.xyz)))
    if usual <= 0:
        raise StageError(
            "half or more of the points have no density above zero", "is this the map that the points were made in?"
        )
    return usual


def _points(xyz: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(xyz, dtype=np.float64)
    return array.reshape(0, 3) if array.size == 0 else array
