"""Fourier shell correlation of two half maps: as they are, in a soft mask, and without what the mask itself adds."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, DensityMap, Frame, Metric, Model, ScoreTable
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import mask_around, require_contrast
from cryoweave_validation.calculated import Spectrum, back, frequencies, nyquist, transform
from cryoweave_validation.fsc import CROSSING, Sums, crossing, curve_of, shell_sums, without_residues
from cryoweave_validation.fsc_stages import HalfFscParams

LEVELS = (0.143, 0.5)
KEPT = 2
"""Shells from the first with random phases on that keep the masked correlation, as in relion_postprocess: the mask
smears the shells before, which both maps still share, into them, and the formula would cut a notch there."""
SPENT = 1e-3
"""If random phases correlate to 1 less this, the mask explains all of it and nothing can be said."""
DEFINITIONS = {
    "half": "Fourier shell correlation of the two half maps, no mask applied",
    "half_masked": "Fourier shell correlation of the two half maps in a soft mask: 1 within mask_radius of the model's "
    "heavy atoms, then a cosine fall over mask_edge to 0",
    "half_random": "the same after the phases of both maps were replaced by random ones from the shell on in which the "
    "unmasked curve first falls below randomise_below: what the mask alone makes",
    "half_corrected": "(masked - random) / (1 - random), between -1 and 1; the masked curve up to the third shell with "
    "random phases, where the mask smears in what both maps share (Chen et al. 2013; relion_postprocess)",
}
WORDS = {"half": "no mask applied", "half_masked": "soft mask", "half_corrected": "soft mask, corrected for it"}
METRICS = {
    f"{curve.replace('half', 'half_fsc')}_{level:g}": Metric(
        CROSSING.format(f"FSC of the half maps ({words})", level), "Å", False
    )
    for curve, words in WORDS.items()
    for level in LEVELS
}


def half_fsc(
    half_a: DensityMap, half_b: DensityMap, model: Model | None, params: HalfFscParams, ctx: Context
) -> ScoreTable:
    """FSC of two half maps and where it falls below 0.143 and 0.5; with a model in them, in a mask around it too."""
    require_halves(half_a, half_b)
    first, second = transform(half_a.values, ctx), transform(half_b.values, ctx)
    sums = {"half": sums_of(first, second, half_a.frame)}
    mask = None if model is None else soft_mask(model, half_a.frame, params)
    if mask is None:
        ctx.note("mask", "none: no heavy atom of a model lies in the half maps")
        return table(sums, None)
    start = first_below(sums["half"].correlation(), params.randomise_below)
    if start is not None:
        limit = shell_begin(sums["half"], start, half_a.frame)
        ctx.note("phases_randomised_beyond", f"{1 / limit:.3g} Å" if start else "all")
        rng = ctx.rng()
        first = masked_random(first, mask, half_a.frame, limit, rng, ctx)
        second = masked_random(second, mask, half_b.frame, limit, rng, ctx)
        sums["half_random"] = sums_of(first, second, half_a.frame)
    del first, second  # a spectrum is as large as a map
    masked = transform(half_a.values * mask, ctx), transform(half_b.values * mask, ctx)
    sums["half_masked"] = sums_of(*masked, half_a.frame)
    return table(sums, start)


def table(sums: dict[str, Sums], start: int | None) -> ScoreTable:
    """Curves and crossings; ``start`` is the first shell with random phases."""
    curves = {name: curve_of([found], DEFINITIONS[name]) for name, found in sums.items()}
    if "half_masked" in curves:
        masked, y = curves["half_masked"], curves["half_masked"].y
        if start is not None:
            y = corrected(masked.y, curves["half_random"].y, start)
        curves["half_corrected"] = Curve(masked.x, y, masked.x_label, masked.y_label, DEFINITIONS["half_corrected"])
    whole = {
        f"{name.replace('half', 'half_fsc')}_{level:g}": crossing(curves[name], level)
        for name in WORDS
        if name in curves
        for level in LEVELS
    }
    shown = [name for name in DEFINITIONS if name in curves]
    return without_residues(whole, {f"fsc_{name}": curves[name] for name in shown}, METRICS)


def require_halves(half_a: DensityMap, half_b: DensityMap) -> None:
    """Raise StageError if a map says nothing or the grids differ."""
    for name, half in (("first", half_a), ("second", half_b)):
        require_contrast(half, f"{name} half map")
    frame = half_a.frame
    close = np.allclose(frame.voxel_xyz, half_b.frame.voxel_xyz, rtol=1e-4)
    if half_b.frame.shape_zyx != frame.shape_zyx or not close:
        raise StageError(
            f"the half maps have different grids: {frame.shape_zyx[::-1]} voxels of {frame.voxel_xyz} Å and "
            f"{half_b.frame.shape_zyx[::-1]} of {half_b.frame.voxel_xyz} Å",
            "give the two half maps of one reconstruction",
        )


def sums_of(a: Spectrum, b: Spectrum, frame: Frame) -> Sums:
    """Sums over the shells to the grid's limit."""
    return shell_sums(a, b, frame, np.inf, nyquist(frame))


def soft_mask(model: Model, frame: Frame, params: HalfFscParams) -> NDArray[np.float32] | None:
    """1 near heavy atoms, 0 far from them, half a cosine between; None if no voxel is near one."""
    xyz = model.xyz[~np.isin(model.element, ("H", "D"))]
    inside = mask_around(frame, xyz, params.mask_radius)
    if not inside.any():
        return None
    mask = inside.astype(np.float32)
    edge = mask_around(frame, xyz, params.mask_radius + params.mask_edge) & ~inside
    for z in np.flatnonzero(edge.any(axis=(1, 2))).tolist():  # a section at a time: the edge of a large map is long
        y, x = np.nonzero(edge[z])
        voxels = frame.to_xyz(np.column_stack((np.full(len(y), z), y, x)).astype(np.float64))
        beyond = nearest(xyz, voxels)[1][:, 0] - params.mask_radius
        mask[z, y, x] = 0.5 + 0.5 * np.cos(np.pi * beyond / params.mask_edge)
    return mask


def first_below(correlation: NDArray[np.float64], level: float) -> int | None:
    """The first shell whose correlation is below a level; None if there is none."""
    below = np.flatnonzero(correlation < level)
    return int(below[0]) if len(below) else None


def shell_begin(sums: Sums, shell: int, frame: Frame) -> float:
    """Where a shell begins, 1/Å; of the first just above 0, for the constant term belongs to none."""
    if shell == 0:
        return 1e-9
    edge = max(frame.extent_xyz)
    return float((np.floor(sums.s[shell] / sums.number[shell] * edge + 0.5) - 0.5) / edge)


def masked_random(
    spectrum: Spectrum, mask: NDArray[np.float32], frame: Frame, limit: float, rng: np.random.Generator, ctx: Context
) -> Spectrum:
    """The masked map's spectrum after the phases from a frequency (1/Å) on became random; overwrites ``spectrum``.

    Phases are those of white noise, which is real: so mates stay mates on the planes where both are stored.
    """
    noise = transform(rng.standard_normal(frame.shape_zyx, np.float32), ctx)
    in_plane = frequencies(frame, 1)[:, None] ** 2 + frequencies(frame, 2)[None, :] ** 2
    for plane, phases, s_z in zip(spectrum, noise, frequencies(frame, 0).tolist(), strict=True):
        chosen = in_plane + s_z * s_z >= limit**2
        size = np.abs(phases[chosen])
        plane[chosen] = np.abs(plane[chosen]) * (phases[chosen] / np.where(size > 0, size, 1))
    del noise
    found = back(spectrum, frame, ctx)
    found *= mask
    return transform(found, ctx)


def corrected(masked: NDArray[np.float64], random: NDArray[np.float64], start: int) -> NDArray[np.float64]:
    """What remains of the masked correlation without the mask's part (Chen et al. 2013, eq. 4).

    Parameters
    ----------
    masked, random
        Correlations by shell, shape ``(n,)``, before and after phases became random.
    start
        The first shell with random phases; if it is not the very first, `KEPT` shells more stay as they are.
    """
    found = masked.copy()
    rest = slice(start + KEPT if start else 0, None)
    room = 1 - random[rest]
    share = np.full(len(room), np.nan)
    np.divide(masked[rest] - random[rest], room, out=share, where=room > SPENT)
    found[rest] = np.clip(share, -1, 1)
    return found
