"""From paths to residues: side-chain volume along the path against that of the sequence."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.align import thread_paths
from cryoweave_mainmast.pool import Candidate, pooled, the_sequence
from cryoweave_mainmast.stages import ThreadParams

VOLUME = {
    "A": 176.0, "R": 477.4, "N": 386.0, "D": 403.1, "C": 422.9, "Q": 398.3, "E": 425.6, "G": 115.3, "H": 504.1,
    "I": 312.3, "L": 300.2, "K": 322.2, "M": 440.6, "F": 518.6, "P": 317.6, "S": 257.2, "T": 315.3, "W": 748.1,
    "Y": 598.9, "V": 276.3,
}  # fmt: skip
"""Density that a side chain shows, by residue type: the table of the published ThreadCA."""
UNKNOWN_VOLUME = float(np.mean(list(VOLUME.values())))

HELIX_WEIGHTS = (1.0, 1.1, 1.2, 1.3)
STRAND_WEIGHTS = (0.7, 0.8, 0.9, 1.0)
"""Helices show more density and strands less: the published grid, tried in all pairs."""


def thread(traces: Traces, sequences: SequenceSet, params: ThreadParams, ctx: Context) -> Threading:
    """A pool of threadings of the one sequence onto the longest path of each candidate, forward and backward."""
    sequence = the_sequence(sequences)
    found = candidates_of(traces, sequence, params, ctx)
    if not found:
        raise too_short(traces, sequence)
    return pooled(sequences, found, params.pool, ctx)


def candidates_of(
    traces: Traces, sequence: Sequence, params: ThreadParams, ctx: Context, prefix: str = ""
) -> list[Candidate]:
    """Every threading onto the longest paths that have a node for each residue."""
    features = [(weights, sequence_feature(sequence, *weights)) for weights in weight_pairs(sequence)]
    found: list[Candidate] = []
    for candidate, fragments in traces.candidates():
        path = traces.points_of(fragments[0])
        xyz, weight = traces.xyz[path], traces.weight[path]
        if len(xyz) < len(sequence):
            continue
        volume = path_feature(xyz, weight, params)
        for direction in (1, -1):
            name = f"{prefix}tree {candidate}, {'forward' if direction == 1 else 'backward'}"
            found += threadings(xyz[::direction].copy(), volume[::direction], features, params, name, ctx)
    return found


def too_short(traces: Traces, sequence: Sequence) -> StageError:
    """What to say when no path has a node for every residue."""
    paths = [traces.points_of(fragments[0]) for _, fragments in traces.candidates()]
    longest = max((path.stop - path.start for path in paths), default=0)
    return StageError(
        f"the longest path has {longest} nodes, fewer than the {len(sequence)} residues of {sequence.name!r}",
        "lower the threshold, or trace with gaps and all components: recipe mainmast-plus",
    )


def weight_pairs(sequence: Sequence) -> list[tuple[float, float]]:
    """Weights of helix and strand to try; without known secondary structure there is nothing to weigh."""
    if not sequence.secondary_structure:
        return [(1.0, 1.0)]
    return [(helix, strand) for helix in HELIX_WEIGHTS for strand in STRAND_WEIGHTS]


def sequence_feature(sequence: Sequence, helix: float, strand: float) -> NDArray[np.float64]:
    """z-score of the weighted side-chain volume of each residue."""
    volume = np.array([VOLUME.get(letter, UNKNOWN_VOLUME) for letter in sequence.letters])
    by_structure = {"H": helix, "E": strand, "C": 1.0}
    weight = [by_structure[s] for s in sequence.secondary_structure] or [1.0]
    return z_score(volume * weight)


def path_feature(xyz: NDArray[np.float64], weight: NDArray[np.float32], params: ThreadParams) -> NDArray[np.float64]:
    """z-score of the density gathered around each node from the nodes of the path."""
    distance = np.linalg.norm(xyz[:, None] - xyz[None, :], axis=2)
    kernel = np.exp(-(distance**2) / (2 * params.fw**2)) / params.fw
    return z_score(np.where(distance <= params.gather, kernel, 0.0) @ weight.astype(np.float64))


def z_score(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values less their mean over their standard deviation; zeros if all are equal."""
    alike = np.ptp(values) <= 1e-9 * np.abs(values).max()  # rounding gives equal values a deviation of their own
    return np.zeros_like(values) if alike else (values - values.mean()) / values.std()


def threadings(
    xyz: NDArray[np.float64],
    volume: NDArray[np.float64],
    features: list[tuple[tuple[float, float], NDArray[np.float64]]],
    params: ThreadParams,
    name: str,
    ctx: Context,
) -> list[Candidate]:
    """Thread one path in one direction with every pair of weights."""
    match = np.stack([1 - np.abs(volume[:, None] - feature[None, :]) for _, feature in features])
    found = thread_paths(match, xyz, params.ab, params.wb, params.max_skip, ctx.progress)
    return [
        Candidate(float(score), f"{name}, helix {helix:g}, strand {strand:g}", np.arange(len(nodes)), xyz[nodes])
        for score, nodes, ((helix, strand), _) in zip(found.scores, found.nodes, features, strict=True)
    ]
