"""Radial correlation (Q-score): ours against NumPy and SciPy, and a large model on a large map."""

from dataclasses import fields, replace
from functools import partial

import bench
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

import cryoweave
from cryoweave.data import DensityMap, Frame, Model
from cryoweave.kernels.quality import radial_correlation
from cryoweave.pipeline.measure import measured

Points = NDArray[np.float64]
SAMPLE = 200
"""Atoms that the slow version is asked for; its time a model is this one's times the share."""
RESIDUES = 10_000


def spiral(n: int) -> Points:
    """Directions of Saff and Kuijlaars' generalised spiral."""
    height = np.linspace(-1, 1, n)
    with np.errstate(divide="ignore"):
        step = 3.6 / np.sqrt(n * (1 - height**2))
    longitude = np.concatenate(([0], np.cumsum(step[1:-1]), [0]))
    flat = np.sqrt(1 - height**2)
    return np.column_stack((flat * np.cos(longitude), flat * np.sin(longitude), height))


SPIRALS = [spiral(n) for n in range(8, 107, 2)]


def scipy(density: DensityMap, xyz: Points, atoms: NDArray[np.intp], sigmas: tuple[float, ...]) -> Points:
    """By SciPy's tree and interpolation, an atom at a time; arrays of places within."""
    tree = cKDTree(xyz)
    found = np.empty((len(atoms), len(sigmas)))
    for row, atom in enumerate(atoms):
        others = xyz[[other for other in tree.query_ball_point(xyz[atom], 3.8) if other != atom]]
        places, radii = [np.tile(xyz[atom], (8, 1))], [np.zeros(8)]
        for radius in np.arange(1, 21) * 0.1:
            for directions in SPIRALS:
                shell = xyz[atom] + radius * directions
                squared = ((shell[:, None] - others) ** 2).sum(axis=2)
                clear = shell[(squared >= (0.9 * radius) ** 2).all(axis=1)]
                if len(clear) >= 8:
                    places.append(clear)
                    radii.append(np.full(len(clear), radius))
                    break
        at = density.frame.to_zyx(np.concatenate(places)).T
        values, radius = map_coordinates(density.values, at, order=1, output=np.float64), np.concatenate(radii)
        found[row] = [np.corrcoef(values, np.exp(-0.5 * (radius / sigma) ** 2))[0, 1] for sigma in sigmas]
    return found


def large() -> tuple[Model, DensityMap]:
    """Copies of the demo's model, and its map at double sampling laid side by side in a box of 400 voxels."""
    small = cryoweave.load_map(bench.DEMO / "2566_3J6B_9.mrc.gz").frame
    values = bench.protein_map(400)
    density = DensityMap(values, Frame(values.shape, (bench.VOXEL,) * 3, small.origin_xyz))
    model = demo_model()
    period = bench.VOXEL * (2 * np.array(small.shape_zyx[::-1]) - 1)
    copies: list[Model] = []
    for place in np.ndindex(*np.floor(400 * bench.VOXEL / period).astype(int)):
        if len(copies) * len(model.trace_atoms()) < RESIDUES:
            chain = np.full(len(model), f"c{len(copies)}")
            copies.append(replace(model, xyz=model.xyz + period * place, chain=chain))
    return Model(**{f.name: np.concatenate([getattr(copy, f.name) for copy in copies]) for f in fields(Model)}), density


def demo_model() -> Model:
    """The demo's model without hydrogens."""
    model = cryoweave.load_model(bench.DEMO / "3J6B_9.pdb")
    return model.select(model.element != "H")


def against_scipy() -> None:
    """The first table."""
    bench.row("map", "atoms", "sigmas", "SciPy s", "ours 1 s", "ours 2 s", "SciPy/1", "SciPy/2")
    density, xyz = cryoweave.load_map(bench.DEMO / "2566_3J6B_9.mrc.gz"), demo_model().xyz
    atoms = np.random.default_rng(0).choice(len(xyz), SAMPLE, replace=False)
    for sigmas in ((0.6,), (0.6, 0.4)):
        ours = partial(radial_correlation, density.values, density.frame, xyz, sigmas)
        best, given = bench.by_turns(
            {
                "scipy": partial(scipy, density, xyz, atoms, sigmas),
                "one": bench.with_threads(1, ours),
                "two": bench.with_threads(2, ours),
            },
            5,
        )
        np.testing.assert_allclose(given["two"][atoms], given["scipy"], atol=1e-6)
        slow = best["scipy"] * len(xyz) / SAMPLE
        bench.row(
            "EMD-2566", len(xyz), len(sigmas), slow, best["one"], best["two"], slow / best["one"], slow / best["two"]
        )


def main() -> None:
    """Both tables."""
    against_scipy()
    bench.row("map", "residues", "atoms", "threads", "seconds", "CPU s", "peak MB")
    model, density = large()
    for threads in (1, 2):
        with measured() as taken:
            scores = cryoweave.run_stage("quality.qscore", model=model, density=density, threads=threads)
        peak = "unknown" if taken.peak_mb is None else taken.peak_mb
        bench.row("400³", len(scores), len(model), threads, taken.seconds, taken.cpu_seconds, peak)
    print(f"mean Q-score {scores.whole['q_0.6']:.3f}")


if __name__ == "__main__":
    main()
