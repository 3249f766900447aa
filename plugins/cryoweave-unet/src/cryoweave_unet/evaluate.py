"""How well a network sees what is in a map whose model is known."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model, PointCloud, ProbabilityMaps
from cryoweave.errors import InputError
from cryoweave.kernels.candidates import candidates
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.metrics import match_points
from cryoweave_unet.classes import AMINO, BACKBONE, STRUCTURE

CLOSE = 3.0
"""Å within which a candidate and a Cα are one, as the field's tables have it."""
THRESHOLDS = (0.03, 0.05, 0.08, 0.1, 0.13, 0.16, 0.2, 0.25, 0.3, 0.4)
SEEN = 0.3
"""Backbone probability from which a native Cα counts as seen."""


MEANINGS = {
    "residues": "with a Cα in the model",
    "threshold": "Cα probability at which F1 is best, found with the model at hand; points.calpha takes 0.1",
    "recall": "model's Cα with a candidate within 3 Å, one to one, at that threshold",
    "precision": "candidates with a Cα of the model within 3 Å, one to one, at that threshold",
    "amino_top1": "model's Cα at which the right amino acid is the likeliest",
    "amino_top3": "model's Cα at which it is among the three likeliest",
    "backbone": "model's Cα with a backbone probability of at least 0.3",
    "f1": "harmonic mean of recall and precision",
}
"""Of each figure."""


@dataclass(frozen=True)
class Figures:
    """What was found of a protein.

    Parameters
    ----------
    residues
        With a Cα in the model.
    threshold, recall, precision
        At the threshold of the best F1: Cα candidates one to one within 3 Å.
    amino_top1, amino_top3
        Share of native Cα at which the right amino acid is the likeliest, or among the three likeliest.
    backbone
        Share of native Cα with a backbone probability of at least 0.3.
    """

    residues: int
    threshold: float
    recall: float
    precision: float
    amino_top1: float
    amino_top3: float
    backbone: float

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        return harmonic(self.recall, self.precision)


def harmonic(one: float, other: float) -> float:
    """Harmonic mean, 0 if both are."""
    return 2 * one * other / (one + other) if one + other else 0.0


def figures_of(maps: ProbabilityMaps, model: Model) -> Figures:
    """Compare the maps of a network with the model.

    Raises
    ------
    InputError
        If the model has no Cα atom in the maps.
    """
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    if not len(trace) or not maps.frame.contains(trace.xyz).any():
        raise InputError("the model has no Cα atom in the map", "does it belong to this map?")
    cloud = calpha(maps, THRESHOLDS[0])
    threshold, recall, precision = max(
        (_agreement(cloud, trace, threshold) for threshold in THRESHOLDS),
        key=lambda one: harmonic(one[1], one[2]),
    )
    rank = amino_ranks(maps, trace)
    seen = interpolate(maps.of(BACKBONE).values, maps.frame, trace.xyz) >= SEEN
    return Figures(
        len(trace),
        threshold,
        recall,
        precision,
        float((rank < 1).mean()) if len(rank) else np.nan,
        float((rank < 3).mean()) if len(rank) else np.nan,
        float(seen.mean()),
    )


def calpha(maps: ProbabilityMaps, threshold: float) -> PointCloud:
    """Candidates as ``points.calpha`` finds them."""
    classes = (*STRUCTURE, *AMINO)
    return candidates(maps, "CA", classes, threshold=threshold)


def _agreement(cloud: PointCloud, trace: Model, threshold: float) -> tuple[float, float, float]:
    some = cloud.xyz[cloud.weight >= threshold]
    matched = len(match_points(some, trace.xyz, CLOSE).pairs)
    return threshold, matched / len(trace), matched / max(len(some), 1)


def amino_ranks(maps: ProbabilityMaps, trace: Model) -> NDArray[np.intp]:
    """How many amino acids are likelier than the right one at each native Cα of a standard residue."""
    known = np.isin(trace.residue_name, AMINO)
    xyz = trace.xyz[known]
    table = np.stack([interpolate(maps.of(name).values, maps.frame, xyz) for name in AMINO], axis=1)
    right = np.array([AMINO.index(name) for name in trace.residue_name[known].tolist()], np.intp)
    found: NDArray[np.intp] = (table > table[np.arange(len(right)), right][:, None]).sum(axis=1)
    return found
