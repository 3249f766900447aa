"""All placed models refined together, each against what the others leave of the map."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import Atoms, curved, points_of
from cryoweave.kernels.rigid import Points, refine_poses
from cryoweave.kernels.symmetry import Symmetry
from cryoweave_assembly.explain import FINER, SAMPLING, add
from cryoweave_assembly.groups import Shifts, Turns, copies_of

Progress = Callable[[int, int], object]
CLIMB = 60
"""Steps of each refinement."""
STILL = 0.05
"""Å: all have arrived when none moved farther."""


@dataclass(eq=False)
class Part:
    """One placed model."""

    name: str
    atoms: Atoms
    rotation: Turns
    translation: Shifts
    template: DensityMap = field(repr=False)
    """Curvature of its density, on fine voxels."""
    points: Points = field(repr=False)
    """The same on voxels like the map's, for refinement."""


def part_of(name: str, atoms: Atoms, pose: tuple[Turns, Shifts], resolution: float) -> Part:
    """A model where a pose puts it."""
    voxel = resolution / SAMPLING
    fine = curved(atoms.density(resolution, voxel / FINER, 2 * voxel))
    return Part(name, atoms, pose[0], pose[1], fine, points_of(curved(atoms.density(resolution, voxel, voxel))))


def refined_together(
    density: DensityMap, parts: Sequence[Part], symmetry: Symmetry, resolution: float, cycles: int, progress: Progress
) -> tuple[float, float]:
    """Move the parts in place.

    In each cycle the models are scaled to the map by least squares; then each in turn climbs to the best correlation of
    curvatures with the map less all others, its own copies by symmetry among them, which move with it.

    Returns
    -------
    The share of the map's curvature (sum of squares) that the models explain, and how far (Å) any moved at last.
    """
    target = curved(coarsened(density, resolution / SAMPLING))
    frame = target.frame
    shapes = [_placed(part, symmetry, frame) for part in parts]
    shift = 0.0
    for cycle in range(cycles):
        scale, shift = _scale(target, shapes), 0.0
        for i, part in enumerate(parts):
            progress(cycle * len(parts) + i, cycles * len(parts))
            own = np.zeros(frame.shape_zyx, np.float32)
            add(own, frame, part.template, (part.rotation, part.translation))
            rest = target.values - scale * (np.sum(shapes, axis=0) - own)
            shift = max(shift, _climb(part, rest.astype(np.float32), frame, progress))
            shapes[i] = _placed(part, symmetry, frame)
        if shift < STILL:
            break
    scale = _scale(target, shapes)
    left = target.values - scale * np.sum(shapes, axis=0)
    whole = float(np.vdot(target.values, target.values))
    return 1 - float(np.vdot(left, left)) / whole if whole > 0 else 0.0, shift


def _placed(part: Part, symmetry: Symmetry, frame: Frame) -> NDArray[np.float32]:
    found = np.zeros(frame.shape_zyx, np.float32)
    for pose in copies_of(symmetry, part.rotation, part.translation):
        add(found, frame, part.template, pose)
    return found


def _scale(target: DensityMap, shapes: Sequence[NDArray[np.float32]]) -> float:
    whole = np.sum(shapes, axis=0)
    norm = float(np.vdot(whole, whole))
    return float(np.vdot(whole, target.values)) / norm if norm > 0 else 0.0


def _climb(part: Part, values: NDArray[np.float32], frame: Frame, progress: Progress) -> float:
    """Refine one part in place; how far its atoms moved."""
    found = refine_poses(
        values, frame, part.points, part.rotation[None], part.translation[None], "correlation", CLIMB, progress
    )
    before = part.atoms.xyz @ part.rotation.T + part.translation
    part.rotation, part.translation = found.rotation[0], found.translation[0]
    after = part.atoms.xyz @ part.rotation.T + part.translation
    return float(np.sqrt(np.mean(np.sum((after - before) ** 2, axis=1))))
