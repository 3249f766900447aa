"""Sequences in FASTA files, and secondary structure beside them."""

import re
from pathlib import Path

from cryoweave.data import Sequence, SequenceSet
from cryoweave.data.sequences import Molecule
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file
from cryoweave.io.content import log, read_content

_LIMIT = 64 << 20
_LINE = 60
_SECONDARY = str.maketrans("HGIEBCTSPL- ", "HHHEECCCCCCC")
"""Letters of DSSP and of predictors to helix, strand, other."""

_PARENTS: dict[Molecule, dict[str, str]] = {
    "protein": {"U": "C", "O": "K", "B": "X", "Z": "X", "J": "X"},
    "rna": {"T": "U", **dict.fromkeys("RYSWKMBDHV", "N")},
    "dna": {"U": "T", **dict.fromkeys("RYSWKMBDHV", "N")},
}
"""Letters of the IUPAC code beyond ours, and what they are read as."""

_CHAINS = re.compile(r"\|\s*Chains?\s+([^|]+)(\||$)", re.IGNORECASE)
"""The chains of an entity in the headers of the PDB's FASTA files."""
_AUTHOR = re.compile(r"\S+?\[auth\s+(\S+)\]")
"""A chain's id in the file, and the one that its authors gave it, which viewers show."""

_COLUMNS = re.compile(r"\s*\d+\s+[A-Za-z]\s+[A-Za-z-](\s|$)")
"""Residue number, amino acid, secondary structure: the lines of PSIPRED's .ss2 and SPIDER's .spd3 files."""


def read_sequences(
    path: str | Path, molecule: Molecule = "protein", secondary_structure: str | Path | None = None
) -> SequenceSet:
    """Read a FASTA file, or a file that holds nothing but one sequence.

    Letters may be lower case; a ``*`` at the end is dropped. The name is the first word of the header line, or
    a header of the PDB (``|Chains A, B|``) names the chains, each of which is a sequence. Letters of rare or ambiguous
    residues are read as their parents or as unknown, with a warning in the log.

    Parameters
    ----------
    path
        The file, plain or compressed.
    molecule
        What all sequences of the file are.
    secondary_structure
        A FASTA-like file with the same names and a letter per residue (H, E, C, or DSSP's), or, for one sequence, a
        column file of PSIPRED (``.ss2``) or SPIDER (``.spd3``).

    Raises
    ------
    InputError
        If the file holds no sequence, an entry is empty or holds a letter that is none, two have one name, or the
        secondary structure does not fit.
    """
    path = Path(path)
    entries = _entries(path, _text(path))
    structures = _structures(Path(secondary_structure), entries) if secondary_structure is not None else {}
    sequences = []
    for name, body in entries:
        letters = _letters(path, name, "".join(body.split()), molecule)
        if not letters:
            raise InputError(f"{path}: sequence {name!r} has no residues", "remove the entry or add its residues")
        sequences.append(_named(path, name, letters, molecule, structures.get(name, "")))
    names = [name for name, _ in entries]
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise InputError(
            f"{path}: two sequences have the name {double!r}", "the first word of each '>' line must differ"
        )
    return SequenceSet(tuple(sequences))


def write_sequences(path: str | Path, sequences: SequenceSet) -> None:
    """Write a FASTA file, 60 letters a line; it appears whole or not at all."""
    lines = []
    for sequence in sequences:
        lines.append(f">{sequence.name}")
        lines += [sequence.letters[i : i + _LINE] for i in range(0, len(sequence), _LINE)]
    with atomic_file(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _text(path: Path) -> str:
    content = read_content(path, _LIMIT)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file", "give a FASTA file") from error
    if "\0" in text:
        raise InputError(f"{path} is not a text file", "give a FASTA file")
    return text


def _entries(path: Path, text: str) -> list[tuple[str, str]]:
    """Name and lines of each chain; lines before the first header are a chain named after the file."""
    entries: list[tuple[list[str], list[str]]] = []
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith(">"):
            entries.append((_names(line[1:]) or [str(len(entries) + 1)], []))
        elif line.strip() and not line.startswith(";"):
            if not entries:
                entries.append(([path.name.partition(".")[0] or "1"], []))
            entries[-1][1].append(line)
    if not entries:
        raise InputError(f"{path} holds no sequence", "give a FASTA file: a line with > and a name, then the residues")
    return [(name, "\n".join(lines)) for names, lines in entries for name in names]


def _names(header: str) -> list[str]:
    """The chains that a header of the PDB lists; of any other one the first word."""
    if listed := _CHAINS.search(header):
        return [_AUTHOR.sub(r"\1", one.strip()) for one in listed[1].split(",") if one.strip()]
    return header.split()[:1]


def _letters(path: Path, name: str, body: str, molecule: Molecule) -> str:
    letters = body.upper().removesuffix("*")
    parents = _PARENTS[molecule]
    rare = sorted(set(letters) & set(parents))
    if rare:
        read_as = ", ".join(f"{letter} as {parents[letter]}" for letter in rare)
        log.warning("%s: sequence %s: %s", path, name, f"letters read as others: {read_as}")
    return "".join(parents.get(letter, letter) for letter in letters)


def _named(path: Path, name: str, letters: str, molecule: Molecule, structure: str) -> Sequence:
    try:
        return Sequence(name, letters, molecule, structure)
    except InputError as error:
        raise InputError(f"{path}: {error}", error.hint) from error


def _structures(path: Path, entries: list[tuple[str, str]]) -> dict[str, str]:
    text = _text(path)
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if lines and all(_COLUMNS.match(line) for line in lines):
        if len(entries) != 1:
            hint = "give a FASTA-like file with the letters of all of them"
            raise InputError(f"{path} is for one sequence, but there are {len(entries)}", hint)
        name, body = entries[0]
        columns = [line.split() for line in lines]
        _same_residues(path, name, "".join(row[1] for row in columns), body)
        return {name: _three_states(path, name, "".join(row[2] for row in columns))}
    found = {name: _three_states(path, name, body.replace("\n", "")) for name, body in _entries(path, text)}
    if len(found) == 1 and len(entries) == 1:
        return {entries[0][0]: next(iter(found.values()))}
    unknown = sorted(set(found) - {name for name, _ in entries})
    if unknown:
        raise InputError(f"{path}: there is no sequence {unknown[0]!r}", "use the names of the FASTA file")
    return found


def _same_residues(path: Path, name: str, letters: str, body: str) -> None:
    wanted = "".join(body.split()).upper().removesuffix("*")
    if letters.upper() != wanted:
        hint = "predict the secondary structure of the same sequence"
        raise InputError(f"{path}: its residues are not those of sequence {name!r}", hint)


def _three_states(path: Path, name: str, letters: str) -> str:
    states = letters.upper().translate(_SECONDARY)
    unknown = sorted(set(states) - set("HEC"))
    if unknown:
        shown = ", ".join(map(repr, unknown))
        hint = "H helix, E strand, C other, or the letters of DSSP"
        raise InputError(f"{path}: the secondary structure of {name!r} holds {shown}", hint)
    return states
