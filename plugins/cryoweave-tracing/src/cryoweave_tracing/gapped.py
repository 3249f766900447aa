"""Pieces of sequences on traces with residues and points left out."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, SequenceSet, Traces
from cryoweave.host import Context
from cryoweave.kernels.align import thread_gapped
from cryoweave.kernels.evidence import AminoEvidence, kinds_of
from cryoweave_tracing.pool import Piece
from cryoweave_tracing.ungapped import first_chains

ROUNDS = 3
"""Pieces of each sequence on each trace and direction; each later one uses other residues and points."""
SHORTEST = 5
"""Residues: Terashi et al. 2024, doi 10.1038/s41592-023-02099-0, for pieces without gaps."""
LEAP = 7.0
"""Å between points that are not bonded; same source."""
NEVER = np.float32(-1000)


def gapped_pieces(points: PointCloud, traces: Traces, sequences: SequenceSet, ctx: Context) -> list[Piece]:
    """Of every trace in both directions; the score is the sum of the log-odds less what gaps cost."""
    evidence = AminoEvidence(points)
    found: list[Piece] = []
    for fragment in range(len(traces)):
        forward = traces.xyz[traces.points_of(fragment)]
        for path in (forward, forward[::-1]):
            odds = np.concatenate([evidence.log_odds(path), np.zeros((len(path), 1))], axis=1)
            for chain, sequence in first_chains(sequences):
                found += _placed(path, odds[:, kinds_of(sequence.letters)].astype(np.float32), chain, fragment, ctx)
    return found


def _placed(
    path: NDArray[np.float64], match: NDArray[np.float32], chain: int, fragment: int, ctx: Context
) -> list[Piece]:
    breaks = np.concatenate([[False], np.linalg.norm(np.diff(path, axis=0), axis=1) > LEAP])
    left, found = match.copy(), []
    for _ in range(ROUNDS):
        placed = thread_gapped(left, path, breaks, progress=ctx.progress)
        residue = np.flatnonzero(placed.nodes >= 0)
        if len(residue) < SHORTEST or placed.score <= 0:
            break
        node = placed.nodes[residue]
        sure = np.clip(match[node, residue], 0, 1).astype(np.float64)
        nothing, origin = np.full(len(residue), ""), f"trace {fragment}, gapped"
        found.append(Piece(chain, residue, path[node], sure, nothing, float(placed.score), origin))
        left[node], left[:, residue] = NEVER, NEVER
    return found
