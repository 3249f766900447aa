"""The map that an experiment would give of a model."""

import numpy as np

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import InputError
from cryoweave.host import Context
from cryoweave.io.confidence import CONFIDENT_B
from cryoweave.io.elements import scattering
from cryoweave.kernels.experiment import Conditions, Scatterers, experimental_map
from cryoweave_basics.stages import SimulateParams

LARGEST = 1500
"""Voxels along an edge: larger boxes are refused before they fill the memory."""


def simulated(model: Model, density: DensityMap | None, params: SimulateParams, ctx: Context) -> DensityMap:
    """The model's density on the grid of a map, or on one of its own with a margin."""
    if not len(model):
        raise InputError("the model has no atom", "give a model with atoms")
    known, element, coefficients_a, coefficients_b = scattering(model)
    frame = density.frame if density is not None else _around(model, params)
    if params.b_factor is not None:
        b_factor = np.full(len(model), params.b_factor)
    else:
        b_factor = np.where(model.b_is_confidence, CONFIDENT_B, model.b_factor)
        if model.b_is_confidence.any():
            ctx.log.warning(f"the model's B column holds confidences: {CONFIDENT_B:g} Å² are taken for these atoms")
    atoms = Scatterers(
        model.xyz[known],
        element[known],
        coefficients_a,
        coefficients_b,
        np.asarray(b_factor, np.float64)[known],
        np.asarray(model.occupancy, np.float64)[known],
    )
    ctx.note("atoms left out", int((~known).sum()))
    return experimental_map(atoms, frame, conditions(params), ctx.seed)


def conditions(params: SimulateParams) -> Conditions:
    """How the map is recorded; the fall-off that was not given is that of published maps of this resolution."""
    falloff = params.falloff_b if params.falloff_b is not None else 7 * params.resolution**2
    return Conditions(
        resolution=params.resolution,
        noise=params.noise,
        falloff_b=falloff,
        solvent=params.solvent,
        disorder=params.disorder,
        mask_radius=params.mask_radius,
        mask_edge=params.mask_edge,
    )


def check(params: SimulateParams, **_inputs: object) -> None:
    """Whether the voxels hold the resolution."""
    if params.voxel > params.resolution / 2:
        raise InputError(
            f"voxels of {params.voxel:g} Å cannot hold a resolution of {params.resolution:g} Å",
            f"take voxels of at most {params.resolution / 3:.2g} Å",
        )


def _around(model: Model, params: SimulateParams) -> Frame:
    check(params)
    first = model.xyz.min(axis=0) - params.margin
    shape = np.ceil((model.xyz.max(axis=0) + params.margin - first) / params.voxel).astype(int) + 1
    if shape.max() > LARGEST:
        raise InputError(
            f"the map would have {shape.max()} voxels along an edge", "take larger voxels, or give a map for the grid"
        )
    x, y, z = (float(value) for value in first)
    nx, ny, nz = (int(n) for n in shape)
    return Frame((nz, ny, nx), (params.voxel,) * 3, (x, y, z))
