"""Every score of every pose, whichever method found it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import atoms_of, contour_of, resolution_of
from cryoweave.kernels.fitting import Atoms, curved, points_of
from cryoweave.kernels.rigid import Points, measure_poses
from cryoweave_fit.stages import MeasureParams

Columns = dict[str, NDArray[np.float64]]


def measured(density: DensityMap, models: ModelSet, poses: Poses, params: MeasureParams, ctx: Context) -> Poses:
    """The poses with all scores beside the method's own.

    ``laplacian`` is the correlation of curvatures, ``correlation`` that of densities, ``about_mean`` the same about the
    means, ``overlap`` the mean of their product, ``average`` the mean map density under the model's, all over the
    voxels of the model's density at the resolution; ``inside`` is the share of the atoms above the contour.
    """
    resolution = resolution_of(params.resolution)
    contour = contour_of(density, params.contour)
    grid = coarsened(density, resolution / 3)
    ridges = curved(grid)
    columns: Columns = {}
    for name, model in models:
        mine = np.flatnonzero(poses.model == name)
        if len(mine):
            atoms = atoms_of(name, model)
            place = poses.rotation[mine], poses.translation[mine]
            for key, values in _of_one(atoms, density, grid, ridges, place, resolution, contour).items():
                columns.setdefault(key, np.full(len(poses), np.nan))[mine] = values
        ctx.progress(len(mine), len(poses))
    measures: Mapping[str, NDArray[np.float64]] = {**poses.measures, **columns}
    return Poses(poses.rotation, poses.translation, poses.score, poses.model, measures)


def _of_one(
    atoms: Atoms,
    density: DensityMap,
    grid: DensityMap,
    ridges: DensityMap,
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    resolution: float,
    contour: float,
) -> Columns:
    model = atoms.density(resolution, resolution / 3, resolution / 3)
    whole = measure_poses(grid, points_of(model), *place)
    edges = measure_poses(ridges, points_of(curved(model)), *place)
    inside = measure_poses(density, Points(atoms.xyz, atoms.weight), *place, threshold=contour)
    return {
        "laplacian": edges.correlation,
        "correlation": whole.correlation,
        "about_mean": whole.about_mean,
        "overlap": whole.overlap,
        "average": whole.average,
        "inside": inside.inside,
    }
