"""Values of `cryoweave.data` as folders of files that other programs open, and their digests."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import (
    BondGraph,
    DensityMap,
    Model,
    ModelSet,
    PointCloud,
    Poses,
    ProbabilityMaps,
    ScoreTable,
    Sequence,
    SequenceSet,
    Threading,
    Traces,
)
from cryoweave.data.residues import ALPHABETS
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_folder
from cryoweave.io.maps import inspect_map, read_map, write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.io.poses import read_pose_table, write_pose_table
from cryoweave.io.scores import read_scores, write_scores
from cryoweave.io.sequences import write_sequences
from cryoweave.io.tables import header_of, read_json, read_table, write_json, write_table
from cryoweave.io.viewing import write_pseudo_atoms

Value = TypeVar("Value")
_XYZ = {"x": np.float64, "y": np.float64, "z": np.float64}
_BOND = {"length": np.float64, "least": np.float32, "mean": np.float32, "forward": np.float32}


DENSITY = "density.mrc"
"""Where a stage's map lies in its folder."""


class Format(NamedTuple):
    """How values of one type are saved and loaded."""

    save: Callable[[Path, Any], None]
    load: Callable[[Path], Any]


def save(value: object, folder: str | Path) -> None:
    """Save a value as a folder; the folder appears whole or not at all and replaces one of the same name.

    Tables and maps come back bit by bit; a model's coordinates are rounded to 0.001 Å, a map's voxel size and origin
    to single precision. Loading and saving again changes nothing.

    Raises
    ------
    InputError
        If there is no format for the type, or the folder cannot be written.
    """
    stored = _format(type(value))
    with atomic_folder(folder) as temporary:
        stored.save(temporary, value)


def load(kind: type[Value], folder: str | Path) -> Value:
    """Load a value of this type from the folder that `save` wrote.

    Raises
    ------
    InputError
        If a file is missing or damaged.
    """
    folder = Path(folder)
    try:
        value = _format(kind).load(folder)
    except InputError as error:
        prefix = "" if str(folder) in str(error) else f"{folder}: "
        raise InputError(f"{prefix}{error}", error.hint) from error
    return cast(Value, value)


def digest(value: object) -> str:
    """SHA-256 of a value's content, or of a file's or folder's bytes if it is a path; hexadecimal.

    Equal values have equal digests whatever made them; the width of a text array does not count.
    """
    state = hashlib.sha256()
    if isinstance(value, Path):
        _add_path(state, value)
    else:
        _add(state, value)
    return state.hexdigest()


def _format(kind: type) -> Format:
    if kind not in TYPES:
        raise InputError(
            f"there is no file format for {kind.__name__}", "known: " + ", ".join(t.__name__ for t in TYPES)
        )
    return TYPES[kind]


def _add_path(state: "hashlib._Hash", path: Path) -> None:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            _add(state, file.relative_to(path).as_posix())
        try:
            with file.open("rb") as stream:
                state.update(hashlib.file_digest(stream, "sha256").digest())
        except OSError as error:
            raise InputError(f"cannot read {file}: {error.strerror}", "check the path") from error


def _add(state: "hashlib._Hash", value: Any) -> None:
    """Type, size and bytes, so that no two values look the same."""
    if value is None or isinstance(value, str | int | float):  # first, as texts and lists of them are many
        text = repr(value).encode()
        state.update(f"{type(value).__name__}{len(text)}:".encode() + text)
    elif is_dataclass(value) and not isinstance(value, type):
        state.update(f"<{type(value).__name__}>".encode())
        for field in fields(value):
            state.update(f".{field.name}=".encode())
            _add(state, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        if value.dtype.kind == "U":
            _add(state, value.ravel().tolist())
        else:
            data = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
            state.update(f"{data.dtype.str}{data.shape}".encode())
            state.update(data.reshape(-1).view(np.uint8).data)
    elif isinstance(value, Mapping):
        state.update(f"map{len(value)}".encode())
        for key, item in value.items():
            _add(state, key)
            _add(state, item)
    elif isinstance(value, list | tuple):
        state.update(f"list{len(value)}".encode())
        for item in value:
            _add(state, item)
    else:
        raise InputError(f"there is no digest of a {type(value).__name__}", "give a value of cryoweave.data or a path")


def _positions(columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    return np.stack([columns[axis] for axis in "xyz"], axis=1)


def _columns(xyz: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    return dict(zip("xyz", xyz.T, strict=True))


def _save_density(folder: Path, value: DensityMap) -> None:
    write_map(folder / DENSITY, value)


def _load_density(folder: Path) -> DensityMap:
    return read_map(folder / DENSITY)


def _save_probabilities(folder: Path, value: ProbabilityMaps) -> None:
    if not value.classes:
        raise InputError("there is no class to save", "see which detector gave none")
    letters = ["".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:40] for name in value.classes]
    files = [f"{i:02d}_{text}.mrc" for i, text in enumerate(letters)]
    for name, file in zip(value.classes, files, strict=True):
        write_map(folder / file, value.of(name), mode=12 if value.values.dtype == np.float16 else 2)
    write_json(folder / "classes.json", {"classes": list(value.classes), "files": files})


def _load_probabilities(folder: Path) -> ProbabilityMaps:
    record = read_json(folder / "classes.json", {"classes": list, "files": list})
    names, files = record["classes"], record["files"]
    if not files or len(names) != len(files) or not all(isinstance(text, str) for text in [*names, *files]):
        raise InputError(f"{folder / 'classes.json'} does not name one file per class", "make the folder again")
    half = all(inspect_map(folder / Path(file).name).mode == 12 for file in files)
    first = read_map(folder / Path(files[0]).name)
    # One map at a time: together, as 32-bit numbers, they would take several times what is kept.
    values = np.empty((len(files), *first.frame.shape_zyx), np.float16 if half else np.float32)
    values[0] = first.values
    for file, into in zip(files[1:], values[1:], strict=True):
        one = read_map(folder / Path(file).name)
        if one.frame != first.frame:
            raise InputError(f"the maps in {folder} lie on different grids", "make the folder again")
        into[:] = one.values
    values.flags.writeable = False  # so that it is taken as it is
    return ProbabilityMaps(values, first.frame, tuple(names))


def _save_points(folder: Path, value: PointCloud) -> None:
    clash = sorted(set(value.classes) & {*_XYZ, "weight"})
    if clash:
        raise InputError(f"no class may be named {clash[0]!r}", "choose another name")
    classes = dict(zip(value.classes, value.probabilities.T, strict=True))
    write_table(folder / "points.tsv", {**_columns(value.xyz), "weight": value.weight, **classes})
    write_pseudo_atoms(folder / "points.cif", value.xyz, value.weight)
    write_table(folder / "edges.tsv", {"i": value.edges[:, 0], "j": value.edges[:, 1]})


def _load_points(folder: Path) -> PointCloud:
    classes = [name for name in header_of(folder / "points.tsv") if name not in {*_XYZ, "weight"}]
    dtypes = {**_XYZ, "weight": np.float32, **dict.fromkeys(classes, np.float32)}
    points = read_table(folder / "points.tsv", dtypes)
    edges = read_table(folder / "edges.tsv", {"i": np.int32, "j": np.int32})
    probabilities = np.stack([points[name] for name in classes], axis=1) if classes else np.zeros((0, 0), np.float32)
    pairs = np.stack([edges["i"], edges["j"]], axis=1)
    return PointCloud(_positions(points), points["weight"], pairs, probabilities, tuple(classes))


def _save_bonds(folder: Path, value: BondGraph) -> None:
    _save_points(folder, value.points)
    columns = {name: getattr(value, name) for name in _BOND}
    write_table(folder / "bonds.tsv", {"i": value.pairs[:, 0], "j": value.pairs[:, 1], **columns})


def _load_bonds(folder: Path) -> BondGraph:
    bonds = read_table(folder / "bonds.tsv", {"i": np.int32, "j": np.int32, **_BOND})
    pairs = np.stack([bonds["i"], bonds["j"]], axis=1)
    return BondGraph(_load_points(folder), pairs, *(bonds[name] for name in _BOND))


def _save_traces(folder: Path, value: Traces) -> None:
    points = {"fragment": value.fragment, **_columns(value.xyz), "weight": value.weight}
    write_table(folder / "traces.tsv", points)
    write_pseudo_atoms(folder / "traces.cif", value.xyz, value.weight, value.fragment)
    write_table(folder / "fragments.tsv", {"candidate": value.candidate, "score": value.score})


def _load_traces(folder: Path) -> Traces:
    points = read_table(folder / "traces.tsv", {"fragment": np.int32, **_XYZ, "weight": np.float32})
    fragments = read_table(folder / "fragments.tsv", {"candidate": np.int32, "score": np.float64})
    return Traces(_positions(points), points["weight"], points["fragment"], fragments["candidate"], fragments["score"])


def _save_sequences(folder: Path, value: SequenceSet) -> None:
    """The JSON file holds everything; the FASTA file is for other programs."""
    write_sequences(folder / "sequences.fasta", value)
    entries = [{field.name: getattr(sequence, field.name) for field in fields(sequence)} for sequence in value]
    write_json(folder / "sequences.json", {"sequences": entries})


def _load_sequences(folder: Path) -> SequenceSet:
    path = folder / "sequences.json"
    wanted = {"name": str, "letters": str, "molecule": str, "secondary_structure": str, "copies": int}
    sequences = []
    for entry in read_json(path, {"sequences": list})["sequences"]:
        if not isinstance(entry, dict) or set(entry) != set(wanted):
            raise InputError(f"{path}: an entry does not have the members {', '.join(wanted)}", "make the file again")
        if (
            any(not isinstance(entry[name], kind) for name, kind in wanted.items())
            or entry["molecule"] not in ALPHABETS
        ):
            raise InputError(f"{path}: sequence {entry['name']!r} is not well defined", "make the file again")
        sequences.append(Sequence(**entry))
    return SequenceSet(tuple(sequences))


def _save_threading(folder: Path, value: Threading) -> None:
    _save_sequences(folder, value.sequences)
    placed = {"candidate": value.candidate, "chain": value.chain, "residue": value.residue}
    columns = {**placed, **_columns(value.xyz), "confidence": value.confidence, "part": value.part}
    write_table(folder / "threading.tsv", columns)
    write_table(folder / "parts.tsv", {"origin": np.array(value.parts, dtype=np.str_)})
    origin = np.array(value.origin, dtype=np.str_)
    write_table(folder / "candidates.tsv", {"score": value.score, "origin": origin})


def _load_threading(folder: Path) -> Threading:
    indices = {"candidate": np.int32, "chain": np.int32, "residue": np.int32}
    placed = read_table(folder / "threading.tsv", {**indices, **_XYZ, "confidence": np.float32, "part": np.int32})
    candidates = read_table(folder / "candidates.tsv", {"score": np.float64, "origin": np.str_})
    return Threading(
        sequences=_load_sequences(folder),
        candidate=placed["candidate"],
        chain=placed["chain"],
        residue=placed["residue"],
        xyz=_positions(placed),
        confidence=placed["confidence"],
        score=candidates["score"],
        origin=tuple(candidates["origin"].tolist()),
        part=placed["part"],
        parts=tuple(read_table(folder / "parts.tsv", {"origin": np.str_})["origin"].tolist()),
    )


def _save_model(folder: Path, value: Model) -> None:
    write_model(folder / "model.cif", value)


def _load_model(folder: Path) -> Model:
    return read_model(folder / "model.cif")


def _save_models(folder: Path, value: ModelSet) -> None:
    files = [f"{i:03d}.cif" for i in range(len(value))]
    for file, model in zip(files, value.models, strict=True):
        write_model(folder / file, model)
    write_json(folder / "models.json", {"names": list(value.names), "files": files})


def _load_models(folder: Path) -> ModelSet:
    record = read_json(folder / "models.json", {"names": list, "files": list})
    names, files = record["names"], record["files"]
    if len(names) != len(files) or not all(isinstance(text, str) for text in [*names, *files]):
        raise InputError(f"{folder / 'models.json'} does not name one file per model", "make the folder again")
    return ModelSet(tuple(names), tuple(read_model(folder / Path(file).name) for file in files))


TYPES: dict[type, Format] = {
    DensityMap: Format(_save_density, _load_density),
    ProbabilityMaps: Format(_save_probabilities, _load_probabilities),
    PointCloud: Format(_save_points, _load_points),
    BondGraph: Format(_save_bonds, _load_bonds),
    Traces: Format(_save_traces, _load_traces),
    SequenceSet: Format(_save_sequences, _load_sequences),
    Threading: Format(_save_threading, _load_threading),
    Model: Format(_save_model, _load_model),
    ModelSet: Format(_save_models, _load_models),
    Poses: Format(write_pose_table, read_pose_table),
    ScoreTable: Format(write_scores, read_scores),
}
"""How each type is stored."""
