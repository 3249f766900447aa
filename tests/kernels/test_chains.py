"""Which residues follow each other."""

from dataclasses import replace

import numpy as np

from cryoweave.data import Model
from cryoweave.kernels.chains import bridged, follows, joined, out_of_reach
from cryoweave.testing import ideal_model

TRACE = ideal_model("E" * 10).trace_atoms()


def nucleotides(spacing: float, first: str = "C4'") -> Model:
    xyz = np.zeros((5, 3))
    xyz[:, 0] = spacing * np.arange(5)
    trace = Model.from_trace(xyz, ["A"] * 5, ["A"] * 5, np.arange(1, 6), np.zeros(5))
    return replace(trace, atom_name=[first, "P", "P", "P", "P"], element=["C", "P", "P", "P", "P"])


def test_neighbours_of_a_chain_are_joined_and_gaps_are_not():
    assert joined(TRACE).all()
    gap = TRACE.select(np.arange(10) != 4)
    assert np.flatnonzero(~joined(gap)).tolist() == np.flatnonzero(~follows(gap)).tolist() == [3]
    assert np.flatnonzero(~follows(replace(TRACE, chain=["A"] * 3 + ["B"] * 7))).tolist() == [2]


def test_numbers_and_insertion_codes_do_not_matter_where_atoms_are_near():
    number, code = TRACE.residue_number.copy(), np.full(10, "", "U1")
    number[5:7], code[5:7] = number[4], ["A", "B"]
    odd = replace(TRACE, residue_number=number, insertion_code=code)
    assert follows(odd).all()
    far = replace(odd, xyz=odd.xyz * 3)
    assert not joined(far).any()
    assert np.flatnonzero(~follows(far)).tolist() == [6], "after the inserted ones the numbers skip two"


def test_phosphates_lie_farther_apart():
    assert joined(nucleotides(6.5)).all()
    assert not joined(nucleotides(8.5)).any()


def test_tables_of_one_row_or_none():
    for n in (0, 1):
        assert joined(TRACE.select(slice(0, n))).shape == follows(TRACE.select(slice(0, n))).shape == (0,)


def test_missing_residues_are_put_on_the_line():
    xyz = np.full((7, 3), np.nan)
    xyz[[1, 5]] = [[0, 0, 0], [8, 0, 0]]
    assert np.isnan(bridged(xyz, 2, 3.8, 1.0)[2:5]).all()
    np.testing.assert_allclose(bridged(xyz, 3, 3.8, 1.0)[1:6, 0], [0, 2, 4, 6, 8])
    assert np.isnan(bridged(xyz, 3, 3.8, 1.0)[[0, 6]]).all()
    assert np.isnan(bridged(xyz, 3, 1.7, 1.0)[2:5]).all()
    assert np.isnan(xyz[2:5]).all()


def test_what_a_chain_cannot_reach_from_its_nearest_placed_residues():
    rng = np.random.default_rng(2)
    for share in (0.0, 0.3, 1.0):
        chain = np.where(rng.random((12, 1)) < share, rng.uniform(0, 20, (12, 3)), np.nan)
        places = rng.uniform(0, 20, (30, 3))
        found = out_of_reach(places, chain, 3.8, 1.0)
        there = [r for r in range(12) if not np.isnan(chain[r, 0])]
        for residue in range(12):
            nearest = [*[r for r in there if r < residue][-1:], *[r for r in there if r >= residue][:1]]
            for place, told in zip(places, found[:, residue], strict=True):
                away = [np.linalg.norm(place - chain[r]) > 3.8 * abs(r - residue) + 1.0 for r in nearest]
                assert told == any(away)
