"""Our refiner: backbones settle in density, then the sequence is threaded along them once more, a few times over."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.align import thread_gapped
from cryoweave.kernels.backbone import CA, BackboneRefiner
from cryoweave.kernels.evidence import AminoEvidence
from cryoweave_mainmast.contrast import require_contrast
from cryoweave_mainmast.pool import Candidate, pooled, the_sequence
from cryoweave_mainmast.sidechain import REFINED, SideChainSampler, match_scores, side_chain_table
from cryoweave_mainmast.stages import RefineParams

BOND = 3.8
"""Å between Cα atoms of a trans peptide."""
SLACK = 2.2
"""Å more at which two neighbours are still taken to be bonded, so that refinement can draw them together."""
LONGEST_FILLED = 2
"""Residues left out between neighbours that are set in between, if there is room: what the trace had too few of."""
WINDOW = 12
"""Residues on either side that tell a register."""
SHARPNESS = 0.8
"""Share of the log-odds that counts; chosen so that a confidence is about the chance to be right."""
LEARNED_SHARPNESS = 0.35
"""The same where a detector's amino acids count too: neighbours' errors go together, and the density is seen twice."""


class Refiner:
    """Everything that one map and one sequence share between candidates."""

    def __init__(self, density: DensityMap, points: PointCloud | None, letters: str, params: RefineParams) -> None:
        self.backbones = BackboneRefiner(density.values, density.frame)
        self.sampler, self.evidence = SideChainSampler(density), AminoEvidence(points)
        self.letters, self.params = letters, params

    def settle(self, start: Candidate, ctx: Context) -> tuple[Candidate, NDArray[np.float32]]:
        """Refine a candidate and thread it again, for every round; with the confidence of its residues."""
        residue, xyz = start.residue, start.xyz
        for _ in range(self.params.rounds):
            residue, xyz = filled(residue, xyz)
            bonded = are_bonded(residue, xyz)
            backbone = self.backbones.refine(xyz, bonded, progress=ctx.progress).xyz
            match = match_scores(self.log_odds(backbone), self.letters)
            score, residue, node = self.threaded(match, backbone[:, CA], bonded)
            if not len(residue):
                break
            xyz = backbone[node, CA]
        settled = replace(start, score=score, residue=residue, xyz=xyz)
        sharpness = LEARNED_SHARPNESS if len(self.evidence) else SHARPNESS
        return settled, register_confidence(sharpness * match, residue, node, bonded)

    def log_odds(self, backbone: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each amino acid at each residue, from the density and from what a detector saw."""
        odds = self.params.weight * side_chain_table(REFINED).log_odds(self.sampler.along_backbone(backbone))
        return np.asarray(odds + self.params.learned_weight * self.evidence.log_odds(backbone[:, CA]))

    def threaded(
        self, match: NDArray[np.float64], calpha: NDArray[np.float64], bonded: NDArray[np.bool_]
    ) -> tuple[float, NDArray[np.intp], NDArray[np.int32]]:
        """Score, residues that are placed, and the Cα of each."""
        p = self.params
        found = thread_gapped(
            (p.base + match).astype(np.float32),
            np.ascontiguousarray(calpha),
            np.concatenate(([False], ~bonded)),
            ideal_distance=BOND,
            distance_weight=p.distance_weight,
            residue_gap_open=p.gap_open,
            residue_gap_extend=p.gap_extend,
            end_gap=p.end_gap,
            max_skip=p.max_skip,
        )
        placed = np.flatnonzero(found.nodes >= 0)
        return float(found.score), placed, found.nodes[placed]


def refine(
    density: DensityMap, threading: Threading, points: PointCloud | None, params: RefineParams, ctx: Context
) -> Threading:
    """The best candidates with their Cα atoms refined and the sequence threaded along them again; best first."""
    if len(threading):
        require_contrast(density, threading.xyz, "residues")
    refiner = Refiner(density, points, the_sequence(threading.sequences).letters, params)
    starts = []
    for number in range(min(params.candidates, len(threading))):
        rows = threading.rows_of(number)
        if rows.stop - rows.start > 1:
            residue = threading.residue[rows].astype(np.intp)
            starts.append(Candidate(0.0, threading.origin[number], residue, threading.xyz[rows]))
    settled = [pair for pair in ctx.over(refiner.settle, starts) if len(pair[0].residue)]
    if not settled:
        raise StageError("no candidate holds residues to refine", "is this the density of the given sequence?")
    return pooled(threading.sequences, [c for c, _ in settled], params.candidates, ctx, [own for _, own in settled])


def filled(residue: NDArray[np.intp], xyz: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """With the few residues that were left out between neighbours set on the line between these."""
    missing = np.diff(residue) - 1
    room = np.linalg.norm(np.diff(xyz, axis=0), axis=1) < BOND * (missing + 1) + 1
    fill = (missing > 0) & (missing <= LONGEST_FILLED) & room
    whole = np.concatenate([residue, *(np.arange(residue[i] + 1, residue[i + 1]) for i in np.flatnonzero(fill))])
    whole = np.sort(whole)
    return whole, np.stack([np.interp(whole, residue, xyz[:, axis]) for axis in range(3)], axis=1)


def are_bonded(residue: NDArray[np.intp], xyz: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which residues are the next one's neighbours, in number and in space."""
    near = np.linalg.norm(np.diff(xyz, axis=0), axis=1) < BOND + SLACK
    return np.asarray(near & (np.diff(residue) == 1))


def register_confidence(
    match: NDArray[np.float64], residue: NDArray[np.intp], node: NDArray[np.int32], bonded: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """How much better each residue's surroundings fit its own place in the sequence than any other, 0..1.

    The log-odds ``match`` of the placed residues around it, along one unbroken piece, are summed in their own register
    and in every other; the confidence is the own register's share of the exponentials. A wrong trace or a sequence that
    is not in the map is not seen by it.
    """
    length = match.shape[1]
    broken = (np.diff(node) != 1) | (np.diff(residue) != 1) | ~bonded[node[:-1]]
    piece = np.concatenate(([0], np.cumsum(broken)))
    confidence = np.empty(len(residue), np.float32)
    for k in range(len(residue)):
        around = np.arange(max(0, k - WINDOW), min(len(residue), k + WINDOW + 1))
        around = around[piece[around] == piece[k]]
        first, last = residue[around[0]], residue[around[-1]]
        shifts = np.arange(-first, length - last)
        sums = match[node[around][:, None], residue[around][:, None] + shifts].sum(axis=0)
        confidence[k] = 1 / np.exp(sums - sums[first]).clip(max=1e30).sum()
    return confidence
