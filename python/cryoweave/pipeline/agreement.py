"""Whether a model and what it is judged by belong together: cheap checks, whose findings stop nothing."""

from collections.abc import Iterator, Mapping

import numpy as np

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.kernels.grid import statistics
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.preflight import (
    Finding,
    Inputs,
    Level,
    check_alphabet,
    check_contrast,
    check_hand,
    check_mask,
    check_origin,
    no_density,
)

FEWEST_SHELLS = 4
"""Shells of the map's transform, each as wide as one over its shortest side, that a resolution must take in to mean
anything: with fewer, a correlation rests on a handful of coefficients."""


def check_given(inputs: Mapping[str, RunInput], resolution: float | None = None) -> tuple[Finding, ...]:
    """What is odd with the map, the sequences, the half maps and the resolution, whatever the model.

    Parameters
    ----------
    inputs
        Any of ``density``, ``sequences``, ``half_a`` and ``half_b``.
    resolution
        That the user states, Å.
    """
    return tuple(finding for finding in _of_inputs(inputs, resolution) if finding.level in (Level.WARN, Level.FAIL))


def check_placed(model: Model, density: DensityMap) -> tuple[Finding, ...]:
    """What is odd with the place of a model in a map: it lies outside, beside the density, or is the mirror image."""
    stats = statistics(density.values)
    if stats.sd == 0 or not len(model.trace_atoms()):
        return ()
    inputs = Inputs(density, model=model)
    found = [check_origin(inputs, stats)]
    if found[0].level is not Level.FAIL:  # of a model that is elsewhere the hand cannot be told
        found.append(check_hand(inputs, stats))
    return tuple(finding for finding in found if finding.level in (Level.WARN, Level.FAIL))


def check_resolution(density: DensityMap, resolution: float) -> Finding:
    """Whether a map on this grid can have this resolution."""
    finest, shells = 2 * max(density.frame.voxel_xyz), min(density.frame.extent_xyz) / resolution
    values = {"resolution": resolution, "finest": finest, "shells": shells}
    if resolution < 0.99 * finest:
        message = f"no map with these voxels has a resolution of {resolution:g} Å: they hold {finest:.3g} Å at best"
        hint = "give the map's resolution with -d; is the voxel size right that `cryoweave map info` tells?"
        return Finding("resolution", Level.FAIL, message, hint, values)
    if shells < FEWEST_SHELLS:
        side = min(density.frame.extent_xyz)
        message = f"a resolution of {resolution:g} Å says next to nothing in a box of {side:.0f} Å"
        return Finding("resolution", Level.WARN, message, "give the map's resolution with -d, in Å", values)
    return Finding("resolution", Level.OK, f"{resolution:g} Å suits the grid", values=values)


def check_halves(half_a: RunInput, half_b: RunInput, density: DensityMap | None) -> Iterator[Finding]:
    """Whether the half maps are two, and on the map's grid."""
    if half_a.digest == half_b.digest:
        message = "the two half maps are the same: their correlation says nothing"
        yield Finding("half maps", Level.FAIL, message, "give the two independent half maps after --half-maps")
    if density is not None and not _same_grid(half_a.value.frame, density.frame):
        grids = " and ".join(_grid(frame) for frame in (half_a.value.frame, density.frame))
        message = f"half maps and map have different grids: {grids}"
        yield Finding("half maps", Level.WARN, message, "their curves stand each for their own map: are they of one?")


def _of_inputs(inputs: Mapping[str, RunInput], resolution: float | None) -> Iterator[Finding]:
    density = inputs["density"].value if "density" in inputs else None
    if "sequences" in inputs:
        yield from check_alphabet(inputs["sequences"].value)
    if "half_a" in inputs and "half_b" in inputs:
        yield from check_halves(inputs["half_a"], inputs["half_b"], density)
    if density is None:
        return
    stats = statistics(density.values)
    if stats.sd == 0:
        yield no_density(stats)
        return
    yield check_mask(density, stats)
    yield check_contrast(density, stats)
    if resolution is not None:
        yield check_resolution(density, resolution)


def _same_grid(one: Frame, other: Frame) -> bool:
    return one.shape_zyx == other.shape_zyx and all(
        np.allclose(a, b, atol=1e-3) for a, b in ((one.voxel_xyz, other.voxel_xyz), (one.origin_xyz, other.origin_xyz))
    )


def _grid(frame: Frame) -> str:
    nz, ny, nx = frame.shape_zyx
    place = ", ".join(f"{value:.2f}" for value in frame.origin_xyz)
    return f"{nx} x {ny} x {nz} voxels of {frame.voxel_xyz[0]:.4g} Å from ({place}) Å"
