"""The sheet of a bench: its maps, and what is known of each."""

import csv
import io
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from cryoweave.errors import InputError, UsageError
from cryoweave.kernels.symmetry import check_symmetry
from cryoweave.pipeline.chain import near

FORMATS = ("toml", "csv")
NAME = re.compile(r"[\w][\w.+-]*")
_SEPARATOR = ";"
_GIVEN = "given."


class Target(BaseModel):
    """A map of the sheet. Paths are relative to the sheet."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(description="What tables and folders call it: letters, digits, . _ + -")
    map: Path = Field(description="Density map")
    sequence: Path | None = Field(None, description="FASTA file of the proteins")
    rna: Path | None = Field(None, description="FASTA file of the RNA")
    dna: Path | None = Field(None, description="FASTA file of the DNA")
    secondary_structure: Path | None = Field(None, description="Secondary structure of the proteins' sequences")
    models: tuple[Path, ...] = Field((), description="Models to fit or to start from; in CSV with ; between them")
    given: dict[str, Path] = Field({}, description="Other programs' files by format; in CSV a column given.FORMAT")
    reference: Path | None = Field(None, description="Known model: what all are judged by, and no recipe sees")
    resolution: float | None = Field(None, gt=0, le=100, description="Å, for all steps and validators that ask for it")
    contour: float | None = Field(None, description="Recommended contour, for all steps and validators that ask for it")
    symmetry: str | None = Field(
        None,
        description="About z: C4, D7, O, I2, H-166.5,27.5,6; for steps that ask for it; copies of the reference count",
    )
    reference_symmetry: str | None = Field(
        None, description="The same for judging alone, where models are whole rings, say, which steps must not copy"
    )
    trained_on: tuple[str, ...] = Field(
        (), description="Plugins whose weights saw this map in training: their figures here are marked"
    )
    note: str = Field("", description="Shown beside its name, e.g. masked around the deposited model")

    @field_validator("symmetry", "reference_symmetry")
    @classmethod
    def _is_a_symmetry(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                check_symmetry(name)
            except UsageError as error:
                raise ValueError(f"{error}: {error.hint}") from error
        return name

    @property
    def equal_copies(self) -> str | None:
        """The symmetry whose copies of the reference are as right."""
        return self.reference_symmetry or self.symmetry

    def files(self) -> dict[str, Path]:
        """Every file of it, by what it is."""
        single = ("map", "sequence", "rna", "dna", "secondary_structure", "reference")
        found = {name: getattr(self, name) for name in single if getattr(self, name) is not None}
        found |= {f"models {number}": path for number, path in enumerate(self.models)}
        return found | {f"{_GIVEN}{name}": path for name, path in self.given.items()}

    def sequences(self) -> dict[str, Path] | None:
        """Files of sequences by molecule; None if there are none."""
        files = {"protein": self.sequence, "rna": self.rna, "dna": self.dna}
        return {molecule: path for molecule, path in files.items() if path is not None} or None


def read_sheet(path: str | Path) -> tuple[Target, ...]:
    """Read a sheet.

    Parameters
    ----------
    path
        TOML with a table ``[[target]]`` for each map, or CSV with a line for each; the fields of `Target`.

    Raises
    ------
    InputError
        If it cannot be read, a field is unknown or cannot be used, or a file is not there.
    """
    path = Path(path)
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise UsageError(f"{path} is no sheet: its name ends in neither .toml nor .csv", "give it the ending that fits")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise InputError(f"cannot read the sheet {path}: {reason}", "give the path of a TOML or CSV file") from error
    rows = _toml_rows(text, path) if ending == "toml" else _csv_rows(text, path)
    return check_targets((_target(where, row, path.parent) for where, row in rows), str(path))


def check_targets(targets: Iterable[Target], source: str) -> tuple[Target, ...]:
    """The targets, of which there is at least one and no two have one name.

    Raises
    ------
    InputError
        If not. Names that differ in their case only would share a folder on some disks.
    """
    found = tuple(targets)
    if not found:
        raise InputError(f"{source} holds no map", "write a table [[target]], or a line below the header, for each")
    seen: dict[str, str] = {}
    for target in found:
        other = seen.setdefault(target.name.lower(), target.name)
        if other is not target.name:
            raise InputError(f"{source}: two targets are called {other} and {target.name}", "rename one")
    return found


def _toml_rows(text: str, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}", "mend that line") from error
    rows = table.pop("target", [])
    if table or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        odd = f", and not {next(iter(table))}" if table else ""
        raise InputError(f"{path}: a sheet holds tables [[target]]{odd}", "see the guide for one that works")
    return [(f"{path}: target {number}", row) for number, row in enumerate(rows, start=1)]


def _csv_rows(text: str, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    apart = max(",;\t", key=text.partition("\n")[0].count)  # some languages' spreadsheets write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=apart)
    rows = []
    try:
        for row in reader:
            where = f"{path}: line {reader.line_num}"
            if None in row or None in row.values():
                raise InputError(f"{where} has not as many fields as the header", "quote fields that hold commas")
            texts = {name.strip(): text.strip() for name, text in row.items()}
            rows.append((where, _from_texts({name: text for name, text in texts.items() if text})))
    except csv.Error as error:
        raise InputError(f"{path} is no CSV: {error}", "mend that line") from error
    return [row for row in rows if row[1]]


def _from_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a line: lists apart, columns ``given.FORMAT`` together."""
    row: dict[str, Any] = {name: text for name, text in texts.items() if not name.startswith(_GIVEN)}
    for name in ("models", "trained_on"):
        if name in row:
            row[name] = [part.strip() for part in row[name].split(_SEPARATOR) if part.strip()]
    given = {name.removeprefix(_GIVEN): text for name, text in texts.items() if name.startswith(_GIVEN)}
    return row | ({"given": given} if given else {})


def _target(where: str, row: Mapping[str, Any], folder: Path) -> Target:
    """One checked target with absolute paths.

    Raises
    ------
    InputError
        If a field is unknown, missing or cannot be used, or a file is not there.
    """
    known = list(Target.model_fields)
    unknown = next((name for name in row if name not in known), None)
    if unknown is not None:
        raise InputError(f"{where}: a target has no field {unknown!r}", near(unknown, known))
    try:
        target = Target.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        what = f"{where}: {field}: {said[:1].lower()}{said[1:]}"
        raise InputError(what, f"{field} is needed as the guide says") from error
    if not NAME.fullmatch(target.name):
        raise InputError(f"{where}: {target.name!r} cannot name a folder", "take letters, digits, . _ + -")
    placed = {
        name: _placed(getattr(target, name), folder)
        for name, field in Target.model_fields.items()
        if "Path" in str(field.annotation)
    }
    target = target.model_copy(update=placed)
    for what, file in target.files().items():
        if not file.is_file():
            raise InputError(f"{where}: {target.name}: {what} {file} is not there", "paths are relative to the sheet")
    return target


def _placed(value: Any, folder: Path) -> Any:
    """Paths in a field's value made absolute."""
    if isinstance(value, Path):
        return (folder / value.expanduser()).absolute()
    if isinstance(value, tuple):
        return tuple(_placed(one, folder) for one in value)
    if isinstance(value, dict):
        return {name: _placed(one, folder) for name, one in value.items()}
    return value
