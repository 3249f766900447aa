"""Whether unknown chains find their sequence: each real map built without sequences, then looked for in a database.

    .venv/bin/python benchmarks/identify.py ../shared/data [--decoys 10] [--fast] [MAP ...]

The database is every protein sequence of the models in the folder, each once, and shuffled copies of all. Prints one
Markdown row a map: E-value and rank of the right sequence, and the best E-value of another one, as a map would have
whose protein is not in the database; chains with the right sequence at an E-value of .01 or less, and how many of
those run as they were traced.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from accuracy import MAPS

from cryoweave import run_stage
from cryoweave.data import DensityMap, Model
from cryoweave.data.residues import letter_of
from cryoweave.io.database import Entry
from cryoweave.io.maps import read_map
from cryoweave.io.models import read_model
from cryoweave.kernels.align import align_sequences
from cryoweave_modelangelo.search import profiles_of, search

ENDINGS = (".pdb", ".cif", ".ent")
SHORTEST, UNKNOWN = 30, 0.25
"""Residues of a sequence of the database at least, and share of X in it at most."""
ALIKE = 0.4
"""Share of identical residues of the shorter from which a sequence is the same protein."""


def letters_of(trace: Model) -> str:
    return "".join(letter_of(name) for name in trace.residue_name.tolist())


def chains(data: Path) -> Iterator[Entry]:
    """Sequences of all chains of proteins, each once."""
    seen = set()
    for path in sorted(data.rglob("*")):
        if path.name.removesuffix(".gz").endswith(ENDINGS) and "reference" not in path.parts:
            trace = read_model(path).trace_atoms()
            trace = trace.select(trace.atom_name == "CA")
            for chain in dict.fromkeys(trace.chain.tolist()):
                letters = letters_of(trace.select(trace.chain == chain))
                if len(letters) >= SHORTEST and letters.count("X") <= UNKNOWN * len(letters) and letters not in seen:
                    seen.add(letters)
                    yield Entry(f"{path.name.split('.')[0]}_{chain}", letters)


def row(density: DensityMap, native: Model, database: list[Entry], fast: bool = False) -> str:
    """One map's cells."""
    started = time.perf_counter()
    maps = run_stage("unet.maps", density=density)
    points = run_stage("unet.refine", maps=maps, points=run_stage("points.calpha", maps=maps))
    traces = run_stage("modelangelo.chains", bonds=run_stage("edges.bonds", points=points, maps=maps), maps=maps)
    built = time.perf_counter()
    models = profiles_of(points, traces, 8)
    found = search(models, database, 2, fast=fast)
    done = time.perf_counter()
    own = letters_of(native.trace_atoms())
    proteins = found.proteins()
    right = [alike(own, database[hits[0].entry].letters) for _, hits in proteins]
    first = right.index(True) if True in right else -1
    best = f"{proteins[first][0]:.1e} | {first + 1}" if first >= 0 else "- | -"
    wrong = next((f"{e_value:.1e}" for (e_value, _), same in zip(proteins, right, strict=True) if not same), "-")
    sure = [hit for hit in proteins[first][1] if found.e_value(hit) <= 0.01] if first >= 0 else []
    forward = sum(not hit.backward for hit in sure)
    seconds = f"{built - started:.0f} + {done - built:.0f}"
    return f"{best} | {wrong} | {len(sure)} of {found.chains} | {forward} | {seconds}"


def alike(a: str, b: str) -> bool:
    """Whether two sequences are of one protein."""
    if a == b:
        return True
    pairs = align_sequences(a, b)
    same = sum(a[i] == b[j] for i, j in pairs.tolist())
    return same >= ALIKE * min(len(a), len(b))


def main() -> None:
    """Make the database and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("maps", nargs="*", metavar="MAP")
    parser.add_argument("--decoys", type=int, default=10)
    parser.add_argument("--fast", action="store_true", help="with HMMER's filters")
    options = parser.parse_intermixed_args()
    real = list(chains(options.data))
    rng = np.random.default_rng(0)
    shuffled = [
        Entry(f"shuffled{k}_{one.name}", "".join(rng.permutation([*one.letters])))
        for k in range(options.decoys)
        for one in real
    ]
    print(f"{len(real)} sequences and {len(shuffled)} shuffled ones")
    print("| map | density | right: E-value | rank | best other | chains found | as traced | seconds: build + search |")
    print("|---" * 8 + "|", flush=True)
    for name in options.maps or MAPS:
        masked, native = (
            read(options.data / path) for read, path in zip((read_map, read_model), MAPS[name], strict=True)
        )
        for kind, density in (("masked", masked), ("in solvent", run_stage("map.solvent", density=masked))):
            print(f"| {name} | {kind} | {row(density, native, real + shuffled, options.fast)} |", flush=True)


if __name__ == "__main__":
    main()
