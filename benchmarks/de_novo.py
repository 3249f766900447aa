"""Every de novo recipe on real maps, masked and in solvent, and on simulated rings of ever more copies.

    .venv/bin/python benchmarks/de_novo.py ../shared/data FOLDER RESULTS.tsv [--maps A,B] [--recipes A,B]
    .venv/bin/python benchmarks/de_novo.py ../shared/data FOLDER RESULTS.tsv --table
    .venv/bin/python benchmarks/de_novo.py ../shared/data FOLDER RESULTS.tsv --agreement [--maps A,B] [--recipes A,B]

Each run is `cryoweave run` in a process of its own, from files; those of one map take each other's steps (`--reuse`),
so that its detection is done once. Rows are added to RESULTS.tsv; what is there is not done again. *Searching* is the
time of all steps but the detection; GB what the largest step of all took. `ring-N` are N copies of one chain of
EMD-0093's model, 495 residues, around an axis, simulated at 3 Å with noise. No symmetry is given. `emodelx-predicted`
gets a native with a domain moved, loops deleted, 2 Å perturbed (`cryoweave.testing.predicted_like`), no prediction.
"""

import argparse
import csv
import json
import subprocess
import sys
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave import load_map, load_model, run_stage
from cryoweave.bench.suite import longest_chain
from cryoweave.data import Model
from cryoweave.data.residues import letter_of
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.testing import predicted_like

MAPS = {
    "EMD-2566": ("emd2566_3j6b9/2566_3J6B_9.mrc.gz", "emd2566_3j6b9/3J6B_9.pdb"),
    "EMD-5925": ("emd5925_mavs/riken_5925_masked.mrc.gz", "emd5925_mavs/riken_5925_native.pdb"),
    "EMD-5778": ("emd5778_trpv1A/riken_5778_masked.mrc.gz", "emd5778_trpv1A/riken_5778_native.pdb"),
    "EMD-6555": ("emd6555_pcv2/riken_6555_masked.mrc.gz", "emd6555_pcv2/riken_6555_native.pdb"),
    "EMD-30342": ("emd30342_integrin/emd_30342_A_z4.mrc.gz", "emd30342_integrin/7cec_A.cif.gz"),
}
RINGED = "emd0093_hcn4/6gyn.pdb.gz"
WHOLE = {"EMD-0093": ("emd0093_hcn4/MAP_m4A.mrc.gz", RINGED)}
"""Maps of several chains, all of which count; it is in its solvent as it is."""
RECIPES = (
    *("mainmast-plus", "pathwalking", "deeptracer", "deeptracer-plus", "cryo2struct", "cryo2struct-plus"),
    *("emodelx", "emodelx-plus", "emodelx-predicted", "modelangelo", "deepmainmast", "deepmainmast-plus"),
)
PREDICTED = "emodelx-predicted"
ROOM = 4.0
"""Å between the copies' bounding circles."""
FIGURES = ("recall", "precision", "right_residue", "tm_score")
COLUMNS = ("map", "residues", "recipe", *FIGURES, "detection", "searching", "gigabytes", "error")
DETECTION = ("detect", "prepare")
"""Steps whose time is that of the network and grows with the box."""


def ring(chain: Model, copies: int) -> Model:
    """Copies of a chain around z, far enough apart that none touches another."""
    xyz = chain.xyz - chain.trace_atoms().xyz.mean(axis=0)
    reach = np.linalg.norm(xyz[:, :2], axis=1).max() + ROOM / 2
    radius = reach / np.sin(np.pi / copies) if copies > 1 else 0.0
    placed = []
    for number in range(copies):
        angle = 2 * np.pi * number / copies
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        placed.append((xyz + np.array([radius, 0, 0])) @ turn.T)
    fields = {name: np.tile(getattr(chain, name), copies) for name in vars(chain) if name not in ("xyz", "chain")}
    names = np.repeat([chr(ord("A") + number) for number in range(copies)], len(chain.xyz))
    return Model(xyz=np.concatenate(placed), chain=names, **fields)


def reference_of(maps: Path, name: str) -> Model:
    """The model that a map's runs are compared with."""
    if name.startswith("ring-"):
        return ring(longest_chain(load_model(maps / RINGED)), int(name.removeprefix("ring-")))
    if name in WHOLE:
        return load_model(maps / WHOLE[name][1])
    return longest_chain(load_model(maps / MAPS[name.removesuffix("-solvent")][1]))


def write_density(maps: Path, name: str, reference: Path, density: Path) -> None:
    """A map as the recipes get it."""
    if name.startswith("ring-"):
        command = [str(Path(sys.executable).parent / "cryoweave"), "simulate", str(reference), "-d", "3"]
        subprocess.run([*command, "-o", str(density)], check=True)
        return
    own = load_map(maps / (WHOLE | MAPS)[name.removesuffix("-solvent")][0])
    write_map(density, run_stage("map.solvent", density=own) if name.endswith("-solvent") else own)


def made(data: Path, folder: Path, name: str) -> dict[str, Path]:
    """Map, sequences, reference and something like a predicted model."""
    ends = {"map": ".mrc", "sequence": ".fasta", "reference": ".cif", "model": "-predicted.cif"}
    files = {option: folder / f"{name}{end}" for option, end in ends.items()}
    if not files["map"].exists():
        folder.mkdir(parents=True, exist_ok=True)
        model = reference_of(data / "maps", name)
        write_model(files["reference"], model)
        first = longest_chain(model)
        write_model(files["model"], predicted_like(first, 0))
        letters = "".join(letter_of(one) for one in first.trace_atoms().residue_name.tolist())
        chains = ", ".join(dict.fromkeys(model.trace_atoms().chain.tolist()))
        files["sequence"].write_text(f">{name}|Chains {chains}|\n{letters}\n", "utf-8")
        write_density(data / "maps", name, files["reference"], files["map"])
    return files


def measured(recipe: str, files: dict[str, Path], output: Path) -> list[str]:
    """One run's figures."""
    command = [str(Path(sys.executable).parent / "cryoweave"), "run", recipe, "-q", "-o", str(output)]
    for other in sorted(output.parent.glob(f"{files['map'].stem}-run-*/record.json")):
        command += ["--reuse", str(other.parent)]
    for option, file in files.items():
        command += [f"--{option}", str(file)] if option != "model" or recipe == PREDICTED else []
    process = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    steps = json.loads((output / "record.json").read_text("utf-8"))["steps"]
    detection = sum(step["seconds"] for step in steps if step["step"] in DETECTION)
    searching = sum(step["seconds"] for step in steps) - detection
    memory = max((step["peak_mb"] or 0 for step in steps), default=0) / 1000
    whole = {} if process.returncode else json.loads((output / "scores.json").read_text("utf-8"))["whole"]
    figures = [f"{whole[figure]:.3f}" if figure in whole else "" for figure in FIGURES]
    error = process.stderr.strip().splitlines()[0][:120] if process.returncode else ""
    return [*figures, f"{detection:.0f}", f"{searching:.1f}", f"{memory:.2f}", error]


def table(rows: list[dict[str, str]]) -> None:
    """Right residue (precision) of every recipe on every map."""
    maps = list(dict.fromkeys(row["map"] for row in rows))
    print("| recipe | " + " | ".join(maps) + " |")
    print("|---" * (1 + len(maps)) + "|")
    for recipe in dict.fromkeys(row["recipe"] for row in rows):
        found = {row["map"]: row for row in rows if row["recipe"] == recipe}
        cells = [found.get(name) for name in maps]
        texts = ["" if c is None else f"{c['right_residue']} ({c['precision']})" if c["recall"] else "–" for c in cells]
        print(f"| `{recipe}` | " + " | ".join(texts) + " |")


def agreement(folder: Path, maps: list[str], recipes: list[str]) -> None:
    """Share of the residues in the right place, of one recipe and where two have the same residue within 3 Å."""
    counts: dict[tuple[str, str], list[int]] = {}
    for name in maps:
        reference = load_model(folder / f"{name}.cif").trace_atoms()
        known = dict(enumerate(reference.xyz, start=1))
        found = {}
        for recipe in recipes:
            file = folder / f"{name}-run-{recipe}" / "model.cif"
            trace = (
                load_model(file).trace_atoms() if file.exists() else reference.select(np.zeros(len(reference), bool))
            )
            found[recipe] = dict(zip(trace.residue_number.tolist(), trace.xyz, strict=True))
        for one, other in combinations_with_replacement(recipes, 2):
            both = [k for k in found[one] if k in found[other] and near(found[one][k], found[other][k])]
            count = counts.setdefault((one, other), [0, 0])
            count[0] += len(both)
            count[1] += sum(near(found[one][k], known[k]) for k in both)
    print("| recipe | and | residues | right |")
    print("|---|---|---|---|")
    for (one, other), (many, right) in counts.items():
        print(f"| `{one}` | {'alone' if one == other else f'`{other}`'} | {many} | {right / max(many, 1):.3f} |")


def near(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two places are the same, within the 3 Å of all figures."""
    return bool(np.linalg.norm(one - other) < 3)


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--maps", default=",".join([*(f"{m}{end}" for m in MAPS for end in ("", "-solvent")), *WHOLE]))
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--table", action="store_true", help="print what is there, and run nothing")
    parser.add_argument("--agreement", action="store_true", help="where two recipes agree, and run nothing")
    given = parser.parse_args()
    if given.agreement:
        agreement(given.folder, given.maps.split(","), given.recipes.split(","))
        return
    rows = []
    if given.results.exists():
        with given.results.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    if given.table:
        table(rows)
        return
    done = {(row["map"], row["recipe"]) for row in rows}
    for name in given.maps.split(","):
        files = made(given.data, given.folder, name)
        residues = str(len(load_model(files["reference"]).trace_atoms()))
        for recipe in given.recipes.split(","):
            if (name, recipe) in done:
                continue
            row = [name, residues, recipe, *measured(recipe, files, given.folder / f"{name}-run-{recipe}")]
            new = not given.results.exists()
            with given.results.open("a", encoding="utf-8", newline="") as stream:
                csv.writer(stream, "excel-tab", lineterminator="\n").writerows([COLUMNS] * new + [row])
            print("\t".join(row), flush=True)


if __name__ == "__main__":
    main()
