"""Geometry of a protein's backbone: Cβ deviation, chirality, peptide planarity, broken bonds."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.errors import NotApplicableError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.torsions import placed, unit
from cryoweave_validation.peptides import PEPTIDE_BOND, Peptides, peptides, previous, share
from cryoweave_validation.ramachandran import backbone_torsions

DEVIANT = 0.25
"""Å; a Cβ this far from its ideal place is an outlier: Lovell et al. 2003, Proteins 50, 437."""
IDEAL_CBETA = {
    "ALA": (1.536, 110.1, 122.9, 110.6, -122.6),
    "PRO": (1.530, 112.2, 115.1, 103.0, -120.7),
    "ILE": (1.540, 109.1, 123.4, 111.5, -122.0),
    "THR": (1.540, 109.1, 123.4, 111.5, -122.0),
    "VAL": (1.540, 109.1, 123.4, 111.5, -122.0),
    "": (1.530, 110.1, 122.8, 110.5, -122.6),
}
"""Cα–Cβ (Å); C–Cα–Cβ and N–C–Cα–Cβ; N–Cα–Cβ and C–N–Cα–Cβ (degrees), by residue: the values of MolProbity's Cβ
deviation (Lovell et al. 2003)."""
CIS, PLANAR = 30.0, 30.0
"""Degrees of ω from 0 and from 180 within which a peptide is cis or trans; the others are twisted: Williams et al.
2018, Protein Sci. 27, 293."""
BOND = 2.0
"""Å; N–Cα and Cα–C are 1.46 and 1.53 (Engh & Huber 1991): a longer one than this is no bond."""

METRICS = {
    "cb_deviation": Metric("distance of Cβ from its ideal place by N, Cα and C (not for glycine)", "Å", False),
    "cb_outliers": Metric("residues whose Cβ is 0.25 Å or more off, of all residues with a Cβ deviation", "", False),
    "cb_outlier_residues": Metric("residues whose Cβ is 0.25 Å or more off", "residues", False),
    "cb_residues": Metric("residues with a Cβ deviation", "residues"),
    "ca_chirality": Metric("(N - Cα) · (C - Cα) × (Cβ - Cα): about 2.6 in L amino acids, negative in D ones", "Å³"),
    "chirality_errors": Metric("residues named as L amino acids whose Cα has the other hand", "residues", False),
    "omega": Metric("torsion Cα(i-1)–C(i-1)–N–Cα of the peptide bond before the residue", "°"),
    "omega_twist": Metric(
        "degrees of ω from the nearer of 0 and 180: the peptide's departure from planarity", "°", False
    ),
    "cis_proline": Metric("peptides before proline with ω within 30° of 0, of all peptides before proline"),
    "cis_nonproline": Metric(
        "peptides before other residues with ω within 30° of 0, of all such peptides (0.03 % in good structures)",
        "",
        False,
    ),
    "twisted_peptides": Metric("peptides with ω more than 30° from both 0 and 180, of all peptides", "", False),
    "twisted_peptide_bonds": Metric("peptides with ω more than 30° from both 0 and 180", "peptides", False),
    "cis_nonproline_bonds": Metric(
        "peptides before other residues than proline with ω within 30° of 0", "peptides", False
    ),
    "peptides": Metric("peptide bonds: C and N of neighbours within 2.0 Å", "peptides"),
    "peptide_bond": Metric("distance of N from C of the residue numbered before, or bonded to it", "Å"),
    "broken_bonds": Metric(
        "bonds N–Cα, Cα–C and, between residues numbered one after the other, C–N that are 2.0 Å or longer",
        "bonds",
        False,
    ),
}


def backbone_judged(model: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """All that N, Cα, C and Cβ say."""
    chain = peptides(model, ("N", "CA", "C", "CB"))
    complete = np.isfinite(chain.xyz[:, :3]).all(axis=(1, 2))
    if not complete.any():
        raise NotApplicableError(
            "no amino acid has N, Cα and C", "is it a Cα trace? `--only geometry.calpha` judges one"
        )
    deviation, volume = cbeta_deviations(chain), chiral_volumes(chain)
    omega = backbone_torsions(chain)[2]
    columns, whole = broken_bonds(chain)
    columns |= {
        "cb_deviation": deviation,
        "ca_chirality": volume,
        "omega": omega,
        "omega_twist": np.minimum(np.abs(omega), 180 - np.abs(omega)),
    }
    judged = np.isfinite(deviation)
    whole |= peptide_figures(chain, omega)
    whole |= {
        "cb_outliers": share(deviation >= DEVIANT, judged),
        "cb_outlier_residues": float((deviation >= DEVIANT).sum()),
        "cb_residues": float(judged.sum()),
        "chirality_errors": float((volume < 0).sum()),
    }
    return chain.table(columns, whole, METRICS)


def cbeta_deviations(chain: Peptides) -> NDArray[np.float64]:
    """Distance of each Cβ from its ideal place in Å; NaN for glycine and unknown residues.

    The ideal place is the mean of two, built from either side, brought to the ideal bond length.
    """
    ideal = np.array([IDEAL_CBETA.get(name, IDEAL_CBETA[""]) for name in chain.residue_name.tolist()])
    length, angle_c, torsion_n, angle_n, torsion_c = ideal.T
    n, alpha, c = chain.at("N"), chain.at("CA"), chain.at("C")
    from_c = placed(n, c, alpha, length, angle_c, torsion_n)
    from_n = placed(c, n, alpha, length, angle_n, torsion_c)
    beta = alpha + length[:, None] * unit((from_c + from_n) / 2 - alpha)
    distance = np.linalg.norm(chain.at("CB") - beta, axis=1)
    return np.where(l_amino_acids(chain), distance, np.nan)


def chiral_volumes(chain: Peptides) -> NDArray[np.float64]:
    """The signed volume at each Cα in Å³; NaN for glycine and unknown residues."""
    alpha = chain.at("CA")
    n, c, beta = (chain.at(name) - alpha for name in ("N", "C", "CB"))
    return np.where(l_amino_acids(chain), (n * np.cross(c, beta)).sum(axis=1), np.nan)


def l_amino_acids(chain: Peptides) -> NDArray[np.bool_]:
    """Residues that should have an L Cα."""
    return np.asarray(chain.known() & (chain.residue_name != "GLY"))


def peptide_figures(chain: Peptides, omega: NDArray[np.float64]) -> dict[str, float]:
    """Shares of cis and twisted peptides."""
    bond = np.isfinite(omega)
    proline = chain.residue_name == "PRO"
    cis = np.abs(omega) <= CIS
    twisted = bond & ~cis & (np.abs(omega) < 180 - PLANAR)
    return {
        "cis_proline": share(cis, bond & proline),
        "cis_nonproline": share(cis, bond & ~proline),
        "cis_nonproline_bonds": float((cis & ~proline).sum()),
        "twisted_peptides": share(twisted, bond),
        "twisted_peptide_bonds": float(twisted.sum()),
        "peptides": float(bond.sum()),
    }


def broken_bonds(chain: Peptides) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Length of the bond to the residue before, and how many bonds of the main chain are none."""
    n, alpha, c = chain.at("N"), chain.at("CA"), chain.at("C")
    joined = chain.consecutive() | chain.follows()
    across = np.where(joined, np.linalg.norm(n - previous(c), axis=1), np.nan)
    within = np.stack([np.linalg.norm(n - alpha, axis=1), np.linalg.norm(c - alpha, axis=1)])
    broken = int((within >= BOND).sum()) + int((across >= PEPTIDE_BOND).sum())
    return {"peptide_bond": across}, {"broken_bonds": float(broken)}
