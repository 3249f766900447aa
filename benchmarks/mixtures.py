"""Rigid fits by Gaussian mixtures on the three fitting tasks: Cα RMSD of the best pose to the nearest true copy.

python benchmarks/mixtures.py ../shared/data
"""

import sys
import time
from pathlib import Path

import numpy as np

from cryoweave import load_map, load_model
from cryoweave.data import ModelSet
from cryoweave.host import Context, registry

MAPS = {
    "actin": "maps/emd5168_actin/emd_5168.map.gz",
    "trpml1": "maps/emd6824_trpml1/6824.mrc.gz",
    "ksga": "fitting_tasks/ksga/map.mrc.gz",
}
PLUS = {"background": 4.0, "coarse": 12.0}
RUNS = [
    ("actin", {}),
    ("trpml1", {}),
    ("trpml1", {"copies": 4, "cyclic": True, "starts": 300}),
    ("ksga", {}),
    *((task, PLUS) for task in MAPS),
]


def about_z(degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def copies(task, reference, frame):
    """The reference and where symmetry puts it."""
    if task == "ksga":
        return [reference]
    reference = reference + np.array(frame.origin_xyz)
    centre = frame.to_xyz(np.array([frame.shape_zyx]) / 2)[0]
    turns = [(-166.5 * k, 27.5 * k) for k in range(-4, 5)] if task == "actin" else [(90 * k, 0) for k in range(4)]
    return [(reference - centre) @ about_z(turn).T + centre + [0, 0, rise] for turn, rise in turns]


def main(data):
    stage = registry().stage("gmfit.fit")
    for task, params in RUNS:
        density = load_map(data / MAPS[task])
        model, reference = (load_model(data / f"fitting_tasks/{task}/{name}.pdb.gz") for name in ("model", "ref"))
        xyz = model.xyz[model.atom_name == "CA"]
        truths = copies(task, reference.xyz[reference.atom_name == "CA"], density.frame)
        models, ctx = ModelSet((task,), (model,)), Context()
        begun = time.perf_counter()
        poses = stage.function()(density=density, models=models, params=stage.params(**params), ctx=ctx)
        took = time.perf_counter() - begun
        off = [
            min(np.sqrt(((poses.moved(xyz, i) - t) ** 2).sum(axis=1).mean()) for t in truths) for i in range(len(poses))
        ]
        wrong = next((score for score, one in zip(poses.score, off, strict=True) if one > 5), np.nan)
        print(
            f"{task:7} {params}: {off[0]:.1f} Å at {poses.score[0]:.3f}, best wrong {wrong:.3f}, {took:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
