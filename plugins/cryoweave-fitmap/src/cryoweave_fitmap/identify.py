"""``domainfit.identify``: which of many structures a density is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, ModelSet, Poses
from cryoweave.host import Context
from cryoweave.kernels.fitted import contour_of, resolution_of
from cryoweave_fitmap.local import Fits
from cryoweave_fitmap.one import asked, curvature_of, folder_of, kept_or, part_of, quiet, required
from cryoweave_fitmap.significance import (
    Line,
    adjusted,
    fisher,
    line_through,
    null_of,
    one_tailed,
    two_tailed,
)
from cryoweave_fitmap.stages import IdentifyParams

Column = NDArray[np.float64]
ENOUGH = 20
"""Structures from which on they say what a wrong one scores."""
FEW = 30
"""Distinct fits below which their null distribution is a guess."""


class Judged(NamedTuple):
    """One structure's fits, judged among themselves."""

    name: str
    residues: int
    fits: Fits
    """Best first by the correlation that ranks."""
    value: Column
    """That correlation of each."""
    null_share: float
    p: Column
    bh: Column
    one: Column


def check(params: IdentifyParams, **_inputs: object) -> None:
    """Whether the resolution is given."""
    resolution_of(params.resolution)


def identify(density: DensityMap, models: ModelSet, params: IdentifyParams, ctx: Context) -> Poses:
    """The best fits of each structure, the structure that stands out most from the others first."""
    contour = contour_of(density, params.contour)
    ground = asked(density, contour, params)
    folder = folder_of(params)
    found: list[Judged] = []
    reasons: dict[str, str] = {}
    for done, (name, model) in enumerate(models):
        ctx.progress(done, len(models))
        part = part_of(name, model, ground, params)
        if isinstance(part, str):
            reasons[name] = part
            ctx.log.info("%s is left out: %s", name, part)
            continue
        atoms, residues = part
        fits = kept_or(folder, atoms, ground, params, quiet(ctx, done, len(models)))
        found.append(judged(name, residues, fits, params))
    required(len(found), reasons)
    _note(found, reasons, ctx)
    return ranked(found, params, ctx)


def judged(name: str, residues: int, fits: Fits, params: IdentifyParams) -> Judged:
    """p-values of the fits of one structure, whose others say what chance gives."""
    value = fits.measures["about_mean"] if params.rank_by == "about_mean" else curvature_of(fits)
    order = np.argsort(-value, kind="stable")
    fits, value = fits.select(order), value[order]
    z = fisher(value)
    z = z - z.mean()
    null = null_of(z, params.null_share)
    p = two_tailed(z, null.spread)
    return Judged(name, residues, fits, value, null.share, p, adjusted(p), one_tailed(z, null.spread))


def ranked(found: list[Judged], params: IdentifyParams, ctx: Context) -> Poses:
    """All structures' best fits as poses, with what all structures say of each."""
    best = np.array([one.value[0] for one in found])
    size = np.log([one.residues for one in found])
    line = line_through(size, _logarithm(best)) if len(found) >= ENOUGH else None
    if line is None:
        ctx.log.warning("%d structures are too few to tell what a wrong one scores: give %d", len(found), ENOUGH)
    standing = _standing(line, size, best)
    order = np.argsort(-standing, kind="stable")
    cross = one_tailed(standing, 1.0) if line else np.full(len(found), np.nan)
    together = adjusted(cross) if line else cross
    rank = np.empty(len(found))
    rank[order] = np.arange(1, len(found) + 1)
    whole = {
        "structure_rank": rank,
        "residues": np.array([float(one.residues) for one in found]),
        "cross_p_value": cross,
        "cross_bh_p_value": together,
        **({"sure": 1.0 - together} if line else {}),
        "second_best": np.array([one.value[1] if len(one.value) > 1 else np.nan for one in found]),
        "difference": np.array([one.value[0] - one.value[1] if len(one.value) > 1 else np.nan for one in found]),
        "eta0": np.array([one.null_share for one in found]),
    }
    said = [{name: float(column[i]) for name, column in whole.items()} for i in range(len(found))]
    return Poses.joined([_best(one, said[i], line, size[i], params.top) for i, one in enumerate(found)])


def _logarithm(value: Column) -> Column:
    """What is about linear in the logarithm of the size: of Fisher's z, from a thousandth on."""
    return np.log(np.maximum(fisher(value), 1e-3))


def _standing(line: Line | None, size: Column, value: Column) -> Column:
    """Robust standard deviations above what structures of this size score; without a line the value itself."""
    return value if line is None else line.residual(size, _logarithm(value))


def _best(one: Judged, said: dict[str, float], line: Line | None, size: float, top: int) -> Poses:
    """The best fits of a structure, with what is said of it as a whole."""
    fits = one.fits.select(np.arange(min(top, len(one.value))))
    n = len(fits.score)
    measures = {
        **{name: np.full(n, number) for name, number in said.items()},
        **fits.measures,
        "curvature": curvature_of(fits),
        "p_value": one.p[:n],
        "bh_p_value": one.bh[:n],
        "one_tailed_p_value": one.one[:n],
    }
    score = _standing(line, np.full(n, size), one.value[:n])
    return Poses(fits.rotation, fits.translation, score, np.full(n, one.name), measures)


def _note(found: list[Judged], reasons: dict[str, str], ctx: Context) -> None:
    ctx.note("structures", len(found))
    if reasons:
        ctx.note("left out", len(reasons))
        name, reason = next(iter(reasons.items()))
        ctx.log.warning("%d structures are left out, the first: %s: %s", len(reasons), name, reason)
    few = sum(len(one.value) < FEW for one in found)
    if few:
        ctx.log.warning("%d structures have fewer than %d distinct fits: their p-values are guesses", few, FEW)
