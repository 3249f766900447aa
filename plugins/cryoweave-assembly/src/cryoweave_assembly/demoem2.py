"""Chains and domains fitted by quasi-Newton searches, the best combination of their poses, all refined at last."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.fitted import contour_of, resolution_of
from cryoweave.kernels.fitting import points_of
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.rigid import Candidates, measure_poses
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.symmetry import symmetry_of
from cryoweave_assembly.bent import Field, Kind, Placed, bent, climbed, kind_of, models_of
from cryoweave_assembly.clashes import clash_shares
from cryoweave_assembly.groups import grouped
from cryoweave_assembly.refine import Part, part_of, refined_together
from cryoweave_assembly.solver import Problem, best_set
from cryoweave_assembly.stages import DemoParams

DRAWN = 10
"""Random poses of which one, the best, is a start."""
FEW = 30
"""Quasi-Newton steps of every start; the best go on."""
ONWARD = 10
"""How many places go on for each pose that is kept."""
ROUGH = 1.5
"""Voxels of the map for each of the chain, where random poses are compared."""
FORBIDDEN = 0.5
"""Share of residues in a clash above which two poses exclude each other."""


@dataclass(eq=False)
class Pool:
    """Poses of all chains to combine."""

    kinds: list[Kind]
    poses: list[Placed]

    def traces(self) -> list[NDArray[np.float64]]:
        """Cα of each pose."""
        rows = [nearest(kind.everything, kind.group.trace, 1)[0][:, 0] for kind in self.kinds]
        return [one.xyz(self.kinds)[rows[one.kind]] for one in self.poses]


def assembled(density: DensityMap, models: ModelSet, params: DemoParams, ctx: Context) -> Model:
    """The complex; confidence is each chain's correlation with the map's curvature."""
    resolution, contour = resolution_of(params.resolution), contour_of(density, params.contour)
    kinds = [kind_of(models, group, density, False, params.domain) for group in grouped(models)]
    most = np.array([params.copies * len(kind.group.members) for kind in kinds], np.intp)
    pool = Pool(kinds, _pool(density, resolution, contour, kinds, most, params, ctx))
    if not pool.poses:
        raise StageError("no chain fits the map", "is the resolution right? Raise starts, or see `cryoweave check`")
    chosen = _combination(pool, most, params, ctx)
    if len(chosen) < most.sum():
        ctx.log.warning("%d chains found no place", int(most.sum()) - len(chosen))
    placed = _refined(density, kinds, chosen, resolution, params, ctx)
    return joined_models(with_own_chains(models_of(models, kinds, placed, ctx)))


def _pool(
    density: DensityMap,
    resolution: float,
    contour: float,
    kinds: list[Kind],
    most: NDArray[np.intp],
    params: DemoParams,
    ctx: Context,
) -> list[Placed]:
    """The best poses of each chain in the whole map, then in what the best of all leave, the largest chain first."""
    whole = Field(density, resolution, False, contour)
    rest = Field(density, resolution, False, contour)
    order = sorted(range(len(kinds)), key=lambda k: -len(kinds[k].group.trace))
    found = [one for k in order for one in _fitted(whole, kinds[k], k, params, int(most[k]), ctx)]
    for k in order:
        mine = [one for one in found if one.kind == k]
        for copy in range(int(most[k])):
            best = max(mine, key=lambda one: one.score, default=None) if not copy and k == order[0] else None
            if best is None:
                more = _fitted(rest, kinds[k], k, params, 1, ctx)
                found += more
                best = max(more, key=lambda one: one.score, default=None)
            if best is not None:
                rest.cut(best.xyz(kinds))
    return found


def _fitted(field: Field, kind: Kind, k: int, params: DemoParams, copies: int, ctx: Context) -> list[Placed]:
    """Random poses in the density, the better ones climbed a little, the best to the end, bent at their domains."""
    inside = np.argwhere(field.inside)
    if not len(inside):
        return []
    rng = np.random.default_rng([ctx.seed, k, len(inside)])
    count = DRAWN * params.starts
    turns = random_rotations(count, int(rng.integers(2**31)))
    there = field.map.frame.to_xyz(inside[rng.integers(0, len(inside), count)])
    drawn = Candidates(turns, there - turns @ kind.atoms.middle(), np.zeros(count))
    points = points_of(field.shape(kind.atoms, ROUGH * field.voxel, ROUGH * field.voxel))
    score = measure_poses(field.map, points, *drawn[:2]).correlation
    promising = np.argsort(-score, kind="stable")[: params.starts]
    starts = drawn.select(promising)
    kept = params.poses * copies
    for steps, number in ((FEW, ONWARD * kept), (60, kept)):
        better = climbed(field, kind.atoms, starts, ctx, steps).best_first()
        starts = better.distinct(kind.group.trace, rmsd=field.resolution / 2, most=number)
    rows = zip(*starts, strict=True)
    return [bent(field, kind, k, (turn, shift), float(score), params.bend, ctx) for turn, shift, score in rows]


def _combination(pool: Pool, most: NDArray[np.intp], params: DemoParams, ctx: Context) -> list[Placed]:
    """The set of poses of least energy: minus correlation by residue, and clashes."""
    sizes = np.array([len(pool.kinds[one.kind].group.trace) for one in pool.poses], np.float64)
    share = clash_shares(pool.traces(), ctx.progress)
    smaller = np.minimum(sizes[:, None], sizes[None])
    cost = params.clash_weight * share * smaller
    cost[share > FORBIDDEN] = np.inf
    np.fill_diagonal(cost, 0.0)
    gain = np.array([one.score for one in pool.poses]) * sizes
    problem = Problem(gain, cost, np.array([one.kind for one in pool.poses], np.intp), most)
    found = best_set(problem, params.seconds, ctx.seed, ctx.progress)
    ctx.note("combined poses", len(gain))
    ctx.note("gap", round(found.gap, 6))
    if not len(found.chosen):
        raise StageError("no pose correlates with the map", "is the resolution right? Raise starts")
    return [pool.poses[i] for i in found.chosen]


def _refined(
    density: DensityMap,
    kinds: list[Kind],
    chosen: list[Placed],
    resolution: float,
    params: DemoParams,
    ctx: Context,
) -> list[Placed]:
    """All domains of all chains refined together, each against what the others leave."""
    parts: list[Part] = []
    for one in chosen:
        group = kinds[one.kind].group
        pairs = zip(kinds[one.kind].parts, one.poses, strict=True)
        parts += [part_of(group.names[0], atoms, pose, resolution) for atoms, pose in pairs]
    symmetry = symmetry_of("C1", density.frame)
    share, _ = refined_together(density, parts, symmetry, resolution, params.cycles, ctx.progress)
    ctx.note("curvature explained", round(share, 3))
    ctx.note("placed", len(chosen))
    placed, at = [], 0
    for one in chosen:
        mine = parts[at : at + len(one.poses)]
        at += len(one.poses)
        placed.append(Placed(one.kind, tuple((part.rotation, part.translation) for part in mine), one.score))
    return placed
