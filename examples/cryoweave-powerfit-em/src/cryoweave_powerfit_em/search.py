"""PowerFit as a stage: map and model written, the program called, its table of solutions read."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet, Poses
from cryoweave.errors import StageError
from cryoweave.host import CheckResult, Context
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.kernels.fitted import resolution_of
from cryoweave.kernels.grid import require_contrast
from cryoweave_powerfit_em.plugin import MEASURES, PROGRAM, SearchParams

Array = NDArray[np.float64]


def check() -> CheckResult:
    """Whether the program is there."""
    return PROGRAM.check()


def search(density: DensityMap, models: ModelSet, params: SearchParams, ctx: Context) -> Poses:
    """The best poses of each model, one call of the program a model."""
    require_contrast(density)
    resolution = resolution_of(params.resolution)
    target = ctx.scratch.resolve() / "map.mrc"
    write_map(target, density)
    switches = ["-a", params.angle_step, "-p", ctx.threads, "-n", 0, "--delimiter", ","]
    switches += [] if params.laplacian else ["--no-laplace"]
    switches += [] if params.core_weighted else ["--no-core-weighted"]
    switches += [] if params.contour is None else ["--trimming-cutoff", params.contour]
    parts = []
    for number, (name, model) in enumerate(models):
        folder = ctx.scratch.resolve() / f"model_{number}"
        folder.mkdir()
        write_model(folder / "model.cif", model)
        call = [target, resolution, folder / "model.cif", "-d", folder, *switches]
        PROGRAM.call(call, ctx, limit=params.limit)
        parts.append(poses_of(folder / "solutions.out", name, model, params.top))
    return Poses.joined(parts)


def poses_of(table: Path, name: str, model: Model, top: int) -> Poses:
    """The first rows of the program's table: places of the model's mean, and rotations about it."""
    if not table.exists():
        raise StageError("powerfit wrote no table of solutions", "is its version 6 or newer?")
    with table.open(encoding="utf-8") as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(top), strict=False)]
    if not rows:
        raise StageError(f"powerfit found no place for {name}", "lower `contour`, or give another resolution")
    rotation = nearest_rotations(columns(rows, *(f"a{i}{j}" for i in "123" for j in "123")).reshape(-1, 3, 3))
    return Poses(
        rotation=rotation,
        translation=columns(rows, "x", "y", "z") - rotation @ model.xyz.mean(axis=0),
        score=columns(rows, "cc")[:, 0],
        model=np.full(len(rows), name),
        measures=dict(zip(MEASURES, columns(rows, "Fish-z", "rel-z").T, strict=True)),
    )


def columns(rows: list[dict[str, str]], *names: str) -> Array:
    """Numbers of the table, shape ``(rows, names)``."""
    try:
        return np.array([[float(row[name]) for name in names] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise StageError(f"powerfit's table of solutions cannot be read: {error}", "is its version 6?") from error


def nearest_rotations(matrices: Array) -> Array:
    """Rotations from what is left of them after the table's three decimals."""
    left, _, right = np.linalg.svd(matrices)
    return np.asarray(left @ right)
