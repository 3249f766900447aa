"""Density at the atoms, and Cα geometry."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cryoweave import run_stage
from cryoweave.data import DensityMap, Model
from cryoweave.errors import NotApplicableError
from cryoweave.testing import ideal_model, simulated_map

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=3.0, noise=0.05)


def scores(model, density=DENSITY):
    return run_stage("compare.density", model=model, density=density)


def test_density_equals_a_twin():
    trace = MODEL.trace_atoms()
    slow = map_coordinates(DENSITY.values.astype(float), DENSITY.frame.to_zyx(trace.xyz).T, order=1)
    found = scores(MODEL)
    np.testing.assert_allclose(found.residues["density"], slow, rtol=1e-5)
    sigma = (slow.mean() - DENSITY.values.mean(dtype=float)) / DENSITY.values.std(dtype=float)
    assert found.whole["density_sigma"] == pytest.approx(sigma, rel=1e-5)
    np.testing.assert_array_equal(found.residue_number, trace.residue_number)


def test_an_ideal_chain_is_one_fragment_of_good_bonds():
    whole = scores(MODEL).whole
    assert (whole["calpha_bonds"], whole["residues"], whole["fragments"]) == (1.0, 24, 1)


def test_gaps_and_stretched_bonds_break_the_chain():
    trace = MODEL.trace_atoms()
    gap = trace.select(np.arange(24) != 10)
    assert scores(gap).whole["fragments"] == 2
    assert scores(gap).whole["calpha_bonds"] == 1.0
    xyz = trace.xyz.copy()
    xyz[12:] += [0, 0, 60.0]
    stretched = scores(replace(trace, xyz=xyz)).whole
    assert stretched["fragments"] == 2
    assert stretched["calpha_bonds"] == pytest.approx(22 / 23)


def test_insertion_codes_break_nothing():
    trace = MODEL.trace_atoms()
    number, code = trace.residue_number.copy(), np.full(24, "", "U1")
    number[6:8], code[6:8] = number[5], ["A", "B"]
    odd = replace(trace, residue_number=number, insertion_code=code)
    assert scores(odd).whole == scores(trace).whole


def test_nucleotides_are_bonded_at_their_own_distance():
    xyz = DENSITY.frame.to_xyz([(5, 5, 2)]) + np.outer(np.arange(6), (5.9, 0, 0))
    names = [np.array(text) for text in (["G"] * 6, ["A"] * 6)]
    chain = Model.from_trace(xyz, *names, np.arange(1, 7), np.zeros(6))
    rna = replace(chain, atom_name=["C4'"] + ["P"] * 5, element=["C"] + ["P"] * 5)
    whole = scores(rna).whole
    assert whole["fragments"] == 1
    assert np.isnan(whole["calpha_bonds"])
    assert scores(rna.select(np.arange(6) != 3)).whole["fragments"] == 2


def test_too_short_a_bond_is_bad_but_joined():
    trace = MODEL.trace_atoms()
    xyz = trace.xyz.copy()
    xyz[0] = xyz[1] + 0.5
    close = scores(replace(trace, xyz=xyz)).whole
    assert close["calpha_bonds"] == pytest.approx(22 / 23)
    assert close["fragments"] == 1


def test_chains_are_never_bonded_to_each_other():
    trace = MODEL.trace_atoms()
    two = replace(trace, chain=np.repeat(["A", "B"], 12))
    assert scores(two).whole["fragments"] == 2


def test_a_lone_residue_has_no_bonds():
    assert np.isnan(scores(MODEL.trace_atoms().select(slice(3, 4))).whole["calpha_bonds"])


def test_what_lies_beyond_the_map_has_no_density():
    trace = MODEL.trace_atoms()
    xyz = trace.xyz.copy()
    xyz[:6] += 500.0
    found = scores(replace(trace, xyz=xyz))
    assert np.isnan(found.residues["density"]).tolist() == [True] * 6 + [False] * 18
    assert np.isfinite(found.whole["density_sigma"])
    far = scores(replace(trace, xyz=trace.xyz + 500.0))
    assert np.isnan(far.whole["density_sigma"])
    assert far.whole["residues"] == 24


def test_ligands_alone_are_not_judged():
    ligand = replace(MODEL, residue_name=np.full(len(MODEL), "LIG"), hetero=np.ones(len(MODEL), bool))
    with pytest.raises(NotApplicableError, match="no Cα or P atom"):
        scores(ligand)


def test_sigma_of_a_nearly_flat_map_is_a_number():
    """Single precision finds no deviation in it."""
    values = np.full(DENSITY.frame.shape_zyx, 1e4, np.float32)
    values[0, 0, 0] = np.nextafter(np.float32(1e4), np.float32(2e4))
    assert np.isfinite(scores(MODEL, DensityMap(values, DENSITY.frame)).whole["density_sigma"])


def test_sigma_does_not_depend_on_the_maps_scale():
    scaled = DensityMap(DENSITY.values * 7 + 3, DENSITY.frame)
    assert scores(MODEL, scaled).whole["density_sigma"] == pytest.approx(scores(MODEL).whole["density_sigma"], rel=1e-4)
