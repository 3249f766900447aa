"""Which chains have the same sequence."""

from cryoweave.data import Sequence, SequenceSet


def test_entries_with_the_same_letters_are_copies():
    a, b, c = Sequence("a", "MKT", copies=2), Sequence("b", "GGC"), Sequence("c", "MKT")
    rna = Sequence("r", "GGC", "rna")
    assert SequenceSet((a, b, c, rna)).alike() == [(a, (0, 1, 3)), (b, (2,)), (rna, (4,))]
