"""Backbones refined in density, 3 × 100 steps: ours against the obvious NumPy energy under SciPy's L-BFGS-B.

Both begin with the same five atoms a residue around Cα atoms that are 1 Å off, and remember ten steps. The chains are
ideal helices, strands and coils in random order, in their own simulated map at 3 Å.
"""

from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from cryoweave.data import Frame
from cryoweave.kernels.backbone import CA, DENSITY_WEIGHT, GAINS, BackboneRefiner, backbone_restraints, rough_backbone
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.refine import Restraints, refine_atoms
from cryoweave.testing import ideal_model, simulated_map

Array = NDArray[np.float64]
CYCLES, STEPS = 3, 100
LINEAR, WATCHED, REST = 2.0, 3.0, 1e-3
"""As in ours."""
CHAINS = 20
"""Random chains of which the most compact is taken."""


def compact(residues: int) -> tuple[NDArray[np.float32], Frame, Array, Array]:
    """The map of a chain as it is refined in, the Cα atoms, and these 1 Å off."""
    models = []
    for seed in range(CHAINS):
        rng = np.random.default_rng(seed)
        pieces = "".join(letter * int(rng.integers(3, 15)) for letter in rng.choice(list("HEC"), residues).tolist())
        models.append(ideal_model(pieces[:residues]))
    model = min(models, key=lambda model: np.ptp(model.xyz, axis=0).prod())
    density = simulated_map(model, resolution=3.0)
    calpha = model.xyz[model.atom_name == "CA"]
    noise = np.random.default_rng(0).normal(size=calpha.shape)
    start = calpha + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return BackboneRefiner(density.values, density.frame).values, density.frame, calpha, start


class NumpyEnergy:
    """The energy of ours, each kind of term at once for all atoms."""

    def __init__(self, values: NDArray[np.float32], frame: Frame, weights: Array, restraints: Restraints) -> None:
        self.padded = np.pad(values, 2, mode="edge").astype(np.float64)
        self.frame, self.weights, self.restraints = frame, weights, restraints
        self.close = np.empty((0, 2), np.int32)

    def renew(self, xyz: Array) -> None:
        """Look for atoms that are close."""
        r = self.restraints
        near = r.apart[cKDTree(xyz[r.apart]).query_pairs(2 * r.apart_reach[0] + WATCHED, output_type="ndarray")]
        order = len(xyz) * np.sort(near, axis=1) @ [1, 0] + near.max(axis=1)
        known = len(xyz) * np.sort(r.pairs, axis=1) @ [1, 0] + r.pairs.max(axis=1)
        self.close = near[~np.isin(order, known)]

    def __call__(self, flat: Array) -> tuple[float, Array]:
        """Energy and gradient."""
        xyz = flat.reshape(-1, 3)
        r = self.restraints
        gradient = np.zeros_like(xyz)
        energy = self.density(xyz, gradient)
        energy += springs(xyz, r.pairs, r.lower, r.upper, r.stiffness, gradient)
        energy += springs(xyz, self.close, 2 * r.apart_reach[0], np.inf, r.apart_stiffness, gradient)
        sides = xyz[r.corners[:, 1:]] - xyz[r.corners[:, :1]]
        by = np.cross(sides[:, [1, 2, 0]], sides[:, [2, 0, 1]])
        off = (sides[:, 0] * by[:, 0]).sum(axis=1) - r.volume
        by *= 2 * r.volume_stiffness * off[:, None, None]
        np.add.at(gradient, r.corners[:, 1:], by)
        np.add.at(gradient, r.corners[:, 0], -by.sum(axis=1))
        return energy + r.volume_stiffness * float(off @ off), gradient.ravel()

    def density(self, xyz: Array, gradient: Array) -> float:
        """Tricubic density of atoms inside, 64 voxels each."""
        inside = self.frame.contains(xyz)
        zyx = self.frame.to_zyx(xyz[inside])
        below = np.minimum(zyx.astype(int), np.array(self.frame.shape_zyx) - 1)
        t = zyx - below
        weight = 0.5 * np.stack(
            [((2 - t) * t - 1) * t, (3 * t - 5) * t * t + 2, ((4 - 3 * t) * t + 1) * t, (t - 1) * t * t]
        )
        slope = 0.5 * np.stack([(4 - 3 * t) * t - 1, (9 * t - 10) * t, (8 - 9 * t) * t + 1, (3 * t - 2) * t])
        z, y, x = (below[:, axis, None] + np.arange(1, 5) for axis in range(3))
        voxels = self.padded[z[:, :, None, None], y[:, None, :, None], x[:, None, None, :]]
        (wz, wy, wx), (sz, sy, sx) = weight.transpose(2, 1, 0), slope.transpose(2, 1, 0)
        along_x, by_x = (np.matmul(voxels, w[:, None, :, None])[..., 0] for w in (wx, sx))
        plane, by_y, by_x = (np.matmul(v, w[:, :, None])[..., 0] for v, w in ((along_x, wy), (along_x, sy), (by_x, wy)))
        value, *by = ((v * w).sum(axis=1) for v, w in ((plane, wz), (by_x, wz), (by_y, wz), (plane, sz)))
        gradient[inside] -= self.weights[inside, None] * np.stack(by, axis=1) / self.frame.voxel_xyz
        return -float(self.weights[inside] @ value)


def springs(
    xyz: Array,
    pairs: NDArray[np.int32],
    lower: Array | float,
    upper: Array | float,
    stiffness: Array | float,
    to: Array,
) -> float:
    """Harmonic outside of a range, linear far from it."""
    apart = xyz[pairs[:, 0]] - xyz[pairs[:, 1]]
    length = np.maximum(np.sqrt((apart**2).sum(axis=1)), 1e-9)
    off = length - np.clip(length, lower, upper)
    held = np.clip(off, -LINEAR, LINEAR)
    force = (2 * stiffness * held / length)[:, None] * apart
    np.add.at(to, pairs[:, 0], force)
    np.add.at(to, pairs[:, 1], -force)
    return float((stiffness * held * (2 * off - held)).sum())


def by_scipy(energy: NumpyEnergy, start: Array) -> tuple[Array, int, int]:
    """Where the atoms come to rest, steps and evaluations."""
    at, steps, evaluations = start.ravel(), 0, 0
    options = {"maxiter": STEPS, "maxfun": 21 * STEPS, "maxcor": 10, "ftol": 0.0, "gtol": REST}
    for _ in range(CYCLES):
        energy.renew(at.reshape(-1, 3))
        found = minimize(energy, at, jac=True, method="L-BFGS-B", options=options)
        at, steps, evaluations = found.x, steps + found.nit, evaluations + found.nfev
    return at.reshape(-1, 3), steps, evaluations


def off(xyz: Array, calpha: Array) -> float:
    """Median Å of the Cα atoms off where they should be."""
    return float(np.median(np.linalg.norm(xyz.reshape(-1, len(GAINS), 3)[:, CA] - calpha, axis=1)))


def main() -> None:
    """The table."""
    bench.row(
        "residues", "voxels", "SciPy steps", "evaluations", "SciPy s", "ours 1 s", "ours 2 s", "ratio 1", "ratio 2",
        "SciPy off Å", "ours off Å",
    )  # fmt: skip
    for residues, rounds in ((100, 5), (300, 3), (1000, 2)):
        values, frame, calpha, start = compact(residues)
        gain = DENSITY_WEIGHT / np.median(interpolate(values, frame, start))
        atoms = rough_backbone(start).reshape(-1, 3)
        weights = np.tile(gain * np.array(GAINS), residues)
        restraints = backbone_restraints(start, np.ones(residues - 1, bool))
        energy = NumpyEnergy(values, frame, weights, restraints)
        ours = partial(refine_atoms, values, frame, atoms, weights, restraints, CYCLES, STEPS)
        energy.renew(atoms)
        at_start = refine_atoms(values, frame, atoms, weights, restraints, cycles=0).energy
        assert np.isclose(energy(atoms.ravel())[0], at_start, rtol=1e-9)
        best, found = bench.by_turns(
            {
                "scipy": partial(by_scipy, energy, atoms),
                "one": bench.with_threads(1, ours),
                "two": bench.with_threads(2, ours),
            },
            rounds,
        )
        xyz, steps, evaluations = found["scipy"]
        bench.row(
            residues, values.size, steps, evaluations, best["scipy"], best["one"], best["two"],
            best["scipy"] / best["one"], best["scipy"] / best["two"], off(xyz, calpha), off(found["one"].xyz, calpha),
        )  # fmt: skip


if __name__ == "__main__":
    main()
