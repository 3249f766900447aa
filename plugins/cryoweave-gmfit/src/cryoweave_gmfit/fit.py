"""Poses by the overlap of mixtures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.mixture import Mixture, Placed, fit_complex, fit_rigid, starting_poses
from cryoweave_gmfit.mixtures import Subunit, of_map, subunits
from cryoweave_gmfit.stages import FitParams

Array = NDArray[np.float64]


def fit(density: DensityMap, models: ModelSet, params: FitParams, ctx: Context) -> Poses:
    """Poses by falling correlation of the mixtures.

    Alone, each model's pose is scored by its own correlation with the map. At once, all poses of a configuration have
    the score of the whole; ``measures`` say which configuration, each copy's own correlation and the clash.

    Raises
    ------
    StageError
        If no density lies above the contour, or a model has no atom of a known element.
    """
    parts = subunits(models, params, ctx)
    target = of_map(density, parts, params, ctx)
    if params.copies > 1:
        groups = [parts] if params.together else [[part] for part in parts]
        return Poses.joined([_complex(target, group, params, ctx) for group in groups])
    if params.together and len(parts) > 1:
        return _complex(target, parts, params, ctx)
    return Poses.joined([_alone(target, part, params, ctx) for part in parts])


def _alone(target: Mixture, part: Subunit, params: FitParams, ctx: Context) -> Poses:
    found = _climb(target, part.mixture, params, ctx)
    order = np.argsort(-found.correlation, kind="stable")
    shape = Shape.of(part.mixture)
    kept: list[int] = []
    for pose in order:
        if len(kept) == params.top:
            break
        near = shape.rmsd(found.rotation[kept], found.translation[kept], found.rotation[pose], found.translation[pose])
        if not (near < params.apart).any():
            kept.append(int(pose))
    names = np.full(len(kept), part.name)
    return Poses(found.rotation[kept], found.translation[kept], found.correlation[kept], names)


def _climb(target: Mixture, model: Mixture, params: FitParams, ctx: Context) -> Placed:
    rotation, translation = starting_poses(target, model, params.starts, ctx.seed)
    if params.coarse > 0:
        found = fit_rigid(
            target,
            model,
            rotation,
            translation,
            steps=params.steps,
            background=params.coarse,
            progress=lambda done, total: ctx.progress(done, 2 * total),
        )
        best = np.argsort(-found.correlation, kind="stable")[: params.finish]
        rotation, translation = found.rotation[best], found.translation[best]
    return fit_rigid(
        target,
        model,
        rotation,
        translation,
        steps=params.steps,
        background=params.background,
        progress=ctx.progress,
    )


def _complex(target: Mixture, parts: list[Subunit], params: FitParams, ctx: Context) -> Poses:
    """Configurations of all copies at once, the best first."""
    ring = params.copies if params.cyclic else 1
    each = params.copies // ring
    placed = [part for part in parts for _ in range(each)]
    found = fit_complex(
        target,
        [part.mixture for part in placed],
        order=ring,
        starts=params.starts,
        steps=params.steps,
        background=params.background,
        seed=ctx.seed,
        progress=ctx.progress,
    )
    copies = [part for part in placed for _ in range(ring)]
    shapes = {part.name: Shape.of(part.mixture) for part in parts}
    names = np.array([part.name for part in copies])
    kept: list[int] = []
    for one in np.argsort(-found.correlation, kind="stable"):
        if len(kept) == params.top:
            break
        ends = found.rotation, found.translation
        if not any(_same(shapes, names, ends, int(one), other, params.apart) for other in kept):
            kept.append(int(one))
    many = len(copies)
    rank = np.repeat(np.arange(len(kept), dtype=np.float64), many)
    return Poses(
        found.rotation[kept].reshape(-1, 3, 3),
        found.translation[kept].reshape(-1, 3),
        np.repeat(found.correlation[kept], many),
        np.tile(names, len(kept)),
        {
            "configuration": rank,
            "own_correlation": found.alone[kept].reshape(-1),
            "clash": np.repeat(found.clash[kept], many),
        },
    )


def _same(
    shapes: dict[str, "Shape"], names: NDArray[np.str_], ends: tuple[Array, Array], one: int, other: int, apart: float
) -> bool:
    """Whether every copy of one configuration lies where one of the same model lies in the other."""
    rotation, translation = ends
    for copy, name in enumerate(names):
        alike = names == name
        there = rotation[other][alike], translation[other][alike]
        if not (shapes[str(name)].rmsd(*there, rotation[one, copy], translation[one, copy]) < apart).any():
            return False
    return True


@dataclass(frozen=True, eq=False)
class Shape:
    """Enough of a model to tell how far two poses lie apart."""

    centre: Array
    covariance: Array

    @classmethod
    def of(cls, mixture: Mixture) -> "Shape":
        """From the moments of a mixture."""
        _, centre, covariance = mixture.moments()
        return cls(centre, covariance)

    def rmsd(self, rotations: Array, translations: Array, rotation: Array, translation: Array) -> Array:
        """Root mean square distance (Å) of the model's mass between each of some poses, shape ``(n,)``, and one."""
        turned = rotations - rotation
        moved = turned @ self.centre + translations - translation
        square = np.einsum("nij,jk,nik->n", turned, self.covariance, turned) + (moved**2).sum(axis=1)
        found: Array = np.sqrt(np.maximum(square, 0.0))
        return found
