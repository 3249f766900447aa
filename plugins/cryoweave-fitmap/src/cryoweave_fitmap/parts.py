"""What of a structure is fitted: its confident residues that pack together."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.kernels.graph import connected_components, nearest

CONTACT = 10.0
"""Å between Cα of residues that touch."""
APART = 8
"""Residues along the chain from which on a contact says that the chain packs against something: those of one helix are
then 12 Å apart."""
NEIGHBOURS = 24
"""Nearest residues among which contacts are looked for."""
GAP = 10
"""Loops of up to so many residues between packed ones are kept."""
ALIKE = 0.95
"""Share of residues whose atoms must have one B for it to be a confidence."""


def confident(model: Model, least: float) -> Model:
    """Without the residues of a prediction whose confidence is below ``least``; other structures as they are."""
    if least <= 0:
        return model
    known = model.b_is_confidence if model.b_is_confidence.any() else np.full(len(model), is_predicted(model))
    kept = ~known | (model.b_factor >= least)
    return model if kept.all() else model.select(kept)


def is_predicted(model: Model) -> bool:
    """Whether the B column looks like the confidence of each residue that AlphaFold writes.

    All atoms of a residue have the same, from 0 to 100, and residues differ. Files in PDB format say it nowhere.
    """
    b = model.b_factor.astype(np.float64)
    if not len(b) or b.min() < 0 or b.max() > 100 or b.max() - b.min() < 1:
        return False
    residue = np.cumsum(_begins(model)) - 1
    count = np.bincount(residue)
    low, high = np.full(len(count), np.inf), np.full(len(count), -np.inf)
    np.minimum.at(low, residue, b)
    np.maximum.at(high, residue, b)
    several = count > 1
    return bool(several.any() and np.mean(high[several] - low[several] < 0.01) >= ALIKE)


def packed(model: Model) -> Model:
    """The largest part whose residues touch others that are not their neighbours in the chain.

    Predictions hold helices and arms that lie anywhere. Models without Cα (or P), or without contacts, stay whole.
    """
    trace = model.trace_atoms()
    if len(trace) <= APART:
        return model
    part = _components(trace)
    chosen = part == np.bincount(part[part >= 0]).argmax() if (part >= 0).any() else np.ones(len(part), bool)
    chosen = _with_loops(trace, chosen)
    names = set(_keys(trace.select(chosen)))
    kept = np.array([key in names for key in _keys(model)])
    return model if kept.all() else model.select(kept)


def _components(trace: Model) -> NDArray[np.int32]:
    """Number of the part of each residue, -1 for those that touch nothing."""
    count = min(NEIGHBOURS, len(trace))
    index, distance = nearest(trace.xyz, trace.xyz, count)
    index, distance = np.asarray(index).reshape(len(trace), count), np.asarray(distance).reshape(len(trace), count)
    number, chain = trace.residue_number.astype(np.int64), trace.chain
    far = (np.abs(number[index] - number[:, None]) >= APART) | (chain[index] != chain[:, None])
    pairs = np.argwhere(far & (distance <= CONTACT))
    edges = np.stack([pairs[:, 0], index[tuple(pairs.T)]], axis=1)
    found = connected_components(len(trace), edges)
    found[np.bincount(edges.reshape(-1), minlength=len(trace)) == 0] = -1
    return found


def _with_loops(trace: Model, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Also the short stretches of a chain between residues that are chosen."""
    found = chosen.copy()
    at = np.flatnonzero(chosen)
    for a, b in zip(at[:-1].tolist(), at[1:].tolist(), strict=True):
        if trace.chain[a] == trace.chain[b] and b - a - 1 <= GAP:
            found[a:b] = True
    return found


def _begins(model: Model) -> NDArray[np.bool_]:
    """Where a residue's first atom is."""
    new = np.ones(len(model), bool)
    columns = (model.chain, model.residue_number, model.insertion_code)
    new[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return new


def _keys(model: Model) -> list[tuple[str, int, str]]:
    columns = (model.chain.tolist(), model.residue_number.tolist(), model.insertion_code.tolist())
    return list(zip(*columns, strict=True))
