"""``fitmap.search``: where one or more structures fit, from many random placements."""

import numpy as np

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.io.fitted import atoms_of, contour_of, require_room, resolution_of
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitting import Atoms, curved, points_of
from cryoweave.kernels.rigid import Points
from cryoweave_fitmap.local import Fits, fitted, measured, random_starts
from cryoweave_fitmap.stages import SearchParams

GRID = 3.0
"""Points of a simulated map for each resolution, along each side: as ChimeraX's molmap."""
MEASURES = ("correlation", "about_mean", "overlap", "average", "inside", "hits")


def check(params: SearchParams, **_inputs: object) -> None:
    """Whether the resolution is given where it is needed."""
    if params.points == "map" or params.field == "curvature":
        resolution_of(params.resolution)


def search(density: DensityMap, models: ModelSet, params: SearchParams, ctx: Context) -> Poses:
    """The distinct fits of each model of which enough lies in density, by correlation."""
    check(params)
    contour = contour_of(density, params.contour)
    field = _field(density, params)
    found = []
    for at, (name, model) in enumerate(models):
        atoms = atoms_of(name, model)
        require_room(name, atoms, density)
        found.append(_one(name, atoms, density, field, contour, params, at, ctx))
    return _together(list(models.names), found)


def _field(density: DensityMap, params: SearchParams) -> DensityMap:
    """What is climbed."""
    if params.field == "density":
        return density
    return curved(coarsened(density, resolution_of(params.resolution) / GRID))


def _points(atoms: Atoms, params: SearchParams) -> Points:
    """What is placed: atoms alike, or the simulated map where there is something."""
    if params.points == "atoms":
        if params.field == "curvature" or params.metric != "overlap":
            raise InputError(
                f"atoms alike have neither correlation nor curvature: no {params.metric} of the {params.field}",
                "give points = map, or metric = overlap and field = density",
            )
        return Points(atoms.xyz, np.ones(len(atoms.xyz)))
    resolution = resolution_of(params.resolution)
    density = atoms.density(resolution, resolution / GRID, resolution / GRID)
    return points_of(curved(density) if params.field == "curvature" else density, params.model_contour)


def _one(
    name: str,
    atoms: Atoms,
    density: DensityMap,
    field: DensityMap,
    contour: float,
    params: SearchParams,
    at: int,
    ctx: Context,
) -> Fits:
    points = _points(atoms, params)
    rng = np.random.default_rng([ctx.seed, at])
    starts = random_starts(density, contour, atoms.xyz.mean(axis=0), params.starts, rng)
    fits = fitted(field, points, starts, params.metric, params.steps, ctx.progress)
    fits = measured(fits, density, Points(atoms.xyz, np.ones(len(atoms.xyz))), contour)
    inside = fits.measures["inside"]
    if params.points == "map":
        resolution = resolution_of(params.resolution)
        whole = points_of(atoms.density(resolution, resolution / GRID, resolution / GRID), params.model_contour)
        fits = measured(fits, density, whole, contour)
        fits.measures["inside"] = inside
    kept = inside >= params.least_inside
    ctx.note(f"distinct fits of {name}", int(kept.sum()))
    if not kept.any():
        raise StageError(
            f"none of the {params.starts} placements of {name!r} led to density above the contour {contour:g}",
            "give a lower --contour, or more starts",
        )
    fits = fits.select(kept)
    by = fits.score if params.field == "curvature" or params.points == "atoms" else fits.measures["correlation"]
    order = np.lexsort((-fits.measures["average"], -by))[: params.top]
    return fits.select(order)._replace(score=by[order])


def _together(names: list[str], found: list[Fits]) -> Poses:
    score = np.concatenate([one.score for one in found])
    poses = Poses(
        np.concatenate([one.rotation for one in found]),
        np.concatenate([one.translation for one in found]),
        score,
        np.repeat(np.array(names), [len(one.score) for one in found]),
        {name: np.concatenate([one.measures[name] for one in found]) for name in MEASURES},
    )
    return poses.select(np.argsort(-score, kind="stable"))
