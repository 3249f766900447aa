"""Local dense points of a map, and how chains lie on them."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import (
    Atoms,
    box_around,
    candidates,
    curved,
    grown,
    points_of,
    radius_of,
    template_of,
)
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import mask_around, resample
from cryoweave.kernels.peaks import mean_shift, merge_points
from cryoweave.kernels.rigid import Candidates, Points, measure_poses, refine_poses
from cryoweave.kernels.search import rotational_search
from cryoweave.kernels.simulate import simulate_blurred

MAIN_CHAIN = ("N", "CA", "C", "O", "P", "O5'", "C5'", "C4'", "C3'", "O3'", "C1'", "C2'", "O4'")
FULL = 5.0
"""Å of resolution from which main chains no longer stand apart; beyond it all lengths grow with the resolution."""
MERGED = 1.0
"""Å: points closer than this are one."""
WEAK = 0.05
"""Points below this share of the densest are dropped."""
GRID = 2.0
"""Å of the voxels on which a chain is looked for."""
WITHIN = 3.0
"""Å between a residue and a point that covers it."""
CLIMB = 60
"""Steps of refinement."""
START = 0.01
"""Share of the map's maximum above which voxels climb."""


class Chain(NamedTuple):
    """What is placed of a model."""

    atoms: Atoms
    """All heavy atoms."""
    backbone: NDArray[np.float64]
    """Main chain atoms, shape ``(n, 3)``."""
    trace: NDArray[np.float64]
    """Cα and P, shape ``(n, 3)``."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Local dense points, and the maps made of them.

    Parameters
    ----------
    xyz, weight
        The points.
    spread
        By how much all lengths are larger than for a map of main chains.
    points
        The points, each a Gaussian, on the grid of the search.
    cover
        1 within reach of a point, else 0.
    ridges
        Curvature of the map itself, where no network has drawn the main chain; else None.
    resolution
        Of these, Å.
    """

    xyz: NDArray[np.float64]
    weight: NDArray[np.float64]
    spread: float
    points: DensityMap
    cover: DensityMap
    ridges: DensityMap | None
    resolution: float

    def without(self, atoms: NDArray[np.float64]) -> "Cloud":
        """The same without what lies where atoms are."""
        reach = WITHIN + self.spread / 2
        _, distance = nearest(atoms, self.xyz, 1)
        kept = distance[:, 0] > reach
        if not kept.any():
            kept[np.argmax(distance[:, 0])] = True
        ridges = self.ridges
        if ridges is not None:
            ridges = DensityMap(np.where(mask_around(ridges.frame, atoms, reach), 0, ridges.values), ridges.frame)
        return cloud_of(self.xyz[kept], self.weight[kept], self.spread, self.cover.frame, ridges, self.resolution)


def chain_of(model: Model, atoms: Atoms, trace: NDArray[np.float64]) -> Chain:
    """A model's main chain; all of its atoms if it has none."""
    main = np.isin(model.atom_name, MAIN_CHAIN) & ~model.hetero
    return Chain(atoms, model.xyz[main] if main.any() else atoms.xyz, trace)


def spread_of(resolution: float) -> float:
    """By how much lengths grow beyond those for a map of main chains."""
    return max(1.0, resolution / FULL)


def dense_points(
    density: DensityMap, contour: float, bandwidth: float, resolution: float, detected: bool, ctx: Context
) -> Cloud:
    """Where the map's voxels climb to by mean shift.

    The map of a detector is taken as it is, of another map its curvature, which is largest along the middle of density.
    """
    spread = 1.0 if detected else spread_of(resolution)
    ridges = None if detected else curved(coarsened(density, resolution / 3))
    source = density if ridges is None else ridges
    frame = source.frame.with_voxel(spread)
    values = np.maximum(resample(source.values, source.frame, frame, "cubic"), 0)
    inside = resample(density.values, density.frame, frame) > contour
    values = np.where(inside, values, 0).astype(np.float32)
    if not values.any():
        raise StageError("the map has no dense point above the contour", "give a lower --contour, or none")
    _, ends, dense = mean_shift(values, START * float(values.max()), bandwidth, progress=ctx.progress)
    share = (dense - dense.min()) / max(float(np.ptp(dense)), 1e-12)
    first, _ = merge_points(frame.to_xyz(ends), dense, MERGED * spread, share >= WEAK)
    return cloud_of(frame.to_xyz(ends[first]), dense[first].astype(np.float64), spread, frame, ridges, resolution)


def cloud_of(
    xyz: NDArray[np.float64],
    weight: NDArray[np.float64],
    spread: float,
    frame: Frame,
    ridges: DensityMap | None,
    resolution: float,
) -> Cloud:
    """Points with their maps; the finer one on this frame."""
    grid = frame.with_voxel(GRID * spread)
    values = simulate_blurred(grid, xyz, weight, spread)
    cover = mask_around(frame, xyz, WITHIN + (spread - 1) / 2).astype(np.float32)
    return Cloud(xyz, weight, spread, DensityMap(values, grid), DensityMap(cover, frame), ridges, resolution)


def searched(cloud: Cloud, chain: Chain, turns: NDArray[np.float64], ctx: Context) -> Candidates:
    """Poses of a chain on the points, by their correlation on a coarse grid."""
    middle = Atoms(chain.backbone, np.ones(len(chain.backbone))).middle()
    drawn = Atoms(chain.backbone, np.ones(len(chain.backbone)))
    # Atoms.density blurs by 0.225 × resolution.
    shape = drawn.density(cloud.spread / 0.225, GRID * cloud.spread / 1.5, 2 * GRID * cloud.spread)
    template = template_of(shape, middle)
    filled = cloud.points.values > 0
    allowed = mask_around(cloud.points.frame, cloud.xyz, 2 * GRID * cloud.spread)
    box = box_around(cloud.points, allowed, grown(filled, 1), radius_of(template))
    found = rotational_search(box.target, template, "cosine", turns, ctx.progress, ctx.spread)
    return candidates(found, box, turns, middle)


def refined(cloud: Cloud, chain: Chain, starts: Candidates, ctx: Context) -> Candidates:
    """Poses climbed to the best correlation nearby: with the map's ridges, or with the points where it has none."""
    if cloud.ridges is None:
        field = cloud.points
        shape = Atoms(chain.backbone, np.ones(len(chain.backbone))).density(cloud.spread / 0.225, cloud.spread)
    else:
        field, voxel = cloud.ridges, cloud.resolution / 3
        shape = curved(chain.atoms.density(cloud.resolution, voxel, voxel))
    points = points_of(shape)
    return refine_poses(field.values, field.frame, points, *starts[:2], "correlation", CLIMB, ctx.progress)


def recall(cloud: Cloud, chain: Chain, poses: Candidates) -> NDArray[np.float64]:
    """Share of residues with a point nearby, 0 to 1."""
    points = Points(chain.trace, np.ones(len(chain.trace)))
    return measure_poses(cloud.cover, points, poses.rotation, poses.translation, threshold=0.5).inside


def agreement(cloud: Cloud, chain: Chain, poses: Candidates) -> NDArray[np.float64]:
    """Correlation of curvatures, where the map itself is fitted to; else 0."""
    if cloud.ridges is None:
        return np.zeros(len(poses.score))
    voxel = cloud.resolution / 3
    shape = points_of(curved(chain.atoms.density(cloud.resolution, voxel, voxel)))
    return np.maximum(measure_poses(cloud.ridges, shape, poses.rotation, poses.translation).correlation, 0)
