"""How well the density supports a model."""

import numpy as np

from cryoweave.data import DensityMap, Metric, Model, ScoreTable
from cryoweave.errors import NotApplicableError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.chains import REACH, follows, joined
from cryoweave.kernels.grid import interpolate, require_contrast

BOND = (2.8, REACH["CA"])
"""Cα–Cα distances (Å) that pass as a bond: 2.9 (cis) to 3.8 (trans), and 0.4 Å more for a trace."""

METRICS = {
    "density": Metric("density at the residue's Cα (P for nucleotides), trilinear; none beyond the map", "map", True),
    "density_sigma": Metric(
        "mean density at the Cα (P) atoms (0 beyond the map), less the map's mean, over the map's standard deviation; "
        "none if all lie beyond the map",
        "σ",
        True,
    ),
    "calpha_bonds": Metric(
        "share of neighbours in the chain whose Cα lie 2.8–4.2 Å apart, of all neighbours with Cα; none of nucleotides",
        "",
        True,
    ),
    "residues": Metric("residues with a Cα (P)", "residues"),
    "fragments": Metric(
        "runs of residues of a chain with Cα at most 4.2 Å apart (P: 8 Å), whatever their numbers", "fragments", False
    ),
}


def supported(model: Model, density: DensityMap, params: NoParams, ctx: Context) -> ScoreTable:
    """Density at each residue's trace atom, and what the trace's geometry says."""
    trace = model.trace_atoms()
    if not len(trace):
        raise NotApplicableError("the model has no Cα or P atom", "is it a model of a protein or nucleic acid?")
    require_contrast(density)
    values = interpolate(density.values, density.frame, trace.xyz)
    mean, deviation = (float(take(density.values, dtype=np.float64)) for take in (np.mean, np.std))
    inside = density.frame.contains(trace.xyz)
    sigma = (float(values.mean()) - mean) / deviation if inside.any() else np.nan
    alpha = trace.atom_name == "CA"
    neighbours = follows(trace) & alpha[1:] & alpha[:-1]
    distance = np.linalg.norm(np.diff(trace.xyz, axis=0), axis=1)
    bonded = neighbours & (distance >= BOND[0]) & (distance <= BOND[1])
    return ScoreTable(
        chain=trace.chain,
        residue_number=trace.residue_number,
        insertion_code=trace.insertion_code,
        residue_name=trace.residue_name,
        residues={"density": np.where(inside, values.astype(np.float64), np.nan)},
        whole={
            "density_sigma": sigma,
            "calpha_bonds": float(bonded.sum() / neighbours.sum()) if neighbours.any() else np.nan,
            "residues": len(trace),
            "fragments": 1 + int((~joined(trace)).sum()),
        },
        metrics=METRICS,
    )
