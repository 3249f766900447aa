"""The map that a model predicts, by electron scattering factors and its B factors, cut at a resolution."""

from typing import cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.io.confidence import CONFIDENT_B
from cryoweave.io.elements import scattering
from cryoweave.kernels.grid import require_contrast
from cryoweave.kernels.simulate import simulate_electron

OVERSAMPLING = 3.0
"""Grid points per Å for each 1/Å to be kept: half as many again as Nyquist asks."""
BLUR = 12.0
"""Least B factor of an atom on that grid, over the square of the resolution: what folds back beyond the grid's own
limit is then e^-12, against e^-3 at the last coefficient that is kept."""

Spectrum = NDArray[np.complex64]


def require_judgeable(model: Model, density: DensityMap) -> None:
    """Raise StageError if there is no atom, no contrast, or no atom within the map."""
    if not len(model):
        raise StageError("the model has no atom", "give a model with coordinates")
    require_contrast(density)
    if not density.frame.contains(model.xyz).any():
        raise StageError(
            "no atom of the model lies in the map",
            "was it fitted into this map? Compare its coordinates with origin and extent in `cryoweave map info`",
        )


def b_factors_of(model: Model, given: float, ctx: Context) -> NDArray[np.float32]:
    """B factors in Å² to calculate a map with: the one given unless negative, else the model's where it has some."""
    if given >= 0:
        return np.full(len(model), given, np.float32)
    if not model.b_is_confidence.any():
        return model.b_factor
    ctx.note("b_factor", CONFIDENT_B)
    ctx.log.warning(
        "the model's B column holds confidences, no B factors: its map is calculated with B = %g Å² (b_factor)",
        CONFIDENT_B,
    )
    return np.where(model.b_is_confidence, np.float32(CONFIDENT_B), model.b_factor)


def nyquist(frame: Frame) -> float:
    """Finest spacing in Å that the grid holds along each of its axes."""
    return 2 * max(frame.voxel_xyz)


def frequencies(frame: Frame, axis: int) -> NDArray[np.float64]:
    """Spatial frequencies in 1/Å along an axis (0 is z) of the half spectrum of :func:`scipy.fft.rfftn`."""
    n, voxel = frame.shape_zyx[axis], frame.voxel_xyz[2 - axis]
    found = scipy.fft.rfftfreq(n, voxel) if axis == 2 else scipy.fft.fftfreq(n, voxel)
    return np.asarray(found, dtype=np.float64)


def transform(values: NDArray[np.float32], ctx: Context) -> Spectrum:
    """Half spectrum of a map, complex64, shape ``(nz, ny, nx // 2 + 1)``."""
    return cast(Spectrum, scipy.fft.rfftn(values, workers=ctx.threads))


def back(spectrum: Spectrum, frame: Frame, ctx: Context) -> NDArray[np.float32]:
    """The map of a half spectrum, which is overwritten."""
    return scipy.fft.irfftn(spectrum, s=frame.shape_zyx, workers=ctx.threads, overwrite_x=True)


def damp(spectrum: Spectrum, frame: Frame, b_factor: float, d_min: float = 0.0) -> None:
    """Multiply by exp(-B s² / 4), in place; a negative B (Å²) sharpens.

    Along each axis the factor grows to the resolution ``d_min`` only: what a cut takes away need not overflow before.
    """
    for axis in range(3):
        along = [-1 if other == axis else 1 for other in range(3)]
        s2 = frequencies(frame, axis) ** 2
        s2 = np.minimum(s2, 1 / d_min**2) if d_min else s2
        spectrum *= np.exp(-0.25 * b_factor * s2).astype(np.float32).reshape(along)


def cut(spectrum: Spectrum, frame: Frame, d_min: float) -> None:
    """Set the coefficients beyond a resolution to zero, in place."""
    in_plane = frequencies(frame, 1)[:, None] ** 2 + frequencies(frame, 2)[None, :] ** 2
    for plane, s in zip(spectrum, frequencies(frame, 0).tolist(), strict=True):
        plane[in_plane + s * s >= 1 / d_min**2] = 0


def structure_factors(
    model: Model, frame: Frame, d_min: float, ctx: Context, *, b_factors: NDArray[np.float32] | None = None
) -> Spectrum:
    """Fourier coefficients of the model's electrostatic potential on a map's grid.

    Parameters
    ----------
    model
        Atoms beyond the grid give what reaches into it; those of unknown element give nothing.
    frame
        The map's grid.
    d_min
        Resolution in Å beyond which all is zero; so it is beyond what the grid holds.
    b_factors
        In place of the model's own.

    Returns
    -------
    Half spectrum of the grid, complex64, shape ``(nz, ny, nx // 2 + 1)``.
    """
    highest = [min(1 / d_min, 0.5 / voxel) for voxel in frame.voxel_xyz]
    step = 1 / (OVERSAMPLING * max(highest))
    extent = frame.extent_xyz
    shape = [scipy.fft.next_fast_len(int(np.ceil(length / step)), real=True) for length in extent]
    voxels = [length / n for length, n in zip(extent, shape, strict=True)]
    fine = Frame((shape[2], shape[1], shape[0]), (voxels[0], voxels[1], voxels[2]), frame.origin_xyz)
    b = np.maximum(model.b_factor if b_factors is None else b_factors, 0).astype(np.float64)
    blur = max(0.0, BLUR / max(highest) ** 2 - float(b.min()))
    known, element, a_table, b_table = scattering(model)
    values = simulate_electron(
        fine,
        model.xyz[known],
        element[known],
        a_table,
        b_table,
        b[known] + blur,
        0.0,
        occupancy=model.occupancy[known],
        progress=ctx.progress,
    )
    found = lowest_frequencies(transform(values, ctx), fine, frame)
    damp(found, frame, -blur, d_min)
    cut(found, frame, d_min)
    return found


def lowest_frequencies(spectrum: Spectrum, fine: Frame, frame: Frame) -> Spectrum:
    """The half spectrum of the same box on another grid, scaled as a transform of that grid.

    The frequency at the very limit of a grid of even size, whose sign it does not know, is left out.
    """
    nz, ny, nx = frame.shape_zyx
    keep = [(min(a, b) - 1) // 2 for a, b in zip(fine.shape_zyx, frame.shape_zyx, strict=True)]
    found = np.zeros((nz, ny, nx // 2 + 1), np.complex64)
    z, y = (np.r_[0 : k + 1, -k:0] if k else np.r_[0:1] for k in keep[:2])
    scale = np.float32(nz * ny * nx / np.prod(fine.shape_zyx, dtype=float))
    for row in z.tolist():
        found[row, y, : keep[2] + 1] = spectrum[row, y, : keep[2] + 1] * scale
    return found
