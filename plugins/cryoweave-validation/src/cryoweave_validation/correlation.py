"""Correlation of a map with the map that the model predicts.

Definitions are those of phenix.map_model_cc (Afonine et al. 2018, doi 10.1107/S2059798318009324); unlike there, nothing
wraps around the edges of the box.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import simpson

from cryoweave.data import DensityMap, Frame, Metric, Model, ScoreTable
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import volume_threshold
from cryoweave_validation.calculated import b_factors_of, back, require_judgeable, structure_factors
from cryoweave_validation.correlation_stages import CorrelationParams
from cryoweave_validation.surroundings import Near, residues_of, voxels_near

PAD = 5.0
"""Å of empty space around the box while its mask is made, more than the largest atom and the probe."""

BETWEEN = "correlation of map and calculated map over"
METRICS = {
    "cc": Metric(
        f"{BETWEEN} the voxels within the atom radius of the residue's atoms (radius: the resolution or the size of "
        "a carbon's image, 3 to 10 Å)",
        "",
        True,
    ),
    "cc_box": Metric(f"{BETWEEN} all voxels", "", True),
    "cc_mask": Metric(f"{BETWEEN} the N voxels in the model's molecular mask (probe 1.1 Å, shrunk by 0.9 Å)", "", True),
    "cc_volume": Metric(
        f"{BETWEEN} the N highest voxels of the calculated map, those that tie included; N is that of cc_mask", "", True
    ),
    "cc_peaks": Metric(
        f"{BETWEEN} voxels that are among the N highest of either map, those that tie included (all that are zero if "
        "fewer than N are positive); N is that of cc_mask",
        "",
        True,
    ),
}


def correlated(model: Model, density: DensityMap, params: CorrelationParams, ctx: Context) -> ScoreTable:
    """The correlation coefficients of the whole map and of each residue."""
    require_judgeable(model, density)
    frame, values = density.frame, density.values
    b_factors = b_factors_of(model, params.b_factor, ctx)
    calculated = back(structure_factors(model, frame, params.resolution, ctx, b_factors=b_factors), frame, ctx)
    radius = atom_radius(params.resolution, float(np.mean(b_factors)))
    ctx.note("atom_radius", round(radius, 2))
    inside = molecular_mask(model, frame)
    n = int(inside.sum())
    if not n:
        raise StageError("the model's mask holds no voxel", "compare the map's origin with the model's")
    strong = calculated >= volume_threshold(calculated, n)
    residues = residues_of(model)
    found = np.full(len(residues), np.nan)
    for near in voxels_near(frame, model.xyz[residues.atoms], residues.start, radius, ctx):
        found[near.first : near.first + near.rows] = pearson_by_residue(values, calculated, near)
    whole = {
        "cc_box": pearson(values, calculated),
        "cc_mask": pearson(values, calculated, inside),
        "cc_volume": pearson(values, calculated, strong),
        "cc_peaks": pearson(values, calculated, strong | (values >= volume_threshold(values, n))),
    }
    first = residues.first
    return ScoreTable(
        chain=model.chain[first],
        residue_number=model.residue_number[first],
        insertion_code=model.insertion_code[first],
        residue_name=model.residue_name[first],
        residues={"cc": found},
        whole=whole,
        metrics=METRICS,
    )


def molecular_mask(model: Model, frame: Frame) -> NDArray[np.bool_]:
    """Voxels of the molecule: within an atom's radius and the probe's, less what is near solvent.

    Every atom counts, as in phenix.map_model_cc: hydrogens and those of occupancy zero too.
    """
    import gemmi

    pad = [math.ceil(PAD / voxel) for voxel in frame.voxel_xyz]
    shape = [n + 2 * p for n, p in zip(frame.shape_zyx[::-1], pad, strict=True)]
    grid = gemmi.Int8Grid(*shape)
    a, b, c = (n * voxel for n, voxel in zip(shape, frame.voxel_xyz, strict=True))
    grid.set_unit_cell(gemmi.UnitCell(a, b, c, 90, 90, 90))
    grid.spacegroup = gemmi.SpaceGroup("P 1")
    places = model.xyz - frame.origin_xyz + np.array(pad) * frame.voxel_xyz
    near = ((places > 0) & (places < np.array(shape) * frame.voxel_xyz)).all(axis=1)
    residue = gemmi.Residue()
    for i in np.flatnonzero(near).tolist():
        atom = gemmi.Atom()
        atom.pos = gemmi.Position(*places[i])
        atom.element = gemmi.Element(str(model.element[i]))
        residue.add_atom(atom)
    chain = gemmi.Chain("A")
    chain.add_residue(residue)
    molecule = gemmi.Model(1)
    molecule.add_chain(chain)
    masker = gemmi.SolventMasker(gemmi.AtomicRadiiSet.Cctbx)
    masker.ignore_hydrogen = masker.ignore_zero_occupancy_atoms = False
    masker.put_mask_on_int8_grid(grid, molecule)
    core = tuple(slice(p, p + n) for p, n in zip(pad, frame.shape_zyx[::-1], strict=True))
    solvent = np.asarray(grid.array)[core].transpose(2, 1, 0)
    return np.ascontiguousarray(solvent == 0)


def atom_radius(d_min: float, b_factor: float) -> float:
    """Å around an atom that a residue's correlation counts: resolution or size of a carbon's image, 3 to 10.

    The image's size is twice the distance at which its curve turns from falling ever faster to falling ever slower.
    """
    import gemmi

    carbon = gemmi.Element("C").c4322
    s = np.linspace(0, 1 / d_min, 401)
    factor = sum(a * np.exp(-b * s**2 / 4) for a, b in zip(carbon.a, carbon.b, strict=True))
    r = np.arange(0, max(15.0, d_min), 0.02)
    wave = np.sinc(2 * r[:, None] * s) * (4 * np.pi * s**2 * factor * np.exp(-b_factor * s**2 / 4))
    image = simpson(wave, x=s, axis=1)
    turn = int(np.argmax(np.diff(image, 2) > 0))
    return float(min(10.0, max(3.0, d_min, 2 * r[turn + 1])))


def pearson(a: NDArray[np.float32], b: NDArray[np.float32], inside: NDArray[np.bool_] | None = None) -> float:
    """Correlation of two maps over all voxels or those of a mask, plane by plane to save memory."""
    chosen: list[NDArray[np.bool_] | slice] = [slice(None)] * len(a) if inside is None else list(inside)
    n = a.size if inside is None else int(inside.sum())
    means = [sum(float(m[z][part].sum(dtype=np.float64)) for z, part in enumerate(chosen)) / max(n, 1) for m in (a, b)]
    moments = np.zeros(3)
    for z, part in enumerate(chosen):
        x, y = (m[z][part].astype(np.float64).ravel() - mean for m, mean in zip((a, b), means, strict=True))
        moments += [np.einsum("i,i", *pair) for pair in ((x, x), (y, y), (x, y))]  # BLAS would bring its own threads
    return float(moments[2] / np.sqrt(moments[0] * moments[1])) if moments[:2].all() else np.nan


def pearson_by_residue(a: NDArray[np.float32], b: NDArray[np.float32], near: Near) -> NDArray[np.float64]:
    """Correlation over the voxels of each residue; NaN where they are fewer than three or one map has but one value."""
    x, y = (m.ravel()[near.voxel].astype(np.float64) for m in (a, b))
    count = np.bincount(near.owner, minlength=near.rows)
    for column in (x, y):
        mean = np.bincount(near.owner, column, near.rows) / np.maximum(count, 1)
        column -= mean[near.owner]
    xx, yy, xy = (np.bincount(near.owner, product, near.rows) for product in (x * x, y * y, x * y))
    scale = np.sqrt(xx * yy)
    found: NDArray[np.float64] = np.divide(xy, scale, out=np.full(near.rows, np.nan), where=(scale > 0) & (count > 2))
    return found
