"""Q-score (Pintilie et al. 2020): how well the density around each atom resolves it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Metric, Model, ScoreTable
from cryoweave.data.residues import AMINO_ACIDS, MODIFIED_AMINO_ACIDS, NUCLEOTIDES
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import require_contrast
from cryoweave.kernels.quality import radial_correlation
from cryoweave_validation.atoms import first_location, residue_rows
from cryoweave_validation.qscore_stages import QScoreParams

KINDS = {
    "protein": (*AMINO_ACIDS, *MODIFIED_AMINO_ACIDS, "UNK"),
    "nucleic": tuple(NUCLEOTIDES),
    "water": ("HOH", "DOD", "WAT"),
}
"""Residue names of each kind of molecule; ions are other residues of one atom."""

BACKBONE = {
    "protein": ("N", "CA", "C", "O", "OXT"),
    "nucleic": (
        "P", "OP1", "OP2", "OP3", "O1P", "O2P", "O3P",
        "O5'", "C5'", "C4'", "O4'", "C3'", "O3'", "C2'", "O2'", "C1'",
    ),
}  # fmt: skip
"""Main chain of amino acids; phosphate and sugar of nucleotides."""

EXPECTED = {
    "0.6": {
        "protein": (-0.1775, 1.1192),
        "nucleic": (-0.1377, 0.9973),
        "ion": (-0.1103, 1.0795),
        "water": (-0.0895, 1.0001),
    },
    "0.4": {"protein": (-0.1866, 1.1242), "nucleic": (-0.1465, 0.9436)},
}
"""By sigma and kind of molecule: slope and intercept of the mean Q-score over resolution in Å, as MapQ's authors fitted
them to EMDB entries (numbers from that program)."""

Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Figure(NamedTuple):
    """A score that is a mean over some of the atoms: its name, its sigma's place, the atoms and what it means."""

    name: str
    sigma: int
    atoms: Mask
    metric: Metric


def resolved(model: Model, density: DensityMap, params: QScoreParams, ctx: Context) -> ScoreTable:
    """Q-scores of each residue and of the whole model, for each sigma."""
    atoms = judged_atoms(model)
    inside = density.frame.contains(atoms.xyz)
    require_judgeable(density, inside)
    scores = radial_correlation(density.values, density.frame, atoms.xyz, params.sigmas, ctx.progress)
    row, first = residue_rows(atoms)
    kinds = kinds_of(atoms, row)
    figures = residue_figures(params.sigmas, atoms, kinds)
    whole = {figure.name: mean(scores[figure.atoms, figure.sigma]) for figure in figures}
    metrics = {figure.name: figure.metric for figure in figures}
    for figure, expected in kind_figures(params, kinds):
        whole[figure.name] = mean(scores[figure.atoms, figure.sigma])
        whole[f"{figure.name}_expected"] = expected
        metrics[figure.name] = figure.metric
        metrics[f"{figure.name}_expected"] = Metric(
            f"the same as usual at {params.expected_at:g} Å, by the line that MapQ's authors fitted to EMDB entries"
        )
    whole["q_outside_map"] = float((~inside).mean())
    metrics["q_outside_map"] = Metric("non-hydrogen atoms beyond the map, whose Q-score is 0, of all", "", False)
    return ScoreTable(
        chain=atoms.chain[first],
        residue_number=atoms.residue_number[first],
        insertion_code=atoms.insertion_code[first],
        residue_name=atoms.residue_name[first],
        residues={f.name: means_of_rows(scores[:, f.sigma], f.atoms, row, len(first)) for f in figures},
        whole=whole,
        metrics=metrics,
    )


def require_judgeable(density: DensityMap, inside: Mask) -> None:
    """Raise StageError where every Q-score would be zero."""
    if not len(inside):
        raise StageError("the model has no atom other than hydrogen", "give a model with atoms")
    require_contrast(density)
    if not inside.any():
        raise StageError("no atom lies in the map", "is the model fitted to it? Compare the map's origin")


def judged_atoms(model: Model) -> Model:
    """All but hydrogens; of alternative locations, those of the first that the residue names."""
    atoms = model.select(~np.isin(model.element, ("H", "D")))
    return atoms.select(first_location(atoms))


def kinds_of(atoms: Model, row: Rows) -> NDArray[np.str_]:
    """``protein``, ``nucleic``, ``water``, ``ion`` or nothing for each atom."""
    named = [np.isin(atoms.residue_name, names) for names in KINDS.values()]
    alone = np.bincount(row)[row] == 1
    return np.select([*named, alone], [*KINDS, "ion"], "")


def residue_figures(sigmas: Sequence[float], atoms: Model, kinds: NDArray[np.str_]) -> list[Figure]:
    """What is said of each residue, and of the whole."""
    chain = np.isin(kinds, list(BACKBONE))
    backbone = np.logical_or.reduce([(kinds == kind) & np.isin(atoms.atom_name, BACKBONE[kind]) for kind in BACKBONE])
    figures = [
        Figure(
            f"q_{sigma:g}",
            place,
            np.ones(len(atoms), dtype=bool),
            Metric(
                f"mean over all non-hydrogen atoms of the atom's Q-score: correlation, -1 to 1, of the density within "
                f"2 Å, where no other atom is nearer, with a Gaussian of σ = {sigma:g} Å",
                "",
                True,
            ),
        )
        for place, sigma in enumerate(sigmas)
    ]
    name = figures[0].name
    return [
        *figures,
        Figure(f"{name}_backbone", 0, backbone, Metric(f"{name} of N, Cα, C, O or phosphate and sugar", "", True)),
        Figure(f"{name}_side_chain", 0, chain & ~backbone, Metric(f"{name} of side chains or bases", "", True)),
    ]


def kind_figures(params: QScoreParams, kinds: NDArray[np.str_]) -> list[tuple[Figure, float]]:
    """For each kind of molecule that is there, its mean and what is usual; nothing if no resolution is given."""
    found = []
    for place, sigma in enumerate(params.sigmas if params.expected_at > 0 else ()):
        for kind, (slope, intercept) in EXPECTED.get(f"{sigma:g}", {}).items():
            atoms = kinds == kind
            if atoms.any():
                metric = Metric(f"q_{sigma:g} over the atoms of kind {kind}", "", True)
                figure = Figure(f"q_{sigma:g}_{kind}", place, atoms, metric)
                found.append((figure, slope * params.expected_at + intercept))
    return found


def mean(values: NDArray[np.float64]) -> float:
    """NaN if there is nothing."""
    return float(values.mean()) if len(values) else np.nan


def means_of_rows(values: NDArray[np.float64], atoms: Mask, row: Rows, rows: int) -> NDArray[np.float64]:
    """Mean over the given atoms of each row; NaN for a row without any."""
    count = np.bincount(row[atoms], minlength=rows)
    total = np.bincount(row[atoms], weights=values[atoms], minlength=rows)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
