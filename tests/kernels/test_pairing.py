"""Residues paired by sequence: numbering, copies, broken chains and strangers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.data import Model
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.kernels.pairing import align_chain, chains_of, own_residues
from cryoweave.testing import ideal_model


@pytest.fixture(scope="module")
def native():
    """195 Cα with a sequence that repeats nowhere."""
    letters = "".join(np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), 195))
    return ideal_model("H" * 195, letters=letters).trace_atoms()


def joined(*models):
    columns = Model.__dataclass_fields__
    return Model(**{name: np.concatenate([getattr(m, name) for m in models]) for name in columns})


def copy_of(model, chain, shift=0.0):
    return replace(model, chain=np.full(len(model), chain), xyz=model.xyz + np.array([shift, 0, 0]))


def test_chains_are_read_in_the_order_of_their_numbers(native):
    backwards = native.select(np.arange(len(native))[::-1])
    (forward,), (sorted_,) = chains_of(native), chains_of(backwards)
    assert sorted_.letters == forward.letters
    np.testing.assert_array_equal(backwards.residue_number[sorted_.rows], sorted_.numbers)
    np.testing.assert_array_equal(own_residues(backwards, native), np.arange(len(native))[::-1])


def test_chains_with_less_than_half_their_letters_in_common_are_strangers(native):
    (chain,) = chains_of(native)
    letters = np.array(list(chain.letters))
    letters[::3] = "X"
    letters[1::3] = "X"
    stranger = replace(chain, letters="".join(letters))
    assert not len(align_chain(stranger, chain))
    assert len(align_chain(chain, chain)) == 195


@pytest.mark.parametrize("offset", [-400, 1, 2_000_000_000])
def test_numbers_need_not_agree(native, offset):
    ours = replace(native.select(slice(20, 150)), residue_number=native.residue_number[20:150] + np.int32(offset))
    np.testing.assert_array_equal(own_residues(ours, native), np.arange(20, 150))


def test_copies_are_told_apart_by_place(native):
    reference = joined(*(copy_of(native, name, 80.0 * k) for k, name in enumerate("ABC")))
    ours = joined(*(copy_of(native, name, 80.0 * k + 0.5) for k, name in zip((2, 0, 1), "ABC", strict=True)))
    n = len(native)
    expected = np.concatenate([np.arange(k * n, k * n + n) for k in (2, 0, 1)])
    np.testing.assert_array_equal(own_residues(ours, reference), expected)


def test_a_copy_too_many_pairs_with_nothing(native):
    own = own_residues(joined(copy_of(native, "A", 50.0), copy_of(native, "B")), native)
    np.testing.assert_array_equal(own, np.concatenate((np.full(195, -1), np.arange(195))))


def cut(model, places, renumbered=False):
    """Each stretch between the places becomes a chain of its own, numbered from 1 if so wished."""
    fragment = np.searchsorted(sorted(places), np.arange(len(model)), side="right")
    number = model.residue_number.copy()
    if renumbered:
        number = np.arange(1, len(model) + 1) - np.searchsorted(fragment, fragment)
    chain = np.char.add(np.char.add(model.chain, "-"), fragment.astype(str))
    return replace(model, chain=chain, residue_number=number.astype(np.int32))


@pytest.mark.parametrize("renumbered", [False, True])
def test_fragments_share_a_reference_chain(native, renumbered):
    """A 1-50 and B 60-100 of one chain, and what lies between is missing."""
    rows = np.concatenate((np.arange(50), np.arange(59, 100)))
    ours = cut(native.select(rows), [50], renumbered)
    assert len(set(ours.chain)) == 2
    np.testing.assert_array_equal(own_residues(ours, native), rows)


@settings(deadline=None, max_examples=40)
@given(st.sets(st.integers(1, 194), max_size=40), st.booleans(), st.integers(0, 10_000))
def test_a_chain_cut_into_fragments_pairs_as_before(places, renumbered, seed):
    letters = "".join(np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), 195))
    native = ideal_model("H" * 195, letters=letters).trace_atoms()
    noise = np.random.default_rng(seed).normal(0, 0.4, (195, 3))
    ours = cut(replace(native, xyz=native.xyz + noise), sorted(places), renumbered)
    np.testing.assert_array_equal(own_residues(ours, native), np.arange(195))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(5, 190), min_size=3, max_size=3), st.integers(0, 10_000))
def test_fragments_of_a_trimer_find_their_copy_in_any_order(places, seed):
    letters = "".join(np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), 195))
    one = ideal_model("H" * 195, letters=letters).trace_atoms()
    reference = joined(*(copy_of(one, name, 60.0 * k) for k, name in enumerate("ABC")))
    pieces = []
    for k, place in enumerate(places):
        whole = copy_of(one, f"c{k}", 60.0 * k + 0.7)
        pieces += [(whole.select(slice(0, place)), k * 195), (whole.select(slice(place, 195)), k * 195 + place)]
    order = np.random.default_rng(seed).permutation(len(pieces))
    ours = joined(*(copy_of(pieces[i][0], f"f{i}") for i in order))
    expected = np.concatenate([pieces[i][1] + np.arange(len(pieces[i][0])) for i in order])
    np.testing.assert_array_equal(own_residues(ours, reference), expected)


def test_a_fragment_that_lies_on_neither_copy_goes_to_the_nearer(native):
    reference = joined(copy_of(native, "A"), copy_of(native, "B", 80.0))
    ours = joined(copy_of(native.select(slice(0, 90)), "x"), copy_of(native.select(slice(100, 195)), "y", 74.0))
    np.testing.assert_array_equal(own_residues(ours, reference), np.r_[0:90, 295:390])


def test_copies_elsewhere_pair_in_the_files_order(native):
    reference = joined(copy_of(native, "A"), copy_of(native, "B", 80.0))
    ours = joined(*(cut(copy_of(native, name, 900.0 + k), [70]) for k, name in enumerate("xy")))
    np.testing.assert_array_equal(own_residues(ours, reference), np.arange(390))


def test_of_fragments_that_overlap_the_better_one_counts(native):
    ours = joined(copy_of(native.select(slice(0, 60)), "x", 5.0), copy_of(native.select(slice(50, 120)), "y"))
    np.testing.assert_array_equal(own_residues(ours, native), np.r_[np.full(60, -1), 50:120])


def test_mutated_and_unknown_residues_pair_with_nothing(native):
    names = native.residue_name.copy()
    names[10] = "UNK"
    names[20] = PROTEIN_NAMES["A" if names[20] != "ALA" else "G"]
    own = own_residues(replace(native, residue_name=names), native)
    assert sorted(np.flatnonzero(own < 0)) == [10, 20]
    assert np.all(own_residues(replace(native, residue_name=np.full(195, "UNK")), native) == -1)


def test_where_letters_leave_it_open_the_numbers_decide(native):
    alike = replace(native, residue_name=np.full(195, "ALA"))
    np.testing.assert_array_equal(own_residues(alike.select(slice(40, 70)), alike), np.arange(40, 70))


def test_there_may_be_nothing_to_pair(native):
    nothing = native.select(slice(0, 0))
    assert own_residues(nothing, native).shape == (0,)
    assert np.all(own_residues(native, nothing) == -1)
