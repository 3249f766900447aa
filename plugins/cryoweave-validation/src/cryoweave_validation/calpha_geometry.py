"""Geometry of a Cα trace: distances, pseudo-angles and pseudo-torsions that proteins have."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.errors import NotApplicableError
from cryoweave.host import Context, NoParams
from cryoweave.kernels.chains import REACH
from cryoweave.kernels.torsions import torsion, unit
from cryoweave_validation.peptides import Peptides, following, peptides, previous, share

TRANS, CIS, TOLERANCE = 3.8, 2.9, 0.2
"""Å between Cα atoms across a trans and a cis peptide (from Engh & Huber 1991), and what passes on either side."""
JOINED = REACH["CA"]
"""Å; Cα atoms farther apart are not joined, and angles and torsions across such a gap have no meaning."""
ANGLES = (79.0, 153.0)
"""Degrees. 0.1 % and 99.9 % quantiles of 100,936 pseudo-angles in 380 unbound structures (PDB entries) of the docking
benchmark 5 (Vreven et al. 2015, J. Mol. Biol. 427, 3031): 0.23 % lie outside; in 33 cryo-EM models, 0.64 %."""
TORSIONS = (-70.0, -10.0)
"""Degrees. The emptiest 60° of the 100,135 pseudo-torsions of the same structures: 3.3 % lie inside, and 3.4 % in the
cryo-EM models; 17 % would by chance, and in a mirrored chain all helices do."""

METRICS = {
    "ca_distance_next": Metric("distance to the Cα of the next residue in number", "Å"),
    "ca_angle": Metric("pseudo-angle Cα(i-1)–Cα–Cα(i+1), of neighbours within 4.2 Å", "°"),
    "ca_torsion": Metric("pseudo-torsion Cα(i-1)–Cα–Cα(i+1)–Cα(i+2), of neighbours within 4.2 Å", "°"),
    "ca_outliers": Metric(
        "how many of the three are unlikely: distance to the next Cα not 3.8 ± 0.2 or 2.9 ± 0.2 Å, pseudo-angle not "
        "79–153°, pseudo-torsion from -70 to -10°",
        "",
        False,
    ),
    "ca_distances_good": Metric(
        "Cα distances of 3.8 ± 0.2 or 2.9 ± 0.2 Å, of all neighbours in number (0.998 in deposited models)", "", True
    ),
    "ca_distances_cis": Metric(
        "Cα distances of 2.9 ± 0.2 Å, of all neighbours in number (0.003 in X-ray structures)", ""
    ),
    "ca_breaks": Metric("neighbours in number whose Cα are more than 4.2 Å apart", "bonds", False),
    "ca_angle_outliers": Metric(
        "pseudo-angles outside of 79–153°, of all (0.002 in X-ray structures, 0.006 in cryo-EM models)", "", False
    ),
    "ca_torsions_unlikely": Metric(
        "pseudo-torsions from -70 to -10°, of all (0.033 in deposited models; 0.17 by chance; more in a mirrored map)",
        "",
        False,
    ),
    "ca_residues": Metric("amino acids with a Cα", "residues"),
}


def trace_judged(model: Model, params: NoParams, ctx: Context) -> ScoreTable:
    """What the Cα atoms alone say."""
    chain = peptides(model, ("N", "CA", "C"))
    present = np.isfinite(chain.at("CA")).all(axis=1)
    if not present.any():
        raise NotApplicableError("no amino acid has a Cα", "give a model of a protein with its Cα atoms")
    distance, angle, twist = trace_angles(chain)
    good = np.abs(distance - TRANS) <= TOLERANCE
    cis = np.abs(distance - CIS) <= TOLERANCE
    pairs, angles, twists = (np.isfinite(values) for values in (distance, angle, twist))
    bent = angles & ((angle < ANGLES[0]) | (angle > ANGLES[1]))
    unlikely = twists & (twist >= TORSIONS[0]) & (twist <= TORSIONS[1])
    outliers = (pairs & ~good & ~cis).astype(float) + bent + unlikely
    columns = {
        "ca_distance_next": distance,
        "ca_angle": angle,
        "ca_torsion": twist,
        "ca_outliers": np.where(pairs | angles | twists, outliers, np.nan),
    }
    whole = {
        "ca_distances_good": share(good | cis, pairs),
        "ca_distances_cis": share(cis, pairs),
        "ca_breaks": float((distance > JOINED).sum()),
        "ca_angle_outliers": share(bent, angles),
        "ca_torsions_unlikely": share(unlikely, twists),
        "ca_residues": float(present.sum()),
    }
    return chain.table(columns, whole, METRICS)


def trace_angles(chain: Peptides) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Distance to the next Cα, pseudo-angle and pseudo-torsion at each residue; NaN where there is none."""
    alpha = chain.at("CA")
    before, after = previous(alpha), following(alpha)
    distance = np.linalg.norm(after - alpha, axis=1)
    near = np.append(chain.chain[1:] == chain.chain[:-1], False) & (distance <= JOINED)
    to_next = np.append((chain.consecutive() | chain.follows())[1:], False) | near
    distance = np.where(to_next, distance, np.nan)
    joined = distance <= JOINED
    both = joined & np.concatenate(([False], joined[:-1]))
    three = both & np.append(joined[1:], False)
    cosine = (unit(before - alpha) * unit(after - alpha)).sum(axis=1)
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    twist = torsion(before, alpha, after, following(after))
    return distance, np.where(both, angle, np.nan), np.where(three, twist, np.nan)
