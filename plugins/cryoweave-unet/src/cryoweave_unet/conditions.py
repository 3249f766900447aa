"""What differs from map to map: how it was recorded, how much its atoms move, and which of them are seen."""

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.experiment import Conditions
from cryoweave_unet.classes import AMINO
from cryoweave_unet.corpus import ELEMENTS, Entry

_ASP, _GLU, _CYS = (AMINO.index(name) for name in ("ASP", "GLU", "CYS"))
_CARBON, _OXYGEN, _SULPHUR = (ELEMENTS.index(symbol) for symbol in ("C", "O", "S"))


def random_conditions(rng: np.random.Generator, resolutions: tuple[float, float]) -> Conditions:
    """Conditions as maps of the data bank have them."""
    resolution = float(rng.uniform(*resolutions))
    masked = rng.random() < 0.55
    tight = rng.random() < 0.6
    return Conditions(
        resolution=resolution,
        steepness=float(rng.uniform(0.05, 0.16)),
        noise=float(rng.uniform(0.1, 1.1)),
        falloff_b=float(rng.uniform(2, 13) * resolution**2),
        solvent=float(rng.uniform(0.0, 0.9)),
        disorder=float(rng.uniform(0.0, 0.5)) if rng.random() < 0.3 else 0.0,
        mask_radius=(float(rng.uniform(2.5, 6) if tight else rng.uniform(5, 10))) if masked else None,
        mask_edge=float(rng.choice([0.0, rng.uniform(1, 6)])),
    )


def random_displacements(entry: Entry, rng: np.random.Generator) -> NDArray[np.float64]:
    """B factor of each atom in Å²: more where the structure is loose, and along side chains."""
    n = len(entry)
    loose = looseness(entry)
    b: NDArray[np.float64] = np.full(n, rng.uniform(15, 45)) + rng.uniform(0, 90) * loose**1.5
    typical = float(np.median(entry.b_factor)) if n else 1.0
    b += rng.uniform(0, 45) * np.clip(entry.b_factor / max(typical, 1) - 1, -0.5, 2)
    for _ in range(int(rng.integers(0, 4))):
        if n:
            place = entry.xyz[rng.integers(n)]
            reach = rng.uniform(8, 25)
            b += rng.uniform(0, 120) * np.exp(-((entry.xyz - place) ** 2).sum(axis=1) / (2 * reach**2))
    b += rng.uniform(1, 16) * entry.depth * (0.5 + loose)
    return np.clip(b, 8, 400)


def looseness(entry: Entry) -> NDArray[np.float32]:
    """How little each atom's residue is surrounded, 0 (buried) to 1; 0 for other residues than amino acids."""
    return np.asarray(np.clip((25 - entry.crowd) / 20, 0, 1) * (entry.amino >= 0), np.float32)


def random_occupancy(entry: Entry, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Occupancy of each atom, and which atoms a model would hold.

    Carboxylates are weak in electron maps, because of their charge and of radiation damage; some side chains are not
    seen; some stretches of the chain are disordered and in no model.
    """
    occupancy = np.ones(len(entry))
    acid = ((entry.amino == _ASP) & (entry.depth >= 2)) | ((entry.amino == _GLU) & (entry.depth >= 3))
    residues = int(entry.residue.max()) + 1 if len(entry) else 0
    weak = rng.uniform(-0.3, 1.0, residues) * rng.uniform(0.5, 1.0)
    occupancy[acid & (entry.element == _OXYGEN)] *= weak[entry.residue][acid & (entry.element == _OXYGEN)]
    occupancy[acid & (entry.element == _CARBON)] *= rng.uniform(0.4, 1.0)
    occupancy[(entry.amino == _CYS) & (entry.element == _SULPHUR)] *= rng.uniform(0.5, 1.0)
    unseen = rng.random(residues) < rng.uniform(0, 0.12)
    occupancy[unseen[entry.residue] & (entry.depth >= 2)] *= rng.uniform(0, 0.4)
    gone = np.zeros(residues, bool)
    if residues and rng.random() < 0.4:
        for start in rng.integers(0, residues, int(rng.integers(1, 4))).tolist():
            gone[start : start + int(rng.integers(2, 13))] = True
    occupancy[gone[entry.residue]] = 0
    return occupancy, ~gone[entry.residue]
