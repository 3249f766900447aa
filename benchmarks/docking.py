"""Unbound partners fitted into simulated maps of their bound complex: success by method, and what a z is worth.

    python benchmarks/docking.py DATA RESULTS.tsv [--complexes 60] [--resolutions 6,10,15] [--methods fit.search,…]
    python benchmarks/docking.py DATA RESULTS.tsv --table

DATA/structures/bm5 holds bound complexes and their unbound partners, which lie near the bound frame. For every complex
and resolution a map is simulated with noise and solvent (stage `model.simulate`); each partner is turned and shifted
at random by a seed and fitted alone. Its right pose is its least-squares superposition on the complex. A fit succeeds
if both the partner's Cα and those at the interface (within 10 Å of the other partner) are less than 5 Å off (root mean
square), or, of a partner of equal chains, if it lies in its own trace with the chains exchanged. Rows are added to
RESULTS.tsv; what is there is not done again. A method `chains+STAGE` fits the partner's backbone to the main chain that
`unet.chains` finds in the map, in place of the density.
"""

import argparse
import csv
import os
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from cryoweave import load_model, run_stage
from cryoweave.data import DensityMap, ModelSet
from cryoweave.errors import CryoweaveError
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.metrics import superpose
from cryoweave.kernels.rotations import random_rotations

SUCCESS = 5.0
INTERFACE = 10.0
SAME = 2.0
"""Å from Cα to the nearest Cα: poses of wrong places have 3 and more."""
NEAR, ENOUGH = 5.0, 0.85
"""A partner belongs to the complex if so many of its Cα are so close (Å) to one of the complex."""
CHAINS = "chains+"
BACKBONE = ("N", "CA", "C")
COLUMNS = ("complex", "partner", "residues", "resolution", "method", "poses", "rank", "rmsd", "irmsd", "score", "z",
           "next_score", "next_z", "seconds")  # fmt: skip


def in_place(model, complex_):
    """The partner's Cα, moved onto the complex; None if it does not lie there."""
    xyz = model.trace_atoms().xyz
    target = complex_.trace_atoms().xyz
    for _ in range(3):
        index, distance = nearest(target, xyz, 1)
        close = distance[:, 0] < NEAR
        if close.mean() < ENOUGH:
            return None
        found = superpose(xyz[close], target[index[close, 0]])
        xyz = xyz @ found.rotation.T + found.translation
    return xyz


def cases(folder, wanted):
    """Complexes whose partners both lie in place: id, complex, partners, places, interfaces."""
    count = 0
    for name in sorted({path.name[:4] for path in folder.glob("*_target.pdb.gz")}):
        if count == wanted:
            return
        try:
            complex_, *partners = (load_model(folder / f"{name}_{part}.pdb.gz") for part in ("target", "r_u", "l_u"))
        except CryoweaveError as error:
            print(f"{name}: {error}")
            continue
        places = [in_place(one, complex_) for one in partners]
        if any(place is None for place in places):
            continue
        faces = [nearest(places[1 - i], places[i], 1)[1][:, 0] < INTERFACE for i in range(2)]
        if min(face.sum() for face in faces) < 5:
            continue
        count += 1
        yield name, complex_, partners, places, faces


def simulated(complex_, resolution, seed):
    params = {"resolution": resolution, "voxel": min(3.0, resolution / 4), "margin": 20.0}
    return run_stage("model.simulate", model=complex_, params=params, seed=seed)


def moved(model, seed):
    """The model turned and shifted at random."""
    turn = random_rotations(1, seed)[0]
    xyz = (model.xyz - model.xyz.mean(axis=0)) @ turn.T + np.random.default_rng(seed).uniform(-30, 30, 3)
    return type(model)(**{**{name: getattr(model, name) for name in model.__dataclass_fields__}, "xyz": xyz})


def rms(a, b):
    return float(np.sqrt(np.mean(np.sum((a - b) ** 2, axis=1))))


def same_trace(xyz, place):
    """Whether a partner made of equal parts lies where it should, its parts exchanged."""
    both = [nearest(one, other, 1)[1][:, 0] for one, other in ((place, xyz), (xyz, place))]
    return max(np.sqrt(np.mean(distance**2)) for distance in both) < SAME


def judged(poses, model, place, face):
    """Rank of the first right pose, figures of the best pose."""
    trace = model.trace_atoms().xyz
    put = [poses.moved(trace, i) for i in range(len(poses))]
    off = [(rms(xyz, place), rms(xyz[face], place[face])) for xyz in put]
    near = [(whole < SUCCESS and inter < SUCCESS) or same_trace(xyz, place)
            for (whole, inter), xyz in zip(off, put, strict=True)]  # fmt: skip
    right = [i + 1 for i, good in enumerate(near) if good]
    z = poses.measures.get("z", np.full(len(poses), np.nan))
    second = (poses.score[1], z[1]) if len(poses) > 1 else (np.nan, np.nan)
    return {"poses": len(poses), "rank": right[0] if right else 0, "rmsd": off[0][0], "irmsd": off[0][1],
            "score": poses.score[0], "z": z[0], "next_score": second[0], "next_z": second[1]}  # fmt: skip


def main_chain(density):
    found = run_stage("unet.chains", density=density)
    return DensityMap(found.values[found.classes.index("backbone")].astype(np.float32), found.frame)


def fitted(method, density, model, resolution):
    stage, _, extra = method.partition(":")
    params = {"resolution": resolution, "top": 10}
    if stage.startswith(CHAINS):
        stage = stage.removeprefix(CHAINS)
        model = model.select(np.isin(model.atom_name, BACKBONE))
    for setting in filter(None, extra.split(";")):
        name, _, value = setting.partition("=")
        params[name] = float(value) if value.replace(".", "").isdigit() else value
    return run_stage(stage, density=density, models=ModelSet(("partner",), (model,)), params=params)


def measure(options):
    done = set()
    if options.results.exists():
        with options.results.open() as stream:
            done = {tuple(row[key] for key in ("complex", "partner", "resolution", "method"))
                    for row in csv.DictReader(stream, delimiter="\t")}  # fmt: skip
    resolutions = [float(text) for text in options.resolutions.split(",")]
    with options.results.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t")
        if not done:
            writer.writeheader()
        for number, (name, complex_, partners, places, faces) in enumerate(
            cases(options.data / "structures" / "bm5", options.complexes)
        ):
            for resolution in resolutions:
                density = chains = None
                for i, part in enumerate("rl"):
                    model = moved(partners[i], seed=1000 * number + i)
                    for method in options.methods.split(","):
                        if (name, part, f"{resolution:g}", method) in done:
                            continue
                        density = density or simulated(complex_, resolution, number)
                        if method.startswith(CHAINS):
                            chains = chains or main_chain(density)
                        row = {"complex": name, "partner": part, "residues": len(places[i])}
                        row |= {"resolution": f"{resolution:g}", "method": method}
                        begun = time.perf_counter()
                        try:
                            poses = fitted(method, chains if method.startswith(CHAINS) else density, model, resolution)
                            row |= judged(poses, model, places[i], faces[i])
                        except CryoweaveError as error:
                            print(f"{name} {part} {resolution:g} {method}: {error}")
                            row |= {"poses": 0, "rank": 0}
                        writer.writerow({**row, "seconds": round(time.perf_counter() - begun, 2)})
                        stream.flush()


def table(results):
    with results.open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    print("| method | resolution, Å | fits | first pose right | one of 10 right | median s |")
    print("|---|---|---|---|---|---|")
    for method in dict.fromkeys(row["method"] for row in rows):
        for resolution in dict.fromkeys(row["resolution"] for row in rows):
            mine = [row for row in rows if row["method"] == method and row["resolution"] == resolution]
            if mine:
                first, any_ = (sum(test(int(row["rank"])) for row in mine) / len(mine)
                               for test in (lambda rank: rank == 1, lambda rank: rank > 0))  # fmt: skip
                seconds = np.median([float(row["seconds"]) for row in mine])
                print(f"| {method} | {resolution} | {len(mine)} | {first:.2f} | {any_:.2f} | {seconds:.1f} |")
    print("\nz of the best pose | fits | right")
    default = [row for row in rows if row["method"] == "fit.search" and row["z"]]
    edges = [0, 3, 4, 5, 6, 7, 8, 10, 12, 1e9]
    for low, high in pairwise(edges):
        mine = [int(row["rank"]) == 1 for row in default if low <= float(row["z"]) < high]
        if mine:
            print(f"{low:g} to {high:g} | {len(mine)} | {np.mean(mine):.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--complexes", type=int, default=60)
    parser.add_argument("--resolutions", default="6,10,15")
    parser.add_argument("--methods", default="fit.search", help="stages, with settings as stage:name=value;name=value")
    parser.add_argument("--table", action="store_true", help="only tell what is there")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if not given.table:
        measure(given)
    table(given.results)
