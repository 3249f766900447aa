"""Maps made ready to be compared: coarser without aliasing, and their curvature.

Both work on the Fourier transform, so a map goes on cyclically beyond its borders.
"""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.kernels.search import fast_size

Spectrum = NDArray[np.complexfloating]


def coarsened(density: DensityMap, voxel: float, sigma: float = 0.0) -> DensityMap:
    """The map on voxels of about this size (Å), at most so large, after a Gaussian blur of ``sigma`` Å.

    The spectrum is cut where the new voxels end, so that nothing folds back; a grid that is as coarse already stays.
    The first voxel stays where it is.
    """
    if not (voxel > 0 and sigma >= 0):
        raise InputError(f"voxel must be positive and sigma not negative, not {voxel} and {sigma}")
    frame = density.frame
    extent = frame.extent_xyz[::-1]
    sides = zip(frame.shape_zyx, extent, strict=True)
    nz, ny, nx = (min(n, fast_size(int(np.ceil(length / voxel - 1e-6)))) for n, length in sides)
    spectrum: Spectrum = np.fft.rfftn(density.values)
    if sigma > 0:
        spectrum *= np.exp(-2 * np.pi**2 * sigma**2 * _squares(frame)).astype(np.float32)
    spectrum = _cut(_cut(spectrum, 0, nz), 1, ny)[:, :, : nx // 2 + 1]
    scale = nz * ny * nx / density.values.size
    values = np.fft.irfftn(spectrum, s=(nz, ny, nx), axes=(0, 1, 2)) * scale
    z, y, x = (length / n for length, n in zip(extent, (nz, ny, nx), strict=True))
    return DensityMap(values.astype(np.float32), Frame((nz, ny, nx), (x, y, z), frame.origin_xyz))


def curvature(density: DensityMap) -> DensityMap:
    """Minus the Laplacian of the map, in its units per Å²: positive where the density has its ridges and peaks."""
    spectrum = np.fft.rfftn(density.values)
    spectrum *= (4 * np.pi**2 * _squares(density.frame)).astype(np.float32)
    values = np.fft.irfftn(spectrum, s=density.frame.shape_zyx, axes=(0, 1, 2))
    return DensityMap(values.astype(np.float32), density.frame)


def _squares(frame: Frame) -> NDArray[np.float64]:
    """Squares of the spatial frequencies (1/Å²) of the map's half spectrum."""
    z, y, x = (n for n in frame.shape_zyx)
    vx, vy, vz = frame.voxel_xyz
    along = np.fft.fftfreq(z, vz)[:, None, None], np.fft.fftfreq(y, vy)[None, :, None], np.fft.rfftfreq(x, vx)
    return np.asarray(along[0] ** 2 + along[1] ** 2 + along[2] ** 2)


def _cut(spectrum: Spectrum, axis: int, n: int) -> Spectrum:
    """The lowest ``n`` frequencies along an axis that holds them as positive, then negative."""
    half = (n + 1) // 2
    low, high = np.arange(half), np.arange(spectrum.shape[axis] - (n - half), spectrum.shape[axis])
    return np.take(spectrum, np.concatenate([low, high]), axis=axis)
