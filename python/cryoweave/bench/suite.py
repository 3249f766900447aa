"""A sheet made from one of our suites: maps of a data folder, simulated ones, models turned at random."""

import tomllib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict

from cryoweave.data import DensityMap, Model
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.data.residues import letter_of
from cryoweave.errors import InputError, UsageError
from cryoweave.kernels.rotations import random_rotations

SHEET = "sheet.toml"
_STRICT = ConfigDict(frozen=True, extra="forbid")


class Simulated(BaseModel):
    """How maps of models are made: at each resolution, with each set of the simulator's parameters."""

    model_config = _STRICT
    resolutions: tuple[float, ...]
    fast: tuple[float, ...]
    variants: dict[str, dict[str, float]]


class Entry(BaseModel):
    """One structure of a suite; paths are relative to the data folder."""

    model_config = _STRICT
    name: str
    map: str = ""
    reference: str = ""
    chain: Literal["longest", "all"] = "longest"
    models: tuple[str, ...] = ()
    assembled: bool = False
    """The models lie in their places in the map: all of them are the reference."""
    first_voxel: bool = False
    """The reference counts from the first voxel of the map, whatever the map's origin."""
    resolution: float | None = None
    symmetry: str = ""
    reference_symmetry: str = ""
    note: str = ""
    seen: bool = False
    """Weights saw it in training."""
    solvent: bool = False
    """Also with solvent and noise added."""
    fast: bool = False
    """Part of the subset that takes minutes."""


class Suite(BaseModel):
    """A suite: structures, and how maps are made of those that have none."""

    model_config = _STRICT
    summary: str
    trained_on: tuple[str, ...] = ()
    simulated: Simulated | None = None
    entry: tuple[Entry, ...]


def suites() -> dict[str, Suite]:
    """All suites by name."""
    folder = resources.files("cryoweave.bench.suites")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
    return {
        file.name.removesuffix(".toml"): Suite.model_validate(tomllib.loads(file.read_text("utf-8"))) for file in files
    }


def write_suite(name: str, data: Path, folder: Path, *, fast: bool = False) -> Iterator[str]:
    """Write the files of a suite and its ``sheet.toml``, which comes last.

    Parameters
    ----------
    name
        Of the suite.
    data
        Folder with the maps and structures that it names.
    folder
        Made if need be.
    fast
        Only the subset that takes minutes.

    Yields
    ------
    Name of each target when its files are there.

    Raises
    ------
    UsageError
        If there is no such suite.
    InputError
        If a file of it is missing or cannot be read, or nothing can be written.
    """
    found = suites()
    if name not in found:
        raise UsageError(f"there is no suite {name!r}", f"there are: {', '.join(found)}")
    suite = found[name]
    entries = [entry for entry in suite.entry if entry.fast or not fast]
    for file in (file for entry in entries for file in (entry.map, entry.reference, *entry.models) if file):
        if not (data / file).is_file():
            raise InputError(
                f"{data / file} is not there", f"give the folder that holds it, and all of the suite {name}"
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {folder}: {error.strerror}", "choose another with -o") from error
    rows: list[dict[str, Any]] = []
    for entry in entries:
        for row in _rows(suite, entry, data.absolute(), folder, fast):
            rows.append(row)
            yield row["name"]
    _write_sheet(folder / SHEET, rows)


def _write_sheet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    from cryoweave.io.atomic import atomic_file

    with atomic_file(path) as temporary:
        temporary.write_text(tomli_w.dumps({"target": rows}), encoding="utf-8")


def _rows(suite: Suite, entry: Entry, data: Path, folder: Path, fast: bool) -> Iterator[dict[str, Any]]:
    """The targets of a structure, with their files written."""
    from cryoweave.io.maps import read_map, write_map
    from cryoweave.pipeline.execute import run_stage

    row = {"name": entry.name, **_files(entry, data, folder)}
    row |= {name: text for name in ("note", "symmetry", "reference_symmetry") if (text := getattr(entry, name))}
    row |= {"trained_on": list(suite.trained_on)} if entry.seen else {}
    if entry.map:
        row |= {"map": str(data / entry.map), "resolution": entry.resolution}
        yield row
        if entry.solvent and not fast:
            name = f"{entry.name}-solvent"
            write_map(folder / f"{name}.mrc", run_stage("map.solvent", density=read_map(data / entry.map)))
            yield row | {"name": name, "map": f"{name}.mrc", "note": "the same with solvent and noise"}
    elif suite.simulated is not None:
        model = _reference(entry, data)
        for resolution in suite.simulated.fast if fast else suite.simulated.resolutions:
            for variant, params in suite.simulated.variants.items():
                name = f"{entry.name}-{resolution:g}-{variant}"
                write_map(folder / f"{name}.mrc", _simulated(model, resolution, params, name))
                note = f"simulated, {', '.join(f'{key} {value:g}' for key, value in params.items())}"
                yield row | {"name": name, "map": f"{name}.mrc", "resolution": resolution, "note": note}


def _simulated(model: Model, resolution: float, params: Mapping[str, float], name: str) -> DensityMap:
    from cryoweave.pipeline.execute import run_stage

    given = {"resolution": resolution, "voxel": min(3.0, max(1.0, resolution / 4)), "margin": 15.0, **params}
    found: DensityMap = run_stage("model.simulate", model=model, params=given, seed=_seed(name))
    return found


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _files(entry: Entry, data: Path, folder: Path) -> dict[str, Any]:
    """Reference, sequences and turned models of a structure, written."""
    from cryoweave.io.model_writing import write_model
    from cryoweave.io.models import read_model

    reference = _reference(entry, data)
    write_model(folder / f"{entry.name}.cif", reference)
    row: dict[str, Any] = {"reference": f"{entry.name}.cif"}
    if letters := fasta_of(reference):
        (folder / f"{entry.name}.fasta").write_text(letters, encoding="utf-8")
        row["sequence"] = f"{entry.name}.fasta"
    names = []
    for number, file in enumerate(entry.models, start=1):
        names.append(f"{entry.name}-model-{number}.cif")
        write_model(folder / names[-1], moved(read_model(data / file), _seed(names[-1])))
    return row | ({"models": names} if names else {})


def _reference(entry: Entry, data: Path) -> Model:
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model

    if entry.assembled:
        return joined_models(with_own_chains(read_model(data / file) for file in entry.models))
    model = read_model(data / entry.reference)
    if entry.first_voxel:
        model = replace(model, xyz=model.xyz + np.array(read_map(data / entry.map).frame.origin_xyz))
    return model if entry.chain == "all" else longest_chain(model)


def longest_chain(model: Model) -> Model:
    """The chain of most residues; of equal ones the first."""
    names = model.trace_atoms().chain.tolist()
    return model.select(model.chain == max(dict.fromkeys(names), key=names.count))


def fasta_of(model: Model) -> str:
    """The proteins of a model as FASTA; chains of one sequence in one entry. Empty if there are none."""
    trace = model.trace_atoms()
    trace = trace.select(trace.atom_name == "CA")
    chains: dict[str, list[str]] = {}
    for chain in dict.fromkeys(trace.chain.tolist()):
        letters = "".join(letter_of(name) for name in trace.residue_name[trace.chain == chain].tolist())
        chains.setdefault(letters, []).append(str(chain))
    return "".join(f">{names[0]}|Chains {', '.join(names)}|\n{letters}\n" for letters, names in chains.items())


def moved(model: Model, seed: int) -> Model:
    """A model turned at random, its middle at 0: nothing of its place is left."""
    return replace(model, xyz=(model.xyz - model.xyz.mean(axis=0)) @ random_rotations(1, seed)[0].T)
