"""Chains with their domains, and the map that they are fitted to."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import atoms_of, require_room
from cryoweave.kernels.fitting import Atoms, curved, points_of
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import mask_around
from cryoweave.kernels.rigid import Candidates, measure_poses, refine_poses
from cryoweave_assembly.domains import compact_regions
from cryoweave_assembly.explain import Pose
from cryoweave_assembly.groups import Group, as_member, moved
from cryoweave_assembly.ldp import MAIN_CHAIN

CLIMB = 60
"""Steps of each refinement."""
DETECTED = 5.0
"""Å: resolution at which a main chain is drawn to compare it with a detector's map."""
REACH = 3.0
"""Å around placed atoms that are cut out of the map, and half a voxel more."""


@dataclass(frozen=True, eq=False)
class Kind:
    """What is placed: a chain or one of its domains, ready to be compared."""

    group: Group
    atoms: Atoms
    """What is drawn: the main chain for a detector's map, else all heavy atoms."""
    everything: NDArray[np.float64]
    """All atoms of the first model, shape ``(n, 3)``."""
    owner: NDArray[np.intp]
    """Domain of each of all atoms."""
    parts: tuple[Atoms, ...]
    """The domains' drawn atoms."""


@dataclass(frozen=True, eq=False)
class Placed:
    """A chain in the map, perhaps bent."""

    kind: int
    poses: tuple[Pose, ...]
    """One for each domain."""
    score: float

    def xyz(self, kinds: list[Kind]) -> NDArray[np.float64]:
        """All atoms of the group's first model."""
        kind = kinds[self.kind]
        found = np.empty_like(kind.everything)
        for domain, pose in enumerate(self.poses):
            mine = kind.owner == domain
            found[mine] = moved(kind.everything[mine], pose)
        return found


class Field:
    """The map that is fitted: a detector's main chain, or a map's curvature; placed chains are cut out."""

    def __init__(self, density: DensityMap, resolution: float, detected: bool, contour: float) -> None:
        self.resolution = DETECTED if detected else resolution
        self.voxel = self.resolution / 3
        grid = coarsened(density, self.voxel)
        self.map = grid if detected else curved(grid)
        self.inside = grid.values > contour
        self.detected = detected

    def shape(self, atoms: Atoms, voxel: float, rim: float = 0.0) -> DensityMap:
        """What atoms look like in it."""
        drawn = atoms.density(self.resolution, voxel, rim)
        return drawn if self.detected else curved(drawn)

    def cut(self, xyz: NDArray[np.float64]) -> None:
        """Take away what lies around placed atoms."""
        there = mask_around(self.map.frame, xyz, REACH + self.voxel / 2)
        self.map = DensityMap(np.where(there, 0, self.map.values), self.map.frame)
        self.inside = self.inside & ~there


def kind_of(models: ModelSet, group: Group, density: DensityMap, detected: bool, fewest: int) -> Kind:
    """A group's first model, with domains of at least so many residues; rigid for 0."""
    name = group.names[0]
    model = models.of(name)
    heavy = atoms_of(name, model)
    require_room(name, heavy, density)
    main = np.isin(model.atom_name, MAIN_CHAIN) & ~model.hetero
    atoms = Atoms(model.xyz[main], np.ones(int(main.sum()))) if detected and main.any() else heavy
    trace = model.residue_xyz()
    regions = compact_regions(trace, fewest) if fewest else np.zeros(len(trace), np.intp)
    whose = regions[nearest(trace, atoms.xyz, 1)[0][:, 0]]
    parts = tuple(Atoms(atoms.xyz[whose == d], atoms.weight[whose == d]) for d in range(int(regions.max()) + 1))
    return Kind(group, atoms, model.xyz, regions[nearest(trace, model.xyz, 1)[0][:, 0]], parts)


def climbed(field: Field, atoms: Atoms, starts: Candidates, ctx: Context, steps: int = CLIMB) -> Candidates:
    """Poses climbed to the best correlation nearby."""
    points = points_of(field.shape(atoms, field.voxel, field.voxel))
    return refine_poses(field.map.values, field.map.frame, points, *starts[:2], "correlation", steps, ctx.progress)


def bent(field: Field, kind: Kind, k: int, pose: Pose, score: float, most: float, ctx: Context) -> Placed:
    """Each domain in turn climbs from the chain's pose; it keeps what it finds unless it leaves its place."""
    if len(kind.parts) < 2:
        return Placed(k, (pose,), score)
    poses, total = [], 0.0
    for part in kind.parts:
        start = Candidates(pose[0][None], pose[1][None], np.zeros(1))
        found = climbed(field, part, start, ctx)
        after: Pose = (found.rotation[0], found.translation[0])
        off = float(np.sqrt(np.mean(np.sum((moved(part.xyz, after) - moved(part.xyz, pose)) ** 2, axis=1))))
        if off > most:
            points = points_of(field.shape(part, field.voxel, field.voxel))
            after, worth = pose, float(measure_poses(field.map, points, *start[:2]).correlation[0])
        else:
            worth = float(found.score[0])
        poses.append(after)
        total += worth * len(part.xyz)
    bent = total / sum(len(part.xyz) for part in kind.parts)
    return Placed(k, tuple(poses), max(score, bent))


def models_of(models: ModelSet, kinds: list[Kind], placed: list[Placed], ctx: Context) -> list[Model]:
    """Chains with their correlation as confidence."""
    counts, made = [0] * len(kinds), []
    for one in placed:
        kind = kinds[one.kind]
        member = kind.group.members[counts[one.kind] % len(kind.group.members)]
        counts[one.kind] += 1
        model = models.of(member.name)
        own = kind.owner[nearest(kind.everything, moved(model.xyz, (member.rotation, member.translation)), 1)[0][:, 0]]
        xyz = np.empty_like(model.xyz)
        for domain, pose in enumerate(one.poses):
            xyz[own == domain] = moved(model.xyz[own == domain], as_member(member, *pose))
        ctx.note(f"score {member.name} {counts[one.kind]}", round(one.score, 3))
        sure = np.full(len(model), 100 * min(max(one.score, 0.0), 1.0), np.float32)
        made.append(replace(model, xyz=xyz, b_factor=sure, b_is_confidence=np.ones(len(model), bool)))
    return made
