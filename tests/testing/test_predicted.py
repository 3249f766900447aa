import numpy as np
import pytest

from cryoweave.data.model import joined_models
from cryoweave.errors import InputError
from cryoweave.kernels.metrics import superpose
from cryoweave.testing import ideal_model, predicted_like
from cryoweave.testing.predicted import CONTACT, hinge_of, secondary_structure

NATIVE = ideal_model("H" * 18 + "CHCHC" + "H" * 14 + "CHCHC" + "E" * 9)
CALPHA = NATIVE.trace_atoms()


def rmsd(one, other):
    return superpose(one, other).rmsd


def test_without_any_change_it_is_the_native():
    same = predicted_like(NATIVE, angle=0.0, loops=0.0, error=0.0, place=0.0)
    np.testing.assert_allclose(same.xyz, NATIVE.xyz, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(same.atom_name, NATIVE.atom_name)


def test_each_domain_is_rigid_and_the_whole_is_not():
    moved = predicted_like(NATIVE, 1, loops=0.0, error=0.0).trace_atoms().xyz
    hinge = hinge_of(CALPHA.xyz)
    assert rmsd(moved[:hinge], CALPHA.xyz[:hinge]) < 1e-6
    assert rmsd(moved[hinge:], CALPHA.xyz[hinge:]) < 1e-6
    assert rmsd(moved, CALPHA.xyz) > 1.0


def test_the_domain_turns_by_the_angle():
    moved = predicted_like(NATIVE, 1, angle=30.0, loops=0.0, error=0.0).trace_atoms().xyz
    hinge = hinge_of(CALPHA.xyz)
    first = superpose(moved[:hinge], CALPHA.xyz[:hinge]).rotation
    second = superpose(moved[hinge:], CALPHA.xyz[hinge:]).rotation
    cosine = (np.trace(first @ second.T) - 1) / 2
    assert np.degrees(np.arccos(cosine)) == pytest.approx(30.0, abs=1e-4)


def test_the_hinge_cuts_the_fewest_contacts():
    n = len(CALPHA)
    near = np.linalg.norm(CALPHA.xyz[:, None] - CALPHA.xyz[None], axis=2) <= CONTACT
    cuts = {k: int(near[:k, k:].sum()) for k in range(n // 3, n - n // 3 + 1)}
    assert hinge_of(CALPHA.xyz) == min(cuts, key=lambda k: (cuts[k], k))


def test_the_error_is_as_asked_and_bonds_stay_plausible():
    shifted = predicted_like(NATIVE, 2, angle=0.0, loops=0.0, error=2.0, place=0.0).trace_atoms().xyz
    shift = shifted - CALPHA.xyz
    assert np.sqrt((shift**2).sum(axis=1).mean()) == pytest.approx(2.0)
    bonds = np.linalg.norm(np.diff(shifted, axis=0), axis=1)
    assert np.abs(bonds - 3.8).max() < 0.8
    together = (shift[1:] * shift[:-1]).sum() / (shift**2).sum()
    assert together > 0.9


def test_whole_loops_go_and_no_more_than_asked():
    left = predicted_like(NATIVE, 3, loops=0.15).trace_atoms()
    structure = secondary_structure(CALPHA.xyz)
    gone = sorted({*CALPHA.residue_number.tolist()} - {*left.residue_number.tolist()})
    assert 0 < len(gone) <= 0.15 * len(CALPHA)
    assert {structure[number - 1] for number in gone} == {"C"}
    for number in gone:
        beside = [k for k in (number - 1, number + 1) if 1 <= k <= len(structure) and structure[k - 1] == "C"]
        assert all(k in gone for k in beside)


def test_secondary_structure_of_ideal_chains():
    assert secondary_structure(ideal_model("H" * 12).trace_atoms().xyz) == "H" * 12
    assert secondary_structure(ideal_model("E" * 9).trace_atoms().xyz) == "E" * 9
    assert secondary_structure(np.zeros((3, 3))) == "CCC"


def test_it_lies_away_from_its_place_and_follows_the_seed():
    first, again, other = (predicted_like(NATIVE, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.xyz, again.xyz)
    assert first.xyz.shape != other.xyz.shape or np.abs(first.xyz - other.xyz).max() > 1
    assert np.linalg.norm(first.xyz.mean(axis=0) - NATIVE.xyz.mean(axis=0)) > 5
    assert {*first.b_factor.tolist()} == {30.0}
    assert not first.b_is_confidence.any()


def test_the_atoms_of_a_residue_stay_together():
    made = predicted_like(NATIVE, 6)
    calpha = dict(zip(made.trace_atoms().residue_number.tolist(), made.trace_atoms().xyz, strict=True))
    apart = np.linalg.norm(made.xyz - np.array([calpha[number] for number in made.residue_number.tolist()]), axis=1)
    assert apart.max() < 2.6


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (joined_models([NATIVE, ideal_model("H" * 20, chain="B")]), "2 protein chains"),
        (ideal_model("HHHH"), "4 amino acids"),
    ],
)
def test_other_than_one_chain_is_told(model, message):
    with pytest.raises(InputError, match=message) as told:
        predicted_like(model)
    assert "one chain of 12 or more" in str(told.value.hint)


def test_values_out_of_range_are_told():
    with pytest.raises(InputError, match="cannot be made") as told:
        predicted_like(NATIVE, loops=1.0)
    assert "loops" in str(told.value.hint)
