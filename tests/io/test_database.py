"""Sequence databases: an entry at a time, whatever the file is."""

import gzip
import tracemalloc
from contextlib import suppress

import pytest

from cryoweave.errors import CryoweaveError, InputError
from cryoweave.io.database import read_database
from cryoweave.testing.hostile import hostile_files


def entries(tmp_path, text, name="db.fasta"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [tuple(entry) for entry in read_database(path)]


def test_entries_come_with_their_first_word_and_plain_letters(tmp_path):
    text = ">sp|P1|ONE first one\nmkta\nYI*\n\n>two\r\nM-K.T\r\n;a remark\r\n>\nAAA\n"
    assert entries(tmp_path, text) == [("sp|P1|ONE", "MKTAYI"), ("two", "MKT"), ("line-8", "AAA")]
    assert entries(tmp_path, gzip.compress(text.encode()), "db.gz")[1] == ("two", "MKT")
    assert entries(tmp_path, text.encode().replace(b"first", b"\xff\xfe")) == entries(tmp_path, text)


def test_empty_entries_are_passed_over_and_told(tmp_path, caplog):
    assert entries(tmp_path, ">a\n>b\nMKT\n>c\n*\n") == [("b", "MKT")]
    assert "2 entries without residues" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no sequence"),
        (">a\n>b\n", "holds no sequence"),
        ("MKT\n", "line 1 stands before"),
        (">a\nMK1\n", "line 2 holds '1'"),
        (">a\nMKÅ\n", "line 2 holds"),
        (">a\nMK\0\n", "not a text file"),
        (">dna\n" + "ACGT" * 60 + "\n", "holds nucleotides alone"),
        (">a\n" + ("M" * 60 + "\n") * 2000, "more than 100000 residues"),
    ],
)
def test_what_is_no_database_is_told(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as error:
        entries(tmp_path, text)
    assert error.value.hint


def test_a_missing_file_and_a_folder_are_told(tmp_path):
    for path in (tmp_path / "none.fasta", tmp_path):
        with pytest.raises(InputError):
            list(read_database(path))


@pytest.mark.parametrize("file", [*hostile_files()], ids=lambda file: file.name)
def test_hostile_files_are_read_or_told(tmp_path, file):
    found = []
    with suppress(CryoweaveError):
        found = list(read_database(file.write(tmp_path)))
        assert found
    assert all(letters.isalpha() and letters.isupper() for _, letters in found)


def test_a_large_database_stays_out_of_memory(tmp_path):
    path = tmp_path / "large.fasta"
    path.write_text("".join(f">s{k}\n{'MKTAYIAKQR' * 30}\n" for k in range(30_000)))
    tracemalloc.start()
    count = sum(1 for _ in read_database(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 30_000
    assert peak < 1 << 20
