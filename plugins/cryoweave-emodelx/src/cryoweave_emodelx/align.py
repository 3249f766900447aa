"""Quasi-alignment of points and sequences: the best stretch first, then what goes with those before."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, PointCloud, Sequence, SequenceSet, Threading
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.chains import LINE
from cryoweave.kernels.evidence import LETTERS, AminoEvidence, doubts, kinds_of, require_protein
from cryoweave.kernels.stretches import Ways, leaps
from cryoweave_emodelx.chain import STEP, Chain
from cryoweave_emodelx.connect import connected
from cryoweave_emodelx.filling import Assembly
from cryoweave_emodelx.hops import Hops, Table, hops_of, residue_scores
from cryoweave_emodelx.stages import AlignParams

SHARPNESS = 0.5
"""Share of the scores that counts for confidence: neighbours' errors go together."""


def check(params: AlignParams, sequences: SequenceSet | None = None, **_inputs: object) -> None:
    """Whether there is a protein among the sequences."""
    require_protein(sequences)


def aligned(bonds: BondGraph, sequences: SequenceSet, params: AlignParams, ctx: Context) -> Threading:
    """Residues of all chains on points, as one candidate."""
    check(params, sequences)
    if not len(bonds):
        raise StageError("no two points are bonded", "look at the points; is their distance in Å?")
    table = amino_table(bonds.points, params.evidence)
    hops = hops_of(bonds)
    ways = ways_of(hops, bonds.points.xyz, params)

    def filled(given: SequenceSet, count: int, inner: Context) -> Assembly:
        chains = chains_of(given, table, hops, count, params)
        assembly = Assembly(bonds.points.xyz, hops, ways, chains, params)
        for threshold in params.threshold:
            assembly.fill(threshold, inner)
        return assembly

    def work(count: int, inner: Context) -> Assembly:
        assembly = filled(sequences, count, inner)
        for most in params.connect:
            for chain in assembly.chains.values():
                connected(chain, assembly.ground(), most, params, inner)
        return assembly

    found = list(ctx.over(work, params.hops))
    scores = [one.score() for one in found]
    best = int(np.argmax(scores))
    ctx.note("steps to each side", params.hops[best])

    def alone(letters: str, inner: Context) -> float:
        return filled(SequenceSet((Sequence("alone", letters),)), params.hops[best], inner).score()

    doubt = doubt_of(sequences, alone, params, ctx) if scores[best] > 0 else {}
    return as_threading(sequences, found[best], scores[best], doubt, ctx)


def doubt_of(
    sequences: SequenceSet, alone: Callable[[str, Context], float], params: AlignParams, ctx: Context
) -> dict[int, float]:
    """Of each chain the chance that a shuffled sequence fits as well, if either has all points for itself."""
    best: dict[int, float] = {}
    for sequence, numbers in sequences.alike():
        if sequence.molecule == "protein":
            best |= dict.fromkeys(numbers, alone(sequence.letters, ctx))

    def scores(letters: list[str]) -> Iterable[float]:
        return ctx.over(alone, letters)

    return doubts(sequences, best, scores, params.decoys, ctx.rng(), ctx.log.warning)


def chains_of(sequences: SequenceSet, table: Table, hops: Hops, count: int, params: AlignParams) -> dict[int, Chain]:
    """The protein chains by number, with how well each residue fits at each point; equal chains share that."""
    chains, number = {}, 0
    tables: dict[str, tuple[Table, Table]] = {}
    for sequence in sequences:
        if sequence.molecule == "protein":
            if sequence.letters not in tables:
                own = table[:, kinds_of(sequence.letters)]
                scores = residue_scores(own, hops, count, params.branches)
                tables[sequence.letters] = np.ascontiguousarray(scores.T), own
            for copy in range(sequence.copies):
                chains[number + copy] = Chain(sequence, *tables[sequence.letters])
        number += sequence.copies
    return chains


def amino_table(points: PointCloud, evidence: str) -> Table:
    """What points say of each amino acid, in the order of `LETTERS` and 0 for an unknown one, ``(points, 21)``."""
    known = AminoEvidence.required(points)
    if evidence == "log-odds":
        found = known.log_odds(points.xyz)
    else:
        columns = [points.classes.index(PROTEIN_NAMES[letter]) for letter in LETTERS]
        found = points.probabilities[:, columns].astype(np.float64)
    return np.concatenate([found, np.zeros((len(points), 1))], axis=1).astype(np.float32)


def ways_of(hops: Hops, xyz: NDArray[np.float64], params: AlignParams) -> Ways:
    """How a chain may go from point to point."""
    bond = (params.bond * (hops.worth - 1)).astype(np.float32)
    tail, head, before, after = (one.astype(np.int32) for one in (hops.tail, hops.head, hops.before, hops.after))
    return Ways(tail, head, bond, before, after, *leaps(xyz, params.gap, STEP, params.slack))


def as_threading(
    sequences: SequenceSet, assembly: Assembly, score: float, doubt: dict[int, float], ctx: Context
) -> Threading:
    """All chains as one candidate; missing residues of short gaps on the line, with confidence 0."""
    rows = {number: chain.placed() for number, chain in assembly.chains.items()}
    count = sum(len(one) for one in rows.values())
    if not count:
        raise StageError("no residue fits any point", "is this the density of the given sequences?")
    ctx.note("residues placed", count)
    ctx.note("score", round(score, 2))
    on_line = np.concatenate([assembly.chains[number].point[one] < 0 for number, one in rows.items()])
    confidence = [
        (1 - doubt.get(number, 0.0)) * confidence_of(chain)[rows[number]] for number, chain in assembly.chains.items()
    ]
    return Threading(
        sequences=sequences,
        candidate=np.zeros(count, np.int32),
        chain=np.repeat(np.array([*rows], np.int32), [len(one) for one in rows.values()]),
        residue=np.concatenate([*rows.values()]).astype(np.int32),
        xyz=np.concatenate([assembly.chains[number].xyz[one] for number, one in rows.items()]),
        confidence=np.concatenate(confidence).astype(np.float32),
        score=np.array([score]),
        origin=("stretches along sampled paths, best first",),
        part=np.where(on_line, 0, -1),
        parts=(LINE,),
    )


def confidence_of(chain: Chain) -> NDArray[np.float64]:
    """The share of each placed residue among all of its sequence at its point; 0 without a point."""
    found = np.zeros(len(chain.point))
    there = np.flatnonzero(chain.point >= 0)
    scores = SHARPNESS * np.maximum(chain.scores[:, chain.point[there]].T.astype(np.float64), -50)
    scores -= scores.max(axis=1, keepdims=True)
    found[there] = np.exp(scores[np.arange(len(there)), there]) / np.exp(scores).sum(axis=1)
    return found
