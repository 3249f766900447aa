"""What a run starts from: files or values, read, typed and with their digests."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.data import Model, ModelSet, Sequence, SequenceSet
from cryoweave.errors import PluginError, UsageError
from cryoweave.host.records import Recipe, load_object
from cryoweave.pipeline.chain import load_recipe, near
from cryoweave.pipeline.wiring import TYPES

STRUCTURE = "secondary_structure"


@dataclass(frozen=True, eq=False)
class RunInput:
    """One input of a run.

    Parameters
    ----------
    value
        The value itself, e.g. a ``DensityMap``.
    digest
        Digest of the value: what cache keys are made of.
    paths
        The files it was read from; empty if it was given as a value.
    roles
        Of sequences, what each file holds: a molecule, or the secondary structure.
    """

    value: Any
    digest: str
    paths: tuple[Path, ...] = ()
    roles: tuple[str, ...] = ()

    def entry(self) -> dict[str, Any]:
        """Its entry in ``record.json``: absolute path and SHA-256 of the file; more files under ``more``."""
        first, *more = ({"path": str(path.absolute()), "sha256": file_digest(path)} for path in self.paths)
        return {**first, "content": self.content(), **({"more": more} if more else {})}

    def content(self) -> str:
        """Digest that tells one problem from another: sequences count without their secondary structure."""
        from cryoweave.io import store

        if not isinstance(self.value, SequenceSet):
            return self.digest
        return store.digest(SequenceSet(tuple(replace(one, secondary_structure="") for one in self.value)))

    def on_disk(self, name: str, folder: Path) -> "RunInput":
        """The same with a file: a value that came without one is written into the folder ``inputs`` of the run."""
        if self.paths:
            return self
        files = _write(name, self.value, folder / "inputs")
        return replace(self, paths=tuple(files.values()), roles=tuple(files) if name == "sequences" else ())

    def files(self) -> list[str] | dict[str, str]:
        """Absolute paths for ``run.toml``: those of sequences by what they hold."""
        paths = [str(path.absolute()) for path in self.paths]
        return dict(zip(self.roles, paths, strict=True)) if self.roles else paths


def input_types(inputs: Mapping[str, Any]) -> dict[str, type]:
    """The type of each input by its name, without reading anything; inputs that are ``None`` are not given.

    Raises
    ------
    UsageError
        If a name is neither one of the run's inputs nor a file format's id.
    """
    types = {}
    for name, value in inputs.items():
        if value is None:
            continue
        if name in TYPES:
            types[name] = TYPES[name]
        elif name in host.registry().formats:
            types[name] = host.registry().format(name).gives
        else:
            known = [*TYPES, *host.registry().formats]
            raise UsageError(f"a run takes no input {name!r}", near(name, known))
    return types


def load_inputs(inputs: Mapping[str, Any], secondary_structure: str | Path | None = None) -> dict[str, RunInput]:
    """Read the inputs that are paths, check the type of those that are values.

    Parameters
    ----------
    inputs
        By name: ``density``, ``sequences``, ``model``, ``models``, ``reference``, or the id of a file format. A path, a
        value of the right type or None; for ``sequences`` also a mapping of ``protein``, ``rna`` and ``dna`` to paths,
        for ``models`` a list of paths or models.
    secondary_structure
        File with the secondary structure of the protein's sequences.

    Raises
    ------
    InputError
        If a file cannot be read.
    UsageError
        If a name is unknown or a value has the wrong type.
    """
    from cryoweave.io import store

    if secondary_structure is not None and not isinstance(inputs.get("sequences"), str | Path | Mapping):
        raise UsageError(
            "a secondary structure needs the sequences' file that it belongs to", "give --sequence FILE as well"
        )
    loaded = {}
    for name, wanted in input_types(inputs).items():
        given = inputs[name]
        if name == "sequences":
            value, files = _sequences(given, secondary_structure)
            paths, roles = tuple(files.values()), tuple(files)
        else:
            (value, paths), roles = _value(name, given), ()
        if not isinstance(value, wanted):
            origin = PluginError if name not in TYPES and paths else UsageError
            raise origin(f"input {name} is a {type(value).__name__}, wanted a {wanted.__name__} or a path")
        loaded[name] = RunInput(value, store.digest(value), paths, roles)
    return loaded


def _value(name: str, given: Any) -> tuple[Any, tuple[Path, ...]]:
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model

    if name == "models" and not isinstance(given, ModelSet):
        return _models(given)
    if not isinstance(given, str | Path):
        return given, ()
    path = Path(given)
    if name == "density":
        return read_map(path), (path,)
    if name in TYPES:
        return read_model(path), (path,)
    return load_object(host.registry().format(name).load)(path), (path,)


def _models(given: Any) -> tuple[Any, tuple[Path, ...]]:
    """Models by the names of their files; the paths only if all are files."""
    from cryoweave.io.models import model_name, read_model

    listed = [given] if isinstance(given, str | Path | Model) else list(given)
    names, models, paths = [], [], []
    for one in listed:
        if isinstance(one, str | Path):
            paths.append(Path(one))
            names.append(model_name(one))
            models.append(read_model(Path(one)))
        else:
            names.append("model")
            models.append(one)
    return ModelSet.named(names, models), tuple(paths) if len(paths) == len(listed) else ()


def model_inputs(recipe: Recipe | str | Path, given: Any) -> dict[str, Any]:
    """One or several models as the input that the recipe takes: ``models`` if a stage wants several, else ``model``.

    Raises
    ------
    UsageError
        If there are several, and no stage takes more than one.
    """
    if given is None or (isinstance(given, list | tuple) and not given):
        return {}
    stages = [host.registry().stage(step.stage) for step in load_recipe(recipe).steps]
    if any(wanted is ModelSet for stage in stages for wanted in stage.takes.values()):
        return {"models": given}
    if isinstance(given, list | tuple):
        if len(given) > 1:
            raise UsageError(f"{len(given)} models are given, and no step of the recipe takes more than one")
        given = given[0]
    return {"model": given}


def _sequences(given: Any, secondary_structure: str | Path | None) -> tuple[Any, dict[str, Path]]:
    from cryoweave.io.sequences import read_sequences

    if isinstance(given, str | Path):
        given = {"protein": given}
    if not isinstance(given, Mapping):
        return given, {}
    read: list[Sequence] = []
    files: dict[str, Path] = {}
    for molecule, path in given.items():
        structure = secondary_structure if molecule == "protein" else None
        read.extend(read_sequences(path, molecule=molecule, secondary_structure=structure))
        files[molecule] = Path(path)
    if secondary_structure is not None:
        files[STRUCTURE] = Path(secondary_structure)
    return SequenceSet(tuple(read)), files


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write(name: str, value: Any, folder: Path) -> dict[str, Path]:
    """Write a value; its files by what they hold."""
    from cryoweave.io.maps import write_map
    from cryoweave.io.model_writing import write_model

    folder.mkdir(exist_ok=True)
    if name == "density":
        path = folder / "density.mrc"
        write_map(path, value)
    elif name == "sequences":
        return _write_sequences(value, folder)
    elif name == "models":
        return _write_models(value, folder)
    elif name in TYPES:
        path = folder / f"{name}.cif"
        write_model(path, value)
    else:
        raise UsageError(f"--given {name} wants a path, not a value")
    return {name: path}


def _write_models(models: ModelSet, folder: Path) -> dict[str, Path]:
    from cryoweave.io.model_writing import write_model

    files = {}
    for i, (name, model) in enumerate(models, 1):
        letters = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)[:40]
        files[name] = folder / f"{letters}_{i}.cif"
        write_model(files[name], model)
    return files


def _write_sequences(sequences: SequenceSet, folder: Path) -> dict[str, Path]:
    """A FASTA file for each molecule, and one with the secondary structure of the proteins, if there is any."""
    from cryoweave.io.atomic import atomic_file
    from cryoweave.io.sequences import write_sequences

    files: dict[str, Path] = {}
    for molecule in dict.fromkeys(sequence.molecule for sequence in sequences):
        files[molecule] = folder / f"{molecule}.fasta"
        write_sequences(files[molecule], SequenceSet(tuple(one for one in sequences if one.molecule == molecule)))
    known = [one for one in sequences if one.molecule == "protein" and one.secondary_structure]
    if known:
        files[STRUCTURE] = folder / f"{STRUCTURE}.fasta"
        with atomic_file(files[STRUCTURE]) as temporary:
            text = "".join(f">{one.name}\n{one.secondary_structure}\n" for one in known)
            temporary.write_text(text, encoding="utf-8")
    return files
