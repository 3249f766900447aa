"""Models placed in maps by point clouds: error of the best pose and of the best of ten, wall and CPU seconds.

    python benchmarks/cryoalign.py [DATA] [--search triples masks whole]

DATA is the folder with `fitting_tasks` and `maps`. Error: Cα RMSD to the reference; symmetry copies count as right.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from cryoweave import load_map, run_stage
from cryoweave.data import ModelSet
from cryoweave.io.models import read_model

TASKS = {
    "actin": ("maps/emd5168_actin/emd_5168.map.gz", 6.6, [(-166.5 * k, 27.5 * k) for k in range(-6, 7)]),
    "trpml1": ("maps/emd6824_trpml1/6824.mrc.gz", 5.8, [(90.0 * k, 0.0) for k in range(4)]),
    "ksga": ("fitting_tasks/ksga/map.mrc.gz", 13.0, [(0.0, 0.0)]),
}
"""The map, its resolution in Å, and the copies: degrees about z through the box's centre, and Å along it."""
AS_GIVEN = "ksga"
"""This reference is in the map's frame; the others' origin is the first voxel."""


def references(name, data, density, copies):
    """Cα of each right answer, in the map's frame."""
    model = read_model(data / "fitting_tasks" / name / "ref.pdb.gz")
    frame = density.frame
    xyz = model.xyz[model.atom_name == "CA"] + (0.0 if name == AS_GIVEN else np.array(frame.origin_xyz))
    centre = frame.to_xyz(np.array(frame.shape_zyx) // 2)[0]
    for degrees, rise in copies:
        angle = np.radians(degrees)
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        yield (xyz - centre) @ turn.T + centre + [0.0, 0.0, rise]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--search", nargs="+", default=["triples", "masks", "whole"])
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=NUMBER")
    given = parser.parse_args()
    more = {name: float(value) for name, value in (pair.split("=") for pair in given.set)}
    print("task    search   poses  best pose  best of all  rank  score  next   z      seconds  CPU")
    for name, (file, resolution, copies) in TASKS.items():
        density = load_map(given.data / file)
        model = read_model(given.data / "fitting_tasks" / name / "model.pdb.gz")
        alphas = model.xyz[model.atom_name == "CA"]
        right = list(references(name, given.data, density, copies))
        for search in given.search:
            begun, busy = time.perf_counter(), time.process_time()
            poses = run_stage(
                "cryoalign.align",
                density=density,
                models=ModelSet((name,), (model,)),
                params={"resolution": resolution, "search": search, **more},
            )
            seconds, busy = time.perf_counter() - begun, time.process_time() - busy
            z = poses.measures["z"][0]
            moved = [poses.moved(alphas, i) for i in range(len(poses))]
            errors = [min(np.sqrt(((m - r) ** 2).sum(axis=1).mean()) for r in right) for m in moved]
            wrong = [score for score, error in zip(poses.score, errors, strict=True) if error > 5]
            print(
                f"{name:7} {search:8} {len(poses):5}  {errors[0]:9.2f}  {min(errors):11.2f}  {np.argmin(errors) + 1:4}"
                f"  {poses.score[0]:.3f}  {max(wrong, default=np.nan):.3f}  {z:5.1f}  {seconds:7.1f}  {busy:5.1f}"
            )


if __name__ == "__main__":
    main()
