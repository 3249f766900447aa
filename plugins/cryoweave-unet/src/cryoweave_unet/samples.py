"""Training samples: boxes of density with what is in each voxel, simulated or cut out of experimental maps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gemmi
import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels import grid
from cryoweave.kernels.experiment import Conditions, Scatterers, experimental_map
from cryoweave.kernels.simulate import coloured_noise, damp, solvent_noise
from cryoweave_unet.classes import ATOMS
from cryoweave_unet.conditions import random_conditions, random_displacements, random_occupancy
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
    box = simulated_box(entry, rng, size, VOXEL, resolutions, conditions)
    return labelled(box.density, box.entry, box.kept, box.frame, box.seen)


@dataclass(frozen=True, eq=False)
class Box:
    """Simulated density and the atoms that it is of.

    Parameters
    ----------
    density
        Normalised, shape ``(n, n, n)``.
    entry
        Atoms in the box's frame.
    kept
        Atoms that a model would hold.
    frame
        Of the box.
    seen
        Voxels that a mask left; all if absent.
    """

    density: NDArray[np.float32]
    entry: Entry
    kept: NDArray[np.bool_]
    frame: Frame
    seen: NDArray[np.bool_] | None


def simulated_box(
    entry: Entry,
    rng: np.random.Generator,
    size: int,
    voxel: float,
    resolutions: tuple[float, float],
    conditions: Conditions | None = None,
) -> Box:
    """As :func:`simulated_sample`, with voxels of any size in Å and no labels yet."""
    length = size * voxel
    entry = _turned(entry, rng, length / 2 + MARGIN)
    conditions = conditions or random_conditions(rng, resolutions)
    occupancy, kept = random_occupancy(entry, rng)
    atoms = scatterers(entry, random_displacements(entry, rng), occupancy)
    fine = float(rng.uniform(0.6 * voxel, min(1.4 * voxel, conditions.resolution / 2.4)))
    frame = _box(length + MARGIN, fine, rng)
    around = None
    if conditions.mask_radius is not None and rng.random() < 0.6:
        around = atoms.xyz[entry.chain == rng.choice(np.unique(entry.chain))]
    density = experimental_map(atoms, frame, conditions, int(rng.integers(2**31)), around)
    target = _box(length, voxel)
    values = grid.resample(density.values, frame, target)
    values, scale = _brought_to_scale(values, rng)
    seen = _seen(target, around, conditions) if around is not None else None
    return Box(normalised(values, scale), entry, kept, target, seen)


def scatterers(entry: Entry, b_factor: NDArray[np.float64], occupancy: NDArray[np.float64]) -> Scatterers:
    """A structure's atoms as electrons see them."""
    xyz, element = entry.xyz.astype(np.float64), entry.element.astype(np.int64)
    return Scatterers(xyz, element, _TABLE[:, :5], _TABLE[:, 5:], b_factor, occupancy)


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
    centre, turn = _centre(recorded.entry, rng), random_rotation(rng)
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
    if rng.random() < 0.35:  # published maps are often masked; those that users bring are not
        outside = ~grid.mask_around(target, entry.xyz.astype(np.float64), float(rng.uniform(2, 4)))
        values = np.where(outside, values + _around(target, rng), values)
    return labelled(normalised(values, float(rng.uniform(0.8, 1.3))), entry, np.ones(len(entry), bool), target, None)


def _around(target: Frame, rng: np.random.Generator) -> NDArray[np.float32]:
    """What lies outside of a molecule, in units of the scale: smooth density and noise."""
    smooth = solvent_noise(target, float(rng.uniform(0, 0.4)), int(rng.integers(2**31)), float(rng.uniform(5, 14)))
    return smooth + coloured_noise(
        target, float(rng.uniform(0, 0.3)), float(rng.uniform(0, 120)), int(rng.integers(2**31))
    )


Simulate = Callable[[Entry, np.random.Generator, int, tuple[float, float]], Any]
"""Structure, generator, voxels along an edge and resolutions to a sample; of a module, so that it can be pickled."""


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
    simulate
        Makes a sample of a structure; as default :func:`simulated_sample`.
    """

    entries: tuple[Entry, ...]
    recorded: tuple[Recorded, ...]
    size: int
    resolutions: tuple[float, float]
    share_recorded: float
    seed: int
    simulate: Simulate = simulated_sample

    def sample(self, i: int) -> Any:
        """The ``i``-th sample."""
        rng = np.random.default_rng([self.seed, i])
        if self.recorded and rng.random() < self.share_recorded:
            one = self.recorded[_drawn([len(r.entry) for r in self.recorded], rng)]
            return recorded_sample(one, rng, self.size)
        entry = self.entries[self.drawn(rng)]
        return self.simulate(entry, rng, self.size, self.resolutions)

    def drawn(self, rng: np.random.Generator) -> int:
        """Index of an entry, by chance."""
        return _drawn([len(entry) for entry in self.entries], rng)


def _drawn(sizes: list[int], rng: np.random.Generator) -> int:
    weight = np.sqrt(sizes)
    return int(rng.choice(len(sizes), p=weight / weight.sum()))


def _turned(entry: Entry, rng: np.random.Generator, reach: float) -> Entry:
    """The part of a structure around a random place, which comes to the origin, in random orientation."""
    xyz = (entry.xyz - _centre(entry, rng)) @ random_rotation(rng).T
    near = np.abs(xyz).max(axis=1) < reach
    columns = {name: getattr(entry, name)[near] for name in Entry.__dataclass_fields__ if name not in ("name", "xyz")}
    return Entry(name=entry.name, xyz=xyz[near].astype(np.float32), **columns)


def _centre(entry: Entry, rng: np.random.Generator) -> NDArray[np.float64]:
    known = np.flatnonzero((entry.amino >= 0) | (entry.nucleic > 0))
    at = entry.xyz[rng.choice(known)] if len(known) else entry.xyz[rng.integers(len(entry))]
    return np.asarray(at + rng.uniform(-12, 12, 3), dtype=np.float64)


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
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
