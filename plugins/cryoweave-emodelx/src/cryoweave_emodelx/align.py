"""Quasi-alignment of points and sequences: the best stretch first, then what goes with those before."""

import heapq

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, PointCloud, SequenceSet, Threading
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import LETTERS, AminoEvidence, kinds_of, require_protein
from cryoweave_emodelx.chain import STEP, Chain
from cryoweave_emodelx.connect import Ground, connected
from cryoweave_emodelx.hops import Hops, Table, hops_of, residue_scores
from cryoweave_emodelx.pieces import Aligner, Piece, Rules, leaps_of
from cryoweave_emodelx.stages import AlignParams

AWAY = 0.02
"""For each Å from the middle of what is placed of a chain: of several copies the nearer one gets a piece."""
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
    found = []
    for count in params.hops:
        assembly = Assembly(bonds, hops, chains_of(sequences, table, hops, count, params), params)
        for threshold in params.threshold:
            assembly.fill(threshold, ctx)
        for most in params.connect:
            for chain in assembly.chains.values():
                connected(chain, assembly.ground(), most, params, ctx)
        found.append(assembly)
    scores = [one.score() for one in found]
    best = int(np.argmax(scores))
    ctx.note("steps to each side", params.hops[best])
    return as_threading(sequences, found[best], scores[best], ctx)


def chains_of(sequences: SequenceSet, table: Table, hops: Hops, count: int, params: AlignParams) -> dict[int, Chain]:
    """The protein chains by number, with how well each residue fits at each point."""
    chains, number = {}, 0
    for sequence in sequences:
        if sequence.molecule == "protein":
            own = table[:, kinds_of(sequence.letters)]
            scores = residue_scores(own, hops, count, params.branches)
            for copy in range(sequence.copies):
                chains[number + copy] = Chain(sequence, scores, own)
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


class Assembly:
    """Pieces on chains, the best first."""

    def __init__(self, bonds: BondGraph, hops: Hops, chains: dict[int, Chain], params: AlignParams) -> None:
        self.xyz, self.hops, self.chains, self.params = bonds.points.xyz, hops, chains, params
        self.used = np.zeros(len(self.xyz), bool)
        leaps = leaps_of(self.xyz, params.gap, STEP, params.slack)
        gaps = (params.gap, params.gap_open, params.gap_extend)
        rules = Rules(params.bond, *gaps, params.shortest, params.longest, params.least)
        self.aligner = Aligner(hops, leaps, len(self.xyz), rules)

    def ground(self) -> Ground:
        """What gaps are closed on."""
        return Ground(self.xyz, self.hops, self.aligner.bond, self.used)

    def best(self, number: int, threshold: float) -> Piece | None:
        """The best piece of a chain as things stand."""
        cells = self.chains[number].open_cells(self.xyz, self.used, self.params.slack)
        return self.aligner.best(cells - np.float32(threshold))

    def score(self) -> float:
        """What the amino acids say of the placed residues by themselves, without their neighbours."""
        total = 0.0
        for chain in self.chains.values():
            there = np.flatnonzero(chain.point >= 0)
            total += float(chain.own[chain.point[there], there].sum(dtype=np.float64))
        return total

    def fill(self, threshold: float, ctx: Context) -> None:
        """Always the piece with the highest score above a threshold of its residues.

        What is placed makes no other piece better, so a chain's piece is worked out anew only when it comes up.
        """
        heap: list[tuple[float, int, int, Piece | None]] = [(-np.inf, number, -1, None) for number in self.chains]
        version = 0
        while heap:
            ctx.progress(sum(len(one.placed()) for one in self.chains.values()), 0)
            _, number, seen, piece = heapq.heappop(heap)
            chain = self.chains[number]
            if piece and seen == version:
                chain.put(piece.residue, piece.point, self.xyz)
                self.used[piece.point] = True
                version += 1
            again = self.best(number, threshold)
            if again:
                score = again.score - AWAY * chain.distance(self.xyz[again.point])
                heapq.heappush(heap, (-score, number, version, again))


def as_threading(sequences: SequenceSet, assembly: Assembly, score: float, ctx: Context) -> Threading:
    """All chains as one candidate; missing residues of short gaps on the line, with confidence 0."""
    rows = {number: chain.placed() for number, chain in assembly.chains.items()}
    count = sum(len(one) for one in rows.values())
    if not count:
        raise StageError("no residue fits any point", "is this the density of the given sequences?")
    ctx.note("residues placed", count)
    ctx.note("score", round(score, 2))
    on_line = np.concatenate([assembly.chains[number].point[one] < 0 for number, one in rows.items()])
    confidence = [confidence_of(chain)[rows[number]] for number, chain in assembly.chains.items()]
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
        parts=("on the line between its neighbours",),
    )


def confidence_of(chain: Chain) -> NDArray[np.float64]:
    """The share of each placed residue among all of its sequence at its point; 0 without a point."""
    found = np.zeros(len(chain.point))
    there = np.flatnonzero(chain.point >= 0)
    scores = SHARPNESS * np.maximum(chain.cells[chain.point[there]].astype(np.float64), -50)
    scores -= scores.max(axis=1, keepdims=True)
    found[there] = np.exp(scores[np.arange(len(there)), there]) / np.exp(scores).sum(axis=1)
    return found
