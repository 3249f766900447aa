"""Points that a detector found."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.errors import InputError


def _no_probabilities() -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)


def _no_edges() -> NDArray[np.int32]:
    return np.zeros((0, 2), np.int32)


@dataclass(frozen=True, eq=False)
class PointCloud:
    """Points in space, each with a weight.

    Parameters
    ----------
    xyz
        Positions in Å, float64, shape ``(n, 3)``.
    weight
        How much density or probability stands behind each point, float32, shape ``(n,)``.
    edges
        Pairs of points that the detector saw connected (by continuous density), ``i < j``, int32, shape ``(m, 2)``.
        Empty if it says nothing about connection.
    probabilities
        Probability per class, float32, shape ``(n, c)``; ``c`` is 0 if there are none.
    classes
        Names of the classes.
    """

    xyz: NDArray[np.float64]
    weight: NDArray[np.float32]
    edges: NDArray[np.int32] = field(default_factory=_no_edges)
    probabilities: NDArray[np.float32] = field(default_factory=_no_probabilities)
    classes: tuple[str, ...] = ()

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "xyz", frozen(self.xyz, np.float64, "points", (None, 3)))
        object.__setattr__(self, "weight", frozen(self.weight, np.float32, "weights", (None,)))
        object.__setattr__(self, "edges", frozen(self.edges, np.int32, "edges", (None, 2)))
        n = same_length(points=self.xyz, weights=self.weight)
        probabilities = self.probabilities if len(self.classes) else np.zeros((n, 0), np.float32)
        probabilities = frozen(probabilities, np.float32, "probabilities", (n, len(self.classes)))
        object.__setattr__(self, "probabilities", probabilities)
        if self.edges.size and (self.edges.min() < 0 or self.edges.max() >= n):
            raise InputError(f"an edge names a point that is not there (points: {n})")

    def __len__(self) -> int:
        return len(self.xyz)
