"""Reading atomic models: PDB and mmCIF, plain or compressed."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import Model
from cryoweave.errors import InputError
from cryoweave.io.confidence import confident_atoms
from cryoweave.io.content import log, read_content

if TYPE_CHECKING:
    import gemmi

_PDB_ATOM = re.compile(rb"^(?:ATOM  |HETATM)", re.MULTILINE)
_PDB_NUMBERS = re.compile(rb"^(?:ATOM  |HETATM)[^\r\n]{16}([^\r\n]{4})[^\r\n]{4}([^\r\n]{24})", re.MULTILINE)
_RESIDUE_NUMBER = re.compile(r" *-?\d+ *|[A-Za-z][0-9A-Za-z]{3}")
"""A number, or hybrid-36 in PDB files that have more than four digits' worth of residues."""
_PDB_DIGITS = re.compile(rb"^(?:ATOM  |HETATM)[^\r\n]{70}(?:\d|[^\r\n]\d)", re.MULTILINE)
_CIF_START = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*data_", re.IGNORECASE)
_STRICT_COLUMNS = 72
"""Old files hold other things than elements and charges behind this column."""


def model_name(path: str | Path) -> str:
    """What a model is called that is read from a file: the file's name without its ending."""
    name = Path(path).name
    return name.removesuffix(".gz").rpartition(".")[0] or name


def read_model(path: str | Path, *, model_number: int = 1) -> Model:
    """Read one model of a PDB or mmCIF file.

    Water, hydrogens and alternative locations are kept; atoms of one chain come together. Chain ids and residue
    numbers are the author's. A B column that an mmCIF file declares as confidences is marked as such.

    Parameters
    ----------
    path
        The file; its format and compression are told by its content.
    model_number
        Which model of the file, counted from 1.

    Raises
    ------
    InputError
        If the file cannot be read, has no atom or no such model.
    """
    models = _read(Path(path), model_number)
    return models[0]


def read_models(path: str | Path) -> tuple[Model, ...]:
    """Read all models of a PDB or mmCIF file; otherwise as `read_model`."""
    return _read(Path(path), None)


def _read(path: Path, number: int | None) -> tuple[Model, ...]:
    content = read_content(path)
    try:
        structure, block = _parse(content, path)
        structure.merge_chain_parts()
        models = _columns(structure)
        if block is not None:
            models = tuple(replace(one, b_is_confidence=confident_atoms(block, one)) for one in models)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InputError(f"{path} is damaged: {_one_line(error)}", "open it in a viewer and save it again") from error
    except InputError as error:
        prefix = "" if str(path) in str(error) else f"{path}: "
        raise InputError(f"{prefix}{error}", error.hint) from error
    if not models:
        raise InputError(f"{path} holds no atom", "give a file with ATOM records or an _atom_site loop")
    if number is None:
        return models
    if not 1 <= number <= len(models):
        raise InputError(f"{path} has no model {number}", f"models: 1 to {len(models)}")
    return (models[number - 1],)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _parse(content: bytes, path: Path) -> "tuple[gemmi.Structure, gemmi.cif.Block | None]":
    """The structure, and the block of an mmCIF file that it is from."""
    import gemmi

    if _CIF_START.match(content):
        return _parse_cif(content.removeprefix(b"\xef\xbb\xbf"), path)
    if not _PDB_ATOM.search(content):
        _refuse_map(path)
        hint = "give a PDB or mmCIF file with atoms"
        raise InputError(f"{path} is neither a PDB nor an mmCIF file with atoms", hint)
    _check_pdb_numbers(content, path)
    odd = "digits where elements stand" if _PDB_DIGITS.search(content) else ""
    if not odd:
        try:
            return gemmi.read_pdb_string(content), None
        except RuntimeError as error:
            odd = _one_line(error)
    structure = gemmi.read_pdb_string(content, max_line_length=_STRICT_COLUMNS)
    log.warning("%s: %s; read without columns 73-80", path, odd)
    return structure, None


def _refuse_map(path: Path) -> None:
    """Say so where a map was given for a model: people mix up the two options."""
    from cryoweave.io.maps import inspect_map

    try:
        inspect_map(path)
    except InputError:
        return
    raise InputError(f"{path} is a density map, not a model", "give the map with -v, and a PDB or mmCIF file here")


def _parse_cif(content: bytes, path: Path) -> "tuple[gemmi.Structure, gemmi.cif.Block]":
    import gemmi

    document = gemmi.cif.read_string(content)
    for block in document:
        if block.find_values("_atom_site.Cartn_x"):
            _check_cif_numbers(block, path)
            return gemmi.make_structure_from_block(block), block
    hint = "structure factors and ligand dictionaries are mmCIF too: give the file with coordinates"
    raise InputError(f"{path} holds no _atom_site loop, so no atom", hint)


def _check_pdb_numbers(content: bytes, path: Path) -> None:
    """gemmi reads letters in the columns of numbers as numbers: refuse them."""
    rows = _PDB_NUMBERS.findall(content)
    _check_residue_numbers({number.decode("latin-1") for number, _ in rows}, path)
    _check_positions(np.frombuffer(b"".join(position for _, position in rows), "S8"), path)


def _check_cif_numbers(block: "gemmi.cif.Block", path: Path) -> None:
    numbers = set(block.find_values("_atom_site.auth_seq_id") or block.find_values("_atom_site.label_seq_id"))
    _check_residue_numbers({number for number in numbers if number not in "?."}, path)
    for axis in "xyz":
        values = block.find_values(f"_atom_site.Cartn_{axis}")
        _check_positions(np.array([value.partition("(")[0] for value in values], dtype=np.str_), path)


def _check_residue_numbers(texts: set[str], path: Path) -> None:
    for text in sorted(texts):
        if not _RESIDUE_NUMBER.fullmatch(text) or len(text) > 9:
            raise InputError(f"{path}: {text!r} is no residue number", "repair or remove that residue")


def _check_positions(texts: NDArray[Any], path: Path) -> None:
    try:
        numbers = texts.astype(np.float64)
        if np.isfinite(numbers).all():
            return
    except ValueError:
        pass
    for i, text in enumerate(texts.tolist()):
        shown = text.decode("latin-1") if isinstance(text, bytes) else text
        try:
            good = np.isfinite(float(text))
        except ValueError:
            good = False
        if not good:
            raise InputError(f"{path}: coordinate {i + 1} is no number: {shown!r}", "repair or remove that atom")


def _columns(structure: "gemmi.Structure") -> tuple[Model, ...]:
    import gemmi

    try:
        flat = gemmi.FlatStructure(structure)
    except RuntimeError:  # label ids longer than the table's cells; they are not used
        for model in structure:
            for chain in model:
                for residue in chain:
                    residue.subchain = ""
        flat = gemmi.FlatStructure(structure)
    if len(flat.pos) == 0:
        return ()
    numbers = np.asarray(flat.model_num)
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
    whole = Model(
        xyz=np.array(flat.pos, dtype=np.float64),
        element=np.char.capitalize(np.asarray(flat.element_names).astype(np.str_)),
        atom_name=_text(flat.atom_names),
        residue_name=_text(flat.residue_names),
        chain=_text(flat.chain_ids),
        residue_number=np.array(flat.resnums, dtype=np.int32),
        insertion_code=_letters(flat.icodes),
        altloc=_letters(flat.altlocs),
        occupancy=np.array(flat.occ, dtype=np.float32),
        b_factor=np.array(flat.b_iso, dtype=np.float32),
        hetero=np.asarray(flat.het_flags) == ord("H"),
    )
    return tuple(whole.select(slice(first, last)) for first, last in pairwise(bounds))


def _text(cells: Any) -> NDArray[np.str_]:
    """Rows of zero-padded bytes to strings no wider than needed."""
    table = np.ascontiguousarray(cells)
    texts = table.view(f"S{table.shape[1]}").ravel().astype(np.str_)
    width = max(1, int(np.char.str_len(texts).max()))
    return texts.astype(f"U{width}")


def _letters(codes: Any) -> NDArray[np.str_]:
    """One byte per atom to strings, blanks and zeros to empty ones."""
    table = np.array(codes, dtype=np.int8)
    table[table == ord(" ")] = 0
    return table.view("S1").astype(np.str_)
