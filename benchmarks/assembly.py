"""Complexes put together from their chains: Cα RMSD of each chain to its place, wall and CPU seconds.

    python benchmarks/assembly.py [DATA] [--builder assembly diffmodeler ...] [--only 1tyq 6824 ...]

DATA is the folder with `fitting_tasks` and `maps`. Each chain is first turned and shifted at random (seeded).
Chains of one sequence may stand for each other, and copies by the map's symmetry count as right.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from cryoweave import load_map
from cryoweave.data import ModelSet, Poses
from cryoweave.errors import StageError
from cryoweave.host import Context, registry
from cryoweave.io.models import read_model
from cryoweave.kernels.rotations import random_rotations
from cryoweave.pipeline.chain import load_recipe

SIMULATED = {"1tyq": 10.0, "1z5s": 10.0, "3sfd": 15.0, "1e6v": 20.0}
"""Resolution in Å."""
SETTINGS = {
    "6824": {"copies": 4},
    "6824-C4": {"copies": 4, "symmetry": "C4"},
    "1080": {"copies": 14},
    "1080-D7": {"copies": 14, "symmetry": "D7"},
    "1080-rings": {"copies": 2},
    "5168": {"copies": 8},
}
SHIFT = 100.0
"""Å, at most along each axis."""
SHOWN = ("poses considered", "gap", "ambiguous", "placed")


def moved(model, seed):
    turn = random_rotations(1, seed)[0]
    shift = np.random.default_rng(seed).uniform(-SHIFT, SHIFT, 3)
    return replace(model, xyz=(model.xyz - model.xyz.mean(axis=0)) @ turn.T + shift)


def about_z(degrees):
    angle = np.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


def simulated(data, name):
    """Map, resolution, models and the Cα of each place."""
    folder = data / "maps" / "sim_imp_multifit"
    files = sorted(folder.glob(f"{name}?[A-G].pdb*"))
    true = [read_model(file) for file in files]
    names = tuple(file.name.split(".pdb")[0] for file in files)
    models = ModelSet(names, tuple(moved(model, i) for i, model in enumerate(true)))
    resolution = SIMULATED[name]
    return load_map(folder / f"{name}_{resolution:.0f}.mrc.gz"), resolution, models, [ca(model) for model in true]


def ca(model, like=None):
    """Cα, of residues that another model has."""
    trace = model.trace_atoms()
    kept = slice(None) if like is None else np.isin(trace.residue_number, like.trace_atoms().residue_number)
    return trace.xyz[kept]


def experimental(data, name):
    maps, tasks = data / "maps", data / "fitting_tasks"
    if name.startswith("6824"):
        density = load_map(maps / "emd6824_trpml1" / "6824.mrc.gz")
        true = copies(density, ca(read_model(tasks / "trpml1" / "ref.pdb.gz")), [(90.0 * k, 0.0) for k in range(4)])
        return density, 5.8, one(read_model(maps / "emd6824_trpml1" / "Q99J21.pdb.gz")), true
    if name == "5168":
        density = load_map(maps / "emd5168_actin" / "emd_5168.map.gz")
        turns = [(-166.5 * k, 27.5 * k) for k in range(-6, 7)]
        true = copies(density, ca(read_model(tasks / "actin" / "ref.pdb.gz")), turns)
        return density, 6.6, one(read_model(tasks / "actin" / "model.pdb.gz")), true
    density = load_map(maps / "emd1080_groel" / "groel-11.5A.mrc.gz")
    ring = read_model(maps / "emd1080_groel" / "1oel_fit_emd1080.pdb.gz")
    single = ring.select(ring.chain == ring.chain[0])
    true = [ca(ring.select(ring.chain == chain)) for chain in dict.fromkeys(ring.chain.tolist())]
    return density, 11.5, one(ring if name == "1080-rings" else single), true


def one(model):
    return ModelSet(("chain",), (moved(model, 0),))


def copies(density, xyz, turns):
    """Copies about z through the box's centre; the reference's origin is the first voxel."""
    centre = density.frame.to_xyz(np.array(density.frame.shape_zyx) // 2)[0]
    xyz = xyz + np.array(density.frame.origin_xyz)
    return [(xyz - centre) @ about_z(turn).T + centre + [0, 0, rise] for turn, rise in turns]


def other_ring(density, true, placed):
    """Places of the ring that is not in the reference: turned over about the horizontal axis that fits best."""
    centre = density.frame.to_xyz(np.array(density.frame.shape_zyx) // 2)[0]
    upper = np.mean([xyz.mean(axis=0)[2] for xyz in true])
    far = [xyz for xyz in placed if (xyz.mean(axis=0)[2] - centre[2]) * (upper - centre[2]) < 0]
    best, found = np.inf, []
    for angle in np.arange(0, 360 / 7, 0.5):
        turn = about_z(angle) @ np.diag([1.0, -1.0, -1.0])
        ring = [(xyz - centre) @ turn.T + centre for xyz in true]
        off = np.median([min(rmsd(xyz, there) for there in ring) for xyz in far]) if far else np.inf
        if off < best:
            best, found = off, ring
    return found


def rmsd(a, b):
    return float(np.sqrt(((a - b) ** 2).sum(axis=1).mean()))


def built(builder, density, resolution, models, settings):
    """The model that a recipe's stages give of the map and the models, and what it noted."""
    values, facts = {"density": density, "models": models}, {}
    for step in load_recipe(builder).steps:
        stage = registry().stage(step.stage)
        if stage.is_validator:
            break
        given = {"resolution": resolution, **settings, **step.params}
        ctx = Context(facts=facts, threads=2)
        params = stage.params(**{key: value for key, value in given.items() if key in stage.params.model_fields})
        inputs = {key: values.get(key) for key in stage.takes}
        made = stage.function()(**inputs, params=params, ctx=ctx)
        values["poses" if isinstance(made, Poses) else "maps" if hasattr(made, "classes") else "model"] = made
    return values["model"], facts


def row(builder, name, data):
    density, resolution, models, true = (simulated if name in SIMULATED else experimental)(data, name)
    begun, busy = time.perf_counter(), time.process_time()
    try:
        model, facts = built(builder, density, resolution, models, SETTINGS.get(name, {}))
    except StageError as error:
        return f"{builder:12} {name:11} none: {error}"
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    like = read_model(data / "fitting_tasks" / "trpml1" / "ref.pdb.gz") if name.startswith("6824") else None
    placed = [ca(model.select(model.chain == chain), like) for chain in dict.fromkeys(model.chain.tolist())]
    if name.startswith("1080"):
        true = true + other_ring(density, true, placed)
    if name in SIMULATED:
        off = [min((rmsd(x, there) for x in placed if len(x) == len(there)), default=np.inf) for there in true]
        right = sum(value < 3 for value in off)
    else:
        table = np.array([[rmsd(x, there) for there in true] for x in placed])
        off = table.min(axis=1).tolist()
        right = len(set(table.argmin(axis=1)[np.array(off) < 3].tolist()))
    noted = ", ".join(f"{key} {facts[key]}" for key in SHOWN if key in facts)
    shown = " ".join(f"{value:.2f}" for value in off)
    return (
        f"{builder:12} {name:11} {right:2} right of {len(off):2} [{shown}]  {seconds:.0f} s, CPU {busy:.0f} s  {noted}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--builder", nargs="+", default=["assembly"])
    parser.add_argument("--only", nargs="+", default=[*SIMULATED, *SETTINGS])
    given = parser.parse_args()
    for builder in given.builder:
        for name in given.only:
            print(row(builder, name, given.data), flush=True)


if __name__ == "__main__":
    main()
