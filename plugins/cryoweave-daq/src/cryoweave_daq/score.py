"""DAQ of each residue from the probabilities around it."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Metric, Model, PointCloud, ScoreTable
from cryoweave.errors import NotApplicableError, StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest
from cryoweave_daq.classes import AMINO, CLASSES, SPLITS
from cryoweave_daq.predict import predicted
from cryoweave_daq.prepare import chosen_atoms
from cryoweave_daq.stages import ScoreParams

CLOSE = 3.0
"""Å: an atom takes the probabilities of the nearest point up to this far."""
FLOOR = 1e-12
"""Least probability in a logarithm, as in DAQplugin."""

Table = NDArray[np.float64]


def scored(
    model: Model, density: DensityMap, points: PointCloud | None, params: ScoreParams, ctx: Context
) -> ScoreTable:
    """DAQ(AA) and DAQ(Cα) of each residue with a Cα, and their means over a window of residue numbers.

    Points with other classes than DAQ's are not used, nor any if the parameters name a prediction or a network.
    """
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    if not len(trace):
        raise NotApplicableError("the model has no Cα atom of an amino acid", "is it a model of a protein?")
    own = params.prediction is not None or params.network is not None
    if points is None or points.classes != CLASSES or own:
        points = predicted(density, model, params, ctx)
    around = probabilities_at(points, chosen_atoms(model, params.daq_compat).xyz)
    if not around.any():
        raise StageError(
            f"no atom has a prediction within {CLOSE:g} Å", "was the prediction made for this model, in this map?"
        )
    here = probabilities_at(points, trace.xyz)
    ratios = log_ratios(here, references(around), params.daq_compat)
    if params.daq_compat:
        ratios[trace.hetero] = np.nan
    ctx.note("residues_without_prediction", int((~here.any(axis=1)).sum()))
    column = {name: i for i, name in enumerate(AMINO)}
    kinds = np.array([column.get(name, -1) for name in trace.residue_name.tolist()])
    raw = {
        "daq_aa": np.where(kinds >= 0, ratios[np.arange(len(trace)), kinds], np.nan),
        "daq_ca": ratios[:, CLASSES.index("CA")],
    }
    windowed = {
        f"{name}_w{params.window}": window_means(values, trace.chain, trace.residue_number, params.window)
        for name, values in raw.items()
    }
    return ScoreTable(
        chain=trace.chain,
        residue_number=trace.residue_number,
        insertion_code=trace.insertion_code,
        residue_name=trace.residue_name,
        residues=raw | windowed,
        whole={name: _mean(values) for name, values in raw.items()}
        | {"daq_aa_negative": _mean(np.where(np.isnan(low := windowed[f"daq_aa_w{params.window}"]), np.nan, low < 0))},
        metrics=metrics(params.window, params.daq_compat),
    )


def probabilities_at(points: PointCloud, xyz: NDArray[np.float64]) -> Table:
    """Probabilities of the nearest point, ``(n, 29)``; 0 where none is close."""
    found: Table = np.zeros((len(xyz), len(CLASSES)))
    if len(xyz) and len(points):
        index, distance = nearest(points.xyz, xyz)
        close = distance[:, 0] <= CLOSE
        found[close] = points.probabilities[index[close, 0]]
    return found


def references(probabilities: Table) -> Table:
    """Share of each class in what the atoms see, ``(29,)``; the classes of a head sum to 1."""
    heads = (head.sum(axis=0) for head in np.split(probabilities, SPLITS, axis=1))
    return np.concatenate([head / head.sum() for head in heads])


def log_ratios(probabilities: Table, reference: Table, compat: bool) -> Table:
    """ln(P / reference), ``(n, 29)``; without a prediction NaN, or 0 as the published program has it."""
    ratios: Table = np.log(np.maximum(probabilities, FLOOR) / np.maximum(reference, FLOOR))
    if compat:
        return np.where(probabilities == 0, 0.0, ratios)
    ratios[~probabilities.any(axis=1)] = np.nan
    return ratios


def window_means(
    values: NDArray[np.float64], chain: NDArray[np.str_], number: NDArray[np.int32], window: int
) -> NDArray[np.float64]:
    """Mean over the residues of the same chain whose numbers are at most ``window`` away; NaN where the value is.

    Residues that differ by their insertion code alone are each counted.
    """
    means = np.full(len(values), np.nan)
    for name in np.unique(chain):
        rows = np.flatnonzero((chain == name) & ~np.isnan(values))
        rows = rows[np.argsort(number[rows], kind="stable")]
        sums = np.concatenate(([0.0], np.cumsum(values[rows])))
        first = np.searchsorted(number[rows], number[rows] - window, side="left")
        last = np.searchsorted(number[rows], number[rows] + window, side="right")
        means[rows] = (sums[last] - sums[first]) / (last - first)
    return means


def _mean(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan


def metrics(window: int, compat: bool) -> dict[str, Metric]:
    """What each column is."""
    atoms = "all ATOM records" if compat else "the heavy atoms of all amino acids"
    aa, ca = (
        f"DAQ({short}): ln of the probability of {what} at the Cα over its mean at {atoms}; of the whole: mean over "
        "residues that have one"
        for short, what in (("AA", "the residue's type"), ("Cα", "a Cα"))
    )
    mean = f"mean over the residues of the chain whose numbers are at most {window} away"
    return {
        "daq_aa": Metric(aa, "", True),
        "daq_ca": Metric(ca, "", True),
        f"daq_aa_w{window}": Metric(f"DAQ(AA), {mean}", "", True),
        f"daq_ca_w{window}": Metric(f"DAQ(Cα), {mean}", "", True),
        "daq_aa_negative": Metric(
            f"residues whose DAQ(AA), {mean}, is below 0, of those that have one: likely misassigned", "", False
        ),
    }
