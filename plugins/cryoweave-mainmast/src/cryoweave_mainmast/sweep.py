"""The published advice as one stage: trace and thread over a grid of parameters, and keep the best of all."""

from itertools import product

from cryoweave.data import DensityMap, PointCloud, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave_mainmast.paths import contours_of, point_clouds
from cryoweave_mainmast.pool import Candidate, pooled, the_sequence
from cryoweave_mainmast.stages import SweepParams, TraceParams
from cryoweave_mainmast.threadca import candidates_of
from cryoweave_mainmast.tree import trace


def sweep(density: DensityMap, sequences: SequenceSet, params: SweepParams, ctx: Context) -> Threading:
    """The pool of the best threadings over all thresholds, Dkeep, Rlocal and Nround; their score chooses."""
    sequence = the_sequence(sequences)
    thresholds = sorted(params.thresholds) or [
        contour for _, contour in contours_of(density, sequences, params.volumes)
    ]
    clouds = point_clouds(density, thresholds, params, ctx)
    grid = [
        (threshold, points, params.trace_params(dkeep, rlocal, nround))
        for threshold, points in zip(thresholds, clouds, strict=True)
        for dkeep, rlocal, nround in product(params.dkeep, params.rlocal, params.nround)
    ]

    def work(task: tuple[float, PointCloud, TraceParams], inner: Context) -> list[Candidate]:
        threshold, points, tracing = task
        prefix = f"threshold {threshold:.4g}, Dkeep {tracing.dkeep:g}, Rlocal {tracing.rlocal:g}, "
        try:
            traces = trace(density, points, tracing, inner)
        except StageError as error:
            ctx.log.info("%s%s", prefix, error)
            return []
        return candidates_of(traces, sequence, params, inner, f"{prefix}Nround {tracing.nround}, ")

    found = [candidate for candidates in ctx.over(work, grid) for candidate in candidates]
    ctx.note("thresholds", ", ".join(f"{threshold:.4g}" for threshold in thresholds))
    ctx.note("combinations", len(grid))
    ctx.note("threadings tried", len(found))
    if not found:
        raise StageError(
            f"none of {len(grid)} combinations gives a path with a node for each of the {len(sequence)} residues",
            "give lower --set sweep.thresholds, or trace with gaps and all components: recipe mainmast-plus",
        )
    return pooled(sequences, found, params.pool, ctx)
