"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files

from cryoweave.data import DensityMap, Metric, Model, ModelSet, Poses
from cryoweave.data.poses import DENSITY_MEASURES
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param


class SearchParams(Params):
    """Parameters of ``fit.search``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    angle_step: float | None = param(
        None, "largest angle between any rotation and one that is tried; by the model's size if not given",
        unit="°", ge=1, le=60,
    )  # fmt: skip
    coarse: float = param(
        10.0, "resolution of the first search, unless that of the map is worse", unit="Å", ge=2, le=60
    )
    contour: float | None = param(
        None, "density above which the model's middle may lie; the mean and one deviation if not given", unit="map"
    )
    candidates: int = param(100, "distinct places of the coarse search that are refined", ge=1, le=5000)
    top: int = param(10, "poses of each model to keep", ge=1, le=1000)
    apart: float | None = param(
        None,
        "poses are distinct if their atoms are farther apart than this; the resolution if not given",
        unit="Å",
        gt=0,
    )


class MeasureParams(Params):
    """Parameters of ``fit.measure``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    contour: float | None = param(
        None, "density above which a point counts as inside; the mean and one deviation if not given", unit="map"
    )


class PlaceParams(Params):
    """Parameters of ``fit.place``."""

    copies: int = param(1, "copies of each model to place", ge=1, le=1000)
    symmetry: str = param("C1", "Cn, Dn, T, O, I1, I2, or H<turn>,<rise>,<copies>: every placed model with its copies")
    clash: float = param(
        0.05, "share of a model's residues whose Cα may lie closer than a bond to those of a placed one", ge=0, le=1,
        source="Wang et al. 2024, doi 10.1038/s41592-024-02479-0: 5 % of the residues",
    )  # fmt: skip


MEASURES = {
    "laplacian": Metric(
        "correlation of the curvatures (Laplacians) of the map and of the model's density at the resolution: "
        "outlines count, not the mass; comparable between methods",
        "",
        True,
    ),
    **DENSITY_MEASURES,
}

STAGES = [
    Stage(
        id="fit.search",
        kind=Kind.FIT,
        summary="place models by the curvature of their density: coarse search of all rotations, then refinement",
        load="cryoweave_fit.search:search",
        cites=("10.1006/jmbi.2002.5438",),  # correlation of the curvatures
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=SearchParams,
        check="cryoweave_fit.search:check",
    ),
    Stage(
        id="fit.measure",
        kind=Kind.FIT,
        summary="every score of every pose, whichever method found it",
        load="cryoweave_fit.measure:measured",
        takes={"density": DensityMap, "models": ModelSet, "poses": Poses},
        gives=Poses,
        params=MeasureParams,
        measures=MEASURES,
        check="cryoweave_fit.search:check",
    ),
    Stage(
        id="fit.place",
        kind=Kind.ASSEMBLE,
        summary="one model of the best poses that do not clash, with copies by symmetry",
        load="cryoweave_fit.place:placed",
        version=2,
        takes={"density": DensityMap, "models": ModelSet, "poses": Poses},
        gives=Model,
        params=PlaceParams,
        check="cryoweave_fit.place:check",
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Search, scores, placing."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The default of ``cryoweave fit``."""
    return [Recipe.from_toml((files("cryoweave_fit") / "recipes" / "fit.toml").read_text("utf-8"), "fit.toml")]
