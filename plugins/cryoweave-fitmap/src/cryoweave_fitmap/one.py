"""The fits of one of many structures, kept on disk if so wanted."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.io import store
from cryoweave.io.atomic import atomic_file
from cryoweave.kernels.encode import coarsened
from cryoweave.kernels.fitted import atoms_of, resolution_of
from cryoweave.kernels.fitting import Atoms, curved, points_of
from cryoweave.kernels.places import Ground, ground_of
from cryoweave.kernels.rigid import Points
from cryoweave_fitmap.lattice import SHARE, searched
from cryoweave_fitmap.local import Fits, fitted, measured, random_starts
from cryoweave_fitmap.parts import confident, packed
from cryoweave_fitmap.stages import IdentifyParams

DECISIVE = ("search", "resolution", "coarse", "angle_step", "candidates", "finish", "starts", "metric", "steps")
"""Parameters on which the fits of a structure's part depend, besides the contour."""
VERSION = 1
"""Of what is kept: raise it whenever the same structure gets other fits."""
GRID = 3.0
"""Points of a simulated map for each resolution, along each side."""
WIDER = 1.3
"""A structure whose radius of gyration is larger than the density's by more than this cannot lie within: all in one
place at both ends of a ball is √(5/3)."""


@dataclass(frozen=True, eq=False)
class Asked:
    """The density, made ready for any structure."""

    density: DensityMap
    fine: DensityMap
    """On a third of the resolution, where scores are measured."""
    resolution: float
    contour: float
    ground: Ground | None
    """Of the search on a lattice."""
    gyration: float
    """Radius of gyration of the density above the contour, Å."""
    digest: str


def asked(density: DensityMap, contour: float, params: IdentifyParams) -> Asked:
    """Prepare the map."""
    resolution = resolution_of(params.resolution)
    ground = ground_of(density, resolution, params.coarse, contour) if params.search == "exhaustive" else None
    xyz = density.frame.to_xyz(np.argwhere(density.values > contour))
    gyration = float(np.sqrt(np.mean(np.sum((xyz - xyz.mean(axis=0)) ** 2, axis=1))))
    fine = coarsened(density, resolution / GRID)
    return Asked(density, fine, resolution, contour, ground, gyration, store.digest(density))


def part_of(name: str, model: Model, asked: Asked, params: IdentifyParams) -> tuple[Atoms, int] | str:
    """What of a structure is fitted and its residues, or why nothing is."""
    part = confident(model, params.plddt)
    if not len(part):
        return "no residue is predicted well enough"
    part = packed(part) if params.packed else part
    residues = len(part.trace_atoms())
    if residues < params.least_residues:
        return f"only {residues} residues are left"
    atoms = atoms_of(name, part)
    if atoms.gyration() > WIDER * asked.gyration:
        return f"it is wider ({atoms.gyration():.0f} Å of gyration) than the density ({asked.gyration:.0f} Å)"
    return atoms, residues


def fits_of(atoms: Atoms, at: Asked, params: IdentifyParams, ctx: Context) -> Fits:
    """Distinct fits of a structure, best first by what was climbed, with all scores of each."""
    points = points_of(atoms.density(at.resolution, at.resolution / GRID, at.resolution / GRID))
    if at.ground is None:
        rng = np.random.default_rng(ctx.seed)
        starts = random_starts(at.density, at.contour, atoms.xyz.mean(axis=0), params.starts, rng)
        fits = fitted(at.density, points, starts, params.metric, params.steps, ctx.progress)
    else:
        found = searched(atoms, at.ground, params.angle_step, params.candidates, params.finish, ctx)
        fits = Fits(*found, {})
    inside = measured(fits, at.density, Points(atoms.xyz, np.ones(len(atoms.xyz))), at.contour).measures["inside"]
    fits = measured(fits, at.fine, points, at.contour)
    fits.measures["inside"] = inside
    if at.ground is None:
        ridges = curved(at.fine)
        shape = points_of(curved(atoms.density(at.resolution, at.resolution / GRID, at.resolution / GRID)), SHARE)
        fits.measures["curvature"] = measured(fits, ridges, shape, 0.0).measures["correlation"]
    return fits


def kept_or(folder: Path | None, atoms: Atoms, at: Asked, params: IdentifyParams, ctx: Context) -> Fits:
    """The fits of a structure, from the folder if they lie there already."""
    if folder is None:
        return fits_of(atoms, at, params, ctx)
    path = folder / f"{_key(atoms, at, params, ctx.seed)}.npz"
    found = _read(path)
    if found is None:
        found = fits_of(atoms, at, params, ctx)
        _write(path, found)
    return found


def curvature_of(fits: Fits) -> NDArray[np.float64]:
    """Correlation of the curvatures of each fit: what the exhaustive search climbs."""
    return fits.measures.get("curvature", fits.score)


def _key(atoms: Atoms, at: Asked, params: IdentifyParams, seed: int) -> str:
    chosen = {name: getattr(params, name) for name in DECISIVE}
    text = json.dumps([VERSION, at.digest, at.contour, seed, chosen], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    digest.update(np.ascontiguousarray(atoms.xyz).tobytes())
    digest.update(np.ascontiguousarray(atoms.weight).tobytes())
    return digest.hexdigest()[:24]


def _read(path: Path) -> Fits | None:
    """What is kept, None if there is nothing or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as columns:
            rest = {name: np.array(columns[name]) for name in columns.files}
        return Fits(rest.pop("rotation"), rest.pop("translation"), rest.pop("score"), rest)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def _write(path: Path, fits: Fits) -> None:
    columns: dict[str, NDArray[np.float64]] = {
        "rotation": fits.rotation, "translation": fits.translation, "score": fits.score, **fits.measures
    }  # fmt: skip
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **columns)  # type: ignore[arg-type]


def folder_of(params: IdentifyParams) -> Path | None:
    """Where fits are kept; made if it is not there."""
    if not params.kept:
        return None
    folder = Path(params.kept).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"fits cannot be kept in {folder}: {error}", "name another folder") from error
    return folder


def quiet(ctx: Context, done: int, total: int) -> Context:
    """The same context for the work on one of many: progress counts structures."""
    return replace(ctx, progress=lambda _done, _total: ctx.progress(done, total))


def required(count: int, reasons: dict[str, str]) -> None:
    """Raise StageError if no structure is left."""
    if not count:
        name, reason = next(iter(reasons.items()))
        raise StageError(
            f"none of the {len(reasons)} structures can be fitted; {name!r}: {reason}",
            "give other structures, a lower --contour, or set plddt, packed or least_residues",
        )
