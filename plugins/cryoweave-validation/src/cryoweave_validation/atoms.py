"""What validators ask of a model's atoms: which residue, which alternative location."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model

WATER = ("HOH", "DOD", "WAT", "H2O", "TIP", "TIP3", "SOL")


def residue_rows(model: Model) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each atom the number of its residue, in the order of the model; and the first atom of each residue."""
    if not len(model):
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    code = model.residue_number.astype(np.int64) - int(model.residue_number.min())
    span = int(code.max()) + 1
    for column in (model.chain, model.insertion_code):
        values, inverse = np.unique(column, return_inverse=True)
        code += span * inverse
        span *= len(values)
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), np.intp)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]


def first_location(model: Model) -> NDArray[np.bool_]:
    """Atoms without alternatives, and of alternative locations those of the first that their residue names."""
    residue, first = residue_rows(model)
    kept = np.full(len(first), "", dtype=model.altloc.dtype)
    named = np.flatnonzero(model.altloc != "")[::-1]
    kept[residue[named]] = model.altloc[named]  # of several, the first in the file stays
    return np.asarray((model.altloc == "") | (model.altloc == kept[residue]))
