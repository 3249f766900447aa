"""One model of the best poses."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Model, ModelSet, Poses
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.data.poses import ENOUGH, SURE
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.graph import nearest
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.symmetry import Symmetry, check_symmetry, symmetry_of
from cryoweave_fit.stages import PlaceParams

CLOSE = 3.0
"""Å between Cα (or P) of two models that count as a clash."""
WEAK = 0.5
"""Share of the density at the pose itself below which a copy by symmetry is off the map, or the symmetry wrong."""


def check(params: PlaceParams, **_inputs: object) -> None:
    """Whether there is such a symmetry."""
    check_symmetry(params.symmetry)


def placed(density: DensityMap, models: ModelSet, poses: Poses, params: PlaceParams, ctx: Context) -> Model:
    """The best poses one after the other, as long as they do not clash, until every model has its copies."""
    if not len(poses):
        raise StageError("there is no pose", "see what the search before it gave")
    group = symmetry_of(params.symmetry, density.frame)
    left = dict.fromkeys(models.names, params.copies)
    parts: list[Model] = []
    chosen: list[int] = []
    there = np.zeros((0, 3))
    for at in range(len(poses)):
        name = str(poses.model[at])
        if left[name] <= 0:
            continue
        model = models.of(name)
        copies, weak = _with_copies(density, replace(model, xyz=poses.moved(model.xyz, at)), group)
        traces = [copy.residue_xyz() for copy in copies]
        if _clashes(traces, there, params.clash):
            continue
        if weak:
            ctx.log.warning(
                "%d of %d copies of %s by the symmetry %s have little density: fewer copies, or is its axis elsewhere?",
                *(weak, len(copies), name, params.symmetry),
            )
        chosen.append(at)
        parts += copies
        there = np.concatenate([there, *traces])
        left[name] -= len(copies)
        ctx.note(f"placed {name} {len(parts)}", f"pose {at + 1}")
    if not parts:
        raise StageError(
            f"every pose clashes with its own copies by the symmetry {params.symmetry}",
            "is it the map's, and its axis in the middle of the box? Leave symmetry out, or raise clash",
        )
    _tell(poses, chosen, left, params.copies, ctx)
    return joined_models(with_own_chains(parts))


def _tell(poses: Poses, chosen: list[int], left: dict[str, int], copies: int, ctx: Context) -> None:
    """What is missing, and what is doubtful."""
    for name, missing in left.items():
        if missing > 0:
            ctx.log.warning(
                "%d of %d copies of %s found no place without a clash among its %d poses (more: --top)",
                *(missing, copies, name, int(np.sum(poses.model == name))),
            )
    sure = poses.measures.get(SURE)
    if sure is not None and (doubtful := int(np.sum(sure[chosen] < ENOUGH))):
        ctx.log.warning("%d of the %d poses that were placed are not significant: see `sure`", doubtful, len(chosen))


def _with_copies(density: DensityMap, model: Model, group: Symmetry) -> tuple[list[Model], int]:
    """A placed model and its copies, and how many of them have far less density than it.

    A helix goes on both ways: of it the copies are taken that stand in a row and have most density.
    """
    copies = [replace(model, xyz=xyz) for xyz in group.both_ways().copies(model.xyz)]
    means = [float(interpolate(density.values, density.frame, copy.residue_xyz()).mean()) for copy in copies]
    count = len(group)
    before = min(len(copies) - count, count - 1)
    rows = [[*range(count - i), *range(count, count + i)] for i in range(before + 1)]
    row = max(rows, key=lambda row: sum(means[i] for i in row))
    return [copies[i] for i in row], sum(means[i] < WEAK * means[0] for i in row)


def _clashes(traces: list[NDArray[np.float64]], there: NDArray[np.float64], most: float) -> bool:
    """Whether too many residues of a part are close to what stands, or to the other parts."""
    for i, trace in enumerate(traces):
        others = np.concatenate([there, *traces[:i]])
        if len(others):
            _, distance = nearest(others, trace, 1)
            if np.mean(distance < CLOSE) > most:
                return True
    return False
