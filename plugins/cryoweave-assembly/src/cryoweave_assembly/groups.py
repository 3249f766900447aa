"""Models of one sequence, of which any may stand where another one does, and where copies by symmetry lie."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model, ModelSet
from cryoweave.kernels.metrics import superpose
from cryoweave.kernels.symmetry import Symmetry

Turns = NDArray[np.float64]
Shifts = NDArray[np.float64]


class Member(NamedTuple):
    """A model and the motion that lays it on the first of its group."""

    name: str
    rotation: NDArray[np.float64]
    """Shape ``(3, 3)``."""
    translation: NDArray[np.float64]
    """Shape ``(3,)``, Å."""


class Group(NamedTuple):
    """Models of one sequence."""

    members: tuple[Member, ...]
    trace: NDArray[np.float64]
    """Cα (P of nucleotides) of the first, shape ``(n, 3)``."""
    chains: tuple[NDArray[np.intp], ...]
    """Rows of its chains that have the sequence of another one of it; all rows at once if there are none."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(member.name for member in self.members)


def grouped(models: ModelSet) -> list[Group]:
    """Models by sequence, in the order of the first of each."""
    found: dict[tuple[str, ...], Group] = {}
    for name, model in models:
        trace = model.trace_atoms()
        key = tuple(trace.residue_name.tolist()) or (name,)
        xyz = model.residue_xyz()
        if key in found:
            motion = superpose(xyz, found[key].trace)
            member = Member(name, motion.rotation, motion.translation)
            found[key] = found[key]._replace(members=(*found[key].members, member))
        else:
            found[key] = Group((Member(name, np.eye(3), np.zeros(3)),), xyz, _repeats(trace, len(xyz)))
    return list(found.values())


def _repeats(trace: Model, rows: int) -> tuple[NDArray[np.intp], ...]:
    """Rows by chain if all chains have one sequence, else all rows at once."""
    chains = [np.flatnonzero(trace.chain == name) for name in dict.fromkeys(trace.chain.tolist())]
    if len(chains) > 1 and len({tuple(trace.residue_name[chain].tolist()) for chain in chains}) == 1:
        return tuple(chains)
    return (np.arange(rows),)


def apart(group: Group, here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    """RMSD (Å) of a group's trace in two places, where each of several equal chains may stand for another."""
    middles = np.array([there[chain].mean(axis=0) for chain in group.chains])
    total = 0.0
    for chain in group.chains:
        nearest = group.chains[int(np.argmin(np.sum((middles - here[chain].mean(axis=0)) ** 2, axis=1)))]
        total += float(np.sum((here[chain] - there[nearest]) ** 2))
    return float(np.sqrt(total / len(here)))


def as_first(member: Member, rotation: Turns, translation: Shifts) -> tuple[Turns, Shifts]:
    """Poses of a member as poses of the first of its group; shapes ``(n, 3, 3)`` and ``(n, 3)``."""
    turn = rotation @ member.rotation.T
    return turn, translation - turn @ member.translation


def as_member(member: Member, rotation: Turns, translation: Shifts) -> tuple[Turns, Shifts]:
    """A pose of the first of a group, shapes ``(3, 3)`` and ``(3,)``, as one of a member."""
    return rotation @ member.rotation, rotation @ member.translation + translation


def copies_of(group: Symmetry, rotation: Turns, translation: Shifts) -> list[tuple[Turns, Shifts]]:
    """A pose and its copies by symmetry, the pose itself first."""
    return [
        (turn @ rotation, turn @ translation + shift)
        for turn, shift in zip(group.rotation, group.translation, strict=True)
    ]


def moved(xyz: NDArray[np.float64], pose: tuple[Turns, Shifts]) -> NDArray[np.float64]:
    """Points where a pose puts them."""
    return np.asarray(xyz @ pose[0].T + pose[1])
