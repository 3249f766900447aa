"""Which chains have the same sequence, and what they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cryoweave.data import Sequence, SequenceSet
from cryoweave.data.sequences import chain_ids


def test_entries_with_the_same_letters_are_copies():
    a, b, c = Sequence("a", "MKT", copies=2), Sequence("b", "GGC"), Sequence("c", "MKT")
    rna = Sequence("r", "GGC", "rna")
    assert SequenceSet((a, b, c, rna)).alike() == [(a, (0, 1, 3)), (b, (2,)), (rna, (4,))]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["A", "B"], ["A", "B"]),
        (["A", "A", "A"], ["A", "B", "C"]),
        (["too-long", "A"], ["B", "A"]),
        (["A", "A", "B"], ["A", "C", "B"]),
        (["7", "chain", "x y", ""], ["7", "A", "B", "C"]),
        ([], []),
    ],
)
def test_chains_are_named_like_their_sequences_where_that_is_an_id(names, expected):
    assert chain_ids(names) == expected


@given(st.lists(st.text("AB1 é", max_size=5), max_size=60))
def test_ids_are_unique_and_fit_a_file(names):
    ids = chain_ids(names)
    assert len(set(ids)) == len(names) == len(ids)
    assert all(1 <= len(i) <= 4 and i.isalnum() and i.isascii() for i in ids)


def test_six_hundred_chains_have_ids():
    ids = chain_ids(["copy of something"] * 600)
    assert ids[25:28] == ["Z", "AA", "AB"]
    assert len(set(ids)) == 600


def test_more_chains_than_pairs_of_letters():
    ids = chain_ids([""] * 800)
    assert len({*ids}) == 800
    assert ids[25:27] == ["Z", "AA"]
    assert ids[702] == "AAA"
