"""The published alignment: one hidden Markov model for each chain, its most likely path, no point twice."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import PointCloud, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.hmm import Breaks, Transitions, posterior, viterbi
from cryoweave_cryo2struct.placed import Placed, together
from cryoweave_cryo2struct.sequences import Chains, amino_acids, proteins
from cryoweave_cryo2struct.shape import frequencies
from cryoweave_cryo2struct.stages import ViterbiParams

NEVER = Breaks(np.inf, np.inf, np.inf)


def threaded(points: PointCloud, sequences: SequenceSet, params: ViterbiParams, ctx: Context) -> Threading:
    """Every residue of every chain onto a point, as long as there are points.

    A chain whose path finds no further point goes on with its remaining residues from the best point that is left. The
    confidence of a residue is its share in all paths of the model.
    """
    chains, probability = proteins(sequences), amino_acids(points)
    emission = log_emission(probability)
    steps = log_transitions(points.xyz, params)
    free = np.ones(len(points), bool)
    found: list[Placed] = []
    score = 0.0
    for chain in chains:
        for number in chain.numbers:
            placed, gained = _chain(chain, number, emission, steps, free, ctx)
            found += placed
            score += gained
    if not found:
        raise StageError("no residue finds a point", "is this the detection of the given sequences?")
    left = sequences.residues - sum(len(one.residue) for one in found)
    if left:
        ctx.log.warning("%d residues are left over: there are %d points in all", left, len(points))
    ctx.note("log probability", round(score, 3))
    return together(sequences, found, points.xyz, score, "Viterbi", ctx)


def log_emission(probability: NDArray[np.float64]) -> NDArray[np.float32]:
    """Log of sqrt(probability × frequency) of each kind, that of a point's kinds adding up to 1; ``(21, points)``.

    An unknown residue has no preference.
    """
    found = np.sqrt(probability * frequencies())
    total = found.sum(axis=1, keepdims=True)
    share = np.divide(found, total, out=np.full_like(found, 1 / found.shape[1]), where=total > 0)
    with np.errstate(divide="ignore"):
        logs = np.log(np.concatenate([share.T, np.full((1, len(share)), 1 / share.shape[1])]))
    return np.asarray(logs, np.float32)


def log_transitions(xyz: NDArray[np.float64], params: ViterbiParams) -> Transitions:
    """A normal distribution of distances and the floor, each row adding up to 1 over all other points."""
    deviation = params.deviation * params.std_lambda
    # Beyond this the normal density is less than a millionth of the floor.
    tail = np.sqrt(2 * max(0.0, -np.log(params.floor * 1e-6 * deviation * np.sqrt(2 * np.pi))))
    pairs, distance = neighbour_pairs(xyz, params.distance + tail * deviation)
    density = np.exp(-0.5 * ((distance - params.distance) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))
    both, density = np.concatenate([pairs, pairs[:, ::-1]]), np.tile(density, 2)
    n = len(xyz)
    total = np.bincount(both[:, 0], density, n) + params.floor * max(n - 1, 1)
    values = np.log((density + params.floor) / total[both[:, 0]])
    return Transitions(both, values.astype(np.float32), np.log(params.floor / total).astype(np.float32))


def _chain(
    chain: Chains, number: int, emission: NDArray[np.float32], steps: Transitions, free: NDArray[np.bool_], ctx: Context
) -> tuple[list[Placed], float]:
    """One chain, in several pieces if its path comes to a dead end; takes its points out of the free ones."""
    found, score, first = [], 0.0, 0
    while first < len(chain.kinds) and free.any():
        own, kinds = np.where(free, emission, np.float32(-np.inf)), chain.kinds[first:]
        begin = own[kinds[0]]
        whole = np.logaddexp.reduce(begin[np.isfinite(begin)].astype(np.float64), initial=-np.inf)
        if whole == -np.inf:
            break
        path = viterbi(own, kinds, begin - np.float32(whole), steps, progress=ctx.progress)
        if not len(path.states):
            break
        shares = posterior(own, kinds[: len(path.states)], [steps], NEVER)
        residue = first + np.arange(len(path.states))
        confidence = shares[np.arange(len(path.states)), path.states]
        found.append(Placed(number, residue, path.states, confidence))
        free[path.states] = False
        score, first = score + path.log_probability, first + len(path.states)
    return found, score
