"""Heavy-atom clashes."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model
from cryoweave.errors import StageError
from cryoweave.io.models import read_model
from cryoweave.testing import StageContract, ideal_model

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
SHIFT = np.array([1.5, 1.0, 0.5])
RADIUS = {"C": 1.7, "N": 1.55, "O": 1.4, "S": 1.8}


class TestClashes(StageContract):
    stage_id = "geometry.clashes"

    def inputs(self):
        return {"model": MODEL}


def scores(model):
    return run_stage("geometry.clashes", model=model)


def joined(*models):
    columns = Model.__dataclass_fields__
    return Model(**{name: np.concatenate([getattr(model, name) for model in models]) for name in columns})


def atoms(*rows):
    """A model of atoms given as (name, residue, chain, number, xyz)."""
    n = len(rows)
    name, residue, chain, number, xyz = zip(*rows, strict=True)
    return Model(
        xyz=np.array(xyz, float),
        element=np.array([text if text in ("MG", "CL") else text[0] for text in name]),
        atom_name=np.array(name),
        residue_name=np.array(residue),
        chain=np.array(chain),
        residue_number=np.array(number, np.int32),
        insertion_code=np.full(n, ""),
        altloc=np.full(n, ""),
        occupancy=np.ones(n, np.float32),
        b_factor=np.ones(n, np.float32),
        hetero=np.zeros(n, bool),
    )


def count(*rows):
    return scores(atoms(*rows)).whole["heavy_atom_clash_pairs"]


def test_two_chains_through_each_other_equal_a_twin():
    other = replace(MODEL, xyz=MODEL.xyz + SHIFT, chain=np.full(len(MODEL), "B"))
    found = scores(joined(MODEL, other))
    radius = np.array([1.65 if name == "C" else RADIUS[name[0]] for name in MODEL.atom_name])
    polar = np.isin(MODEL.element, ("N", "O"))
    distance = np.linalg.norm(MODEL.xyz[:, None] - other.xyz[None], axis=2)
    overlap = radius[:, None] + radius - distance - 0.4 * (polar[:, None] & polar)
    within = scores(MODEL).whole["heavy_atom_clash_pairs"]
    expected = (overlap >= 0.4).sum()
    assert expected > 50
    assert found.whole["heavy_atom_clash_pairs"] == expected + 2 * within
    assert found.whole["heavy_atom_clashes"] == pytest.approx(1000 * (expected + 2 * within) / (2 * len(MODEL)))
    assert found.residues["clash_overlap"].max() == pytest.approx(overlap.max())
    assert found.residues["clashes"].sum() == 2 * (expected + 2 * within)


def test_refined_and_deposited_models_have_few(shared):
    good = scores(read_model(shared / "maps/emd20026_apof/3ajo_fitted_refined.pdb")).whole
    assert good["heavy_atom_clashes"] == 0
    assert scores(read_model(shared / "maps/emd30342_integrin/7cec_A.cif.gz")).whole["heavy_atom_clashes"] < 1


def test_polar_atoms_may_come_closer():
    pair = (("NZ", "LYS", "A", 1, (0, 0, 0)), ("OE1", "GLU", "A", 9, (2.4, 0, 0)))
    assert count(*pair) == 0
    assert count(pair[0], ("CD", *pair[1][1:])) == 1


def test_bonds_of_the_chain_are_no_clashes_and_others_are():
    ends = ("C", "ALA", "A", 1, (0, 0, 0)), ("N", "ALA", "A", 2, (1.33, 0, 0))
    assert count(*ends) == 0
    assert count(ends[0], ("N", "ALA", "B", 2, (1.33, 0, 0))) == 1
    assert count(ends[0], ("NZ", "LYS", "A", 2, (1.33, 0, 0))) == 1
    assert count(("O3'", "A", "A", 1, (0, 0, 0)), ("P", "G", "A", 2, (1.6, 0, 0))) == 0
    assert count(("CA", "PRO", "A", 1, (0, 0, 0)), ("CD", "PRO", "A", 2, (2.4, 0, 0))) == 0
    assert count(("CA", "LYS", "A", 1, (0, 0, 0)), ("CD", "LYS", "A", 2, (2.4, 0, 0))) == 1


def test_disulfides_are_bonds():
    bridge = [
        ("CB", "CYS", "A", 1, (-1.8, 0.3, 0)),
        ("SG", "CYS", "A", 1, (0, 0, 0)),
        ("SG", "CYS", "A", 9, (2.05, 0, 0)),
        ("CB", "CYS", "A", 9, (2.7, 1.7, 0)),
    ]
    assert count(*bridge) == 0
    apart = [*bridge[:2], ("SG", "CYS", "A", 9, (2.7, 0, 0)), ("CB", "CYS", "A", 9, (4.5, 0, 0))]
    assert count(*apart) == 1


def test_a_wrong_name_makes_no_clash():
    """Ring and bridge are bonded whatever a wrong sequence calls them."""
    ring = [("C", "LYS", "A", 1, (-1.33, 0, 0)), ("N", "GLU", "A", 2, (0, 0, 0)), ("CD", "GLU", "A", 2, (0.7, 1.3, 0))]
    assert count(*ring) == 0
    assert count(*ring[:2], ("CD", "GLU", "A", 2, (1.5, 1.7, 0)), ("CG", "LYS", "A", 1, (1.5, 2.9, 0))) == 1
    assert count(("SG", "ALA", "A", 1, (0, 0, 0)), ("SG", "GLY", "A", 9, (2.05, 0, 0))) == 0


def test_sugars_are_bonded_by_distance():
    sugar = [("C1", "NAG", "A", 500, (1.45, 0, 0)), ("C2", "NAG", "A", 500, (2.4, 0.9, 0))]
    assert count(("ND2", "ASN", "A", 20, (0, 0, 0)), *sugar) == 0
    assert count(("ND2", "ASN", "A", 20, (-1.0, 0, 0)), *sugar) == 1
    assert count(("ND2", "ASN", "A", 20, (0.7, 0, 0)), *sugar) == 2


def test_metals_hydrogens_and_alternatives_are_not_judged():
    zinc = ("MG", "MG", "A", 400, (0, 0, 0)), ("OD1", "ASP", "A", 9, (1.9, 0, 0))
    assert count(*zinc) == 0
    assert scores(atoms(*zinc)).whole["heavy_atoms"] == 1
    pair = atoms(("CB", "ALA", "A", 1, (0, 0, 0)), ("CB", "ALA", "A", 9, (2.0, 0, 0)))
    assert scores(pair).whole["heavy_atom_clash_pairs"] == 1
    assert scores(replace(pair, altloc=np.array(["A", "B"]))).whole["heavy_atom_clash_pairs"] == 0
    twice = joined(replace(MODEL, altloc=np.full(len(MODEL), "A")), replace(MODEL, altloc=np.full(len(MODEL), "B")))
    assert scores(twice).whole == scores(MODEL).whole


def test_water_clashes_but_has_no_row():
    found = scores(atoms(("CB", "ALA", "A", 1, (0, 0, 0)), ("O", "HOH", "A", 301, (2.2, 0, 0))))
    assert found.whole["heavy_atom_clash_pairs"] == 1
    assert found.residue_name.tolist() == ["ALA"]
    assert count(("O", "HOH", "A", 301, (0, 0, 0)), ("O", "HOH", "A", 302, (1.0, 0, 0))) == 1


def test_a_trace_is_judged():
    trace = MODEL.trace_atoms()
    assert scores(trace).whole["heavy_atom_clashes"] == 0
    assert scores(replace(trace, xyz=trace.xyz / 2)).whole["heavy_atom_clash_pairs"] > 10


def test_metals_alone_are_refused():
    with pytest.raises(StageError, match="no heavy atom"):
        scores(atoms(("MG", "MG", "A", 1, (0, 0, 0))))
