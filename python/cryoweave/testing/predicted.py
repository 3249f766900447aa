"""Models like predicted ones, made of known ones: where no prediction of a chain is at hand.

They are no predictions. Wherever figures on them are given, they are called by `LABEL`.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from cryoweave.data import Model
from cryoweave.errors import InputError
from cryoweave.kernels.rotations import about_axis, random_rotations

LABEL = "native with a domain moved, loops deleted, 2 Å perturbed"
"""What these models are, at the default values."""
CONTACT = 8.0
"""Å between Cα in contact, the usual bound of contact maps (e.g. CASP's, there for Cβ)."""
CLASH = 4.0
"""Å: Cα of the two domains that are nearer clash; in known structures few lie below."""
HINGES = 64
"""Axes that are tried for the hinge, and the first with the fewest clashes taken."""
ALONG = 10.0
"""Residues: standard deviation of the smoothing of random shifts along the chain. At 2 Å neighbours then shift by about
.2 Å against each other, so that their bonds stay plausible."""
SHAPES = {"H": ((5.5, 0.5), (5.3, 0.5), (6.4, 0.6)), "E": ((6.7, 0.6), (9.9, 0.9), (12.4, 1.1))}
"""Å from a Cα to the second, third and fourth after it in helices and strands, and how far off they may be: P-SEA
(Labesse et al. 1997, Comput. Appl. Biosci. 13, 291)."""


def predicted_like(
    model: Model, seed: int = 0, *, angle: float = 30.0, loops: float = 0.15, error: float = 2.0, place: float = 100.0
) -> Model:
    """A known chain with a domain moved, loops deleted and a smooth error, away from its map.

    Parameters
    ----------
    model
        One protein chain, all atoms or Cα only. Ligands and water are left out.
    seed
        The same seed gives the same model.
    angle
        Degrees by which the smaller domain turns about the hinge; 0 leaves it.
    loops
        Share of the residues that may be deleted, 0 to 1: whole loops in random order, outside of helices and strands.
    error
        Å: root mean square of the residues' shifts, correlated along the chain; the atoms of a residue shift together.
    place
        Å that the whole is moved at most along each axis after a random turn; 0 leaves it where it is, without a turn.

    Returns
    -------
    The model. Numbers, names and chain are the native's; B factors are all 30 Å², for nothing is predicted.

    Raises
    ------
    InputError
        If the model has not just one chain of 12 or more amino acids, or a value is out of its range.
    """
    if not (0 <= loops < 1 and error >= 0 and place >= 0):
        raise InputError("a model cannot be made so", "give 0 <= loops < 1, and error and place not below 0")
    whole, owner = _residues(model)
    calpha = whole.trace_atoms().xyz
    rng = np.random.default_rng(seed)
    moved = _domain_moved(calpha, whole.xyz, owner, angle, rng)
    moved = moved + _smooth(len(calpha), error, rng)[owner]
    kept = ~_deleted(secondary_structure(calpha), loops, rng)
    if place > 0:
        turn = random_rotations(1, int(rng.integers(2**31)))[0]
        moved = (moved - moved.mean(axis=0)) @ turn.T + moved.mean(axis=0) + rng.uniform(-place, place, 3)
    plain = np.full(len(whole), 30.0, np.float32)
    return replace(whole, xyz=moved, b_factor=plain, b_is_confidence=np.zeros(len(whole), bool)).select(kept[owner])


def _residues(model: Model) -> tuple[Model, NDArray[np.intp]]:
    """The amino acids with a Cα, and the residue of each atom."""
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    if len({*trace.chain.tolist()}) != 1 or len(trace) < 12:
        raise InputError(
            f"a model with {len({*trace.chain.tolist()})} protein chains and {len(trace)} amino acids",
            "give one chain of 12 or more, e.g. by `Model.select`",
        )
    keys = list(zip(trace.residue_number.tolist(), trace.insertion_code.tolist(), strict=True))
    index = {key: i for i, key in enumerate(keys)}
    numbers = zip(model.residue_number.tolist(), model.insertion_code.tolist(), strict=True)
    owner = np.array([index.get(key, -1) for key in numbers], np.intp)
    own = (owner >= 0) & (model.chain == trace.chain[0]) & np.isin(model.residue_name, trace.residue_name)
    return model.select(own), owner[own]


def hinge_of(calpha: NDArray[np.float64]) -> int:
    """First residue of the second domain: the split in the middle third that cuts the fewest contacts."""
    n = len(calpha)
    pairs = cKDTree(calpha).query_pairs(CONTACT, output_type="ndarray")
    splits = np.arange(n // 3, n - n // 3 + 1)
    cut = [int(np.count_nonzero((pairs.min(axis=1) < k) & (pairs.max(axis=1) >= k))) for k in splits.tolist()]
    return int(splits[np.argmin(cut)])


def _domain_moved(
    calpha: NDArray[np.float64],
    xyz: NDArray[np.float64],
    owner: NDArray[np.intp],
    angle: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """The smaller domain turned about an axis through the hinge, one of few clashes."""
    hinge = hinge_of(calpha)
    after = 2 * hinge >= len(calpha)
    small = (np.arange(len(calpha)) >= hinge) == after
    pivot = calpha[hinge - 1 : hinge + 1].mean(axis=0)
    rest = cKDTree(calpha[~small])
    best, fewest = np.eye(3), len(calpha) ** 2
    for axis in rng.normal(size=(HINGES, 3)):
        turn = about_axis(axis, angle)
        clashes = rest.query_ball_point((calpha[small] - pivot) @ turn.T + pivot, CLASH, return_length=True)
        if (count := int(np.sum(clashes))) < fewest:
            best, fewest = turn, count
    mine = small[owner][:, None]
    return np.asarray(np.where(mine, (xyz - pivot) @ best.T + pivot, xyz))


def _smooth(n: int, error: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random shifts, smooth along the chain, with mean 0 and this root mean square; shape ``(n, 3)``."""
    shifts = gaussian_filter1d(rng.normal(size=(n, 3)), ALONG, axis=0, mode="reflect")
    shifts -= shifts.mean(axis=0)
    return np.asarray(shifts * (error / np.sqrt((shifts**2).sum(axis=1).mean())))


def secondary_structure(calpha: NDArray[np.float64]) -> str:
    """``H``, ``E`` or ``C`` for each residue, by distances of Cα alone (see `SHAPES`)."""
    found = np.full(len(calpha), "C")
    for letter, shape in SHAPES.items():
        fits = np.ones(max(len(calpha) - 4, 0), bool)
        for step, (ideal, off) in enumerate(shape, 2):
            apart = np.linalg.norm(calpha[step:] - calpha[:-step], axis=1)[: len(fits)]
            fits &= np.abs(apart - ideal) <= off
        for k in range(5):
            found[k : k + len(fits)][fits] = letter
    return "".join(found.tolist())


def _deleted(structure: str, share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Residues of whole loops, at random, as long as their share of all is not above ``share``."""
    coil = np.array([*structure]) == "C"
    ends = np.flatnonzero(np.diff(np.concatenate(([False], coil, [False])))).reshape(-1, 2)
    gone = np.zeros(len(coil), bool)
    for first, last in rng.permutation(ends).tolist() if len(ends) else []:
        if gone.sum() + last - first <= share * len(coil):
            gone[first:last] = True
    return gone
