"""Count how far apart and how twisted Cα atoms along chains are, and how frequent amino acids.

    python training/fit_chain_shape.py DATA > src/cryoweave_cryo2struct/chain_shape.json

Reads every second bound complex of DATA/structures/bm5 that DATA/exclude_from_training.txt does not name; the
others are left for tests of tracers.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from cryoweave import load_model
from cryoweave.data.residues import AMINO_ACIDS, letter_of
from cryoweave.errors import CryoweaveError

FORWARD, STEP, BINS, TURNS = 6, 0.1, 220, 72
BOND = (2.7, 4.2)
SHORTEST = 20


def dihedrals(xyz):
    first, axis, last = xyz[1:-2] - xyz[:-3], xyz[2:-1] - xyz[1:-2], xyz[3:] - xyz[2:-1]
    one, other = np.cross(first, axis), np.cross(axis, last)
    sine = (np.cross(one, other) * axis).sum(axis=1) / np.linalg.norm(axis, axis=1)
    return np.arctan2(sine, (one * other).sum(axis=1))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    lines = (data / "exclude_from_training.txt").read_text("utf-8").splitlines()
    excluded = {line.strip() for line in lines if not line.startswith("#")}
    files = [one for one in sorted((data / "structures/bm5").glob("*_target.pdb.gz")) if one.name[:4] not in excluded]
    spans, twist = np.zeros((FORWARD, BINS), int), np.zeros(TURNS, int)
    letters = dict.fromkeys(AMINO_ACIDS.values(), 0)
    for file in files[::2]:
        try:
            trace = load_model(file).trace_atoms()
        except CryoweaveError as error:
            print(f"{file.name}: {error}", file=sys.stderr)
            continue
        trace = trace.select(trace.atom_name == "CA")
        for chain in np.unique(trace.chain):
            own = trace.select(trace.chain == chain)
            if len(own) < SHORTEST:
                continue
            for letter in map(letter_of, own.residue_name.tolist()):
                letters[letter] = letters.get(letter, 0) + 1
            length = np.linalg.norm(np.diff(own.xyz, axis=0), axis=1)
            bonded = (length > BOND[0]) & (length < BOND[1])
            for forward in range(1, FORWARD + 1):
                whole = np.lib.stride_tricks.sliding_window_view(bonded, forward).all(axis=1)
                far = np.linalg.norm(own.xyz[forward:] - own.xyz[:-forward], axis=1)[whole]
                spans[forward - 1] += np.histogram(far, bins=np.arange(BINS + 1) * STEP)[0]
            whole = np.lib.stride_tricks.sliding_window_view(bonded, 3).all(axis=1)
            twist += np.histogram(dihedrals(own.xyz)[whole], bins=np.linspace(-np.pi, np.pi, TURNS + 1))[0]
    letters.pop("X", None)
    table = {
        "schema": "cryoweave-chain-shape/1",
        "step": STEP,
        "spans": spans.tolist(),
        "twist": twist.tolist(),
        "letters": letters,
    }
    print(json.dumps(table, separators=(",", ":")))


if __name__ == "__main__":
    main()
