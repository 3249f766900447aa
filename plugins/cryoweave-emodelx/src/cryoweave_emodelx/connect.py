"""Short gaps between placed residues, by paths of free points."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.host import Context
from cryoweave.kernels.chains import bridged
from cryoweave_emodelx.chain import STEP, Chain
from cryoweave_emodelx.hops import Hops, Index
from cryoweave_emodelx.stages import AlignParams


class Ground(NamedTuple):
    """Points and bonds on which gaps are closed."""

    xyz: NDArray[np.float64]
    """Å, ``(n, 3)``."""
    hops: Hops
    bond: NDArray[np.float32]
    """What each step gains, ``(m,)``."""
    used: NDArray[np.bool_]
    """Points that hold a residue, ``(n,)``; changed."""


def connected(chain: Chain, ground: Ground, most: int, params: AlignParams, ctx: Context) -> None:
    """Residues missing between two placed ones, at most so many, on the best path of free points between them.

    Where there is none, gaps of few residues go on the line between, if the chain can be that long.
    """
    there = chain.placed()
    for a, b in zip(there[:-1].tolist(), there[1:].tolist(), strict=True):
        gap = b - a - 1
        if not 0 < gap <= most or chain.point[a] < 0 or chain.point[b] < 0:
            continue
        ctx.progress(0, 0)
        path = bridge(chain, ground, a, b)
        if path is not None:
            chain.put(np.arange(a + 1, b), path, ground.xyz)
            ground.used[path] = True
        else:
            chain.xyz[a : b + 1] = bridged(chain.xyz[a : b + 1], params.gap, STEP, params.slack)


def bridge(chain: Chain, ground: Ground, a: int, b: int) -> Index | None:
    """Free points for the residues between two placed ones: the best sum of cells and bonds; none if they do not join.

    Each point is at the end of its best path only, so that a path that would come twice to one is none.
    """
    hops, bond = ground.hops, ground.bond
    free = ~ground.used
    start, goal = int(chain.point[a]), int(chain.point[b])
    score = np.full(len(free), -np.inf)
    score[start] = 0.0
    came = []
    for residue in range(a + 1, b + 1):
        own = chain.own[:, residue] if residue < b else np.zeros(len(free), np.float32)
        able = free[hops.head] if residue < b else hops.head == goal
        steps = np.flatnonzero(able & np.isfinite(score[hops.tail]))
        value = score[hops.tail[steps]] + bond[steps] + own[hops.head[steps]]
        order = np.lexsort((steps, value))
        best = np.full(len(free), -1, np.intp)
        best[hops.head[steps[order]]] = steps[order]
        score = np.full(len(free), -np.inf)
        score[hops.head[steps[order]]] = value[order]
        came.append(best)
    path, at = [], goal
    for best in came[::-1]:
        if best[at] < 0:
            return None
        at = int(hops.tail[best[at]])
        path.append(at)
    points = np.array(path[-2::-1], np.intp)
    return points if len({*points.tolist()}) == len(points) else None
