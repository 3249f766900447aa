"""The path through all pseudo-atoms."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, PointCloud, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import along_bonds
from cryoweave.kernels.graph import neighbour_pairs
from cryoweave.kernels.routes import find_routes, linked_pieces
from cryoweave_pathwalking.points import threshold_of
from cryoweave_pathwalking.stages import TraceParams

PLACES = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Of a bond, where its density is taken."""
CAP = 100_000.0
"""No bond costs more."""
ALL = 1e7
"""Cost of a pseudo-atom that is left out: more than any way to it."""
HOT, COLD = 2000.0, 5.0
"""Temperatures at the search's start and end, in units of cost: a bond that is 1 Å too long costs 100."""


def walked(density: DensityMap, points: PointCloud, params: TraceParams, ctx: Context) -> Traces:
    """One path for each subunit through all pseudo-atoms; cut where it goes farther than the longest bond."""
    if len(points) < 2:
        raise StageError(f"there are {len(points)} pseudo-atoms, and no path", "lower the threshold of the points")
    pairs, length = neighbour_pairs(points.xyz, params.longest, progress=ctx.progress)
    mean = along_bonds(density, points.xyz, pairs, PLACES, ctx.progress)[1]
    threshold = threshold_of(density) if params.threshold is None else params.threshold
    costs = bond_costs(length, mean.astype(np.float64), threshold, params)
    found = find_routes(
        len(points),
        pairs,
        costs,
        vehicles=params.subunits,
        drop=ALL,
        apart=CAP,
        restarts=params.restarts,
        steps=params.effort * len(points),
        hot=HOT,
        cold=COLD,
        seed=ctx.seed,
        progress=ctx.progress,
    )[0]
    linked = linked_pieces(found.routes, pairs, costs)
    pieces, score = [piece for piece, _ in linked], [-cost for _, cost in linked]
    ctx.note("cost", round(found.cost, 1))
    ctx.note("fragments", len(pieces))
    order = np.concatenate(pieces)
    fragment = np.repeat(np.arange(len(pieces), dtype=np.int32), [len(piece) for piece in pieces])
    return Traces(
        points.xyz[order], points.weight[order], fragment, np.zeros(len(pieces), np.int32), np.array(score, np.float64)
    )


def bond_costs(
    length: NDArray[np.float64], mean: NDArray[np.float64], threshold: float, params: TraceParams
) -> NDArray[np.float64]:
    """What each bond costs by its length (Å) and the mean density along it."""
    off = np.abs(length - params.average) * 100
    inside = (length >= params.shortest) & (length <= params.longest)
    weak = np.where(mean < threshold, 2.0, 1.0)
    # No density at all costs as much as a bond can.
    density = np.where(mean > 0, weak * threshold / (np.maximum(mean, 0) + 1e-4) * params.weight, CAP)
    return np.asarray(np.minimum(np.where(inside, off, off**2) + np.maximum(density, 0), CAP))
