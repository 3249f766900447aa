"""How far off points are and how much their amino acids are worth, learnt from what residues believe."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.hmm import Belief
from cryoweave_cryo2struct.sequences import LETTERS, Chains
from cryoweave_cryo2struct.shape import BOND
from cryoweave_cryo2struct.stages import BeamParams

FLOOR = 0.003
"""Added to every probability, so that no single point forbids a residue."""
SURE = 0.4
"""Share from which on a residue counts as placed."""
FEWEST = 20
"""Placed residues, or pairs of them, below which nothing is learnt."""
NEAR = (1.0, 7.0)
"""Å between two points in a row that may be a bond."""
ERRORS = (0.15, 1.5)
SHARPNESS = np.linspace(0.3, 4.0, 75)


@dataclass(frozen=True)
class Model:
    """What is assumed of the detector.

    Parameters
    ----------
    error
        Root mean square error of its points, Å.
    sharpness
        Factor on its log-odds of amino acids.
    usual
        Share of each kind among the residues to place, shape ``(20,)``.
    """

    error: float
    sharpness: float
    usual: NDArray[np.float64]

    @classmethod
    def of(cls, chains: list[Chains], params: BeamParams) -> "Model":
        """Before anything is learnt."""
        counts = np.ones(len(LETTERS))
        for chain in chains:
            counts += len(chain.numbers) * np.bincount(chain.kinds, minlength=len(LETTERS) + 1)[: len(LETTERS)]
        return cls(params.error, params.sharpness, counts / counts.sum())

    def log_odds(self, odds: NDArray[np.float64], sharpness: float) -> NDArray[np.float64]:
        """Calibrated: ``sharpness`` times the detector's, the chance of all kinds together being 1."""
        sharp = sharpness * odds
        return np.asarray(sharp - np.log((self.usual * np.exp(sharp)).sum(axis=1, keepdims=True)))

    def emission(self, odds: NDArray[np.float64], base: float) -> NDArray[np.float32]:
        """Gain of each kind at each point, ``(21, points)``; an unknown residue gains ``base``."""
        known = self.log_odds(odds, self.sharpness).T
        return np.concatenate([known + base, np.full((1, len(odds)), base)]).astype(np.float32)


def raw_odds(probability: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds against the mean over all points: a detector that calls a kind too often everywhere does no harm."""
    raised = probability + FLOOR
    return np.asarray(np.log(raised / np.average(raised, axis=0, weights=np.maximum(weight, 1e-6))))


def information(probability: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    """Nats that a point tells of its amino acid in the mean, against what all points say together."""
    raised = probability + FLOOR
    raised = raised / raised.sum(axis=1, keepdims=True)
    usual = np.average(raised, axis=0, weights=np.maximum(weight, 1e-6))
    return float((raised * np.log(raised / usual)).sum(axis=1).mean())


def learnt(
    model: Model,
    odds: NDArray[np.float64],
    xyz: NDArray[np.float64],
    chains: list[Chains],
    beliefs: list[Belief],
) -> Model:
    """The same with error and sharpness as residues that are placed show them.

    The sharpness is the one that makes the placed residues' kinds most likely; the error is that of their bonds.
    """
    kinds, nodes, bonds = [], [], []
    for chain, belief in zip(chains, beliefs, strict=True):
        node, share = belief.shares.argmax(axis=1), belief.shares.max(axis=1) * len(chain.numbers)
        placed = share > SURE
        # Of several copies, residues in a row may be best seen in different ones: those are no bonds.
        length = np.linalg.norm(np.diff(xyz[node], axis=0), axis=1)
        bonds.append(length[placed[1:] & placed[:-1] & (length > NEAR[0]) & (length < NEAR[1])])
        known = placed & (chain.kinds < len(LETTERS))
        kinds.append(chain.kinds[known])
        nodes.append(node[known])
    kind, node, bond = np.concatenate(kinds), np.concatenate(nodes), np.concatenate(bonds)
    if len(kind) >= FEWEST:
        own, seen = np.arange(len(kind)), odds[node]
        likely = [model.log_odds(seen, value)[own, kind].sum() for value in SHARPNESS]
        model = replace(model, sharpness=float(SHARPNESS[int(np.argmax(likely))]))
    if len(bond) >= FEWEST:
        # A distance has √(2/3) of the error of its ends along it.
        error = np.sqrt(np.mean((bond - BOND) ** 2) * 3 / 2)
        model = replace(model, error=float(np.clip(error, *ERRORS)))
    return model
