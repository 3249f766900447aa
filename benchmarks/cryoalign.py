"""Models placed in maps by point clouds: error of the best pose and of the best of ten, wall and CPU seconds.

    python benchmarks/cryoalign.py [DATA] [--search triples masks whole] [--assemblies]

DATA is the folder with `fitting_tasks` and `maps`. Error: Cα RMSD to the reference; symmetry copies count as right.
With --assemblies the subunits of four simulated complexes instead, each turned at random.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from cryoweave import load_map, run_stage
from cryoweave.data import Model, ModelSet
from cryoweave.errors import StageError
from cryoweave.io.models import read_model

TASKS = {
    "actin": ("maps/emd5168_actin/emd_5168.map.gz", 6.6, [(-166.5 * k, 27.5 * k) for k in range(-6, 7)]),
    "trpml1": ("maps/emd6824_trpml1/6824.mrc.gz", 5.8, [(90.0 * k, 0.0) for k in range(4)]),
    "ksga": ("fitting_tasks/ksga/map.mrc.gz", 13.0, [(0.0, 0.0)]),
}
"""The map, its resolution in Å, and the copies: degrees about z through the box's centre, and Å along it."""
ASSEMBLIES = {"1tyq": 10.0, "1z5s": 10.0, "3sfd": 15.0, "1e6v": 20.0}
"""Resolution in Å."""
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


def tasks(data):
    """Name, map, resolution, model and right answers of each fitting task."""
    for name, (file, resolution, copies) in TASKS.items():
        density = load_map(data / file)
        model = read_model(data / "fitting_tasks" / name / "model.pdb.gz")
        yield name, density, resolution, model, list(references(name, data, density, copies))


def subunits(data):
    """The same for each subunit of the assemblies; subunits of as many residues count as copies."""
    rng = np.random.default_rng(0)
    folder = data / "maps" / "sim_imp_multifit"
    for name, resolution in ASSEMBLIES.items():
        density = load_map(folder / f"{name}_{resolution:.0f}.mrc.gz")
        models = {f.name.split(".pdb")[0]: read_model(f) for f in sorted(folder.glob(f"{name}*.pdb*"))}
        alphas = {part: model.xyz[model.atom_name == "CA"] for part, model in models.items()}
        for part, model in models.items():
            turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
            turn *= np.linalg.det(turn)
            columns = {field: getattr(model, field) for field in model.__dataclass_fields__}
            turned = Model(**(columns | {"xyz": (model.xyz - model.xyz.mean(axis=0)) @ turn.T}))
            right = [xyz for xyz in alphas.values() if len(xyz) == len(alphas[part])]
            yield part, density, resolution, turned, right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--search", nargs="+", default=["triples", "masks", "whole"])
    parser.add_argument("--assemblies", action="store_true")
    given = parser.parse_args()
    print("task    search   poses  best pose  best of all  rank  score  next   z      seconds  CPU")
    for name, density, resolution, model, right in (subunits if given.assemblies else tasks)(given.data):
        for search in given.search:
            print(f"{name:7} {search:8} {measured(name, density, resolution, model, right, search)}", flush=True)


def measured(name, density, resolution, model, right, search):
    """One row."""
    alphas = model.xyz[model.atom_name == "CA"]
    begun, busy = time.perf_counter(), time.process_time()
    try:
        poses = run_stage(
            "cryoalign.align",
            density=density,
            models=ModelSet((name,), (model,)),
            params={"resolution": resolution, "search": search},
        )
    except StageError as error:
        return f"none: {error}"
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    moved = [poses.moved(alphas, i) for i in range(len(poses))]
    errors = [min(np.sqrt(((m - r) ** 2).sum(axis=1).mean()) for r in right) for m in moved]
    wrong = max((s for s, error in zip(poses.score, errors, strict=True) if error > 5), default=np.nan)
    return (
        f"{len(poses):5}  {errors[0]:9.2f}  {min(errors):11.2f}  {np.argmin(errors) + 1:4}  {poses.score[0]:.3f}"
        f"  {wrong:.3f}  {poses.measures['z'][0]:5.1f}  {seconds:7.1f}  {busy:5.1f}"
    )


if __name__ == "__main__":
    main()
