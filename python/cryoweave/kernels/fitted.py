"""What is placed of a model, and what is known of the map."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.data.elements import atomic_numbers
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.grid import require_contrast

WATER = ("HOH", "WAT", "DOD")


def atoms_of(name: str, model: Model) -> Atoms:
    """Heavy atoms but water's, each once, with their electrons.

    Raises
    ------
    StageError
        If there is none.
    """
    number = atomic_numbers(model.element)
    counted = (number > 1) & ~np.isin(model.residue_name, WATER) & np.isin(model.altloc, ["", "A", "1"])
    if not counted.any():
        raise StageError(f"the model {name!r} has no heavy atom of a known element", "write its element column")
    return Atoms(model.xyz[counted], number[counted])


def resolution_of(given: float | None) -> float:
    """The resolution, which nothing in a map tells."""
    if given is None:
        raise InputError("the map's resolution is not given", "give --resolution, e.g. --resolution 6.5")
    return given


def contour_of(density: DensityMap, given: float | None) -> float:
    """The contour: given, or the mean and one standard deviation.

    Raises
    ------
    StageError
        If the map is flat or lies below the contour everywhere.
    """
    require_contrast(density)
    values: NDArray[np.float32] = density.values
    if given is None:
        return float(values.mean(dtype=np.float64) + values.std(dtype=np.float64))
    if given >= values.max():
        raise StageError(
            f"the contour {given:g} lies above the map's maximum, {values.max():g}", "give a lower --contour, or none"
        )
    return given


def require_room(name: str, atoms: Atoms, density: DensityMap) -> None:
    """Raise StageError if the model is far larger than the map."""
    model = np.ptp(atoms.xyz, axis=0)
    box = np.array(density.frame.extent_xyz)
    # In any orientation the model's longest side has to go along the box's diagonal.
    if model.max() > np.linalg.norm(box):
        raise StageError(
            f"the model {name!r} is {model.max():.0f} Å long and does not fit into the map, whose box is "
            f"{' x '.join(f'{side:.0f}' for side in box)} Å",
            "is the voxel size right? See `cryoweave map info`; or fit its domains",
        )
