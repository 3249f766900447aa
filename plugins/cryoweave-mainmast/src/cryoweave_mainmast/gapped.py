"""Our threader: side-chain likelihoods, Cα geometry, gaps in chain and path, both directions, every candidate."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.align import thread_gapped
from cryoweave.kernels.evidence import AminoEvidence, kinds_of
from cryoweave_mainmast.contrast import require_contrast
from cryoweave_mainmast.helix import helicity
from cryoweave_mainmast.paths import NODE_STEP
from cryoweave_mainmast.pool import Candidate, pooled, the_sequence
from cryoweave_mainmast.sidechain import TRACED, SideChainSampler, side_chain_table
from cryoweave_mainmast.stages import ThreadGappedParams

FEW = 0.5
"""Detected Cα over residues below which a user is warned."""


def thread(
    density: DensityMap,
    traces: Traces,
    sequences: SequenceSet,
    points: PointCloud | None,
    params: ThreadGappedParams,
    ctx: Context,
) -> Threading:
    """Thread the sequence through every candidate's fragments in both directions; the pool, best first.

    Points that carry amino-acid probabilities add their log-odds to those of the density.
    """
    sequence = the_sequence(sequences)
    if len(traces):
        require_contrast(density, traces.xyz, "nodes")
    sampler, evidence = SideChainSampler(density), AminoEvidence(points)
    if 0 < len(evidence) < FEW * len(sequence):
        ctx.log.warning(
            f"the detector saw {len(evidence)} Cα for {len(sequence)} residues: little of the map is as it learned "
            "it, and the model is mostly guessed"
        )
    tasks = []
    for name, fragments in traces.candidates():
        path, breaks = chain_of(traces, fragments)
        gain = params.order_weight * float(traces.score[fragments[0]])
        tasks.append((f"chain {name}, forward", gain, path, breaks))
        tasks.append((f"chain {name}, backward", gain, *turned(path, breaks)))

    def work(task: tuple[str, float, NDArray[np.float64], NDArray[np.bool_]], inner: Context) -> Candidate:
        name, gain, path, breaks = task
        placed = threaded(sampler, evidence, name, path, breaks, sequence, params, inner)
        return replace(placed, score=placed.score + gain)

    found = [candidate for candidate in ctx.over(work, tasks) if len(candidate.residue)]
    if not found:
        raise StageError("no residue fits any trace", "is this the density of the given sequence?")
    return pooled(sequences, found, params.pool, ctx)


def chain_of(traces: Traces, fragments: list[int]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """A candidate's fragments one after the other, and where each but the first begins."""
    parts = [traces.xyz[traces.points_of(fragment)] for fragment in fragments]
    breaks = np.concatenate([np.arange(len(part)) == 0 for part in parts])
    breaks[0] = False
    return np.concatenate(parts), breaks


def turned(path: NDArray[np.float64], breaks: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The same chain from its other end."""
    return path[::-1].copy(), np.concatenate(([False], breaks[1:][::-1]))


def threaded(
    sampler: SideChainSampler,
    evidence: AminoEvidence,
    origin: str,
    path: NDArray[np.float64],
    breaks: NDArray[np.bool_],
    sequence: Sequence,
    params: ThreadGappedParams,
    ctx: Context,
) -> Candidate:
    """The best placement of the sequence along one path in one direction."""
    odds = params.weight * side_chain_table(TRACED).log_odds(sampler.along_path(path, breaks))
    odds += params.learned_weight * evidence.log_odds(path)
    found = thread_gapped(
        matches(params.base + odds, path, breaks, sequence, params),
        path,
        breaks,
        ideal_distance=params.ideal_distance,
        distance_weight=params.distance_weight,
        residue_gap_open=params.gap_open,
        residue_gap_extend=params.gap_extend,
        end_gap=params.end_gap,
        max_skip=params.max_skip,
        progress=ctx.progress,
    )
    placed = np.flatnonzero(found.nodes >= 0)
    return Candidate(float(found.score), origin, placed, path[found.nodes[placed]])


def matches(
    gain: NDArray[np.float64],
    path: NDArray[np.float64],
    breaks: NDArray[np.bool_],
    sequence: Sequence,
    params: ThreadGappedParams,
) -> NDArray[np.float32]:
    """How well each residue fits at each node, shape ``(n_nodes, n_residues)``.

    ``gain`` is that of each amino acid at each node. There are few kinds of residues: their columns are worked out and
    rounded, and then laid out for the sequence.
    """
    kinds = kinds_of(sequence.letters)
    columns = np.concatenate((gain, np.full((len(gain), 1), params.base)), axis=1)
    if sequence.secondary_structure:
        turning = 2 * np.concatenate([helicity(p, NODE_STEP) for p in np.split(path, np.flatnonzero(breaks))]) - 1
        agrees = params.structure * turning[:, None]
        kinds += columns.shape[1] * np.array([letter == "H" for letter in sequence.secondary_structure])
        columns = np.concatenate((columns - agrees, columns + agrees), axis=1)
    return np.take(columns.astype(np.float32), kinds, axis=1)
