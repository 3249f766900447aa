"""EMRinger: does the density around Cα–Cβ have its peak where side chains point?"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Curve, DensityMap, Metric, Model, ScoreTable
from cryoweave.errors import NotApplicableError, StageError
from cryoweave.host import Context
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.torsions import unit
from cryoweave_validation.emringer_stages import EMRingerParams
from cryoweave_validation.peptides import Peptides, peptides

GAMMA = {"CYS": "SG", "SER": "OG"} | dict.fromkeys(
    ("ARG", "ASN", "ASP", "GLU", "GLN", "HIS", "LEU", "LYS", "MET", "PHE", "TRP", "TYR"), "CG"
)
"""Residues with one atom at γ, and its name: Barad et al. 2015, Nat. Methods 12, 943."""
STEP, ANGLES = 5, 72
"""Degrees between samples, and their number."""
THRESHOLDS = 20
CHANCE = 39 / ANGLES
"""Share of rotameric peaks that a random model has: 13 of the samples 30° to 90°, around each of 60, 180 and 300°."""

METRICS = {
    "chi1_peak": Metric(
        "χ1 (steps of 5°, 5 to 360°) of the highest density on the γ atom's circle, for residues with one γ atom",
        "°",
    ),
    "chi1_deviation": Metric("degrees of that angle from the nearest of 60, 180 and 300°", "°", False),
    "emringer": Metric(
        "EMRinger score: 10 z / √N, z of the rotameric peaks (30° < χ1 <= 90°, likewise around 180 and 300°) among "
        "those above a density threshold, against 39/72, at the best of 20; N all residues scanned; 1 is usual",
        "",
        True,
    ),
    "emringer_residues": Metric(
        "residues scanned: with N, Cα, Cβ and one γ atom, its circle inside the map", "residues"
    ),
    "emringer_threshold": Metric("density threshold at which z is highest", "map"),
    "emringer_rotameric": Metric("rotameric peaks of all peaks above that threshold", "", True),
}


class Scan(NamedTuple):
    """z and share of rotameric peaks at each density threshold that has a rotameric peak."""

    thresholds: NDArray[np.float64]
    z: NDArray[np.float64]
    rotameric: NDArray[np.float64]


def side_chains_scanned(model: Model, density: DensityMap, params: EMRingerParams, ctx: Context) -> ScoreTable:
    """EMRinger score of the model and the χ1 peak of each residue.

    By default this equals the published program (cctbx 2025.11) to six digits. Two details matter: it interpolates maps
    trilinearly (tricubic is for map coefficients only), and its samples are at 5, 10, ... 360°, so that a rotamer's
    twelve samples are 35 to 90° and not 30 to 85°: 7CEC chain A would have 1.37 instead of 1.84.
    """
    chain = peptides(model, ("N", "CA", "CB", "CG", "SG", "OG"))
    rows, sites = gamma_circles(chain)
    values = interpolate(density.values, density.frame, sites.reshape(-1, 3), params.interpolation, outside=np.nan)
    profiles = values.astype(np.float64).reshape(-1, ANGLES)
    inside = np.isfinite(profiles).all(axis=1)
    if not inside.any():
        raise NotApplicableError(
            "no residue can be scanned: none has N, Cα, Cβ and a γ atom inside the map",
            "EMRinger needs side chains, and a model that lies in the map: `cryoweave check` compares both",
        )
    rows, profiles = rows[inside], profiles[inside]
    scan = scanned(profiles)
    best = int(scan.z.argmax())
    peak = np.full(len(chain), np.nan)
    peak[rows] = STEP * (profiles.argmax(axis=1) + 1)
    nearest = np.abs(peak[:, None] - np.array([60, 180, 300])).min(axis=1)
    score = 10 * scan.z / np.sqrt(len(rows))
    whole = {
        "emringer": score[best],
        "emringer_residues": len(rows),
        "emringer_threshold": scan.thresholds[best],
        "emringer_rotameric": scan.rotameric[best],
    }
    curve = Curve(
        scan.thresholds, score, "density threshold (map)", "EMRinger score", "10 z / √N at each density threshold"
    )
    return chain.table({"chi1_peak": peak, "chi1_deviation": nearest}, whole, METRICS, {"emringer": curve})


def gamma_circles(chain: Peptides) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Rows of residues with one γ atom, and where it goes when χ1 turns: shape ``(rows, 72, 3)``, χ1 of 5 to 360°."""
    gamma = np.full((len(chain), 3), np.nan)
    for residue, name in GAMMA.items():
        rows = chain.residue_name == residue
        gamma[rows] = chain.at(name)[rows]
    n, alpha, beta = (chain.at(name) for name in ("N", "CA", "CB"))
    axis = unit(beta - alpha)
    along = ((gamma - beta) * axis).sum(axis=1)[:, None] * axis
    radius = np.linalg.norm(gamma - beta - along, axis=1)[:, None, None]
    eclipsed = unit(n - alpha - ((n - alpha) * axis).sum(axis=1)[:, None] * axis)
    turn = np.radians(STEP * np.arange(1, ANGLES + 1))[None, :, None]
    around = np.cos(turn) * eclipsed[:, None] + np.sin(turn) * np.cross(axis, eclipsed)[:, None]
    circles = (beta + along)[:, None] + radius * around
    rows = np.flatnonzero(np.isfinite(circles).all(axis=(1, 2)))
    return rows, circles[rows]


def scanned(profiles: NDArray[np.float64]) -> Scan:
    """Statistics of the peaks at 20 densities from the mean of all samples towards the highest.

    Raises
    ------
    StageError
        If the density is the same everywhere, or no peak is rotameric.
    """
    highest, mean = profiles.max(axis=1), float(profiles.mean())
    if highest.max() - mean <= 1e-6 * abs(mean):
        raise StageError(
            "the density is the same around all side chains", "is it the right map, and the model inside its density?"
        )
    sample = profiles.argmax(axis=1)
    rotameric = (sample - 6) // 12 % 2 == 0  # samples 6 to 17 are 35 to 90°
    thresholds = mean + np.arange(THRESHOLDS) * (highest.max() - mean) / THRESHOLDS
    above = highest > thresholds[:, None]
    peaks, hits = above.sum(axis=1), (above & rotameric).sum(axis=1)
    used = int(np.argmin(np.append(hits > 0, False)))  # up to the first threshold without a rotameric peak
    if not used:
        raise StageError(
            "no side chain has its density peak at a rotamer", "is it the right map, and the model in place?"
        )
    peaks, hits = peaks[:used], hits[:used]
    z = (hits - CHANCE * peaks) / np.sqrt(CHANCE * (1 - CHANCE) * peaks)
    return Scan(thresholds[:used], z, hits / peaks)
