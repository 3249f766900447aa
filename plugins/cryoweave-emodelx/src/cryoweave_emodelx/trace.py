"""Traces without a sequence: bonds pruned until no point has more than two."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, Traces
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import directed, walks
from cryoweave_emodelx.hops import neighbour_score
from cryoweave_emodelx.stages import TraceParams


def traced(bonds: BondGraph, params: TraceParams, ctx: Context) -> Traces:
    """The best bonds first, where both points have less than two and no ring is closed; the longest trace first."""
    kept = pruned(bonds, neighbour_score(bonds), params.least)
    worth = neighbour_score(bonds)[kept]
    paths = [path for path in walks(len(bonds.points), bonds.pairs[kept].tolist()) if len(path) >= params.fewest]
    if not paths:
        raise StageError(f"no trace has {params.fewest} points", "lower `least` or `fewest`, or look at the points")
    forward = {(int(i), int(j)): float(f) for (i, j), f in zip(bonds.pairs[kept], bonds.forward[kept], strict=True)}
    score = {(int(i), int(j)): float(s) for (i, j), s in zip(bonds.pairs[kept], worth, strict=True)}
    paths = sorted((directed(path, forward) for path in paths), key=lambda path: -len(path))
    ctx.note("traces", len(paths))
    ctx.note("points on traces", sum(len(path) for path in paths))
    order = np.concatenate(paths)
    return Traces(
        bonds.points.xyz[order],
        bonds.points.weight[order],
        np.repeat(np.arange(len(paths), dtype=np.int32), [len(path) for path in paths]),
        np.zeros(len(paths), np.int32),
        np.array([sum(score[min(a, b), max(a, b)] for a, b in _bonds(path)) for path in paths]),
    )


def pruned(bonds: BondGraph, worth: NDArray[np.float64], least: float) -> NDArray[np.intp]:
    """Ascending indices of the bonds that stay; of equally good ones the first."""
    end = np.arange(len(bonds.points))
    degree = np.zeros(len(end), np.intp)
    kept = []
    for bond in np.argsort(-worth, kind="stable").tolist():
        i, j = bonds.pairs[bond].tolist()
        if worth[bond] < least:
            break
        # Of a path's end the other one is kept, so that a bond between the two ends of one path is seen as a ring.
        if degree[i] == 2 or degree[j] == 2 or end[i] == j:
            continue
        far_i, far_j = int(end[i]), int(end[j])
        end[far_i], end[far_j] = far_j, far_i
        degree[[i, j]] += 1
        kept.append(bond)
    return np.sort(np.array(kept, np.intp))


def _bonds(path: NDArray[np.intp]) -> list[tuple[int, int]]:
    return list(zip(path[:-1].tolist(), path[1:].tolist(), strict=True))
