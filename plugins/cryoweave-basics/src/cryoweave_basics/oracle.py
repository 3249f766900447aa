"""What a detector of a chosen quality would find of a known model."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model, PointCloud
from cryoweave.data.residues import AMINO_ACIDS, letter_of
from cryoweave.errors import InputError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest
from cryoweave_basics.stages import OracleParams

APART = 2.0
"""Å: a detector merges what is closer, so a false point keeps so far from all others."""
AROUND = (2.0, 6.0)
"""Å from some Cα to a false point: in the density of side chains and neighbours, where detectors go wrong."""
TRIES = 50
"""For a false point that finds no room."""
CALLED, MISTAKEN = (0.5, 1.0), (0.3, 0.8)
"""Ranges of the probabilities of right and of false points: they overlap, as detectors' do."""


def points(model: Model, params: OracleParams, ctx: Context) -> PointCloud:
    """Cα with errors, some missing, false ones among them, each with probabilities of the amino acids."""
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    if not len(trace):
        raise InputError("the model has no Cα", "give a protein model")
    rng = np.random.default_rng(ctx.seed)
    seen = rng.random(len(trace)) >= params.missing
    if not seen.any():
        raise InputError("no point is left", "lower model.points.missing")
    # A root mean square length is √3 times the deviation along each axis.
    right = trace.xyz[seen] + rng.normal(0, params.error / np.sqrt(3), (int(seen.sum()), 3))
    false = _false(trace.xyz, right, round(params.false * len(trace)), rng)
    letters = np.array([letter_of(name) for name in trace.residue_name[seen].tolist()])
    probability = np.concatenate(
        [_amino_acids(letters, params.accuracy, rng), _amino_acids(np.full(len(false), "X"), params.accuracy, rng)]
    )
    weight = np.concatenate([rng.uniform(*CALLED, len(right)), rng.uniform(*MISTAKEN, len(false))])
    order = rng.permutation(len(weight))
    ctx.note("right points", len(right))
    ctx.note("false points", len(false))
    return PointCloud(
        np.concatenate([right, false])[order],
        weight[order].astype(np.float32),
        probabilities=probability[order].astype(np.float32),
        classes=tuple(AMINO_ACIDS),
    )


def _false(
    calpha: NDArray[np.float64], right: NDArray[np.float64], many: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Places around the chain that no other point is near to; fewer where there is no room."""
    found = right
    for _ in range(TRIES):
        wanted = many - (len(found) - len(right))
        if not wanted:
            break
        along = rng.normal(size=(wanted, 3))
        along *= rng.uniform(*AROUND, (wanted, 1)) / np.linalg.norm(along, axis=1, keepdims=True)
        for place in calpha[rng.integers(len(calpha), size=wanted)] + along:
            if nearest(found, place[None], 1)[1][0, 0] >= APART:
                found = np.concatenate([found, place[None]])
    return found[len(right) :]


def _amino_acids(letters: NDArray[np.str_], accuracy: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Probabilities whose largest is right in this share of the cases.

    Gumbel noise on logits that are ln(19 a / (1 − a)) for the right class and 0 for the others makes the right one the
    largest with the chance a (Gumbel 1954), and what is not the largest still tells something. An unknown one has none
    that is right.
    """
    classes = list(AMINO_ACIDS.values())
    right = letters[:, None] == np.array(classes)
    logits = np.where(right, np.log((len(classes) - 1) * accuracy / (1 - accuracy)), 0.0)
    raised = np.exp(logits + rng.gumbel(size=logits.shape))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))
