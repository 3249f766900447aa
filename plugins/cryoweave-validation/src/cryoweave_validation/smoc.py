"""Segment-based Manders' overlap (SMOC) and the other scores of TEMPy that use a Gaussian map of the model.

Joseph et al. 2016, doi 10.1016/j.ymeth.2016.03.007; Cragnolini et al. 2021, doi 10.1107/S2059798320014928. Here atoms
keep their places: BioTEMPy puts them on voxels of about 1 Å before it blurs them, and takes the voxels near an atom
half a voxel beside it. Its figures differ by 0.006 (EMD-30342) and 0.016 (EMD-2566) in the median, 0.04 at most.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Metric, Model, ScoreTable
from cryoweave.host import Context
from cryoweave.io.elements import known_elements
from cryoweave.kernels.chains import joined
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave_validation.calculated import require_judgeable
from cryoweave_validation.correlation import pearson
from cryoweave_validation.smoc_stages import SmocParams
from cryoweave_validation.surroundings import POLYMER, Residues, Rows, residues_of, voxels_near

SIGMA = 0.225
"""Standard deviation of an atom's Gaussian over the resolution, as in TEMPy and ChimeraX's molmap."""
REACH = 2.5
"""Voxels count within so many standard deviations of an atom."""
LEAST_SIGMA = 1.0
"""Å; the smallest standard deviation that the reach is taken from."""
BINS = 20
"""Of each map's densities in the mutual information."""

METRICS = {
    "smoc": Metric(
        "Manders' overlap of the map and the model's Gaussian map less its mean (Σ tp / √(Σ t² Σ p²)) over the voxels "
        "near the residue and the 5 (window 11) on either side, if not beyond a gap in the numbering",
        "",
        True,
    ),
    "smoc_mean": Metric("mean SMOC of the residues that have one", "", True),
    "ccc": Metric("correlation of map and Gaussian map of the model (σ 0.225 × resolution) over all voxels", "", True),
    "mutual_information": Metric(
        "mutual information of map and Gaussian map of the model over all voxels, from 20 × 20 bins", "bit", True
    ),
}


def overlapped(model: Model, density: DensityMap, params: SmocParams, ctx: Context) -> ScoreTable:
    """SMOC by residue, its mean, and the correlation and mutual information of the whole maps."""
    require_judgeable(model, density)
    frame, values = density.frame, density.values
    sigma = SIGMA * params.resolution
    masses = known_elements(model)[1]
    simulated = simulate_blurred(frame, model.xyz, masses, sigma, ctx.progress)
    residues = residues_of(model)
    whole = {"ccc": pearson(values, simulated), "mutual_information": mutual_information(values, simulated)}
    if params.less_mean:
        simulated -= np.float32(simulated.mean(dtype=np.float64))
    found = sliding_overlap(model, density, simulated, residues, params.window, REACH * max(sigma, LEAST_SIGMA), ctx)
    known = np.isfinite(found)
    first = residues.first
    return ScoreTable(
        chain=model.chain[first],
        residue_number=model.residue_number[first],
        insertion_code=model.insertion_code[first],
        residue_name=model.residue_name[first],
        residues={"smoc": found},
        whole={"smoc_mean": float(found[known].mean()) if known.any() else np.nan} | whole,
        metrics=METRICS,
    )


def sliding_overlap(
    model: Model,
    density: DensityMap,
    simulated: NDArray[np.float32],
    residues: Residues,
    window: int,
    radius: float,
    ctx: Context,
) -> NDArray[np.float64]:
    """Manders' overlap in each polymer residue's window; NaN for others, and where a map is zero.

    A voxel near residue r is in the windows from r - half to r + half. Of several residues near it only what each adds
    to the windows of the one before counts, so that no voxel counts twice in a window.
    """
    half = window // 2
    found = np.full(len(residues), np.nan)
    polymer, place = stretches(model, residues, half)
    if not polymer.any():
        return found
    xyz = model.xyz[residues.atoms]
    pieces = [
        ((place[near.owner + near.first]), near.voxel)
        for near in voxels_near(density.frame, xyz, residues.start, radius, ctx)
    ]
    where = np.concatenate([piece[0] for piece in pieces])
    voxel = np.concatenate([piece[1] for piece in pieces])[where >= 0]
    where = where[where >= 0]
    order = np.lexsort((where, voxel))
    where, voxel = where[order], voxel[order]
    begin = where - half
    again = np.flatnonzero(np.diff(voxel) == 0) + 1
    begin[again] = np.maximum(begin[again], where[again - 1] + half + 1)
    length = int(place.max(initial=0)) + 2 * half + 2
    t, p = (m.ravel()[voxel].astype(np.float64) for m in (density.values, simulated))
    sums = []
    for product in (t * p, t * t, p * p):
        change = np.bincount(begin + half, product, length) - np.bincount(where + 2 * half + 1, product, length)
        sums.append(np.cumsum(change)[place[polymer] + half])
    scale = np.sqrt(np.maximum(sums[1] * sums[2], 0))
    found[polymer] = np.divide(
        sums[0], scale, out=np.full(len(scale), np.nan), where=scale > 1e-12 * scale.max(initial=0)
    )
    return found


def stretches(model: Model, residues: Residues, half: int) -> tuple[NDArray[np.bool_], Rows]:
    """Which rows are of polymers, and their places in a line in which gaps are wider than a window; -1 for others."""
    polymer = np.isin(model.residue_name[residues.first], POLYMER)
    rows = np.flatnonzero(polymer)
    chain, number = model.chain[residues.first[rows]], model.residue_number[residues.first[rows]].astype(np.int64)
    step = number[1:] - number[:-1]
    follows = (chain[1:] == chain[:-1]) & ((step == 0) | (step == 1)) | bonded(model, residues, rows)
    place = np.full(len(residues), -1, np.intp)
    place[rows] = np.concatenate([[0], np.cumsum(np.where(follows, 1, 2 * half + 1))])[: len(rows)]
    return polymer, place


def bonded(model: Model, residues: Residues, rows: Rows) -> NDArray[np.bool_]:
    """Which of the rows are bonded to the one before, by their trace atoms: insertion codes make numbers skip."""
    trace = model.trace_atoms()
    at = {key: i for i, key in enumerate(_keys(trace))}
    place = np.array([at.get(key, -2) for key in _keys(model.select(residues.first[rows]))], dtype=np.intp)
    next_to = np.diff(place, prepend=-9)[1:] == 1
    found = next_to & (place[:-1] >= 0)
    found[found] = joined(trace)[place[:-1][found]]
    return np.asarray(found)


def _keys(table: Model) -> Iterator[tuple[str, int, str]]:
    return zip(table.chain.tolist(), table.residue_number.tolist(), table.insertion_code.tolist(), strict=True)


def mutual_information(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Of the joint histogram of two maps over all voxels, in bits."""
    joint = np.zeros(BINS * BINS)
    edges = [(float(m.min()), float(m.max())) for m in (a, b)]
    if any(low == high for low, high in edges):
        return np.nan
    for planes in zip(a, b, strict=True):
        i, j = (
            np.minimum(((plane - low) * (BINS / (high - low))).astype(np.intp), BINS - 1)
            for plane, (low, high) in zip(planes, edges, strict=True)
        )
        joint += np.bincount((i * BINS + j).ravel(), minlength=BINS * BINS)
    p = joint.reshape(BINS, BINS) / joint.sum()
    apart = np.outer(p.sum(axis=1), p.sum(axis=0))
    filled = p > 0
    return float((p[filled] * np.log2(p[filled] / apart[filled])).sum())
