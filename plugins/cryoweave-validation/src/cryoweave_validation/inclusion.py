"""Atom inclusion: the share of atoms inside a contour of the map, as in the EMDB's validation analysis.

Wang et al. 2022, doi 10.1107/S205979832200328X.
"""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, DensityMap, Metric, Model, ScoreTable
from cryoweave.host import Context
from cryoweave.kernels.grid import Statistics, interpolate, statistics
from cryoweave_validation.calculated import require_judgeable
from cryoweave_validation.inclusion_stages import InclusionParams
from cryoweave_validation.surroundings import POLYMER, residues_of

LEVELS = 129
"""Levels of the curves, from the map's lowest density to its highest."""
SIGMAS = 3.0
"""Standard deviations above the mean of the contour when none is given."""
BACKBONE = ("N", "CA", "C", "O", "P", "OP1", "OP2", "O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'")
"""Main chain of proteins; phosphate and sugar of nucleic acids."""

ATOMS = "heavy atoms other than water with density above the contour"
GIVEN = "contour as given, or the map's mean + 3 standard deviations"
METRICS = {
    "inclusion": Metric(f"{ATOMS}, of all such atoms of the residue ({GIVEN})", "", True),
    "inclusion_all": Metric(f"{ATOMS}, of all such atoms of the model, those beyond the map too ({GIVEN})", "", True),
    "inclusion_backbone": Metric(
        f"backbone atoms with density above the contour, of all backbone atoms ({GIVEN})", "", True
    ),
    "contour": Metric("density at which inclusion is judged", "map"),
}


def included(model: Model, density: DensityMap, params: InclusionParams, ctx: Context) -> ScoreTable:
    """Inclusion at the contour by residue and of the whole, and against the contour."""
    require_judgeable(model, density)
    found = statistics(density.values)
    contour = chosen_contour(found, params, ctx)
    heavy = ~np.isin(model.element, ("H", "D"))
    residues = residues_of(model).keep(heavy)
    atoms = model.select(residues.atoms)
    values = interpolate(density.values, density.frame, atoms.xyz).astype(np.float64)
    values[~density.frame.contains(atoms.xyz)] = -np.inf
    backbone = np.isin(atoms.atom_name, BACKBONE) & np.isin(atoms.residue_name, POLYMER)
    inside = np.bincount(residues.row, values > contour, len(residues))
    number = np.diff(residues.start)
    levels = np.linspace(found.minimum, found.maximum, LEVELS)
    parts = {"inclusion_all": values, "inclusion_backbone": values[backbone]}
    names = {"inclusion_all": "all heavy atoms but water", "inclusion_backbone": "backbone atoms"}
    first = residues.first
    return ScoreTable(
        chain=model.chain[first],
        residue_number=model.residue_number[first],
        insertion_code=model.insertion_code[first],
        residue_name=model.residue_name[first],
        residues={"inclusion": np.divide(inside, number, out=np.full(len(first), np.nan), where=number > 0)},
        whole={name: float(share(part, np.array([contour]))[0]) for name, part in parts.items()} | {"contour": contour},
        metrics=METRICS,
        curves={
            name: Curve(
                levels,
                share(part, levels),
                "contour (map)",
                "atoms above the contour",
                f"share of {names[name]} with density above the contour, of all such atoms",
            )
            for name, part in parts.items()
        },
    )


def chosen_contour(found: Statistics, params: InclusionParams, ctx: Context) -> float:
    """The contour that was given, or a guess; what is odd with it is warned of."""
    contour = params.contour if params.contour is not None else found.mean + SIGMAS * found.sd
    ctx.note("contour", contour)
    if params.contour is None:
        ctx.note("contour_rule", "mean + 3 standard deviations: no contour was given")
        ctx.log.warning(
            "no contour was given: inclusion is judged at %.3g, the map's mean + 3 standard deviations: a guess",
            contour,
        )
    if not found.minimum <= contour < found.maximum:
        what = "no voxel" if contour >= found.maximum else "every voxel"
        span = (contour, found.minimum, found.maximum)
        ctx.log.warning(f"{what} lies above the contour %.3g: the map goes from %.3g to %.3g", *span)
    return contour


def share(values: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of the values above each level; NaN if there is no value."""
    if not len(values):
        return np.full(len(levels), np.nan)
    return np.asarray(1 - np.searchsorted(np.sort(values), levels, side="right") / len(values), dtype=np.float64)
