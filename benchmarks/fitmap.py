"""Random placements on the three fitting tasks: how many of the starts end at the right place, and where that ranks.

    python benchmarks/fitmap.py [DATA] [--tasks actin trpml1 ksga] [--starts 200] [--set metric=about_mean …]

DATA is the folder with `fitting_tasks` and `maps`. Right: within 5 Å (Cα RMSD) of the reference or a symmetry copy.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from cryoalign import tasks

from cryoweave import run_stage
from cryoweave.data import ModelSet

RIGHT = 5.0
"""Å."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--tasks", nargs="+", default=["actin", "trpml1", "ksga"])
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="+", default=[], metavar="PARAM=VALUE")
    given = parser.parse_args()
    chosen = dict(text.split("=", 1) for text in given.set)
    print("task    starts  hits  distinct  rank of the first right  its RMSD  seconds  CPU")
    for name, density, resolution, model, right in tasks(given.data):
        if name not in given.tasks:
            continue
        params = {"resolution": resolution, "starts": given.starts, "top": 10_000, **chosen}
        begun, busy = time.perf_counter(), time.process_time()
        poses = run_stage(
            "fitmap.search", density=density, models=ModelSet((name,), (model,)), params=params, seed=given.seed
        )
        seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        trace = model.xyz[model.atom_name == "CA"]
        moved = [poses.moved(trace, i) for i in range(len(poses))]
        errors = np.array([min(np.sqrt(((m - r) ** 2).sum(axis=1).mean()) for r in right) for m in moved])
        good = errors < RIGHT
        first = int(np.argmax(good)) if good.any() else -1
        rank = f"{first + 1}" if first >= 0 else "-"
        error = f"{errors[first]:.2f}" if first >= 0 else f"({errors.min():.1f})"
        hits = int(poses.measures["hits"][good].sum())
        print(
            f"{name:7} {given.starts:6}  {hits:4}  {len(poses):8}  {rank:>23}  {error:>8}  {seconds:7.1f}  {busy:5.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
