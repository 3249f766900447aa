"""Rigid placements of models in a map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, same_length, short_repr
from cryoweave.data.scores import Metric
from cryoweave.errors import InputError

SURE, ENOUGH = "sure", 0.95
"""Measure that says how likely a pose is right, and the chance from which it counts as significant."""
COMMON_MEASURES = {
    "z": Metric(
        "how far the score stands out of those of the other places that were found, in standard deviations; copies of "
        "one chain in a map stand out together",
        "",
        True,
    ),
    SURE: Metric("chance that the pose is right", "", True),
}
"""Measures of poses that mean the same in every method."""
DENSITY_MEASURES = {
    "correlation": Metric(
        "correlation of the map with the model's density at the resolution, over the voxels of the model's density; "
        "high in any dense place",
        "",
        True,
    ),
    "about_mean": Metric("correlation as before, but of deviations from the two means", "", True),
    "overlap": Metric("mean product of the map and the model's density", "", True),
    "average": Metric("mean of the map under the model's density, in the map's units", "", True),
    "inside": Metric("share of the model's atoms where the map is above the contour", "", True),
}
"""What the numbers of :func:`cryoweave.kernels.rigid.measure_poses` mean, for the stages that give them."""


@dataclass(frozen=True, eq=False)
class Poses:
    """Placements, best first: a point ``x`` of the model goes to ``rotation @ x + translation``.

    Parameters
    ----------
    rotation
        Proper rotation matrices, float64, shape ``(n, 3, 3)``.
    translation
        In Å, float64, shape ``(n, 3)``.
    score
        The higher the better, float64, shape ``(n,)``.
    model
        Name of the model that each pose places, shape ``(n,)``.
    measures
        Other numbers of each pose by name, float64, shape ``(n,)``; NaN where one is not known.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    score: NDArray[np.float64]
    model: NDArray[np.str_]
    measures: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "rotation", frozen(self.rotation, np.float64, "rotations", (None, 3, 3)))
        object.__setattr__(self, "translation", frozen(self.translation, np.float64, "translations", (None, 3)))
        object.__setattr__(self, "score", frozen(self.score, np.float64, "scores", (None,)))
        object.__setattr__(self, "model", frozen(self.model, np.str_, "model names", (None,)))
        object.__setattr__(self, "measures", {name: _column(name, column) for name, column in self.measures.items()})
        same_length(
            rotation=self.rotation, translation=self.translation, score=self.score, model=self.model, **self.measures
        )
        products = self.rotation @ np.swapaxes(self.rotation, 1, 2)
        if not np.allclose(products, np.eye(3), atol=1e-4) or np.any(np.linalg.det(self.rotation) < 0):
            raise InputError("a pose's rotation is not a proper rotation matrix")

    def __len__(self) -> int:
        return len(self.score)

    def select(self, poses: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Poses":
        """The poses that a mask, a list of indices or a slice names."""
        return Poses(
            self.rotation[poses],
            self.translation[poses],
            self.score[poses],
            self.model[poses],
            {name: column[poses] for name, column in self.measures.items()},
        )

    @staticmethod
    def joined(parts: Sequence["Poses"]) -> "Poses":
        """All poses together, best first, equal ones in the order given; all parts have the measures of the first."""
        everything = Poses(
            np.concatenate([part.rotation for part in parts]),
            np.concatenate([part.translation for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.model for part in parts]),
            {name: np.concatenate([part.measures[name] for part in parts]) for name in parts[0].measures},
        )
        return everything.select(np.argsort(-everything.score, kind="stable"))

    def moved(self, xyz: NDArray[np.float64], pose: int) -> NDArray[np.float64]:
        """Points of the model, shape ``(n, 3)``, where a pose puts them."""
        return np.asarray(xyz @ self.rotation[pose].T + self.translation[pose])


def _column(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """A column that may hold NaN."""
    column = np.array(values, np.float64)
    if column.ndim != 1:
        raise InputError(f"{name} has shape {column.shape}, wanted (n)")
    column.flags.writeable = False
    return column
