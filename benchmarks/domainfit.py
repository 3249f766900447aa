"""Which of 201 structures is this density? The right one hidden among 200 AlphaFold chains of another organism.

    python benchmarks/domainfit.py [DATA] [--tasks actin groel trpml1 none1 none2] [--decoys 200] [--kept FOLDER]
                                   [--set search=random …]

DATA is the folder with `maps` and `structures`. Printed for each task: the rank of the right structure,
its p-values, how many wrong ones are called significant (by other structures, and by their own fits as published: the
right one's rank so too), and seconds. `none1` and `none2` are densities whose own domains are not among the structures.
With --kept an interrupted run goes on.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from cryoweave import load_map, run_stage
from cryoweave.data import DensityMap, Frame, ModelSet
from cryoweave.io.models import read_model
from cryoweave.kernels.graph import nearest

TASKS = {
    "actin": ("maps/emd5168_actin/emd_5168.map.gz", 6.6, "maps/emd5168_actin/1J6Z.pdb"),
    "groel": ("maps/emd1080_groel/groel-11.5A.mrc.gz", 11.5, "maps/emd1080_groel/1oel.pdb.gz"),
    "trpml1": ("maps/emd6824_trpml1/6824.mrc.gz", 5.8, "maps/emd6824_trpml1/Q99J21.pdb.gz"),
    "none1": ("maps/domainfit_ex/density1.mrc", 4.0, ""),
    "none2": ("maps/domainfit_ex/density2.mrc", 4.0, ""),
}
"""The map, its resolution in Å, and the right structure, of which the first chain counts."""
HOMOLOGUES = ("A0A1D1UVK9", "A0A1D1VT58", "A0A1D1VB57")
"""Of the right structures: left out."""
TURN, RISE = -166.5, 27.5
"""Degrees and Å from one subunit of the filament to the next."""
ZONE = 6.0
"""Å around a subunit's atoms that count as its density, unless another subunit is nearer."""
SIGNIFICANT = 0.05


def subunit(data: Path, density: DensityMap) -> DensityMap:
    """The density of one actin: nearer to the fitted model than to its helical copies, and around it."""
    model = read_model(data / "maps" / "emd5168_actin" / "3MFP.pdb")
    centre = density.frame.to_xyz(np.array(density.frame.shape_zyx) // 2)[0]
    copies = []
    for step in [k for k in range(-4, 5) if k]:
        angle = np.radians(TURN * step)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        copies.append((model.xyz - centre) @ turn.T + centre + [0, 0, RISE * step])
    voxels = np.argwhere(np.ones(density.frame.shape_zyx, bool))
    xyz = density.frame.to_xyz(voxels)
    own, other = (nearest(atoms, xyz)[1].reshape(-1) for atoms in (model.xyz, np.concatenate(copies)))
    chosen = (own < ZONE) & (own <= other)
    first = np.maximum(voxels[chosen].min(axis=0) - 3, 0)
    last = voxels[chosen].max(axis=0) + 4
    masked = density.values * chosen.reshape(density.values.shape)
    part = np.ascontiguousarray(masked[first[0] : last[0], first[1] : last[1], first[2] : last[2]])
    origin = density.frame.to_xyz(first)[0]
    return DensityMap(part, Frame(part.shape, density.frame.voxel_xyz, tuple(origin.tolist())))


def structures(data: Path, right: str, decoys: int) -> ModelSet:
    """The right one, if there is one, and others in a random order that is always the same."""
    folder = data / "structures" / "af2_tetrahymena"
    files = [file for file in sorted(folder.glob("*.pdb.gz")) if file.name.split(".")[0] not in HOMOLOGUES]
    chosen = np.random.default_rng(0).permutation(len(files))[:decoys]
    models = {files[i].name.split(".")[0]: read_model(files[i]) for i in chosen}
    if right:
        model = read_model(data / right)
        models["right"] = model.select(model.chain == model.chain[0])
    return ModelSet(tuple(models), tuple(models.values()))


def shown(name: str, poses, seconds: float, busy: float) -> str:
    """One row."""
    cross, bh, one = (poses.measures[key] for key in ("cross_bh_p_value", "bh_p_value", "about_mean"))
    wrong = poses.model != "right"
    called = int(np.sum(cross[wrong] < SIGNIFICANT))
    plain = int(np.sum(poses.measures["cross_p_value"][wrong] < SIGNIFICANT))
    published = np.lexsort((-one, bh))
    text = f"{name:7} {len(poses):4} structures; wrong significant: {called} (uncorrected {plain}), by own fits "
    text += f"{int(np.sum(bh[wrong] < SIGNIFICANT))}; {seconds:.0f} s, CPU {busy:.0f} s"
    if wrong.all():
        return f"{text}; best: {poses.model[0]} z {poses.score[0]:.1f}, q {cross[0]:.2g}"
    at = int(np.flatnonzero(~wrong)[0])
    rank = int(np.flatnonzero(published == at)[0]) + 1
    next_ = poses.score[wrong].max()
    return (
        f"{text}; right: rank {poses.measures['structure_rank'][at]:.0f}, z {poses.score[at]:.1f} "
        f"(best wrong {next_:.1f}), p {poses.measures['cross_p_value'][at]:.2g}, q {cross[at]:.2g}; "
        f"published rank {rank}, BH p {bh[at]:.2g}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--decoys", type=int, default=200)
    parser.add_argument("--kept", default="")
    parser.add_argument("--set", nargs="+", default=[], metavar="PARAM=VALUE")
    given = parser.parse_args()
    chosen = dict(text.split("=", 1) for text in given.set)
    for name in given.tasks:
        file, resolution, right = TASKS[name]
        density = load_map(given.data / file)
        density = subunit(given.data, density) if name == "actin" else density
        models = structures(given.data, right, given.decoys)
        begun, busy = time.perf_counter(), time.process_time()
        params = {"resolution": resolution, "kept": given.kept, **chosen}
        poses = run_stage("domainfit.identify", density=density, models=models, params=params)
        print(shown(name, poses, time.perf_counter() - begun, time.process_time() - busy), flush=True)


if __name__ == "__main__":
    main()
