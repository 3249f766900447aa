"""Residues of chains on points, as one threading."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import SequenceSet, Threading
from cryoweave.host import Context


@dataclass(frozen=True)
class Placed:
    """Residues of one chain.

    Parameters
    ----------
    chain
        Its number among all chains.
    residue
        Indices of the residues, ascending, ``(n,)``.
    node
        The point of each, ``(n,)``.
    confidence
        0..1 of each, ``(n,)``.
    score
        Of the chain's way through the points.
    """

    chain: int
    residue: NDArray[np.intp]
    node: NDArray[np.integer]
    confidence: NDArray[np.float32]
    score: float = 0.0


def together(
    sequences: SequenceSet, found: list[Placed], xyz: NDArray[np.float64], score: float, origin: str, ctx: Context
) -> Threading:
    """One candidate with all chains on points ``xyz``, Å."""
    counts = [len(one.residue) for one in found]
    ctx.note("residues placed", sum(counts))
    return Threading(
        sequences=sequences,
        candidate=np.zeros(sum(counts), np.int32),
        chain=np.repeat([one.chain for one in found], counts),
        residue=np.concatenate([one.residue for one in found]),
        xyz=np.concatenate([xyz[one.node] for one in found]),
        confidence=np.clip(np.concatenate([one.confidence for one in found]), 0, 1),
        score=np.array([score]),
        origin=(origin,),
    )
