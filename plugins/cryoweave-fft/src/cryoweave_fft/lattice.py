"""What the three searches share: models one after the other, candidates of one search as distinct poses."""

from collections.abc import Callable
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ModelSet, Poses
from cryoweave.host import Context, Params
from cryoweave.kernels.fitted import atoms_of, resolution_of
from cryoweave.kernels.fitting import Atoms, Box, candidates
from cryoweave.kernels.rigid import Candidates
from cryoweave.kernels.rotations import uniform_rotations
from cryoweave.kernels.search import Score, Template, rotational_search

One = Callable[[str, Atoms], Poses]


def check(params: Params, **_inputs: object) -> None:
    """Whether the resolution is given."""
    resolution_of(getattr(params, "resolution", None))


def each(models: ModelSet, one: One) -> Poses:
    """The poses of all models, best first."""
    return Poses.joined([one(name, atoms_of(name, model)) for name, model in models])


def searched(
    box: Box, template: Template, score: Score, angle_step: float, centre: NDArray[np.float64], ctx: Context
) -> tuple[Candidates, NDArray[np.float32]]:
    """All rotations at every place that the box allows: candidates, best first, and the best score of each rotation."""
    rotations = uniform_rotations(angle_step)
    ctx.note("rotations", len(rotations.matrices))
    ctx.note("box", " x ".join(str(n) for n in box.frame.shape_zyx))
    begun = perf_counter()
    found = rotational_search(box.target, template, score, rotations.matrices, ctx.progress, ctx.spread)
    ctx.note("rotations_per_second", round(len(rotations.matrices) / (perf_counter() - begun)))
    return candidates(found, box, rotations.matrices, centre), found.best


def poses_of(name: str, found: Candidates, measures: dict[str, NDArray[np.float64]] | None = None) -> Poses:
    """Candidates of one model as poses."""
    names = np.full(len(found.score), name)
    return Poses(found.rotation, found.translation, found.score, names, measures or {})
