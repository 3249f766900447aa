"""What the plugin hands over. Nothing here does work, and nothing compiled is loaded."""

from cryoweave.data import DensityMap, PointCloud
from cryoweave.host import Kind, Params, Recipe, Stage, Step, hookimpl, param


class PointsParams(Params):
    """Parameters of ``ridges.points``."""

    threshold: float = param(0.0, "density that a voxel must exceed", unit="map")
    lines: int = param(9, "of the 13 lines through a voxel, those that must have a maximum there", ge=1, le=13)


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stage of this plugin."""
    return [
        Stage(
            id="ridges.points",
            kind=Kind.DETECT,
            summary="voxels that are maxima along most lines through them: the spine of the density",
            load="cryoweave_ridges.points:points",
            takes={"density": DensityMap},
            gives=PointCloud,
            params=PointsParams,
        )
    ]


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipe of this plugin."""
    return [Recipe("ridges", "the spine of a map's density", (Step("ridges.points", "points"),))]
