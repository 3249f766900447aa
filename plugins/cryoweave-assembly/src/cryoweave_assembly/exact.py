"""All chains of a complex placed at once: the best set of poses, proven, and which chains it leaves in doubt."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet, Poses
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.fitted import atoms_of, contour_of, resolution_of
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.rigid import distinct_poses
from cryoweave.kernels.symmetry import Symmetry, symmetry_of
from cryoweave_assembly.clashes import CLOSE, clash_shares
from cryoweave_assembly.explain import Pose, Terms, best_scale, field_of, quick_fit, template_of, terms
from cryoweave_assembly.groups import Group, apart, as_first, as_member, copies_of, grouped, moved
from cryoweave_assembly.inputs import orbits
from cryoweave_assembly.refine import Part, part_of, refined_together
from cryoweave_assembly.solver import Problem, Solution, best_set
from cryoweave_assembly.stages import ExactParams

SAME = 0.25
"""Poses of models of one sequence that are nearer than this share of the resolution are one."""
ROUNDS = 4
"""Most times that scale and choice are found from each other."""
STEADY = 0.03
"""Relative change of the scale that is none."""


@dataclass(frozen=True, eq=False)
class Sites:
    """Placements to choose from, as poses of the first model of their group."""

    group: NDArray[np.intp]
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    score: NDArray[np.float64]
    """0 to 1, the best of its model."""

    def select(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> "Sites":
        """Some of them."""
        return Sites(self.group[which], self.rotation[which], self.translation[which], self.score[which])

    def pose(self, i: int) -> Pose:
        """One pose."""
        return self.rotation[i], self.translation[i]


@dataclass(frozen=True, eq=False)
class Task:
    """What is known before poses are chosen."""

    density: DensityMap
    models: ModelSet
    groups: list[Group]
    atoms: list[Atoms]
    """Of the first model of each group."""
    symmetry: Symmetry
    resolution: float
    params: ExactParams

    def most(self) -> NDArray[np.intp]:
        """How many placements of each group, each with its copies by symmetry."""
        counts = [orbits(self.params.copies, len(group.members), self.symmetry) for group in self.groups]
        return np.array(counts, np.intp)


def exact(density: DensityMap, models: ModelSet, poses: Poses, params: ExactParams, ctx: Context) -> Model:
    """The set of poses that together explain most of the map, refined together."""
    task = task_of(density, models, params)
    if not len(poses):
        raise StageError("there is no pose to choose from", "see what the search before it gave")
    sites = sites_of(task, poses)
    sites, problem, solution = choose(task, sites, ctx)
    _report(task, sites, problem, solution, ctx)
    return built(task, sites.select(solution.chosen), ctx)


def task_of(density: DensityMap, models: ModelSet, params: ExactParams) -> Task:
    """Inputs, checked."""
    resolution = resolution_of(params.resolution)
    contour_of(density, None)
    if params.forbidden < params.clash:
        raise InputError(
            f"forbidden is {params.forbidden:g}, less than clash, {params.clash:g}", "give a larger forbidden"
        )
    groups = grouped(models)
    atoms = [atoms_of(group.names[0], models.of(group.names[0])) for group in groups]
    return Task(density, models, groups, atoms, symmetry_of(params.symmetry, density.frame), resolution, params)


def sites_of(task: Task, poses: Poses) -> Sites:
    """Distinct poses by sequence, the best first."""
    unknown = sorted(set(poses.model.tolist()) - set(task.models.names))
    if unknown:
        raise InputError(f"poses are of {unknown[0]!r}, which is not among the models", "give the models of the poses")
    parts = []
    for g, group in enumerate(task.groups):
        rows = []
        for member in group.members:
            mine = np.flatnonzero(poses.model == member.name)
            turn, shift = as_first(member, poses.rotation[mine], poses.translation[mine])
            score = poses.score[mine]
            best = score.max(initial=0.0)
            rows.append((turn, shift, np.clip(score / best, 0, 1) if best > 0 else np.zeros(len(mine))))
        turn, shift, score = (np.concatenate(column) for column in zip(*rows, strict=True))
        order = np.argsort(-score, kind="stable")
        if len(order):
            near = SAME * task.resolution
            order = order[distinct_poses(turn[order], shift[order], group.trace, rmsd=near).first]
        parts.append(Sites(np.full(len(order), g), turn[order], shift[order], score[order]))
    return Sites(*(np.concatenate([getattr(part, name) for part in parts]) for name in Sites.__dataclass_fields__))


def choose(task: Task, sites: Sites, ctx: Context) -> tuple[Sites, Problem, Solution]:
    """The placements that explain anything, and the best set of these."""
    field = field_of(task.density, task.resolution)
    sites = sites.select(_whole(task, sites))
    fit, norm = _quick(task, sites, field)
    first = _first(sites)
    scale = float(fit[first].sum() / norm[first].sum())
    if scale <= 0:
        raise StageError("no pose explains any of the map", "are the poses of this map, is the resolution right?")
    sites = sites.select(_promising(task, sites, _gains(task, sites, fit, norm, scale)))
    placements = [copies_of(task.symmetry, *sites.pose(i)) for i in range(len(sites.group))]
    templates = [template_of(atoms, task.resolution) for atoms in task.atoms]
    found = terms(field, [templates[g] for g in sites.group], placements, ctx.progress)
    traces = [
        np.concatenate([moved(task.groups[g].trace, pose) for pose in poses])
        for g, poses in zip(sites.group, placements, strict=True)
    ]
    share = clash_shares(traces, ctx.progress)
    for _ in range(ROUNDS):
        problem = problem_of(task, sites, found, share, scale)
        solution = best_set(problem, task.params.seconds, ctx.seed, ctx.progress)
        before, scale = scale, best_scale(found, solution.chosen)
        if not len(solution.chosen) or scale <= 0 or abs(scale - before) <= STEADY * before:
            break
    if not len(solution.chosen):
        raise StageError("no pose explains enough of the map", "search again with more poses, or raise score_weight")
    ctx.note("poses considered", len(sites.group))
    return sites, problem, solution


def _quick(task: Task, sites: Sites, field: DensityMap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit and norm of each placement, without those of pairs."""
    fit, norm = np.zeros(len(sites.group)), np.zeros(len(sites.group))
    for g, atoms in enumerate(task.atoms):
        mine = np.flatnonzero(sites.group == g)
        placements = [copies_of(task.symmetry, *sites.pose(int(i))) for i in mine]
        fit[mine], norm[mine] = quick_fit(field, atoms, task.resolution, placements)
    return fit, norm


def _first(sites: Sites) -> NDArray[np.intp]:
    """The best of each group."""
    return np.unique(sites.group, return_index=True)[1]


def _whole(task: Task, sites: Sites) -> NDArray[np.bool_]:
    """Placements whose copies by symmetry do not clash with each other."""
    fine = np.ones(len(sites.group), bool)
    if len(task.symmetry) == 1:
        return fine
    for i, g in enumerate(sites.group):
        first, *others = (moved(task.groups[g].trace, pose) for pose in copies_of(task.symmetry, *sites.pose(i)))
        _, distance = nearest(np.concatenate(others), first, 1)
        fine[i] = np.mean(distance < CLOSE) <= task.params.forbidden
    if not fine.any():
        raise StageError(
            f"every pose clashes with its own copies by {task.params.symmetry}", "is the symmetry right? Try C1"
        )
    return fine


def _gains(
    task: Task, sites: Sites, fit: NDArray[np.float64], norm: NDArray[np.float64], scale: float
) -> NDArray[np.float64]:
    """What each adds alone: squares of the map's curvature that it explains, and its own score."""
    return np.asarray(2 * scale * fit - scale**2 * norm + task.params.score_weight * sites.score * scale**2 * norm)


def _promising(task: Task, sites: Sites, gain: NDArray[np.float64]) -> NDArray[np.intp]:
    """The placements of each group that gain most, if they gain at all; at least the best."""
    kept = []
    for g, group in enumerate(task.groups):
        mine = np.flatnonzero(sites.group == g)
        order = mine[np.argsort(-gain[mine], kind="stable")][: task.params.poses * len(group.members)]
        kept.append(order[(gain[order] > 0) | (np.arange(len(order)) == 0)])
    return np.concatenate(kept)


def problem_of(task: Task, sites: Sites, found: Terms, share: NDArray[np.float64], scale: float) -> Problem:
    """The sum of squares of the map's curvature that a set of placements explains, as gains and costs."""
    gain = _gains(task, sites, found.fit, found.norm, scale)
    cost = 2 * scale**2 * np.maximum(found.both, 0.0)
    smaller = scale**2 * np.minimum(found.norm[:, None], found.norm[None])
    cost = cost + np.maximum(share - task.params.clash, 0.0) * smaller
    cost[share > task.params.forbidden] = np.inf
    np.fill_diagonal(cost, 0.0)
    return Problem(gain, cost, sites.group, task.most())


def _report(task: Task, sites: Sites, problem: Problem, solution: Solution, ctx: Context) -> None:
    """Gap, doubts and what is missing."""
    ctx.note("gap", round(solution.gap, 6))
    doubtful = []
    names = _names(task, sites.select(solution.chosen))
    for i, name in zip(solution.chosen, names, strict=True):
        margin = _margin(task, sites, problem, solution, int(i), ctx)
        if margin is not None:
            doubtful.append(name)
            ctx.log.warning(
                "%s is ambiguous: with another pose of it only %.0f %% of what it explains are lost", name, 100 * margin
            )
    ctx.note("ambiguous", ", ".join(doubtful) or "none")
    for g, group in enumerate(task.groups):
        wanted = int(problem.most[g]) * len(task.symmetry)
        placed = int(np.sum(sites.group[solution.chosen] == g)) * len(task.symmetry)
        if placed < wanted:
            ctx.log.warning("%d of %d copies of %s found no place that explains more of the map",
                            wanted - placed, wanted, " or ".join(group.names))  # fmt: skip
            ctx.note(f"missing {group.names[0]}", wanted - placed)


def _margin(task: Task, sites: Sites, problem: Problem, solution: Solution, i: int, ctx: Context) -> float | None:
    """What is lost with another pose, as a share of what this one adds; None if that is more than ``ambiguous``."""
    rest = solution.chosen[solution.chosen != i]
    own = solution.value - problem.value(rest)
    group = task.groups[sites.group[i]]
    here = moved(group.trace, sites.pose(i))
    mine = np.flatnonzero(sites.group == sites.group[i])
    copies = [copies_of(task.symmetry, *sites.pose(int(j))) for j in mine]
    away = np.array([min(apart(group, here, moved(group.trace, pose)) for pose in poses) for poses in copies])
    kept = np.setdiff1d(np.arange(len(sites.group)), mine[away < task.resolution])
    least = solution.value - task.params.ambiguous * own
    other = best_set(problem.only(kept), task.params.seconds, ctx.seed, ctx.progress, least)
    if not len(other.chosen) and other.bound >= least:
        ctx.log.warning("whether a model is ambiguous was not decided within the limit: raise seconds")
        ctx.note("undecided", int(ctx.facts.get("undecided", 0)) + 1)
    return max(0.0, (solution.value - other.value) / own) if len(other.chosen) else None


def _names(task: Task, sites: Sites) -> list[str]:
    """The model that each placement gets: those of a group in turn."""
    counts = [0] * len(task.groups)
    names = []
    for g in sites.group.tolist():
        members = task.groups[g].members
        names.append(members[counts[g] % len(members)].name)
        counts[g] += 1
    return names


def built(task: Task, sites: Sites, ctx: Context) -> Model:
    """The chosen placements, refined together, as one model."""
    parts: list[Part] = []
    for i, name in enumerate(_names(task, sites)):
        group = task.groups[sites.group[i]]
        member = next(one for one in group.members if one.name == name)
        pose = as_member(member, *sites.pose(i))
        parts.append(part_of(name, atoms_of(name, task.models.of(name)), pose, task.resolution))
    share, moved_at_last = refined_together(
        task.density, parts, task.symmetry, task.resolution, task.params.cycles, ctx.progress
    )
    ctx.note("curvature explained", round(share, 3))
    ctx.log.info("in the last cycle no model moved farther than %.2f Å", moved_at_last)
    placed = []
    for part in parts:
        model = task.models.of(part.name)
        placed += [
            replace(model, xyz=moved(model.xyz, pose))
            for pose in copies_of(task.symmetry, part.rotation, part.translation)
        ]
    ctx.note("placed", len(placed))
    return joined_models(with_own_chains(placed))
