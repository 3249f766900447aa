"""Maps as an experiment would give them: atoms, solvent, noise that grows with frequency, sharpening and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.kernels import grid
from cryoweave.kernels.simulate import coloured_noise, simulate_electron, solvent_noise

FSC_AT_RESOLUTION = 0.143
"""Rosenthal & Henderson 2003, doi 10.1016/j.jmb.2003.07.013: the half-map correlation that defines the resolution."""
LEAST_B = 8.0
"""Å² times the square of the voxel in Å: an atom narrower than that folds back beyond the grid's own limit."""


@dataclass(frozen=True)
class Conditions:
    """How a map was recorded and treated.

    Parameters
    ----------
    resolution
        Å; spacing at which the correlation of half maps falls to 0.143.
    steepness
        Scale on which that correlation falls around the resolution (a logistic curve), over the resolution's frequency.
    noise
        Amplitude of the noise over what the resolution asks for; 0 for none, then the map is only cut there.
    falloff_b
        Å²: B factor of the final map's spectrum over that of point atoms: 0 or less is sharpened, 100 blurred.
    solvent
        Share of the molecule's mean density that solvent takes away from its contrast, 0 to 1.
    disorder
        Standard deviation of smooth density outside of the molecule (detergent, disordered parts), over the
        molecule's mean.
    mask_radius
        Å around the atoms beyond which the map is zero; None for no mask.
    mask_edge
        Å over which the mask falls off; 0 for a hard edge.
    """

    resolution: float
    steepness: float = 0.1
    noise: float = 1.0
    falloff_b: float = 20.0
    solvent: float = 0.5
    disorder: float = 0.0
    mask_radius: float | None = None
    mask_edge: float = 0.0

    def __post_init__(self) -> None:
        for name in ("resolution", "steepness"):
            if not (math.isfinite(value := getattr(self, name)) and value > 0):
                raise InputError(f"{name} must be positive and finite, not {value}")
        for name in ("noise", "solvent", "disorder", "mask_edge"):
            if not (math.isfinite(value := getattr(self, name)) and value >= 0):
                raise InputError(f"{name} must be finite and not negative, not {value}")
        if not math.isfinite(self.falloff_b):
            raise InputError(f"falloff_b must be finite, not {self.falloff_b}")


@dataclass(frozen=True)
class Scatterers:
    """Atoms as electrons see them.

    Parameters
    ----------
    xyz
        Å, shape ``(n, 3)``.
    element
        Row of the tables for each atom, shape ``(n,)``.
    coefficients_a, coefficients_b
        Electron scattering factors as of :func:`~cryoweave.kernels.simulate.simulate_electron`.
    b_factor
        Å², shape ``(n,)``.
    occupancy
        Shape ``(n,)``; may be negative where a charge weakens an atom.
    """

    xyz: NDArray[np.float64]
    element: NDArray[np.int64]
    coefficients_a: NDArray[np.float64]
    coefficients_b: NDArray[np.float64]
    b_factor: NDArray[np.float64]
    occupancy: NDArray[np.float64]


def experimental_map(
    atoms: Scatterers, frame: Frame, conditions: Conditions, seed: int, masked_to: NDArray[np.float64] | None = None
) -> DensityMap:
    """A map of atoms under given conditions.

    The signal is the atoms' electrostatic potential less the solvent that they displace. Its half-map correlation is a
    logistic curve of frequency; the noise has the power that this correlation asks of the signal's own spectrum. The
    sum is weighted by √(2 FSC / (1 + FSC)) (Rosenthal & Henderson 2003), brought to the wanted fall-off, cut a little
    beyond the resolution and masked.

    Parameters
    ----------
    atoms
        Those beyond the grid give what reaches into it.
    frame
        The grid; voxels of at most a third of the resolution.
    conditions
        See there.
    seed
        Same seed, same map.
    masked_to
        Positions in Å around which the mask lies, shape ``(n, 3)``; all atoms if absent.

    Returns
    -------
    Density in units of the scattering factors per Å³, up to the sharpening.

    Raises
    ------
    InputError
        If there is no atom, or the grid is too coarse for the resolution.
    """
    if not len(atoms.xyz):
        raise InputError("there is no atom to simulate a map of")
    if max(frame.voxel_xyz) > conditions.resolution / 2:
        raise InputError(
            f"voxels of {max(frame.voxel_xyz):g} Å cannot hold a resolution of {conditions.resolution:g} Å",
            f"take voxels of at most {conditions.resolution / 3:.2g} Å",
        )
    signal, filled = _contrast(atoms, frame, conditions, seed)
    values = _recorded(signal, filled, frame, conditions, seed)
    if conditions.mask_radius is not None:
        around = atoms.xyz if masked_to is None else masked_to
        values *= soft_mask(frame, around, conditions.mask_radius, conditions.mask_edge)
    return DensityMap(values, frame)


def soft_mask(frame: Frame, xyz: NDArray[np.float64], radius: float, edge: float) -> NDArray[np.float32]:
    """1 within a distance of any point, falling to 0 over ``edge`` Å beyond."""
    mask = grid.mask_around(frame, xyz, radius + edge / 2).astype(np.float32)
    if edge > 0:
        sz, sy, sx = (edge / 2.5 / voxel for voxel in frame.voxel_xyz[::-1])
        mask = grid.gaussian(mask, (sz, sy, sx))
    return mask


def _contrast(atoms: Scatterers, frame: Frame, conditions: Conditions, seed: int) -> tuple[NDArray[np.float32], float]:
    """Potential of the atoms over that of the solvent, and the share of the voxels that the molecule fills."""
    least = LEAST_B * max(frame.voxel_xyz) ** 2
    values = simulate_electron(
        frame,
        atoms.xyz,
        atoms.element,
        atoms.coefficients_a,
        atoms.coefficients_b,
        np.maximum(atoms.b_factor, least),
        0.0,
        occupancy=atoms.occupancy,
    )
    inside = grid.mask_around(frame, atoms.xyz, 2.2)
    mean = float(values[inside].mean()) if inside.any() else 0.0
    voxels = [1.5 / voxel for voxel in frame.voxel_xyz[::-1]]
    envelope = grid.gaussian(inside.astype(np.float32), (voxels[0], voxels[1], voxels[2]))
    if conditions.solvent:
        values -= np.float32(conditions.solvent * mean) * envelope
    if conditions.disorder:
        values += solvent_noise(frame, conditions.disorder * mean, seed + 1) * (1 - envelope)
    return values, float(inside.mean())


def _recorded(
    signal: NDArray[np.float32], filled: float, frame: Frame, conditions: Conditions, seed: int
) -> NDArray[np.float32]:
    """Signal and noise as half maps of the given resolution would be merged, sharpened and cut.

    The noise fills the box, the correlation is that within the molecule; the mean of two half maps has half their
    noise.
    """
    spectrum = np.fft.rfftn(signal).astype(np.complex64)
    shells, width = _shells(frame)
    power = _smooth(np.bincount(shells.ravel(), (np.abs(spectrum) ** 2).ravel()) / np.bincount(shells.ravel()))
    at: NDArray[np.float64] = width * (np.arange(len(power), dtype=np.float64) + 0.5)
    fsc = half_map_correlation(at, conditions)
    if conditions.noise:
        white = np.fft.rfftn(coloured_noise(frame, 1.0, 0.0, seed)).astype(np.complex64)
        share = max(filled, 1e-3) * signal.size
        ratio = conditions.noise * np.sqrt(power * (1 - fsc) / (2 * fsc) / share)
        spectrum += white * ratio.astype(np.float32)[shells]
    weight = np.sqrt(2 * fsc / (1 + fsc)) if conditions.noise else np.ones_like(fsc)
    # What falls off like B = 0 below the resolution is flat; the mean atom's own fall-off is taken out.
    weight *= np.exp(0.25 * (_falloff(at, power, conditions.resolution) - conditions.falloff_b) * at**2)
    cut = 1.05 / conditions.resolution
    weight *= 1 / (1 + np.exp((at - cut) / 0.01))
    spectrum *= weight.astype(np.float32)[shells]
    return np.fft.irfftn(spectrum, s=frame.shape_zyx, axes=(0, 1, 2)).astype(np.float32)


def half_map_correlation(s: NDArray[np.float64], conditions: Conditions) -> NDArray[np.float64]:
    """Correlation of half maps at spatial frequencies in 1/Å; at least 0.001."""
    scale = conditions.steepness / conditions.resolution
    middle = 1 / conditions.resolution - scale * math.log(1 / FSC_AT_RESOLUTION - 1)
    found = 1 / (1 + np.exp(np.clip((s - middle) / scale, -60, 60)))
    return np.asarray(np.clip(found, 1e-3, 1 - 1e-4))


def frequencies(frame: Frame) -> NDArray[np.float32]:
    """Length of the spatial frequency in 1/Å of each coefficient of the half spectrum."""
    nz, ny, nx = frame.shape_zyx
    vx, vy, vz = frame.voxel_xyz
    z, y = np.fft.fftfreq(nz, vz)[:, None, None], np.fft.fftfreq(ny, vy)[None, :, None]
    return np.asarray(np.sqrt(z**2 + y**2 + np.fft.rfftfreq(nx, vx)[None, None] ** 2), dtype=np.float32)


def _shells(frame: Frame) -> tuple[NDArray[np.intp], float]:
    """Shell of each coefficient, and their width in 1/Å: the step of the shortest axis."""
    width = 1 / min(frame.extent_xyz)
    return (frequencies(frame) / width).astype(np.intp), width


def _smooth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over five shells of the logarithm; shells that hold nothing take their neighbours'."""
    logs = np.log(np.maximum(power, power.max() * 1e-12 + 1e-300))
    padded = np.pad(logs, 2, mode="edge")
    return np.asarray(np.exp(np.convolve(padded, np.full(5, 0.2), "valid")))


def _falloff(at: NDArray[np.float64], power: NDArray[np.float64], resolution: float) -> float:
    """B of the amplitudes between 10 Å and the resolution (Wilson plot), in Å²."""
    some = (at > min(0.1, 0.5 / resolution)) & (at < 1 / resolution)
    if some.sum() < 3:
        return 0.0
    slope = np.polyfit(at[some] ** 2, 0.5 * np.log(power[some]), 1)[0]
    return float(-4 * slope)
