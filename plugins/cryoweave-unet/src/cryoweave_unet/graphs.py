"""The graph of Cα candidates that the refiner sees: what is at each, and what lies between neighbours.

Everything in it is the same however the map is turned: probabilities, distances, and products of the directions to
neighbours with the directions in which the backbone's other atoms lie.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, ProbabilityMaps
from cryoweave.errors import InputError
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.metrics import match_points
from cryoweave_unet.classes import AMINO, ATOMS, BACKBONE, STRUCTURE

NEIGHBOURS = 16
"""Nearest candidates that each looks at."""
FAR = 15.0
"""Å: distances are cut here."""
SPANS = 16
"""Gaussians in which a distance is written, from 0 to FAR."""
ALONG = 5
"""Places between two candidates at which the maps are read."""
AROUND = 2.5
"""Å around a candidate within which the direction of each kind of atom is found."""
CLOSE = 3.0
"""Å within which a candidate and a Cα are one."""
DIRECTIONS = ("CA", "N", "C", "O", "CB")
VALUES = (BACKBONE, *ATOMS[1:])
CLASSES = (*STRUCTURE, *AMINO)
_PAIRS = np.triu_indices(len(DIRECTIONS), 1)
NODE = len(CLASSES) + len(VALUES) + 1 + len(DIRECTIONS) + len(_PAIRS[0])
EDGE = SPANS + 2 * ALONG + 2 * len(DIRECTIONS)


@dataclass(frozen=True, eq=False)
class Graph:
    """Candidates and their neighbours.

    Parameters
    ----------
    node
        Features of each, float32, shape ``(n, NODE)``.
    edge
        Features of each and its neighbours, float32, shape ``(n, k, EDGE)``.
    neighbour
        Indices, int32, shape ``(n, k)``.
    step
        Vectors that a candidate may move along, Å, float32, shape ``(n, k + 5, 3)``: unit vectors to the neighbours,
        and the mean offsets of each kind of atom.
    """

    node: NDArray[np.float32]
    edge: NDArray[np.float32]
    neighbour: NDArray[np.int32]
    step: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Labelled:
    """A graph and its truth.

    Parameters
    ----------
    graph
        See there.
    there
        Whether a candidate is a Cα, bool, shape ``(n,)``.
    amino
        Index into ``AMINO`` of those that are, int8, same shape; -1 for the others.
    move
        From the candidate to its Cα, Å, float32, shape ``(n, 3)``; 0 for the others.
    """

    graph: Graph
    there: NDArray[np.bool_]
    amino: NDArray[np.int8]
    move: NDArray[np.float32]


def labelled(graph: Graph, xyz: NDArray[np.float64], truth: NDArray[np.float64], amino: NDArray[np.int8]) -> Labelled:
    """Candidates and the Cα of a model that belong together, one to one within 3 Å.

    Parameters
    ----------
    graph, xyz
        Of the candidates.
    truth, amino
        Positions and amino acids of the Cα.
    """
    n = len(xyz)
    there, kind, move = np.zeros(n, bool), np.full(n, -1, np.int8), np.zeros((n, 3), np.float32)
    if len(truth):
        own, other = np.asarray(match_points(xyz, truth, CLOSE).pairs, np.intp).reshape(-1, 2).T
        there[own], kind[own], move[own] = True, amino[other], truth[other] - xyz[own]
    return Labelled(graph, there, kind, move)


def graph_of(maps: ProbabilityMaps, cloud: PointCloud) -> Graph:
    """The graph of some candidates.

    Raises
    ------
    InputError
        If maps or candidates lack a class, or there are too few candidates.
    """
    lacking = [name for name in VALUES if name not in maps.classes] or [
        name for name in CLASSES if name not in cloud.classes
    ]
    if lacking:
        raise InputError(f"there is no class {lacking[0]}", "make maps and points with unet.maps and points.calpha")
    if not maps.of("CA").values.any():
        raise InputError("the maps have no Cα anywhere", "is it the map of a protein at 5 Å or better?")
    if len(cloud) <= NEIGHBOURS:
        raise InputError(
            f"{len(cloud)} candidates are too few: each looks at {NEIGHBOURS} others",
            "lower the threshold of points.calpha, or leave unet.refine out",
        )
    xyz = cloud.xyz
    index, distance = nearest(xyz, xyz, NEIGHBOURS + 1)
    index, distance = index[:, 1:], distance[:, 1:]
    between = xyz[index] - xyz[:, None]
    unit = between / np.maximum(distance, 1e-6)[:, :, None]
    offsets = _offsets(maps, xyz)
    edge = np.concatenate(
        (
            _spans(distance),
            *(_profile(maps, name, xyz, between) for name in (BACKBONE, "CA")),
            np.einsum("nkx,ndx->nkd", unit, offsets),
            np.einsum("nkx,nkdx->nkd", unit, offsets[index]),
        ),
        axis=2,
    )
    return Graph(
        _node(maps, cloud, offsets),
        edge.astype(np.float32),
        index.astype(np.int32),
        np.concatenate((unit, offsets), axis=1).astype(np.float32),
    )


def _node(maps: ProbabilityMaps, cloud: PointCloud, offsets: NDArray[np.float64]) -> NDArray[np.float32]:
    columns = [cloud.classes.index(name) for name in CLASSES]
    values = np.stack([interpolate(maps.of(name).values, maps.frame, cloud.xyz) for name in VALUES], axis=1)
    lengths = np.linalg.norm(offsets, axis=2)
    angles = np.einsum("nax,nbx->nab", offsets, offsets)[:, *_PAIRS]
    parts = (cloud.probabilities[:, columns], values, cloud.weight[:, None], lengths, angles)
    return np.concatenate(parts, axis=1).astype(np.float32)


def _offsets(maps: ProbabilityMaps, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean offset of each kind of atom around each candidate, weighted by its probability, ``(n, 5, 3)``."""
    grid = np.arange(-np.ceil(AROUND), np.ceil(AROUND) + 1)
    ball = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    ball = ball[(ball**2).sum(axis=1) <= AROUND**2]
    places = (xyz[:, None] + ball).reshape(-1, 3)
    found = np.empty((len(xyz), len(DIRECTIONS), 3))
    for i, name in enumerate(DIRECTIONS):
        share = interpolate(maps.of(name).values, maps.frame, places).reshape(len(xyz), -1).astype(np.float64)
        found[:, i] = (share @ ball) / np.maximum(share.sum(axis=1), 1e-3)[:, None]
    return found


def _profile(
    maps: ProbabilityMaps, name: str, xyz: NDArray[np.float64], between: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A map's values on the way to each neighbour, ``(n, k, ALONG)``."""
    share = np.arange(1, ALONG + 1) / (ALONG + 1)
    places = xyz[:, None, None] + share[:, None] * between[:, :, None]
    values = interpolate(maps.of(name).values, maps.frame, places.reshape(-1, 3))
    return values.reshape(*between.shape[:2], ALONG).astype(np.float64)


def _spans(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances as Gaussians, ``(n, k, SPANS)``."""
    middles = np.linspace(0, FAR, SPANS)
    width = middles[1]
    found: NDArray[np.float64] = np.exp(-0.5 * ((np.minimum(distance, FAR)[:, :, None] - middles) / width) ** 2)
    return found
