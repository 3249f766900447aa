"""Backbones and side chains built along deposited Cα atoms: geometry, and how far they are from the deposited atoms.

    .venv/bin/python benchmarks/full_atom.py ../shared/data [--maps 2566,5778] [--errors 0,0.5] [--stages build.full]

A row for each map, stage and error of the Cα (Å, root mean square; mean of seeds 0 to 2). `none` after a stage's name
leaves the density out. Columns: share favoured and outliers of Ramachandran; O, median Å off; share of O more than 2 Å
off; heavy-atom clashes per 1000 atoms; Cβ outliers; χ1 within 40°; root mean square of the atoms beyond Cβ, and of all;
seconds.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Threading
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import CryoweaveError
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import torsion
from cryoweave_validation.peptides import peptides

MAPS = {
    "2566": ("maps/emd2566_3j6b9/2566_3J6B_9.mrc.gz", "maps/emd2566_3j6b9/3J6B_9.pdb"),
    "5778": ("maps/emd5778_trpv1A/riken_5778_masked.mrc.gz", "maps/emd5778_trpv1A/riken_5778_native.pdb"),
    "5925": ("maps/emd5925_mavs/riken_5925_masked.mrc.gz", "maps/emd5925_mavs/riken_5925_native.pdb"),
}
SEEDS = (0, 1, 2)
GAMMA = ("CG", "SG", "OG", "CG1", "OG1")
COLUMNS = ("fav", "out", "O err", "O>2", "clash", "cb_out", "chi1", "side", "all", "s")


def threading_of(native, xyz):
    """The deposited residues at these Cα positions; what is not modelled is X in the sequence."""
    trace = native.trace_atoms()
    sequences, chain, residue = [], [], []
    for index, name in enumerate(dict.fromkeys(trace.chain.tolist())):
        own = trace.select(trace.chain == name)
        letters = ["X"] * int(own.residue_number.max())
        for number, residue_name in zip(own.residue_number.tolist(), own.residue_name.tolist(), strict=True):
            letters[number - 1] = AMINO_ACIDS.get(residue_name, "X")
        sequences.append(Sequence(name, "".join(letters)))
        chain += [index] * len(own)
        residue += (own.residue_number - 1).tolist()
    n = len(trace)
    return Threading(
        SequenceSet(tuple(sequences)), np.zeros(n), chain, residue, xyz, np.ones(n), np.ones(1), ("deposited Cα",)
    )


def positions(model):
    """Atoms by chain, number and name."""
    keys = zip(model.chain.tolist(), model.residue_number.tolist(), model.atom_name.tolist(), strict=True)
    found = {}
    for key, xyz in zip(keys, model.xyz, strict=True):
        found.setdefault(key, xyz)
    return found


def chi1(model):
    """χ1 in degrees by chain and number."""
    found = {}
    for gamma in GAMMA:
        chain = peptides(model, ("N", "CA", "CB", gamma))
        angle = torsion(*(chain.at(name) for name in chain.names))
        for name, number, value in zip(chain.chain.tolist(), chain.residue_number.tolist(), angle, strict=True):
            if np.isfinite(value):
                found.setdefault((name, number), value)
    return found


def judged(model, native, seconds):
    """A row of numbers."""
    whole = {}
    for stage in ("geometry.ramachandran", "geometry.clashes", "geometry.protein"):
        try:
            whole |= run_stage(stage, model=model).whole
        except CryoweaveError:
            continue
    truth, built = positions(native), positions(model)
    common = [key for key in truth if key in built]
    off = np.array([np.linalg.norm(truth[key] - built[key]) for key in common])
    oxygen = np.array([key[2] == "O" for key in common])
    side = np.array([key[2] not in ("N", "CA", "C", "O", "CB", "OXT") for key in common])
    ours, theirs = chi1(model), chi1(native)
    turned = [abs((ours[key] - theirs[key] + 180) % 360 - 180) for key in theirs if key in ours]

    def rms(of):
        return float(np.sqrt(np.mean(off[of] ** 2))) if of.any() else np.nan

    return (
        whole.get("rama_favoured", np.nan),
        whole.get("rama_outliers", np.nan),
        float(np.median(off[oxygen])) if oxygen.any() else np.nan,
        float(np.mean(off[oxygen] > 2)) if oxygen.any() else np.nan,
        whole.get("heavy_atom_clashes", np.nan),
        whole.get("cb_outliers", np.nan),
        float(np.mean(np.array(turned) <= 40)) if turned else np.nan,
        rms(side),
        rms(np.ones(len(off), bool)),
        seconds,
    )


def rows(data, name, stage, error):
    """Judgements of one builder, one for each seed."""
    density, native = read_map(data / MAPS[name][0]), read_model(data / MAPS[name][1])
    exact = native.trace_atoms().xyz
    for seed in SEEDS if error else (0,):
        xyz = exact + np.random.default_rng(seed).normal(0, error / np.sqrt(3), exact.shape)
        begun = time.perf_counter()
        if stage == "deposited":
            model = native
        elif stage == "pulchra.full":
            trace = run_stage("build.calpha", threading=threading_of(native, xyz))
            model = run_stage(stage, model=trace)
        elif stage.endswith(" none"):
            model = run_stage(stage.split()[0], threading=threading_of(native, xyz), density=None)
        else:
            model = run_stage(stage, threading=threading_of(native, xyz), density=density)
        yield judged(model, native, time.perf_counter() - begun)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--maps", default=",".join(MAPS))
    parser.add_argument("--errors", default="0,0.5")
    parser.add_argument("--stages", default="deposited,build.backbone,build.full,build.full none,pulchra.full")
    given = parser.parse_args()
    stages = given.stages.split(",")
    print("| map | Cα error | stage | " + " | ".join(COLUMNS) + " |")
    print("|---|---|---|" + "---|" * len(COLUMNS))
    for name in given.maps.split(","):
        for error in map(float, given.errors.split(",")):
            for stage in stages:
                if stage == "deposited" and error:
                    continue
                mean = np.mean(list(rows(given.data, name, stage, error)), axis=0)
                shown = [f"{value:.3f}" if np.isfinite(value) else "–" for value in mean]
                print(f"| {name} | {error:g} | {stage} | " + " | ".join(shown) + " |", flush=True)


if __name__ == "__main__":
    main()
