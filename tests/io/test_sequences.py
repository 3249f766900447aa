"""FASTA in all its dialects, and secondary structure."""

import gzip
import logging
from pathlib import Path

import pytest

from cryoweave.data import Sequence, SequenceSet
from cryoweave.errors import InputError
from cryoweave.io import read_sequences, write_sequences


@pytest.fixture
def fasta(tmp_path: Path) -> Path:
    return tmp_path / "seq.fasta"


@pytest.mark.parametrize(
    "content",
    [
        b">A chain one\nMKTA\nYI\n>B\nGG\n",
        b">A\r\nmkta\r\n\r\nyi*\r\n>B\r\nGG\r\n",
        b"\xef\xbb\xbf\n>A\rMKTAYI\r>B\rG G\r",
        b";comment\n>A\nMKT AYI\n\n\n>B\n gg",
        gzip.compress(b">A\nMKTAYI\n>B\nGG"),
    ],
)
def test_dialects(fasta: Path, content: bytes) -> None:
    fasta.write_bytes(content)
    assert read_sequences(fasta) == SequenceSet((Sequence("A", "MKTAYI"), Sequence("B", "GG")))


def test_a_bare_sequence_is_named_after_its_file(fasta: Path) -> None:
    fasta.write_text("MKT\nAYI\n")
    assert read_sequences(fasta) == SequenceSet((Sequence("seq", "MKTAYI"),))


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("6GYN_1|Chains A, B, C, D|Potassium channel 4|Homo sapiens (9606)", "ABCD"),
        ("6UES_1|Chains A[auth X], BB[auth Y]|RNA", "XY"),
        ("3J6B_9|Chain 9|54S ribosomal protein L9", "9"),
        ("hcn4|Chains A,B", "AB"),
        ("mine|chains A, B|", "AB"),
        ("sp|Q9Y3Q4|HCN4_HUMAN Potassium channel", ["sp|Q9Y3Q4|HCN4_HUMAN"]),
        ("x Chains A, B", ["x"]),
    ],
)
def test_headers_of_the_pdb_name_chains(fasta: Path, header: str, names: list[str]) -> None:
    fasta.write_text(f">{header}\nMKTAYI\n")
    assert [(one.name, one.letters) for one in read_sequences(fasta)] == [(name, "MKTAYI") for name in names]


def test_equal_sequences_stay_apart(fasta: Path) -> None:
    fasta.write_text(">A\nMK\n>B\nMK\n")
    assert [s.name for s in read_sequences(fasta)] == ["A", "B"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no sequence"),
        ("\n \n", "holds no sequence"),
        (">A\n", "'A' has no residues"),
        (">A\nMK\n>B\n", "'B' has no residues"),
        (">A\n*\n", "'A' has no residues"),
        (">A\nMK1A\n", "holds '1'"),
        (">A\nMK-A\n", "holds '-'"),
        (">A x\nMK\n>A y\nMK\n", "two sequences have the name 'A'"),
        ("\0\1", "not a text file"),
    ],
)
def test_what_cannot_be_read(fasta: Path, content: str, message: str) -> None:
    fasta.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_sequences(fasta)
    assert str(fasta) in str(caught.value)
    assert caught.value.hint


def test_rare_letters_are_read_with_a_warning(fasta: Path, caplog: pytest.LogCaptureFixture) -> None:
    fasta.write_text(">A\nMUBX\n")
    with caplog.at_level(logging.WARNING, "cryoweave.io"):
        assert next(iter(read_sequences(fasta))).letters == "MCXX"
    assert "B as X, U as C" in caplog.text
    fasta.write_text(">A\nACGT\n")
    assert next(iter(read_sequences(fasta, "rna"))).letters == "ACGU"
    assert next(iter(read_sequences(fasta, "dna"))).letters == "ACGT"


def test_secondary_structure_beside_the_sequences(fasta: Path, tmp_path: Path) -> None:
    fasta.write_text(">A\nMKTAYIG\n>B\nGGG\n")
    second = tmp_path / "ss.txt"
    second.write_text(">A\nHGEB\nT-S\n")
    a, b = read_sequences(fasta, secondary_structure=second)
    assert (a.secondary_structure, b.secondary_structure) == ("HHEECCC", "")
    for content, message in (
        (">A\nHHH\n", "3 letters for 7"),
        (">C\nHHH\n", "no sequence 'C'"),
        (">A\nHHHHHHZ\n", "holds 'Z'"),
    ):
        second.write_text(content)
        with pytest.raises(InputError, match=message):
            read_sequences(fasta, secondary_structure=second)


def test_secondary_structure_in_columns(fasta: Path, tmp_path: Path) -> None:
    fasta.write_text(">A\nMKT\n")
    second = tmp_path / "a.ss2"
    second.write_text(
        "# PSIPRED VFORMAT (PSIPRED V4.0)\n\n   1 M C   0.9 0.1 0.0\n   2 K H  0.1 0.9 0.0\n   3 T E  0 0 1\n"
    )
    (a,) = read_sequences(fasta, secondary_structure=second)
    assert a.secondary_structure == "CHE"
    second.write_text("#\tAA\tSS\tASA\n1\tM\tC\t134.1\n2\tK\tH\t80.5\n3\tT\tE\t10.0\n")
    (a,) = read_sequences(fasta, secondary_structure=second)
    assert a.secondary_structure == "CHE"
    fasta.write_text(">A\nMKV\n")
    with pytest.raises(InputError, match="not those of sequence 'A'"):
        read_sequences(fasta, secondary_structure=second)


def test_written_sequences_come_back(fasta: Path) -> None:
    sequences = SequenceSet((Sequence("A", "MKTAYIAKQR" * 13), Sequence("B", "X")))
    write_sequences(fasta, sequences)
    assert max(map(len, fasta.read_text().splitlines())) == 60
    assert read_sequences(fasta) == sequences
