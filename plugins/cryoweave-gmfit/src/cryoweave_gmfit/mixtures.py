"""The models and the map as Gaussian mixtures."""

from dataclasses import dataclass

import gemmi
import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.io.elements import known_elements
from cryoweave.kernels.grid import require_contrast, statistics, volume_threshold
from cryoweave.kernels.mixture import Mixture, fit_mixture, map_mixture
from cryoweave_gmfit.stages import FitParams

VOLUME = 1.21
"""Å³ for each Da of protein: its partial specific volume of 0.73 cm³/g."""
BLUR = 0.225
"""σ of a Gaussian over the resolution where its Fourier transform falls to 1/e: 1 / (π √2)."""
CUBES = 27
"""Cubes of merged voxels for each Gaussian of the map, at least."""
MOST = 1000
"""Gaussians for a map unless more are asked for: the time grows with their number."""


@dataclass(frozen=True, eq=False)
class Subunit:
    """A model that is to be placed."""

    name: str
    mass: float
    mixture: Mixture


def subunits(models: ModelSet, params: FitParams, ctx: Context) -> list[Subunit]:
    """Each model as a mixture; an atom is a ball of its van der Waals radius and its mass."""
    return [_subunit(name, model, params, ctx) for name, model in models]


def _subunit(name: str, model: Model, params: FitParams, ctx: Context) -> Subunit:
    known, mass = known_elements(model)
    radius = _radii(model)
    variance = radius**2 / 5 + (BLUR * params.resolution) ** 2
    weight = mass * np.asarray(model.occupancy, np.float64)
    used = known & (weight > 0)
    if not used.any():
        raise StageError(f"no atom of the model {name!r} has an occupancy above 0", "set the occupancies to 1")
    atoms = Mixture.of_points(model.xyz[used], weight[used], variance[used])
    components = min(params.components, len(atoms))
    found = fit_mixture(atoms, components, seed=ctx.seed, progress=ctx.progress)
    return Subunit(name, float(weight[used].sum()), found.mixture)


def _radii(model: Model) -> NDArray[np.float64]:
    names, element = np.unique(model.element, return_inverse=True)
    radii = np.array([gemmi.Element(str(name)).vdw_r for name in names])
    return radii[element]


def of_map(density: DensityMap, parts: list[Subunit], params: FitParams, ctx: Context) -> Mixture:
    """The density above the contour as a mixture.

    Raises
    ------
    StageError
        If no density lies above the contour, or above 0.
    """
    require_contrast(density)
    threshold = _contour(density, parts, params)
    highest = float(density.values.max())
    if highest <= 0:
        raise StageError("the map has no density above 0", "is it inverted? See `cryoweave check`")
    if threshold >= highest:
        raise StageError(
            f"no voxel lies above the contour {threshold:g}; the map's maximum is {highest:g}",
            "lower `threshold`; `cryoweave map info` suggests one",
        )
    voxels = int(np.count_nonzero(density.values > max(threshold, 0.0)))
    volume = voxels * float(np.prod(density.frame.voxel_xyz))
    wanted = params.map_components or _proportional(volume, parts, params)
    side = max(1, int(np.cbrt(voxels / (CUBES * wanted))))
    cubes = map_mixture(density.values, density.frame, threshold, side)
    components = min(wanted, len(cubes))
    ctx.note("contour", threshold)
    ctx.note("volume in the contour over the models'", round(volume / (VOLUME * sum(p.mass for p in parts)), 2))
    ctx.note("Gaussians of the map", components)
    return fit_mixture(cubes, components, seed=ctx.seed, progress=ctx.progress).mixture


def _contour(density: DensityMap, parts: list[Subunit], params: FitParams) -> float:
    if params.threshold is not None:
        return params.threshold
    volume = VOLUME * params.copies * sum(part.mass for part in parts)
    voxels = int(volume / float(np.prod(density.frame.voxel_xyz)))
    found = statistics(density.values)
    strong = found.mean + 2 * found.sd
    return max(0.0, min(strong, volume_threshold(density.values, min(voxels, density.values.size))))


def _proportional(volume: float, parts: list[Subunit], params: FitParams) -> int:
    each = VOLUME * sum(part.mass for part in parts) / len(parts) / params.components
    return int(np.clip(round(volume / each), params.components, MOST))
