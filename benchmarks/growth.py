"""How recipes grow with the map: rings of copies of one chain, simulated at 3 Å, each recipe in a process of its own.

    .venv/bin/python benchmarks/growth.py ../shared/data FOLDER RESULTS.tsv [--copies 1,2,4,10] [--recipes A,B]
    .venv/bin/python benchmarks/growth.py ../shared/data FOLDER RESULTS.tsv --table

The chain is that of EMD-0093's model, 495 residues; ten copies are 4,950. Maps have noise, and no symmetry is given.
Rows are added to RESULTS.tsv; what is there is not done again. Seconds and peak memory are those of the whole process.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cryoweave import load_model
from cryoweave.data import Model
from cryoweave.data.residues import letter_of
from cryoweave.io.model_writing import write_model

MODEL = "maps/emd0093_hcn4/6gyn.pdb.gz"
RECIPES = ("cryo2struct", "cryo2struct-plus", "pathwalking", "deeptracer", "deeptracer-plus", "deepmainmast")
ROOM = 4.0
"""Å between the copies' bounding circles."""
FIGURES = ("recall", "right_residue", "sequence_recall", "tm_score")
COLUMNS = ("recipe", "residues", *FIGURES, "seconds", "searching", "gigabytes", "error")
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


def made(data: Path, folder: Path, copies: int) -> tuple[Path, Path, Path]:
    """Map, sequences and reference of an assembly."""
    reference, density, fasta = (folder / f"{copies:02d}{end}" for end in (".cif", ".mrc", ".fasta"))
    if not density.exists():
        folder.mkdir(parents=True, exist_ok=True)
        whole = load_model(data / MODEL)
        chain = whole.select(whole.chain == whole.chain[0])
        model = ring(chain, copies)
        write_model(reference, model)
        letters = "".join(letter_of(name) for name in chain.trace_atoms().residue_name.tolist())
        names = ", ".join(dict.fromkeys(model.chain.tolist()))
        fasta.write_text(f">ring|Chains {names}|\n{letters}\n", "utf-8")
        command = ["cryoweave", "simulate", str(reference), "-d", "3", "-o", str(density)]
        subprocess.run([str(Path(sys.executable).parent / command[0]), *command[1:]], check=True)
    return density, fasta, reference


def measured(recipe: str, files: tuple[Path, Path, Path], output: Path) -> list[str]:
    """One run's figures."""
    density, fasta, reference = map(str, files)
    command = [str(Path(sys.executable).parent / "cryoweave"), "run", recipe, "-q", "-v", density, "-r", reference]
    started = time.perf_counter()
    process = subprocess.Popen([*command, "-s", fasta, "-o", str(output)], stderr=subprocess.PIPE, text=True)
    said = process.stderr.read() if process.stderr else ""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    record = json.loads((output / "record.json").read_text("utf-8"))
    searching = sum(step["seconds"] for step in record["steps"] if step["step"] not in DETECTION)
    whole = json.loads((output / "scores.json").read_text("utf-8"))["whole"] if not status else {}
    figures = [f"{whole[name]:.3f}" if name in whole else "" for name in FIGURES]
    error = "" if not status else said.strip().splitlines()[0][:90]
    return [*figures, f"{seconds:.0f}", f"{searching:.1f}", f"{usage.ru_maxrss / 2**20:.2f}", error]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--copies", default="1,2,4,10")
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--table", action="store_true", help="print what is there, and run nothing")
    given = parser.parse_args()
    rows = []
    if given.results.exists():
        with given.results.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    if given.table:
        print("| " + " | ".join(COLUMNS) + " |")
        print("|" + "---|" * len(COLUMNS))
        for row in rows:
            print("| " + " | ".join(row[name] for name in COLUMNS) + " |")
        return
    done = {(row["recipe"], row["residues"]) for row in rows}
    for copies in map(int, given.copies.split(",")):
        files = made(given.data, given.folder, copies)
        residues = str(len(load_model(files[2]).trace_atoms()))
        for recipe in given.recipes.split(","):
            if (recipe, residues) in done:
                continue
            row = [recipe, residues, *measured(recipe, files, given.folder / f"{copies:02d}-{recipe}")]
            new = not given.results.exists()
            with given.results.open("a", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, "excel-tab", lineterminator="\n")
                writer.writerows([COLUMNS] * new + [row])
            print("\t".join(row), flush=True)


if __name__ == "__main__":
    main()
