"""Make the tables that `build.full` works with: how peptide planes lie about their Cα atoms, and side-chain rotamers.

    .venv/bin/python plugins/cryoweave-basics/training/fit_full_atom.py ../shared/data

Learns from the X-ray structures of the docking and protein–DNA sets (`structures/bm5`, `structures/protdna`), without
those named in `exclude_from_training.txt`, and writes `data/planes.npz`, `data/chi1.npz` and `data/rotamers.json`.
"""

import json
import sys
from pathlib import Path

import numpy as np

from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import torsion, unit
from cryoweave_basics.planes import BENDS, TURNS, TWISTS, plane_bins
from cryoweave_basics.side_chains import BASINS, PLACES, chi1_bins

HERE = Path(__file__).parents[1] / "src" / "cryoweave_basics" / "data"
RIGID = 0.35
"""Å that a bond of the main chain may be off to be learnt from."""
HOTTEST = 60.0
"""Å²; B factor of the atoms of side chains above which none is learnt from."""
LEAST = 0.002
"""Share of a residue's rotamers below which one is left out."""
PRIOR = 2.0
"""Counts that are added to the bins of the planes for each four Cα atoms."""
SAME = 20.0
"""Counts of a residue's χ1 whatever its φ and ψ that are added to those at each φ and ψ."""

TOPOLOGY = {
    "ALA": "",
    "ARG": "CG N CA CB 1; CD CA CB CG 2; NE CB CG CD 3; CZ CG CD NE 4; NH1 CD NE CZ 0; NH2 CD NE CZ 0",
    "ASN": "CG N CA CB 1; OD1 CA CB CG 2; ND2 CA CB CG 2",
    "ASP": "CG N CA CB 1; OD1 CA CB CG 2; OD2 CA CB CG 2",
    "CYS": "SG N CA CB 1",
    "GLN": "CG N CA CB 1; CD CA CB CG 2; OE1 CB CG CD 3; NE2 CB CG CD 3",
    "GLU": "CG N CA CB 1; CD CA CB CG 2; OE1 CB CG CD 3; OE2 CB CG CD 3",
    "HIS": "CG N CA CB 1; ND1 CA CB CG 2; CD2 CA CB CG 2; CE1 CB CG ND1 0; NE2 CB CG CD2 0",
    "ILE": "CG1 N CA CB 1; CG2 N CA CB 1; CD1 CA CB CG1 2",
    "LEU": "CG N CA CB 1; CD1 CA CB CG 2; CD2 CA CB CG 2",
    "LYS": "CG N CA CB 1; CD CA CB CG 2; CE CB CG CD 3; NZ CG CD CE 4",
    "MET": "CG N CA CB 1; SD CA CB CG 2; CE CB CG SD 3",
    "PHE": "CG N CA CB 1; CD1 CA CB CG 2; CD2 CA CB CG 2; CE1 CB CG CD1 0; CE2 CB CG CD2 0; CZ CG CD1 CE1 0",
    "PRO": "CG N CA CB 1; CD CA CB CG 2",
    "SER": "OG N CA CB 1",
    "THR": "OG1 N CA CB 1; CG2 N CA CB 1",
    "TRP": "CG N CA CB 1; CD1 CA CB CG 2; CD2 CA CB CG 2; NE1 CB CG CD1 0; CE2 CB CG CD2 0; CE3 CB CG CD2 0; "
    "CZ2 CG CD2 CE2 0; CZ3 CG CD2 CE3 0; CH2 CD2 CE2 CZ2 0",
    "TYR": "CG N CA CB 1; CD1 CA CB CG 2; CD2 CA CB CG 2; CE1 CB CG CD1 0; CE2 CB CG CD2 0; CZ CG CD1 CE1 0; "
    "OH CD1 CE1 CZ 0",
    "VAL": "CG1 N CA CB 1; CG2 N CA CB 1",
}
"""Atoms beyond Cβ: name, three atoms before it, and which χ turns it (0: none)."""
PLANAR = {"ASN": (2, 30, 360), "ASP": (2, 30, 180), "GLN": (3, 30, 360), "GLU": (3, 45, 180), "HIS": (2, 30, 360),
          "PHE": (2, 30, 180), "TRP": (2, 30, 360), "TYR": (2, 30, 180)}  # fmt: skip
"""The last χ where it turns about a bond to a planar group: which, degrees of its bins, and of its period."""


def chains(model):
    """Residue names and atoms of each residue, a list for each chain without breaks."""
    keep = np.isin(model.residue_name, list(AMINO_ACIDS)) & np.isin(model.altloc, ("", "A"))
    model = model.select(keep)
    key = np.char.add(np.char.add(model.chain, model.residue_number.astype(str)), model.insertion_code)
    starts = np.flatnonzero(np.append(True, key[1:] != key[:-1]))
    piece = []
    for start, end in zip(starts, np.append(starts[1:], len(model)), strict=True):
        rows = range(start, end)
        atoms = {str(model.atom_name[k]): model.xyz[k] for k in rows}
        ends = {"N", "CA", "C", "O"} <= set(atoms)
        joined = piece and ends and abs(np.linalg.norm(piece[-1][1]["C"] - atoms["N"]) - 1.329) < RIGID
        if piece and not joined:
            yield piece
            piece = []
        if ends:
            piece.append((str(model.residue_name[start]), atoms, float(model.b_factor[start:end].max())))
    if piece:
        yield piece


def corpus(data):
    """All chains of the structures that may be learnt from."""
    banned = (data / "exclude_from_training.txt").read_text().split("\n")
    for folder in ("bm5", "protdna"):
        for path in sorted((data / "structures" / folder).glob("*.pdb.gz")):
            if path.name[:4] in banned:
                continue
            yield from chains(read_model(path))


def planes_counted(pieces):
    """Counts of turns (last axis) by how the four Cα atoms around a peptide lie."""
    counts = np.zeros((TWISTS, BENDS, BENDS, TURNS))
    for piece in pieces:
        if len(piece) < 4:
            continue
        calpha = np.array([atoms["CA"] for _, atoms, _ in piece])
        carbon = np.array([atoms["C"] for _, atoms, _ in piece])
        a, b, c, d = (calpha[k : len(calpha) - 3 + k] for k in range(4))
        trans = np.abs(np.linalg.norm(c - b, axis=1) - 3.8) < 0.2
        twist, first, second = plane_bins(a, b, c, d)
        turn = np.floor(torsion(a, b, c, c + carbon[1:-2] - b) % 360 / (360 / TURNS) + 0.5).astype(int) % TURNS
        np.add.at(counts, (twist[trans], first[trans], second[trans], turn[trans]), 1)
    return counts


def chi1_counted(pieces):
    """Counts of χ1 (last axis) of each amino acid by φ and ψ."""
    names = sorted(TOPOLOGY)
    counts = np.zeros((len(names), PLACES, PLACES, BASINS))
    for piece in pieces:
        for before, own, after in zip(piece, piece[1:], piece[2:], strict=False):
            name, atoms, hottest = own
            first = TOPOLOGY.get(name, "").split(" ")[0]
            if first in atoms and "CB" in atoms and hottest <= HOTTEST:
                main = [before[1]["C"], *(atoms[key] for key in ("N", "CA", "C")), after[1]["N"]]
                phi, psi = torsion(*main[:4]), torsion(*main[1:])
                chi = torsion(*(atoms[key] for key in ("N", "CA", "CB", first)))
                if np.isfinite([phi, psi, chi]).all():
                    counts[names.index(name), *chi1_bins(phi, psi), int(chi % 360 // (360 / BASINS))] += 1
    return counts


def circular_mean(degrees, period=360.0):
    """Mean and spread of angles."""
    phase = np.exp(1j * np.asarray(degrees) * 2 * np.pi / period)
    mean = np.angle(phase.mean()) / 2 / np.pi * period
    off = (np.asarray(degrees) - mean + period / 2) % period - period / 2
    return float(mean), float(np.sqrt(np.mean(off**2)))


def measured(name, residues):
    """Atoms' internal coordinates (medians) and χ angles of all residues of one kind."""
    xyz = {key: np.array([atoms[key] for atoms in residues]) for key in residues[0]}
    table, chi = [], {}
    for line in TOPOLOGY[name].split(";"):
        if not line.strip():
            continue
        atom, a, b, c, turned = line.split()
        k = int(turned)
        angle = torsion(xyz[a], xyz[b], xyz[c], xyz[atom])
        if k and k not in chi:
            chi[k] = angle
        offset = circular_mean(angle - chi[k] if k else angle)[0]
        along, back = xyz[atom] - xyz[c], xyz[b] - xyz[c]
        bend = np.degrees(np.arccos((unit(along) * unit(back)).sum(axis=1)))
        length = float(np.median(np.linalg.norm(along, axis=1)))
        table.append([atom, a, b, c, round(length, 3), round(float(np.median(bend)), 1), round(offset, 1), k])
    return table, np.array([chi[k] for k in sorted(chi)]).T.reshape(len(residues), -1)


def rotamers(name, chi):
    """Share, means and spreads of χ of each rotamer, the commonest first."""
    if not chi.shape[1]:
        return []
    width, period = np.full(chi.shape[1], 120.0), np.full(chi.shape[1], 360.0)
    if name in PLANAR:
        which, width[-1], period[-1] = PLANAR[name]
        assert which == chi.shape[1]
    if name == "PRO":
        width[:] = 180.0  # up and down
    bins = np.floor(chi % period / width + (0.5 if name == "PRO" else 0.0)).astype(int) % (period / width).astype(int)
    if name == "PRO":
        bins = (chi % 360 >= 180).astype(int)
    found = []
    for one in np.unique(bins, axis=0):
        own = chi[(bins == one).all(axis=1)]
        share = len(own) / len(chi)
        if share >= LEAST:
            means = [circular_mean(column, each) for column, each in zip(own.T, period, strict=True)]
            found.append([round(share, 4), [round(m, 1) for m, _ in means], [round(s, 1) for _, s in means]])
    return sorted(found, key=lambda row: -row[0])


def beta(residues):
    """Cβ in axes along N + C, across, and along N × C, Å: the median."""
    n, ca, c, cb = (np.array([atoms[key] for atoms in residues]) for key in ("N", "CA", "C", "CB"))
    first, last = unit(n - ca), unit(c - ca)
    axes = np.stack((unit(first + last), unit(np.cross(first, last)), unit(first - last)), axis=1)
    return [round(float(x), 3) for x in np.median(np.einsum("nij,nj->ni", axes, cb - ca), axis=0)]


def main():
    data = Path(sys.argv[1])
    pieces = list(corpus(data))
    counts = planes_counted(pieces)
    share = (counts + PRIOR / TURNS) / (counts.sum(axis=-1, keepdims=True) + PRIOR)
    HERE.mkdir(exist_ok=True)
    np.savez_compressed(HERE / "planes.npz", costs=(-np.log(share * TURNS)).astype(np.float16))
    counts = chi1_counted(pieces)
    whole = counts.sum(axis=(1, 2), keepdims=True)
    whole = (whole + 1) / (whole + 1).sum(axis=-1, keepdims=True)
    share = (counts + SAME * whole) / (counts.sum(axis=-1, keepdims=True) + SAME)
    np.savez_compressed(HERE / "chi1.npz", costs=(-np.log(share / whole)).astype(np.float16), names=sorted(TOPOLOGY))
    by_name = {name: [] for name in TOPOLOGY}
    for piece in pieces:
        for name, atoms, hottest in piece:
            wanted = {line.split()[0] for line in TOPOLOGY.get(name, "").split(";") if line.strip()} | {"CB"}
            if name in by_name and wanted <= set(atoms) and hottest <= HOTTEST:
                by_name[name].append({key: atoms[key] for key in ("N", "CA", "C", *sorted(wanted))})
    tables = {}
    for name, residues in by_name.items():
        table, chi = measured(name, residues)
        tables[name] = {"CB": beta(residues), "atoms": table, "rotamers": rotamers(name, chi)}
        print(name, len(residues), len(tables[name]["rotamers"]))
    rows = [f' "{name}": ' + json.dumps(table, separators=(",", ":")) for name, table in tables.items()]
    (HERE / "rotamers.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
