"""Chains fitted to the main-chain map, bent at their domains, and the best compatible set of them, cycle by cycle."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.fitted import contour_of, resolution_of
from cryoweave.kernels.fitting import (
    box_around,
    candidates,
    grown,
    radius_of,
    template_of,
)
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.rotations import uniform_rotations
from cryoweave.kernels.search import rotational_search
from cryoweave_assembly.bent import Field, Kind, Placed, bent, climbed, kind_of, models_of
from cryoweave_assembly.clashes import clash_shares
from cryoweave_assembly.groups import grouped
from cryoweave_assembly.solver import Problem, best_set
from cryoweave_assembly.stages import EMBuildParams


def assembled(density: DensityMap, models: ModelSet, params: EMBuildParams, ctx: Context) -> Model:
    """The complex; confidence is each chain's correlation with the map."""
    resolution, contour = resolution_of(params.resolution), contour_of(density, params.contour)
    field = Field(density, resolution, params.detected, contour)
    groups = grouped(models)
    kinds = [kind_of(models, group, density, params.detected, params.domain) for group in groups]
    ctx.note("domains", sum(len(kind.parts) for kind in kinds))
    left = np.array([params.copies * len(kind.group.members) for kind in kinds], np.intp)
    placed: list[Placed] = []
    cycles = 0
    while left.any() and cycles < params.cycles:
        cycles += 1
        pool = [one for k in np.flatnonzero(left) for one in _fitted(field, kinds[k], int(k), params, ctx)]
        chosen = _compatible(pool, placed, kinds, left, params, ctx)
        if not chosen:
            break
        best = max(one.score for one in chosen)
        sure = [one for one in chosen if one.score >= params.sure * best] if cycles < params.cycles else chosen
        for one in sure:
            field.cut(one.xyz(kinds))
            left[one.kind] -= 1
        placed += sure
    ctx.note("cycles", cycles)
    if not placed:
        raise StageError("no chain fits the map", "is the resolution right? See `cryoweave check`")
    if left.any():
        ctx.log.warning("%d chains found no place", int(left.sum()))
    return joined_models(with_own_chains(models_of(models, kinds, placed, ctx)))


def _fitted(field: Field, kind: Kind, k: int, params: EMBuildParams, ctx: Context) -> list[Placed]:
    """The best poses of a chain in what is left of the map, bent at its domains."""
    if not field.inside.any():
        return []
    voxel = field.voxel
    middle = kind.atoms.middle()
    template = template_of(field.shape(kind.atoms, voxel / 1.5, 2 * voxel), middle)
    box = box_around(field.map, field.inside, grown(field.inside, 2), radius_of(template))
    turns = uniform_rotations(params.angle_step).matrices
    found = rotational_search(box.target, template, "cosine", turns, ctx.progress, ctx.spread)
    starts = candidates(found, box, turns, middle)
    starts = starts.distinct(kind.group.trace, rmsd=field.resolution, most=params.refined)
    better = climbed(field, kind.atoms, starts, ctx).best_first()
    kept = better.distinct(kind.group.trace, rmsd=field.resolution / 2, most=params.poses)
    rows = zip(*kept, strict=True)
    return [bent(field, kind, k, (turn, shift), float(score), params.bend, ctx) for turn, shift, score in rows]


def _compatible(
    pool: list[Placed],
    placed: list[Placed],
    kinds: list[Kind],
    left: NDArray[np.intp],
    params: EMBuildParams,
    ctx: Context,
) -> list[Placed]:
    """The heaviest set of poses of which no two clash: a pose weighs its score times its residues."""
    sizes = np.array([len(kind.group.trace) for kind in kinds])
    rows = [nearest(kind.everything, kind.group.trace, 1)[0][:, 0] for kind in kinds]
    stand = [one.xyz(kinds)[rows[one.kind]] for one in placed]
    traces = [one.xyz(kinds)[rows[one.kind]] for one in pool]
    if not traces:
        return []
    share = clash_shares([*traces, *stand], ctx.progress)
    n = len(pool)
    free = np.all(share[:n, n:] <= params.clash, axis=1) & np.array([one.score > 0 for one in pool])
    kept = np.flatnonzero(free)
    group = np.array([pool[i].kind for i in kept], np.intp)
    cost = np.where(share[np.ix_(kept, kept)] > params.clash, np.inf, 0.0)
    gain = np.array([pool[i].score * sizes[pool[i].kind] for i in kept])
    if not len(kept):
        return []
    found = best_set(Problem(gain, cost, group, left), params.seconds, ctx.seed, ctx.progress)
    ctx.note("gap", round(max(found.gap, float(ctx.facts.get("gap", 0.0))), 6))
    return [pool[kept[i]] for i in found.chosen]
