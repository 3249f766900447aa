"""Backbone torsions against the Ramachandran contours of the Top8000."""

from functools import cache

import numpy as np
from contourpy import LineType, contour_generator
from numpy.typing import NDArray

from cryoweave.data import Curve, Metric, Model, ScoreTable
from cryoweave.errors import NotApplicableError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.torsions import FAVOURED, OUTLIER, classes, contours, torsion
from cryoweave_validation.peptides import Peptides, following, peptides, previous, share

REGIONS = {
    "rama_allowed_region": (
        OUTLIER[0],
        f"allowed region, contour {OUTLIER[0]:g} of the Top8000, of all but Gly, Pro, Ile, Val and residues before Pro",
    ),
    "rama_favoured_region": (FAVOURED, f"favoured region of the same residues, contour {FAVOURED:g}"),
}
"""Outlines to be drawn behind the residues, the outer one first."""

METRICS = {
    "phi": Metric("torsion C(i-1)–N–Cα–C of residues bonded to the one before (C–N < 2.0 Å)", "°"),
    "psi": Metric("torsion N–Cα–C–N(i+1) of residues bonded to the one after (C–N < 2.0 Å)", "°"),
    "rama_class": Metric("Ramachandran class: 0 general, 1 Gly, 2 cis-Pro, 3 trans-Pro, 4 pre-Pro, 5 Ile or Val"),
    "rama_score": Metric(
        "contour of the Top8000 distribution of the residue's class at φ, ψ, from 0 to 1, bilinear", "", True
    ),
    "rama_outcome": Metric(
        "0 outlier, 1 allowed, 2 favoured: favoured from score 0.02 on, outlier below 0.0005 (general), 0.002 "
        "(cis-Pro), 0.001 (others)",
        "",
        True,
    ),
    "rama_favoured": Metric("favoured residues, of all residues with φ and ψ", "", True),
    "rama_allowed": Metric("allowed residues, of all residues with φ and ψ"),
    "rama_outliers": Metric("outliers, of all residues with φ and ψ", "", False),
    "rama_favoured_residues": Metric("favoured residues", "residues"),
    "rama_allowed_residues": Metric("allowed residues", "residues"),
    "rama_outlier_residues": Metric("outliers", "residues", False),
    "rama_residues": Metric("residues with φ and ψ whose name is that of an amino acid", "residues"),
}


def torsions_judged(model: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """φ, ψ and what the Top8000 distribution says of them."""
    chain = peptides(model, ("N", "CA", "C"))
    phi, psi, omega = backbone_torsions(chain)
    kind = classes(chain.residue_name, chain.follows()[1:], np.abs(omega) < 90)
    both = np.isfinite(phi) & np.isfinite(psi) & chain.known()
    if not both.any():
        raise NotApplicableError(
            "no residue has both φ and ψ: N, Cα and C of three bonded residues",
            "is it a Cα trace? `--only geometry.calpha` judges one",
        )
    score = np.full(len(chain), np.nan)
    score[both] = contours(kind[both], phi[both], psi[both])
    outcome = np.where(both, outcomes(kind, score), np.nan)
    columns = {
        "phi": phi,
        "psi": psi,
        "rama_class": np.where(both, kind, np.nan),
        "rama_score": score,
        "rama_outcome": outcome,
    }
    names = {"rama_outlier": 0, "rama_allowed": 1, "rama_favoured": 2}
    whole = {f"{name}_residues": float((outcome == value).sum()) for name, value in names.items()}
    whole |= {
        "rama_favoured": share(outcome == 2, both),
        "rama_allowed": share(outcome == 1, both),
        "rama_outliers": share(outcome == 0, both),
        "rama_residues": float(both.sum()),
    }
    return chain.table(columns, whole, METRICS, regions())


def backbone_torsions(chain: Peptides) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """φ, ψ and ω (of the peptide before the residue) in degrees; NaN where a residue is not bonded to its neighbour."""
    n, alpha, c = chain.at("N"), chain.at("CA"), chain.at("C")
    after_bond = chain.follows()
    before_bond = np.append(after_bond[1:], False)
    phi = np.where(after_bond, torsion(previous(c), n, alpha, c), np.nan)
    psi = np.where(before_bond, torsion(n, alpha, c, following(n)), np.nan)
    omega = np.where(after_bond, torsion(previous(alpha), previous(c), n, alpha), np.nan)
    return phi, psi, omega


def outcomes(kind: NDArray[np.intp], score: NDArray[np.float64]) -> NDArray[np.intp]:
    """0 outlier, 1 allowed, 2 favoured."""
    return np.where(score >= FAVOURED, 2, np.where(score >= np.array(OUTLIER)[kind], 1, 0)).astype(np.intp)


@cache
def regions() -> dict[str, Curve]:
    """Outlines of the favoured and the allowed region of general residues, within ±180°."""
    angle = np.arange(-180.0, 181.0, 2.0)
    phi, psi = (one.ravel() for one in np.meshgrid(angle, angle, indexing="ij"))
    values = contours(np.zeros(len(phi), np.intp), phi, psi).reshape(len(angle), -1)
    edge = np.pad(angle, 1, mode="edge")  # a border of zeros, as wide as nothing, closes what goes on beyond 180°
    lines = contour_generator(edge, edge, np.pad(values, 1).T, line_type=LineType.ChunkCombinedNan)
    found = {}
    for name, (level, definition) in REGIONS.items():
        points = np.asarray(lines.lines(level)[0][0])
        x, y = np.where(np.isnan(points), [0.0, np.nan], points.round(2)).T
        found[name] = Curve(x, y, "phi", "psi", definition)
    return found
