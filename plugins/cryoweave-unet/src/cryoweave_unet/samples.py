"""Training samples: boxes of density with what is in each voxel, simulated or cut out of experimental maps."""

from dataclasses import dataclass, replace

import gemmi
import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels import grid
from cryoweave.kernels.experiment import Conditions, Scatterers, experimental_map
from cryoweave.kernels.simulate import coloured_noise, damp
from cryoweave_unet.classes import AMINO, ATOMS
from cryoweave_unet.corpus import ELEMENTS, Entry
from cryoweave_unet.prepare import VOXEL, normalised, scale_of

NEAR_ATOM = 1.5
"""Å: a voxel is of the class of the nearest atom up to this far."""
NEAR_CALPHA = 2.0
"""Å: a voxel is of the amino acid and fold of the nearest Cα up to this far."""
MARGIN = 8.0
"""Å of map simulated around the box, so that its border is like its middle."""
_TABLE = np.array([gemmi.Element(symbol).c4322.get_coefs() for symbol in ELEMENTS])
CALPHA = ATOMS.index("CA")
_ASP, _GLU, _CYS = (AMINO.index(name) for name in ("ASP", "GLU", "CYS"))
_CARBON, _OXYGEN, _SULPHUR = (ELEMENTS.index(symbol) for symbol in ("C", "O", "S"))


@dataclass(frozen=True)
class Sample:
    """A box and its truth.

    Parameters
    ----------
    density
        Normalised, float32, shape ``(n, n, n)``, voxels of 1 Å.
    atoms, nucleic
        Class of the nearest atom, int8, same shape; 0 for none.
    structure, amino
        Class of the nearest Cα's residue, int8, same shape; -1 where there is none, which counts in no loss.
    """

    density: NDArray[np.float32]
    atoms: NDArray[np.int8]
    nucleic: NDArray[np.int8]
    structure: NDArray[np.int8]
    amino: NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Recorded:
    """An experimental map with the model in it."""

    density: DensityMap
    entry: Entry
    scale: float

    @classmethod
    def of(cls, density: DensityMap, entry: Entry) -> "Recorded":
        """With the scale of the map at 1 Å."""
        frame = density.frame.with_voxel(VOXEL)
        return cls(density, entry, scale_of(grid.resample(density.values, density.frame, frame)))


def simulated_sample(
    entry: Entry,
    rng: np.random.Generator,
    size: int,
    resolutions: tuple[float, float],
    conditions: Conditions | None = None,
) -> Sample:
    """A box around a random place of a structure, in random orientation, under random conditions.

    Parameters
    ----------
    entry
        The structure.
    rng
        Decides everything.
    size
        Voxels along the box's edge.
    resolutions
        Lowest and highest resolution in Å.
    conditions
        In place of random ones.
    """
    entry = _turned(entry, rng, size / 2 + MARGIN)
    conditions = conditions or random_conditions(rng, resolutions)
    occupancy, kept = random_occupancy(entry, rng)
    atoms = Scatterers(
        entry.xyz.astype(np.float64),
        entry.element.astype(np.int64),
        _TABLE[:, :5],
        _TABLE[:, 5:],
        random_displacements(entry, rng),
        occupancy,
    )
    voxel = float(rng.uniform(0.6, min(1.4, conditions.resolution / 2.4)))
    frame = _box(size + MARGIN, voxel, rng)
    around = None
    if conditions.mask_radius is not None and rng.random() < 0.6:
        around = atoms.xyz[entry.chain == rng.choice(np.unique(entry.chain))]
    density = experimental_map(atoms, frame, conditions, int(rng.integers(2**31)), around)
    target = _box(size, VOXEL)
    values = grid.resample(density.values, frame, target)
    values, scale = _brought_to_scale(values, rng)
    seen = _seen(target, around, conditions) if around is not None else None
    return labelled(normalised(values, scale), entry, kept, target, seen)


def _brought_to_scale(values: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], float]:
    """The map, for some without what lies below a low contour, as programs and people cut it; and its scale."""
    try:
        scale = scale_of(values)
    except StageError:
        return values, 1.0
    if rng.random() < 0.3:
        values = np.maximum(values - np.float32(scale * max(0.0, rng.uniform(-0.15, 0.15))), 0)
    return values, scale * float(rng.uniform(0.8, 1.3))


def recorded_sample(recorded: Recorded, rng: np.random.Generator, size: int) -> Sample:
    """A box of an experimental map around a random place of its model, in random orientation, a little changed."""
    centre, turn = _centre(recorded.entry, rng), _rotation(rng)
    target = _box(size, VOXEL)
    places = np.indices(target.shape_zyx).reshape(3, -1)[::-1].T * VOXEL + np.array(target.origin_xyz)
    values = grid.interpolate(recorded.density.values, recorded.density.frame, places @ turn + centre)
    values = values.reshape(target.shape_zyx) / np.float32(recorded.scale)
    if rng.random() < 0.5:
        values = _damped(values, target, float(rng.uniform(-25, 60)))
    if rng.random() < 0.5:
        values = values + coloured_noise(
            target, float(rng.uniform(0.02, 0.2)), float(rng.uniform(0, 60)), int(rng.integers(2**31))
        )
    entry = replace(recorded.entry, xyz=((recorded.entry.xyz - centre) @ turn.T).astype(np.float32))
    return labelled(normalised(values, float(rng.uniform(0.8, 1.3))), entry, np.ones(len(entry), bool), target, None)


def random_conditions(rng: np.random.Generator, resolutions: tuple[float, float]) -> Conditions:
    """Conditions as maps of the data bank have them."""
    resolution = float(rng.uniform(*resolutions))
    masked = rng.random() < 0.55
    tight = rng.random() < 0.6
    return Conditions(
        resolution=resolution,
        steepness=float(rng.uniform(0.015, 0.05)),
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
    loose = np.clip((25 - entry.crowd) / 20, 0, 1) * (entry.amino >= 0)
    b = np.full(n, rng.uniform(15, 45)) + rng.uniform(0, 90) * loose**1.5
    typical = float(np.median(entry.b_factor)) if n else 1.0
    b += rng.uniform(0, 45) * np.clip(entry.b_factor / max(typical, 1) - 1, -0.5, 2)
    for _ in range(int(rng.integers(0, 4))):
        if n:
            place = entry.xyz[rng.integers(n)]
            reach = rng.uniform(8, 25)
            b += rng.uniform(0, 120) * np.exp(-((entry.xyz - place) ** 2).sum(axis=1) / (2 * reach**2))
    b += rng.uniform(1, 16) * entry.depth * (0.5 + loose)
    return np.clip(b, 8, 400)


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


@dataclass(frozen=True, eq=False)
class Source:
    """Where samples come from; sample ``i`` depends on these and ``i`` alone.

    Parameters
    ----------
    entries, recorded
        Structures to simulate, and experimental maps. Large ones come up more often, as the square root of their size.
    size
        Voxels along a box's edge.
    resolutions
        Lowest and highest resolution of simulated maps in Å.
    share_recorded
        Share of samples from experimental maps.
    seed
        Same seed, same samples.
    """

    entries: tuple[Entry, ...]
    recorded: tuple[Recorded, ...]
    size: int
    resolutions: tuple[float, float]
    share_recorded: float
    seed: int

    def sample(self, i: int) -> Sample:
        """The ``i``-th sample."""
        rng = np.random.default_rng([self.seed, i])
        if self.recorded and rng.random() < self.share_recorded:
            one = self.recorded[_drawn([len(r.entry) for r in self.recorded], rng)]
            return recorded_sample(one, rng, self.size)
        entry = self.entries[_drawn([len(entry) for entry in self.entries], rng)]
        return simulated_sample(entry, rng, self.size, self.resolutions)


def _drawn(sizes: list[int], rng: np.random.Generator) -> int:
    weight = np.sqrt(sizes)
    return int(rng.choice(len(sizes), p=weight / weight.sum()))


def _turned(entry: Entry, rng: np.random.Generator, reach: float) -> Entry:
    """The part of a structure around a random place, which comes to the origin, in random orientation."""
    xyz = (entry.xyz - _centre(entry, rng)) @ _rotation(rng).T
    near = np.abs(xyz).max(axis=1) < reach
    columns = {name: getattr(entry, name)[near] for name in Entry.__dataclass_fields__ if name not in ("name", "xyz")}
    return Entry(name=entry.name, xyz=xyz[near].astype(np.float32), **columns)


def _centre(entry: Entry, rng: np.random.Generator) -> NDArray[np.float64]:
    known = np.flatnonzero((entry.amino >= 0) | (entry.nucleic > 0))
    at = entry.xyz[rng.choice(known)] if len(known) else entry.xyz[rng.integers(len(entry))]
    return np.asarray(at + rng.uniform(-12, 12, 3), dtype=np.float64)


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """A uniform random rotation matrix."""
    q = rng.standard_normal(4)
    w, x, y, z = q / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _box(length: float, voxel: float, rng: np.random.Generator | None = None) -> Frame:
    """A cube around the origin; with a generator its grid is shifted by up to a voxel."""
    n = int(np.ceil(length / voxel))
    n += n % 2
    shift = rng.uniform(0, voxel, 3) if rng is not None else np.zeros(3)
    x, y, z = -0.5 * (n - 1) * voxel + shift
    return Frame((n, n, n), (voxel,) * 3, (x, y, z))


def _seen(frame: Frame, around: NDArray[np.float64], conditions: Conditions) -> NDArray[np.bool_]:
    radius = (conditions.mask_radius or 0.0) + 0.3 * conditions.mask_edge
    return grid.mask_around(frame, around, radius)


def _damped(values: NDArray[np.float32], frame: Frame, b_factor: float) -> NDArray[np.float32]:
    """With all amplitudes multiplied by exp(-B s² / 4)."""
    spectrum = np.fft.rfftn(values)
    damp(spectrum, frame, b_factor)
    return np.fft.irfftn(spectrum, s=values.shape, axes=(0, 1, 2)).astype(np.float32)


def labelled(
    density: NDArray[np.float32],
    entry: Entry,
    kept: NDArray[np.bool_],
    frame: Frame,
    seen: NDArray[np.bool_] | None,
) -> Sample:
    """A sample with what is in each voxel.

    Parameters
    ----------
    density
        Of the box.
    entry
        Atoms in the box's frame.
    kept
        Atoms that count, shape ``(n,)``.
    frame
        Of the box.
    seen
        Voxels that the map shows; there is nothing in the others. All if absent.
    """
    some = np.flatnonzero(kept)
    atom = grid.nearest_around(frame, entry.xyz[some].astype(np.float64), NEAR_ATOM)
    calpha = some[entry.atom[some] == CALPHA]
    residue = grid.nearest_around(frame, entry.xyz[calpha].astype(np.float64), NEAR_CALPHA)
    if seen is not None:
        atom[~seen] = -1
        residue[~seen] = -1
    return Sample(
        density,
        _taken(entry.atom[some], atom, 0),
        _taken(entry.nucleic[some], atom, 0),
        _taken(entry.structure[calpha], residue, -1),
        _taken(entry.amino[calpha], residue, -1),
    )


def _taken(values: NDArray[np.int8], index: NDArray[np.int32], none: int) -> NDArray[np.int8]:
    """Values by index; ``none`` where the index is -1."""
    found: NDArray[np.int8] = np.append(values, np.int8(none))[index]
    return found
