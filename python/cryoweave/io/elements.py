"""What the chemical elements of a model are to electrons, from gemmi's tables."""

import gemmi
import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.errors import StageError


def scattering(model: Model) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Atoms of known element, each atom's row, and both tables (International Tables C, 4.3.2.2).

    Raises
    ------
    StageError
        If no atom is of a known element.
    """
    known, _ = known_elements(model)
    names, element = np.unique(model.element, return_inverse=True)
    tables = np.ones((2, len(names), 5))
    for row in np.unique(element[known]).tolist():
        found = gemmi.Element(str(names[row])).c4322
        tables[:, row] = found.a, found.b
    return known, element.astype(np.int64), tables[0], tables[1]


def known_elements(model: Model) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which atoms are of an element that has scattering factors, and the atomic masses (0 for the others)."""
    names, element = np.unique(model.element, return_inverse=True)
    elements = [gemmi.Element(str(name)) for name in names]
    known = np.array([found.atomic_number > 0 and found.c4322 is not None for found in elements])
    if not known[element].any():
        raise StageError("no atom of the model has a known element", "write the element column of the model")
    masses = np.array([found.weight for found in elements]) * known
    return known[element], masses[element]
