"""``fitmap.search``: where one or more structures fit, from many random placements."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import atoms_of, contour_of, require_room, resolution_of
from cryoweave.kernels.fitting import SIGMA, Atoms, curved, points_of
from cryoweave.kernels.rigid import Points
from cryoweave_fitmap.local import Fits, fitted, measured, random_starts
from cryoweave_fitmap.stages import SearchParams

GRID = 3.0
"""Points of a simulated map for each resolution, along each side: as ChimeraX's molmap."""
Starts = tuple[NDArray[np.float64], NDArray[np.float64]]


class Field(NamedTuple):
    """What is climbed, and with what of a model."""

    density: DensityMap
    resolution: float | None
    """Of the simulated map, Å; None for atoms alike."""
    is_curvature: bool

    def points(self, atoms: Atoms, least: float) -> Points:
        """What is placed: atoms alike, or the simulated map (or its curvature) where there is something."""
        if self.resolution is None:
            return alike(atoms)
        density = atoms.density(self.resolution, self.resolution / GRID, self.resolution / GRID)
        return points_of(curved(density) if self.is_curvature else density, least)


def alike(atoms: Atoms) -> Points:
    """Every atom with the weight 1."""
    return Points(atoms.xyz, np.ones(len(atoms.xyz)))


def check(params: SearchParams, **_inputs: object) -> None:
    """Whether the resolution is given where it is needed, and the metric has a meaning."""
    if params.points == "map" or params.field == "curvature" or params.coarse is not None:
        resolution_of(params.resolution)
    if params.points == "atoms" and (params.field == "curvature" or params.metric != "overlap"):
        raise InputError(
            f"atoms alike have neither correlation nor curvature: no {params.metric} of the {params.field}",
            "give points = map, or metric = overlap and field = density",
        )


def search(density: DensityMap, models: ModelSet, params: SearchParams, ctx: Context) -> Poses:
    """The distinct fits of each model of which enough lies in density, by correlation."""
    check(params)
    contour = contour_of(density, params.contour)
    fields = _fields(density, params)
    found: list[Poses] = []
    for at, (name, model) in enumerate(models):
        atoms = atoms_of(name, model)
        require_room(name, atoms, density)
        starts = random_starts(
            density, contour, atoms.xyz.mean(axis=0), params.starts, np.random.default_rng([ctx.seed, at])
        )
        fits = _climbed(atoms, fields, starts, params, ctx)
        found.append(_chosen(name, atoms, fits, density, contour, params, ctx))
    return Poses.joined(found)


def _fields(density: DensityMap, params: SearchParams) -> list[Field]:
    """What is climbed, one after the other."""
    resolution = params.resolution if params.points == "map" else None
    fields = []
    if params.coarse is not None:
        fine = resolution_of(params.resolution)
        coarse = max(params.coarse, fine)
        grid = coarsened(density, coarse / GRID, float(SIGMA * np.sqrt(coarse**2 - fine**2)))
        fields.append(Field(curved(grid), coarse, True))
    if params.field == "curvature":
        fields.append(Field(curved(coarsened(density, resolution_of(resolution) / GRID)), resolution, True))
    else:
        fields.append(Field(density, resolution, False))
    return fields


def _climbed(atoms: Atoms, fields: list[Field], starts: Starts, params: SearchParams, ctx: Context) -> Fits:
    """The distinct places that the starts lead to; with a first climb, the best of its ends go on."""
    hits = None
    for field in fields[:-1]:
        points = field.points(atoms, params.model_contour)
        first = fitted(field.density, points, starts, "overlap", params.steps, ctx.progress)
        first = first.select(np.arange(min(params.finish, len(first.score))))
        starts, hits = (first.rotation, first.translation), first.measures["hits"]
    points = fields[-1].points(atoms, params.model_contour)
    return fitted(fields[-1].density, points, starts, params.metric, params.steps, ctx.progress, hits)


def _chosen(
    name: str, atoms: Atoms, fits: Fits, density: DensityMap, contour: float, params: SearchParams, ctx: Context
) -> Poses:
    """The fits that lie in density enough, with all scores, in the order of the score."""
    inside = measured(fits, density, alike(atoms), contour).measures["inside"]
    whole = Field(density, params.resolution if params.points == "map" else None, False)
    fits = measured(fits, density, whole.points(atoms, params.model_contour), contour)
    fits.measures["inside"] = inside
    kept = inside >= params.least_inside
    ctx.note(f"distinct fits of {name}", int(kept.sum()))
    if not kept.any():
        raise StageError(
            f"none of the {params.starts} placements of {name!r} led to density above the contour {contour:g}",
            "give a lower --contour, or more starts",
        )
    fits = fits.select(kept)
    climbed = params.field == "curvature" or params.points == "atoms"
    score = fits.score if climbed else fits.measures["correlation"]
    order = np.lexsort((-fits.measures["average"], -score))[: params.top]
    best = fits.select(order)
    return Poses(best.rotation, best.translation, score[order], np.full(len(order), name), best.measures)
