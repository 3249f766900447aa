"""Sequence databases: FASTA files of any size, an entry at a time."""

import io
import string
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryoweave.errors import InputError
from cryoweave.io.content import log, open_content

LONGEST = 100_000
"""Residues: no protein is longer (titin has 35,000); an entry beyond it is a chromosome, or no FASTA file."""
LONGEST_LINE = 1 << 24
"""Characters of a line; a file without line ends is not read to memory's end."""
_RESIDUES = str.maketrans(string.ascii_lowercase, string.ascii_uppercase, " \t\r\n\v\f*-.")
_LETTERS = frozenset(string.ascii_uppercase)
_NUCLEOTIDES = frozenset("ACGTUN")
_ENOUGH = 200
"""Residues from which a sequence of nothing but nucleotides' letters is taken for one of nucleotides."""


class Entry(NamedTuple):
    """A protein of a database."""

    name: str
    """First word of its header line."""
    letters: str
    """One-letter codes, upper case, any of A to Z."""


def read_database(path: str | Path) -> Iterator[Entry]:
    """The proteins of a FASTA file, plain or compressed, one after the other; no more than one is in memory.

    Gaps and stops (``-``, ``.``, ``*``) are dropped, and entries without residues passed over with a warning.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If there is no such file, it is no FASTA file or damaged, holds no sequence, an entry holds a character that is
        no letter, is longer than any protein, or is one of nucleotides.
    """
    path = Path(path)
    found = empty = 0
    for name, letters in _entries(path):
        if not letters:
            empty += 1
            continue
        if len(letters) >= _ENOUGH and _NUCLEOTIDES.issuperset(letters):
            raise InputError(f"{path}: {name!r} holds nucleotides alone", "give a database of protein sequences")
        found += 1
        yield Entry(name, letters)
    if empty:
        log.warning("%s: %d entries without residues are passed over", path, empty)
    if not found:
        raise InputError(f"{path} holds no sequence", "give a FASTA file: a line with > and a name, then the residues")


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    name, parts, size = "", [""], 0
    for number, line in _lines(path):
        if line.startswith(">"):
            if name:
                yield name, "".join(parts)
            words = line[1:].split(maxsplit=1)
            name, parts, size = words[0] if words else f"line-{number}", [], 0
            continue
        residues = "" if line.startswith(";") else line.translate(_RESIDUES)
        if not residues:
            continue
        if not name:
            raise InputError(f"{path} is no FASTA file: line {number} stands before any '>'", "give a FASTA file")
        if not _LETTERS.issuperset(residues):
            wrong = min(set(residues) - _LETTERS)
            raise InputError(f"{path}: line {number} holds {wrong!r}: no residue", "give a FASTA file of proteins")
        size += len(residues)
        if size > LONGEST:
            raise InputError(
                f"{path}: {name!r} has more than {LONGEST} residues", "give a database of protein sequences"
            )
        parts.append(residues)
    if name:
        yield name, "".join(parts)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines whatever ends them; a name may hold any byte."""
    with open_content(path) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), "utf-8-sig", "replace")  # type: ignore[type-var]
        number = 0
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE or "\0" in line:
                raise InputError(f"{path} is not a text file: see line {number}", "give a FASTA file")
            yield number, line
