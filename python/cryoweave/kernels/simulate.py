"""Density of atoms, and noise to put on top of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.grid import points

if TYPE_CHECKING:
    from cryoweave.data.frame import Frame

Progress = Callable[[int, int], object]


def simulate_blurred(
    frame: Frame,
    xyz: NDArray[np.float64],
    weight: ArrayLike,
    sigma: ArrayLike,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Each atom as its weight times one normalised Gaussian.

    Parameters
    ----------
    frame
        The grid to fill.
    xyz
        Atoms in Å, shape ``(n, 3)``; those beyond the grid give what reaches into it.
    weight
        Integral of each atom's density over space (e.g. its atomic number), shape ``(n,)`` or one number.
    sigma
        Standard deviation in Å, shape ``(n,)`` or one number. For a resolution ``d`` the field uses several:
        ``0.225 d`` (the Fourier transform falls to 1/e at ``1/d``: ``d / (π √2)``), ``0.187 d`` (to one half at
        ``1/d``: ``d √(ln 2 / 2) / π``), ``0.425 d`` (width at half maximum ``d``: ``d / (2 √(2 ln 2))``).
    progress
        Called now and then with blocks done and blocks in all.

    Returns
    -------
    Density per Å³, of the frame's shape; each Gaussian is cut off at a cube of half side 4 sigma.

    Raises
    ------
    InputError
        If arrays differ in length, a number is not finite or a sigma is not positive.
    """
    atoms = points(xyz)
    return _core.simulate_blurred(*_frame(frame), atoms, _each(atoms, weight), _each(atoms, sigma), progress)


def simulate_electron(
    frame: Frame,
    xyz: NDArray[np.float64],
    element: NDArray[np.int64],
    coefficients_a: NDArray[np.float64],
    coefficients_b: NDArray[np.float64],
    b_factor: ArrayLike,
    resolution: float,
    *,
    occupancy: ArrayLike = 1.0,
    sigma_factor: float = 0.225,
    progress: Progress | None = None,
) -> NDArray[np.float32]:
    """Electrostatic potential of atoms by their electron scattering factors.

    An element's scattering factor is ``Σ a exp(-b s²)``, ``s = sin θ / λ``, of five Gaussians (International Tables C,
    table 4.3.2.2; ``gemmi.Element("C").c4322`` has it). With displacement ``B`` each is
    ``a (4π/(b+B))^{3/2} exp(-4π² r²/(b+B))`` in space. The resolution ``d`` is one more blur, of standard deviation
    ``σ = sigma_factor · d``, which adds ``8π² σ²`` to ``B``.

    Parameters
    ----------
    frame
        The grid to fill.
    xyz
        Atoms in Å, shape ``(n, 3)``; those beyond the grid give what reaches into it.
    element
        Row of the tables for each atom, shape ``(n,)``.
    coefficients_a, coefficients_b
        Amplitudes in Å and widths in Å² of each element's Gaussians, shape ``(elements, 5)``.
    b_factor
        Isotropic displacement in Å², shape ``(n,)`` or one number.
    resolution
        In Å; zero for no blur beyond the atoms' own.
    occupancy
        Shape ``(n,)`` or one number.
    sigma_factor
        Standard deviation of the blur over the resolution; see :func:`simulate_blurred` for common values.
    progress
        Called now and then with blocks done and blocks in all.

    Returns
    -------
    Potential in units of the scattering factors per Å³, of the frame's shape; each atom is cut off at a cube of half
    side 4 standard deviations of its widest Gaussian.

    Raises
    ------
    InputError
        If arrays differ in length, a number is not finite, an element is not in the tables, or a width ``b + B`` is not
        positive.
    """
    if not (math.isfinite(resolution) and resolution >= 0):
        raise InputError(f"resolution must be finite and not negative, not {resolution}")
    atoms = points(xyz)
    tables = (_table("coefficients_a", coefficients_a), _table("coefficients_b", coefficients_b))
    columns = (np.asarray(element, dtype=np.int64), _each(atoms, b_factor), _each(atoms, occupancy))
    b_resolution = 8 * math.pi**2 * (sigma_factor * resolution) ** 2
    return _core.simulate_electron(*_frame(frame), atoms, tables, columns, b_resolution, progress)


def coloured_noise(frame: Frame, sd: float, falloff_b: float, seed: int) -> NDArray[np.float32]:
    """Gaussian noise whose amplitude falls off as ``exp(-B s²/4)`` with spatial frequency ``s``, as in real maps.

    Parameters
    ----------
    frame
        The grid to fill; the noise is periodic in it.
    sd
        Standard deviation of the result, not negative, in the map's own units; the mean is zero.
    falloff_b
        ``B`` in Å²; zero gives white noise.
    seed
        Same seed, same noise.

    Returns
    -------
    Noise of the frame's shape.

    Raises
    ------
    InputError
        If ``sd`` or ``falloff_b`` is negative or not finite.
    """
    for name, value in (("sd", sd), ("falloff_b", falloff_b)):
        if not (math.isfinite(value) and value >= 0):
            raise InputError(f"{name} must be finite and not negative, not {value}")
    shape = tuple(frame.shape_zyx)
    white = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    spectrum = np.fft.rfftn(white)
    damp(spectrum, frame, falloff_b)
    spectrum[0, 0, 0] = 0
    noise = np.fft.irfftn(spectrum, s=shape, axes=(0, 1, 2))
    spread = float(noise.std(dtype=np.float64))
    return np.asarray(noise * (sd / spread if spread > 0 else 0.0), dtype=np.float32)


def damp(spectrum: NDArray[np.complexfloating], frame: Frame, b_factor: float) -> None:
    """Multiply the half spectrum of a map on this grid by ``exp(-B s²/4)``, in place; a negative B (Å²) sharpens."""
    for axis, (n, voxel) in enumerate(zip(frame.shape_zyx, frame.voxel_xyz[::-1], strict=True)):
        s = np.fft.rfftfreq(n, voxel) if axis == 2 else np.fft.fftfreq(n, voxel)
        along = [-1 if other == axis else 1 for other in range(3)]
        spectrum *= np.exp(-0.25 * b_factor * s**2).astype(np.float32).reshape(along)


def solvent_noise(frame: Frame, sd: float, seed: int, resolution: float = 10.0) -> NDArray[np.float32]:
    """Smooth random density, as of disordered solvent: noise whose amplitude is half at ``1 / resolution``.

    Parameters
    ----------
    frame, sd, seed
        As for :func:`coloured_noise`.
    resolution
        In Å, positive.

    Returns
    -------
    Noise of the frame's shape.

    Raises
    ------
    InputError
        If ``sd`` is negative or a number is not finite.
    """
    return coloured_noise(frame, sd, 4 * math.log(2) * resolution**2, seed)


def _frame(frame: Frame) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    return (
        tuple(map(int, frame.shape_zyx)),
        tuple(map(float, frame.voxel_xyz)),
        tuple(map(float, frame.origin_xyz)),
    )


def _table(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 5:
        raise InputError(f"{name} must have the shape (elements, 5), not {array.shape}")
    return array


def _each(atoms: NDArray[np.float64], values: ArrayLike) -> NDArray[np.float64]:
    """One number for each atom: a single number is repeated, lengths are checked by the core."""
    array = np.asarray(values, dtype=np.float64)
    return np.full(len(atoms), array) if array.ndim == 0 else array.reshape(-1)
