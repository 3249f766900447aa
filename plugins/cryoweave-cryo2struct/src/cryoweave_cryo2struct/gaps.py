"""Residues missing between placed ones: from another copy of the chain, and on a line."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Threading
from cryoweave.kernels.chains import LINE, bridged
from cryoweave.kernels.copies import completed
from cryoweave_cryo2struct.shape import BOND

ROOM = 1.5
"""Å that two placed residues may be farther apart than the residues between them reach."""
PARTS = ("from another copy of the chain", LINE)
SHARES = np.array([1.0, 0.6])
"""Confidence of these over the lower one of the placed residues before and behind them; see the page's figures."""


def filled(threading: Threading, longest: int) -> Threading:
    """With residues that another copy has, where it fits, and then short stretches on a line, where there is room.

    Parameters
    ----------
    threading
        One candidate, of which each residue is on a point.
    longest
        Residues of a stretch on a line.
    """
    columns, held = [], threading.xyz
    for sequence, numbers in threading.sequences.alike():
        rows = np.isin(threading.chain, numbers)
        at = np.searchsorted(numbers, threading.chain[rows]), threading.residue[rows]
        xyz, sure = np.full((len(numbers), len(sequence), 3), np.nan), np.zeros((len(numbers), len(sequence)))
        xyz[at], sure[at] = threading.xyz[rows], threading.confidence[rows]
        there, taken = ~np.isnan(xyz[..., 0]), completed(xyz, held)
        held = np.concatenate([held, taken.xyz[taken.source >= 0]])
        full = np.stack([bridged(one, longest, BOND, ROOM) for one in taken.xyz])
        part = np.where(there, -1, np.where(taken.source >= 0, 0, 1))
        sure = np.where(there, sure, SHARES[part] * lower(sure, there))
        put = np.nonzero(~np.isnan(full[..., 0]))
        columns.append((np.array(numbers, np.int32)[put[0]], put[1], full[put], sure[put], part[put]))
    chain, residue, xyz, sure, part = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((residue, chain))
    return replace(
        threading,
        candidate=np.zeros(len(order), np.int32),
        chain=chain[order],
        residue=residue[order].astype(np.int32),
        xyz=xyz[order],
        confidence=sure[order].astype(np.float32),
        part=part[order],
        parts=PARTS,
    )


def lower(sure: NDArray[np.float64], there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each residue of each copy the lower confidence of the placed ones next before and behind it, ``(c, n)``."""
    number, last = np.arange(sure.shape[1]), sure.shape[1] - 1
    before = np.maximum.accumulate(np.where(there, number, 0), axis=1)
    behind = np.minimum.accumulate(np.where(there, number, last)[:, ::-1], axis=1)[:, ::-1]
    return np.minimum(np.take_along_axis(sure, before, axis=1), np.take_along_axis(sure, behind, axis=1))
