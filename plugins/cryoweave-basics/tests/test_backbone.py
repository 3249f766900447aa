"""Backbones built along the Cα atoms of a known model, in that model's own map."""

from dataclasses import fields

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model, Threading
from cryoweave.testing import ideal_model, sequences_of, simulated_map

ATOMS = ["N", "CA", "C", "O", "CB"]


def together(*models):
    return Model(**{f.name: np.concatenate([getattr(m, f.name) for m in models]) for f in fields(Model)})


def moved(model, by, chain="A"):
    columns = {f.name: getattr(model, f.name) for f in fields(Model)}
    return Model(**(columns | {"xyz": model.xyz + np.asarray(by), "chain": np.full(len(model), chain)}))


def threaded(model, xyz, rows=slice(None)):
    """The rows of the model's trace, at these positions."""
    trace = model.trace_atoms()
    names = [sequence.name for sequence in sequences_of(model).sequences]
    n = len(xyz)
    return Threading(
        sequences=sequences_of(model),
        candidate=np.zeros(n),
        chain=[names.index(name) for name in trace.chain[rows].tolist()],
        residue=trace.residue_number[rows] - 1,
        xyz=xyz,
        confidence=np.linspace(0.2, 0.9, n),
        score=np.ones(1),
        origin=("given",),
    )


def built(model, rows=slice(None), error=0.4, truth=None, **params):
    """The backbone from Cα positions that are so many Å off in x, y and z."""
    start = model.trace_atoms().xyz[rows]
    start = start + np.random.default_rng(1).normal(0, error, start.shape)
    density = simulated_map(truth or model, resolution=3.0)
    return run_stage("build.backbone", threading=threaded(model, start, rows), density=density, params=params)


def atoms(model, name):
    return model.xyz[model.atom_name == name]


def distance(a, b):
    return np.linalg.norm(a - b, axis=1)


def torsion(a, b, c, d):
    """Degrees."""
    first, second = np.cross(b - a, c - b), np.cross(c - b, d - c)
    along = (c - b) / np.linalg.norm(c - b, axis=1, keepdims=True)
    return np.degrees(np.arctan2((np.cross(first, second) * along).sum(axis=1), (first * second).sum(axis=1)))


def check_calpha(model, truth):
    """Within 0.5 Å; the first and the last of a piece, which have density on one side only, within 0.8 Å."""
    off = distance(atoms(model, "CA"), truth)
    assert off.max() < 0.8
    assert off[1:-1].max(initial=0) < 0.5


def check_geometry(model, bonded=slice(None)):
    """Bonds within 0.05 Å, N–Cα–C within 8°, peptides trans, planar within 40° at ends, L amino acids."""
    n, ca, c, o = (atoms(model, name) for name in ATOMS[:4])
    for pair, ideal in (((n, ca), 1.458), ((ca, c), 1.525), ((c, o), 1.231)):
        np.testing.assert_allclose(distance(*pair), ideal, atol=0.05)
    np.testing.assert_allclose(distance(c[:-1], n[1:])[bonded], 1.329, atol=0.05)
    cosine = ((n - ca) * (c - ca)).sum(axis=1) / distance(n, ca) / distance(c, ca)
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), 111, atol=8)
    assert np.abs(torsion(ca[:-1], c[:-1], n[1:], ca[1:]))[bonded].min(initial=180) > 140
    with_cb = model.select(model.residue_name != "GLY")
    n, ca, c, cb = (atoms(with_cb, name) for name in ("N", "CA", "C", "CB"))
    np.testing.assert_allclose(distance(ca, cb), 1.53, atol=0.05)
    assert np.einsum("ij,ij->i", n - ca, np.cross(c - ca, cb - ca)).min() > 2


@pytest.mark.parametrize("structure", ["H" * 24, "E" * 16, "H" * 12 + "C" * 4 + "E" * 10])
def test_the_backbone_comes_to_the_one_that_made_the_map(structure):
    truth = ideal_model(structure)
    model = built(truth)
    check_geometry(model)
    check_calpha(model, atoms(truth, "CA"))
    off = distance(model.xyz, truth.xyz)
    assert np.median(off) < 0.25
    assert np.mean(off < 0.6) > 0.85, "a peptide may flip, and the last residue's C be taken for its Cβ"


def test_every_residue_has_its_atoms_and_glycine_no_beta_carbon():
    truth = ideal_model("H" * 6, letters="AGWGXK")
    model = built(truth, error=0.1)
    assert len(model) == 5 * 6 - 2
    for number, name in enumerate(["ALA", "GLY", "TRP", "GLY", "UNK", "LYS"], 1):
        residue = model.select(model.residue_number == number)
        wanted = ATOMS[:4] if name == "GLY" else ATOMS
        assert residue.atom_name.tolist() == wanted
        assert residue.element.tolist() == [atom[0] for atom in wanted]
        assert set(residue.residue_name.tolist()) == {name}
        np.testing.assert_allclose(residue.b_factor, 100 * np.linspace(0.2, 0.9, 6)[number - 1], rtol=1e-5)
    assert not model.hetero.any()
    assert set(model.occupancy.tolist()) == {1.0}


def test_it_is_the_trace_of_build_calpha_with_more_atoms():
    truth = ideal_model()
    threading = threaded(truth, truth.trace_atoms().xyz)
    whole = run_stage("build.backbone", threading=threading, density=simulated_map(truth, resolution=3.0))
    trace = run_stage("build.calpha", threading=threading)
    check_calpha(whole, trace.xyz)
    for column in ("residue_name", "chain", "residue_number", "b_factor"):
        np.testing.assert_array_equal(getattr(whole.trace_atoms(), column), getattr(trace, column))


def test_no_bond_bridges_missing_residues():
    truth = ideal_model("H" * 20)
    rows = np.r_[0:8, 11:20]
    model = built(truth, rows=rows, truth=truth, error=0.2)
    check_geometry(model, bonded=np.diff(rows) == 1)
    check_calpha(model.select(model.residue_number <= 8), atoms(truth, "CA")[:8])
    check_calpha(model.select(model.residue_number > 8), atoms(truth, "CA")[11:])


def test_neighbours_in_number_that_are_far_apart_are_not_drawn_together():
    truth = ideal_model("H" * 20)
    second = truth.residue_number > 10
    halves = together(truth.select(~second), moved(truth.select(second), (0, 12, 0)))
    model = built(halves, error=0.2)
    check_geometry(model, bonded=np.arange(19) != 9)
    check_calpha(model.select(model.residue_number <= 10), atoms(halves, "CA")[:10])
    check_calpha(model.select(model.residue_number > 10), atoms(halves, "CA")[10:])


@pytest.mark.parametrize(("bond", "closed"), [(4.5, False), (6.0, True)])
def test_a_stretched_bond_is_closed_up_to_the_parameter(bond, closed):
    truth = ideal_model("E" * 12)
    onward = atoms(truth, "CA")[6] - atoms(truth, "CA")[5]
    stretch = (truth.residue_number > 6)[:, None] * 1.5 * onward / np.linalg.norm(onward)
    model = built(moved(truth, stretch), error=0.0, bond=bond)
    assert (distance(atoms(model, "C")[5:6], atoms(model, "N")[6:7])[0] < 1.5) == closed


def test_chains_are_not_bonded_to_each_other():
    helix = ideal_model("H" * 14)
    pair = together(moved(helix, (0, 0, 0), "P"), moved(helix, (0, 10, 3), "Q"))
    model = built(pair, error=0.2)
    assert list(dict.fromkeys(model.chain.tolist())) == ["P", "Q"]
    for chain in "PQ":
        own = model.select(model.chain == chain)
        check_geometry(own)
        assert own.residue_number[own.atom_name == "CA"].tolist() == list(range(1, 15))
        check_calpha(own, atoms(pair.select(pair.chain == chain), "CA"))


def test_a_chain_of_one_residue_has_all_its_atoms():
    helix = ideal_model("H" * 10)
    pair = together(moved(helix, (0, 0, 0), "P"), moved(ideal_model("H"), (0, 12, 0), "Q"))
    lone = built(pair, error=0.1)
    lone = lone.select(lone.chain == "Q")
    assert lone.atom_name.tolist() == ATOMS
    check_geometry(lone)
    alone = built(ideal_model("H"), error=0.1)
    assert alone.atom_name.tolist() == ATOMS
    check_geometry(alone)
