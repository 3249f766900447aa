"""Chains without sequences: the likeliest amino acids."""

import numpy as np

from cryoweave.data import PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import LETTERS, AminoEvidence
from cryoweave_modelangelo.profile import emissions
from cryoweave_modelangelo.stages import LettersParams


def lettered(points: PointCloud, traces: Traces, params: LettersParams, ctx: Context) -> Threading:
    """Each chain of the first candidate with a sequence of its own, in the direction in which it runs.

    Chains are called 1, 2, … as they are in `cryoweave identify`, which counts those of the traces.
    A residue's confidence is the probability of its Cα times that of its amino acid.
    """
    evidence = AminoEvidence(points)
    if not len(evidence):
        raise StageError("the points say nothing of amino acids", "take a detector with all twenty, or build.trace")
    fragments = next(traces.candidates())[1] if len(traces) else []
    found = {k: traces.points_of(one) for k, one in enumerate(fragments, 1)}
    found = {k: part for k, part in found.items() if part.stop - part.start >= params.fewest}
    parts = [*found.values()]
    if not parts:
        raise StageError(
            f"no chain has {params.fewest} points", "set a lower `fewest`, or look at the points and the tracing before"
        )
    counts = [part.stop - part.start for part in parts]
    rows = np.concatenate([np.arange(part.start, part.stop) for part in parts])
    chance = emissions(evidence.log_odds(traces.xyz[rows]))
    letters = "".join(LETTERS[k] for k in chance.argmax(axis=1))
    ends = np.cumsum(counts)
    sequences = [
        Sequence(str(k), letters[end - count : end]) for k, end, count in zip(found, ends, counts, strict=True)
    ]
    confidence = traces.weight[rows] * chance.max(axis=1)
    ctx.note("chains", len(parts))
    ctx.note("residues", len(rows))
    return Threading(
        sequences=SequenceSet(tuple(sequences)),
        candidate=np.zeros(len(rows), np.int32),
        chain=np.repeat(np.arange(len(parts), dtype=np.int32), counts),
        residue=np.concatenate([np.arange(count, dtype=np.int32) for count in counts]),
        xyz=traces.xyz[rows],
        confidence=np.clip(confidence, 0, 1).astype(np.float32),
        score=np.array([float(traces.weight[rows].sum())]),
        origin=("likeliest amino acids along chains",),
    )
