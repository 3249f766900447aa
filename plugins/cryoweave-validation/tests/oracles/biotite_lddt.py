"""lDDT by biotite, as JSON: MODEL REFERENCE; atoms are paired by chain, number, insertion code and name."""

import json
import sys

import numpy as np
from biotite.structure import lddt
from biotite.structure.io.pdb import PDBFile


def heavy(path):
    atoms = PDBFile.read(path).get_structure(model=1)
    return atoms[~atoms.hetero & ~np.isin(atoms.element, ("H", "D"))]


model, reference = (heavy(path) for path in sys.argv[1:])
keys = ("chain_id", "res_id", "ins_code", "atom_name")
place = {key: i for i, key in enumerate(zip(*(getattr(model, name).tolist() for name in keys), strict=True))}


def score(atoms, aggregation="all"):
    rows = [place.get(key, -1) for key in zip(*(getattr(atoms, name).tolist() for name in keys), strict=True)]
    coordinates = np.vstack((model.coord, np.full((1, 3), np.nan, np.float32)))[rows]
    return lddt(atoms, coordinates, aggregation=aggregation)


trace = reference[np.isin(reference.atom_name, ("CA", "P"))]
found = {"lddt": float(score(reference)), "lddt_ca": float(score(trace))}
for name, atoms in (("lddt", reference), ("lddt_ca", trace)):
    found[f"{name}_residues"] = [round(float(value), 4) for value in score(atoms, "residue")]
print(json.dumps(found))
