"""The stage that makes bonds."""

from cryoweave.data import BondGraph, DensityMap, PointCloud, ProbabilityMaps
from cryoweave.errors import StageError, UsageError
from cryoweave.host import Context
from cryoweave.kernels.bonds import bond_graph
from cryoweave_tracing.stages import BondsParams


def check(params: BondsParams, **_inputs: object) -> None:
    """Whether the window is one."""
    if params.shortest >= params.longest:
        raise UsageError(
            f"no bond is from {params.shortest:g} to {params.longest:g} Å long", "set shortest below longest"
        )


def bonds(
    points: PointCloud, density: DensityMap | None, maps: ProbabilityMaps | None, params: BondsParams, ctx: Context
) -> BondGraph:
    """All bonds in the window of lengths; probabilities count rather than density where there are both."""
    check(params)
    if not len(points):
        raise StageError("there are no points to bond", "lower the detector's threshold, or look at the map")
    found = bond_graph(
        points,
        density,
        maps,
        shortest=params.shortest,
        longest=params.longest,
        samples=params.samples,
        progress=ctx.progress,
    )
    if not len(found):
        raise StageError(
            f"no two of the {len(points)} points are {params.shortest:g} to {params.longest:g} Å apart",
            "take a longer `longest`, or look at the points",
        )
    ctx.note("bonds", len(found))
    ctx.note("bonds of a point", round(2 * len(found) / len(points), 1))
    return found
