"""Values on a grid: density maps and the probability maps that detectors give."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data.arrays import frozen, short_repr
from cryoweave.data.frame import Frame
from cryoweave.errors import InputError


@dataclass(frozen=True, eq=False)
class DensityMap:
    """A density map.

    Parameters
    ----------
    values
        Density, float32, shape ``(nz, ny, nx)``, in the map's own units.
    frame
        Where the grid lies.
    """

    values: NDArray[np.float32]
    frame: Frame

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", frozen(self.values, np.float32, "a map", self.frame.shape_zyx))


@dataclass(frozen=True, eq=False)
class ProbabilityMaps:
    """One probability (0..1) per class and voxel.

    Parameters
    ----------
    values
        Probabilities, float32, or float16 where there are many classes, shape ``(c, nz, ny, nx)``.
    frame
        Where the grid lies.
    classes
        One name per class, e.g. ``("CA", "N", "C")``.
    """

    values: NDArray[np.float32] | NDArray[np.float16]
    frame: Frame
    classes: tuple[str, ...] = field(default=())

    __repr__ = short_repr

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        shape = (len(self.classes), *self.frame.shape_zyx)
        dtype = np.float16 if np.asarray(self.values).dtype == np.float16 else np.float32
        object.__setattr__(self, "values", frozen(self.values, dtype, "a probability map", shape, (0, 1)))
        if len(set(self.classes)) != len(self.classes):
            raise InputError(f"classes must differ from each other: {self.classes}")

    def of(self, name: str) -> DensityMap:
        """The map of one class, float32."""
        if name not in self.classes:
            raise InputError(f"there is no class {name!r}", f"classes: {', '.join(self.classes)}")
        return DensityMap(self.values[self.classes.index(name)], self.frame)
