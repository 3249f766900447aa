"""Maps of models, and what is sampled from a map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.io.elements import known_elements
from cryoweave.kernels import cloud as clouds
from cryoweave.kernels.cloud import Cloud
from cryoweave.kernels.grid import statistics, volume_threshold
from cryoweave.kernels.simulate import simulate_blurred

CUBIC_ANGSTROM_PER_DALTON = 1.21
"""Harpaz, Gerstein & Chothia 1994, doi 10.1016/s0969-2126(00)00065-4: volume of a protein over its mass."""
SIGMA = 0.225
"""Standard deviation of an atom's Gaussian over the resolution, as ChimeraX's ``molmap`` has it."""
LEAST_POINTS = 10


@dataclass(frozen=True)
class Scene:
    """A map and the density above which it is molecule."""

    density: DensityMap
    contour: float

    def sample(self, spacing: float, bandwidth: float, ctx: Context) -> Cloud:
        """Points with directions."""
        return clouds.sample(
            self.density.values,
            self.density.frame,
            spacing=spacing,
            bandwidth=bandwidth,
            threshold=self.contour,
            progress=ctx.progress,
        )

    def keypoints(self, starts: Cloud, bandwidth: float, join: float, ctx: Context) -> NDArray[np.float64]:
        """Where the sampled points arrive."""
        return clouds.keypoints(
            self.density.values,
            self.density.frame,
            starts.xyz,
            bandwidth=bandwidth,
            join=join,
            threshold=self.contour,
            progress=ctx.progress,
        )


def of_map(density: DensityMap, contour: float | None) -> Scene:
    """The map at its contour.

    Raises
    ------
    StageError
        If nothing lies above the contour.
    """
    described = statistics(density.values)
    level = contour if contour is not None else described.mean + 2 * described.sd
    level = max(level, 0.0)
    if described.maximum <= level:
        hint = "`cryoweave map info` shows the map's range; set `contour` below its maximum"
        raise StageError(f"no density lies above the contour of {level:g}: the maximum is {described.maximum:g}", hint)
    return Scene(density, level)


def of_model(model: Model, resolution: float) -> Scene:
    """The model's own map, at the contour that encloses its volume.

    Raises
    ------
    StageError
        If no atom is of a known element.
    """
    known, masses = known_elements(model)
    xyz, mass = model.xyz[known], masses[known]
    voxel, margin = min(2.0, resolution / 3), 2 * resolution
    low = xyz.min(axis=0) - margin
    nx, ny, nz = (int(n) for n in np.ceil((xyz.max(axis=0) + margin - low) / voxel) + 1)
    frame = Frame((nz, ny, nx), (voxel,) * 3, (float(low[0]), float(low[1]), float(low[2])))
    values = simulate_blurred(frame, xyz, mass, SIGMA * resolution)
    volume = CUBIC_ANGSTROM_PER_DALTON * float(mass.sum()) / frame.voxel_volume
    contour = volume_threshold(values, min(int(np.ceil(volume)), values.size - 1))
    return Scene(DensityMap(values, frame), max(contour, 0.0))


def enough(cloud: Cloud, what: str) -> Cloud:
    """The cloud, if there is enough of it to work with.

    Raises
    ------
    StageError
        If it has fewer than ten points.
    """
    if len(cloud.xyz) < LEAST_POINTS:
        hint = "is it empty, or the contour too high, or the spacing of the points too wide for so small a thing?"
        raise StageError(f"{what} gives only {len(cloud.xyz)} points", hint)
    return cloud
