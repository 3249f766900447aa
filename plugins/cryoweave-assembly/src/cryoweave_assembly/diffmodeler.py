"""Chains placed one after the other: the best pose of all, its density masked away, the others again."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.host import Context
from cryoweave.kernels.fitted import atoms_of, contour_of, require_room, resolution_of
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.rigid import Candidates
from cryoweave.kernels.rotations import local_rotations, uniform_rotations
from cryoweave_assembly.clashes import CLOSE
from cryoweave_assembly.explain import Pose
from cryoweave_assembly.groups import Group, as_member, grouped, moved
from cryoweave_assembly.ldp import Chain, Cloud, agreement, chain_of, dense_points, recall, refined, searched
from cryoweave_assembly.stages import DiffModelerParams

BEST = 0.2
"""Share of all poses whose score is the cutoff."""
CUTOFF = (50.0, 60.0)
"""Between which the cutoff lies."""
BONUS = 5.0
"""Score that the longest chain gets on top, others in proportion."""
TURN, STEP = 20.0, 10.0
"""Degrees about a pose within which it is tried again, and of the starts of these trials."""


@dataclass(eq=False)
class State:
    """What is placed, and what is left."""

    groups: list[Group]
    chains: list[Chain]
    left: list[int]
    clouds: list[Cloud]
    best: float = 0.0
    """Highest agreement of any pose."""
    taken: list[NDArray[np.float64]] = field(default_factory=list)
    placed: list[tuple[int, Pose, float]] = field(default_factory=list)
    """Group, pose, score."""

    def score(self, g: int, poses: Candidates, params: DiffModelerParams) -> NDArray[np.float64]:
        """0 to 100: share of residues on points; of a map itself half of it how well its ridges agree."""
        covered = recall(self.clouds[0], self.chains[g], poses)
        if params.detected:
            return np.asarray(100 * covered)
        agreed = agreement(self.clouds[0], self.chains[g], poses)
        self.best = max(self.best, float(agreed.max(initial=0.0))) if not self.placed else self.best
        return np.asarray(50 * covered + 50 * np.minimum(agreed / max(self.best, 1e-9), 1.0))

    def bonus(self, g: int) -> float:
        """For long chains."""
        return BONUS * len(self.chains[g].trace) / max(len(chain.trace) for chain in self.chains)

    def clash(self, g: int, pose: Pose) -> float:
        """Share of residues that are close to what is placed."""
        if not self.taken:
            return 0.0
        _, distance = nearest(np.concatenate(self.taken), moved(self.chains[g].trace, pose), 1)
        return float(np.mean(distance < CLOSE))


def assembled(density: DensityMap, models: ModelSet, params: DiffModelerParams, ctx: Context) -> Model:
    """The complex, chain by chain; confidence is each chain's score."""
    state = _start(density, models, params, ctx)
    turns = uniform_rotations(params.angle_step).matrices
    pools = [_poses(state, g, turns, params, ctx) for g in range(len(state.groups))]
    everything = np.sort(np.concatenate([pool.score for pool in pools]))[::-1]
    cutoff = float(np.clip(everything[int(BEST * len(everything))], *CUTOFF))
    ctx.note("cutoff", round(cutoff, 1))
    again = 0
    while any(state.left):
        ctx.progress(len(state.placed), len(state.placed) + sum(state.left))
        g = _next(state, pools)
        pool = pools[g]
        if not len(pool.score) or pool.score[0] < cutoff:
            pose, score = _global(state, g, turns, params, ctx)
            again += 1
        else:
            pose, score = _local(state, g, pool.select(slice(1)), params, ctx)
        _place(state, g, pose, score)
        pools = [_clear(state, i, one, params) for i, one in enumerate(pools)]
    ctx.note("searched again", again)
    return _model(state, models, ctx)


def _start(density: DensityMap, models: ModelSet, params: DiffModelerParams, ctx: Context) -> State:
    resolution = resolution_of(params.resolution)
    contour = contour_of(density, params.contour)
    groups = grouped(models)
    chains = []
    for group in groups:
        model = models.of(group.names[0])
        atoms = atoms_of(group.names[0], model)
        require_room(group.names[0], atoms, density)
        chains.append(chain_of(model, atoms, group.trace))
    widths = (2.0,) if params.fast else (2.0, 1.0)
    clouds = [dense_points(density, contour, width, resolution, params.detected, ctx) for width in widths]
    ctx.note("points", len(clouds[0].xyz))
    return State(groups, chains, [params.copies * len(group.members) for group in groups], clouds)


def _poses(state: State, g: int, turns: NDArray[np.float64], params: DiffModelerParams, ctx: Context) -> Candidates:
    """Refined poses of a chain on what is left, the best first."""
    chain = state.chains[g]
    found = Candidates.joined([searched(cloud, chain, turns, ctx) for cloud in state.clouds])
    own = found.score / max(float(found.score.max()), 1e-12)
    found = found._replace(score=recall(state.clouds[0], chain, found) + own)
    found = found.best_first().select(slice(20 * params.refined))
    found = found._replace(score=state.score(g, found, params)).best_first()
    far = 2 * state.clouds[0].spread
    better = refined(state.clouds[0], chain, found.distinct(chain.trace, rmsd=far, most=params.refined), ctx)
    return better._replace(score=state.score(g, better, params)).best_first().distinct(chain.trace, rmsd=far)


def _next(state: State, pools: list[Candidates]) -> int:
    """The chain whose best pose is the best of all, or the longest that is left."""
    open_ = [g for g, left in enumerate(state.left) if left]
    with_pose = [g for g in open_ if len(pools[g].score)]
    if with_pose:
        return max(with_pose, key=lambda g: float(pools[g].score[0]) + state.bonus(g))
    return max(open_, key=lambda g: len(state.chains[g].trace))


def _global(
    state: State, g: int, turns: NDArray[np.float64], params: DiffModelerParams, ctx: Context
) -> tuple[Pose, float]:
    """A chain searched again in what is left: its best pose without a clash, or else the one that clashes least."""
    found = _poses(state, g, turns, params, ctx)
    clash = np.array([state.clash(g, (found.rotation[i], found.translation[i])) for i in range(len(found.score))])
    clean = np.flatnonzero(clash < params.clash)
    i = int(clean[0]) if len(clean) else int(np.argmin(clash))
    return (found.rotation[i], found.translation[i]), float(found.score[i])


def _local(state: State, g: int, best: Candidates, params: DiffModelerParams, ctx: Context) -> tuple[Pose, float]:
    """The pose, or one near it that scores higher in what is left."""
    trace = state.chains[g].trace
    turns = local_rotations(TURN, STEP).matrices @ best.rotation[0]
    middle = trace.mean(axis=0)
    there = best.rotation[0] @ middle + best.translation[0]
    starts = Candidates(turns, there - turns @ middle, np.zeros(len(turns)))
    found = Candidates.joined([best, refined(state.clouds[0], state.chains[g], starts, ctx)])
    found = found._replace(score=state.score(g, found, params))
    # A turned start may climb to another place: only those that stay count.
    near = np.linalg.norm(found.rotation @ middle + found.translation - there, axis=1) < CLOSE * state.clouds[0].spread
    i = int(np.argmax(np.where(near, found.score, -1.0)))
    return (found.rotation[i], found.translation[i]), float(found.score[i])


def _place(state: State, g: int, pose: Pose, score: float) -> None:
    state.placed.append((g, pose, score))
    state.left[g] -= 1
    state.taken.append(moved(state.chains[g].trace, pose))
    atoms = moved(state.chains[g].atoms.xyz, pose)
    state.clouds = [cloud.without(atoms) for cloud in state.clouds]


def _clear(state: State, g: int, pool: Candidates, params: DiffModelerParams) -> Candidates:
    """Poses that do not clash with what is placed."""
    if not state.left[g]:
        return pool.select(slice(0))
    fine = [state.clash(g, (turn, shift)) < params.clash for turn, shift in zip(*pool[:2], strict=True)]
    return pool.select(np.array(fine, bool))


def _model(state: State, models: ModelSet, ctx: Context) -> Model:
    return joined_models(with_own_chains(_parts(state, models, ctx)))


def _parts(state: State, models: ModelSet, ctx: Context) -> Iterator[Model]:
    """Placed models with their score as confidence."""
    counts = [0] * len(state.groups)
    for g, pose, score in state.placed:
        members = state.groups[g].members
        member = members[counts[g] % len(members)]
        counts[g] += 1
        model = models.of(member.name)
        ctx.note(f"score {member.name} {counts[g]}", round(score, 1))
        yield replace(
            model,
            xyz=moved(model.xyz, as_member(member, *pose)),
            b_factor=np.full(len(model), score, np.float32),
            b_is_confidence=np.ones(len(model), bool),
        )


def check(params: DiffModelerParams, **_inputs: object) -> None:
    """Whether the resolution is given."""
    resolution_of(params.resolution)
