"""Fourier shell correlation of map and model.

Mask, sharpening and shells are those of servalcat (Yamashita et al. 2021, doi 10.1107/S2059798321009475). Its factors
are X-ray ones turned by the Mott–Bethe formula, which with the tables' precision overrates nitrogen at low resolution
(by a third at 40 Å) and treats hydrogen otherwise. Ours are electron scattering factors: the fitted sharpening differs
by a few Å².
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from cryoweave.data import Curve, DensityMap, Frame, Metric, Model, ScoreTable
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import mask_around
from cryoweave_validation.calculated import (
    Spectrum,
    b_factors_of,
    back,
    cut,
    damp,
    frequencies,
    nyquist,
    require_judgeable,
    structure_factors,
    transform,
)
from cryoweave_validation.fsc_stages import FscParams

FEWEST = 10
"""Coefficients, a pair of mates being one, that a shell must have; else it is joined with its neighbour."""
SHARPEST = 500.0
"""Å²; largest B factor by which the map is sharpened or blurred before the mask is applied."""
LEVELS = (0.5, 0.143, 0.0)

CROSSING = (
    "resolution at which the {} first falls below {:g}, between shells by a straight line; that of the first shell if "
    "it begins below, none if it never falls below"
)
MODEL = (
    "Fourier shell correlation of the calculated map and the map within 3 Å (mask_radius) of heavy atoms, which was "
    "sharpened to the model before masking; shells of 1 / (longest edge of the box)"
)
METRICS = {
    "fsc_average": Metric(
        "mean Fourier shell correlation of map and model over shells to the given resolution, each weighted by its "
        "number of coefficients",
        "",
        True,
    ),
    **{f"fsc_{level:g}": Metric(CROSSING.format("map–model FSC", level), "Å", False) for level in LEVELS},
}


class Sums(NamedTuple):
    """Sums over the coefficients of each shell, shape ``(shells,)`` each; a pair of mates counts once."""

    number: NDArray[np.float64]
    s: NDArray[np.float64]
    product: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]
    amplitudes: NDArray[np.float64]

    def correlation(self) -> NDArray[np.float64]:
        """Fourier shell correlation; NaN where one side is zero."""
        scale = np.sqrt(self.first * self.second)
        found: NDArray[np.float64] = np.divide(self.product, scale, out=np.full(len(scale), np.nan), where=scale > 0)
        return found


def model_fsc(model: Model, density: DensityMap, params: FscParams, ctx: Context) -> ScoreTable:
    """Map–model FSC: its mean to the resolution and where it falls below 0.5, 0.143 and 0.

    The map's coefficients beyond the resolution are left out before the mask is applied, so that their noise does not
    spread; the shells beyond come from the whole map, as far as the grid's limit or half the resolution.
    """
    require_judgeable(model, density)
    frame = density.frame
    resolution = max(params.resolution, nyquist(frame))
    last = max(nyquist(frame), resolution / 2)
    heavy = ~np.isin(model.element, ("H", "D"))
    inside = mask_around(frame, model.xyz[heavy], params.mask_radius)
    if not inside.any():
        raise StageError("no voxel is near a heavy atom of the model", "compare the map's origin with the model's")
    sharpening = params.sharpening or fitted_sharpening(model, density, inside, resolution, ctx)
    ctx.note("sharpening_before_mask", round(sharpening, 2))
    b_factors = b_factors_of(model, params.b_factor, ctx)
    calculated = structure_factors(model, frame, last, ctx, b_factors=b_factors)
    masked = masked_spectrum(density, inside, sharpening, resolution, ctx)
    within = shell_sums(masked, calculated, frame, np.inf, resolution)
    masked = masked_spectrum(density, inside, sharpening, last, ctx)
    beyond = shell_sums(masked, calculated, frame, resolution, last)
    curve = curve_of([within, beyond], MODEL)
    known = np.isfinite(within.correlation())
    counts = within.number[known]
    mean = float((counts * within.correlation()[known]).sum() / counts.sum()) if known.any() else np.nan
    whole = {"fsc_average": mean} | {f"fsc_{level:g}": crossing(curve, level) for level in LEVELS}
    return without_residues(whole, {"fsc_model": curve}, METRICS)


def masked_spectrum(
    density: DensityMap, inside: NDArray[np.bool_], sharpening: float, d_min: float, ctx: Context
) -> Spectrum:
    """The masked map's coefficients; it is sharpened before masking and blurred after by the same B factor."""
    found = transform(density.values, ctx)
    cut(found, density.frame, d_min)
    damp(found, density.frame, -sharpening)
    sharp = back(found, density.frame, ctx)
    sharp *= inside
    found = transform(sharp, ctx)
    damp(found, density.frame, sharpening)
    return found


def fitted_sharpening(
    model: Model, density: DensityMap, inside: NDArray[np.bool_], d_min: float, ctx: Context
) -> float:
    """B factor that brings the masked map's amplitudes to those of the model without B factors, by least squares."""
    frame = density.frame
    bare = structure_factors(model, frame, d_min, ctx, b_factors=np.zeros(len(model), np.float32))
    sums = shell_sums(transform(density.values * inside, ctx), bare, frame, np.inf, d_min)
    s2 = (sums.s / sums.number) ** 2 / 4

    def misfit(b: float) -> float:
        """Less what does not depend on B; the scale that goes with B is put in."""
        sharp = np.exp(b * (s2 - s2[-1]))
        return -float((sums.amplitudes * sharp).sum() ** 2 / (sums.first * sharp**2).sum())

    return float(minimize_scalar(misfit, bounds=(-SHARPEST, SHARPEST), method="bounded").x)


def shell_sums(a: Spectrum, b: Spectrum, frame: Frame, d_max: float, d_min: float) -> Sums:
    """Sums over shells of 1 / (longest edge of the box) around k / edge, plane by plane.

    Parameters
    ----------
    a, b
        Half spectra on the frame's grid.
    frame
        Their grid; edges and voxels may all differ.
    d_max, d_min
        Coefficients with ``d_min <= 1/s < d_max`` count, the constant term never.
    """
    edge = max(frame.extent_xyz)
    shells = int(edge / d_min + 0.5) + 1
    totals = np.zeros((6, shells))
    in_plane = frequencies(frame, 1)[:, None] ** 2 + frequencies(frame, 2)[None, :] ** 2
    weight = np.full(a.shape[2], 1.0)
    weight[0] = 0.5
    if frame.shape_zyx[2] % 2 == 0:
        weight[-1] = 0.5
    weights = np.broadcast_to(weight, in_plane.shape)
    for plane_a, plane_b, s_z in zip(a, b, frequencies(frame, 0).tolist(), strict=True):
        s = np.sqrt(in_plane + s_z * s_z)
        chosen = (s > max(1 / d_max, 1e-9)) & (s <= 1 / d_min)
        x, y, s, w = plane_a[chosen], plane_b[chosen], s[chosen], weights[chosen]
        power_x, power_y = (p.real.astype(float) ** 2 + p.imag.astype(float) ** 2 for p in (x, y))
        product = x.real.astype(float) * y.real + x.imag.astype(float) * y.imag
        shell = (s * edge + 0.5).astype(np.intp)
        terms = (np.ones_like(s), s, product, power_x, power_y, np.sqrt(power_x * power_y))
        totals += [np.bincount(shell, w * term, shells) for term in terms]
    return Sums(*joined(totals))


def joined(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without empty shells; the first joined until it has enough, the last if it has less than half its neighbour."""
    totals = totals[:, totals[0] > 0]
    while totals.shape[1] > 1 and totals[0, 0] < FEWEST:
        totals[:, 1] += totals[:, 0]
        totals = totals[:, 1:]
    while totals.shape[1] > 1 and totals[0, -1] < 0.5 * totals[0, -2]:
        totals[:, -2] += totals[:, -1]
        totals = totals[:, :-1]
    return totals


def curve_of(parts: list[Sums], definition: str) -> Curve:
    """FSC against the mean spatial frequency of each shell."""
    x = np.concatenate([part.s / part.number for part in parts])
    y = np.concatenate([part.correlation() for part in parts])
    return Curve(x, y, "spatial frequency (1/Å)", "Fourier shell correlation", definition)


def crossing(curve: Curve, level: float) -> float:
    """Resolution in Å at which a curve first falls below a level; of the first shell if it begins below; else NaN."""
    x, y = (values[np.isfinite(curve.y)] for values in (curve.x, curve.y))
    below = np.flatnonzero(y < level)
    if not len(below):
        return np.nan
    if below[0] == 0:
        return float(1 / x[0])
    i = int(below[0])
    return float(1 / (x[i - 1] + (x[i] - x[i - 1]) * (y[i - 1] - level) / (y[i - 1] - y[i])))


def without_residues(whole: dict[str, float], curves: dict[str, Curve], metrics: Mapping[str, Metric]) -> ScoreTable:
    """A table of no residues."""
    nothing = np.array([], dtype=np.str_)
    metrics = {name: metrics[name] for name in whole}
    return ScoreTable(nothing, np.array([], np.int32), nothing, nothing, {}, whole, metrics, curves)
