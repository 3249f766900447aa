"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files

from cryoweave.data import DensityMap, Metric, ModelSet, Poses
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DOI = "10.1529/biophysj.108.137125"
GAUSSIAN_INPUT_DOI = "10.1016/j.jsb.2018.03.002"
SOURCE = "Kawabata 2008, doi 10.1529/biophysj.108.137125"


class FitParams(Params):
    """Parameters of ``gmfit.fit``."""

    threshold: float | None = param(
        None,
        "contour: density at or below it counts as none; if absent the lower of two, mean + 2 σ and the one that "
        "leaves the models' volume (1.21 Å³/Da)",
        unit="map",
    )
    copies: int = param(1, "copies of each model that are fitted at once and pushed off each other", ge=1, le=60)
    cyclic: bool = param(False, "the copies lie around one axis, which is found too", source=SOURCE)
    together: bool = param(False, "different models are fitted at once too and pushed off each other", source=SOURCE)
    components: int = param(40, "Gaussians for each model", ge=1, le=1000)
    map_components: int | None = param(
        None, "Gaussians for the map; if absent as many for its volume as the models have for theirs", ge=1, le=4000
    )
    resolution: float = param(
        0.0, "blur of the models' atoms by a Gaussian of σ = 0.225 of it; 0 for none", unit="Å", ge=0, le=60
    )
    background: float = param(
        0.0,
        "σ of the blur that is taken off map and models: they match by what stands out; 0 for none, as published",
        unit="Å",
        ge=0,
        le=200,
    )
    coarse: float = param(
        0.0,
        "σ of the blur that is taken off in a first descent, whose best ends go on with `background`; 0 for no first "
        "descent; not for several models at once",
        unit="Å",
        ge=0,
        le=200,
    )
    finish: int = param(300, "ends of the first descent that go on", ge=1, le=1_000_000)
    starts: int = param(1000, "random placements, or configurations, to start from", ge=1, le=1_000_000)
    steps: int = param(200, "of each descent, at most", ge=1, le=10_000)
    top: int = param(10, "poses to give for each model, or configurations in all", ge=1, le=10_000)
    apart: float = param(3.0, "poses within this RMSD of a better one are left out", unit="Å", ge=0, le=100)


MEASURES = {
    "configuration": Metric("poses of one configuration were placed together"),
    "own_correlation": Metric("correlation of this copy alone with the map", "", True),
    "clash": Metric("overlap of the models of one configuration, over that of each with itself", "", False),
}

STAGES = [
    Stage(
        id="gmfit.fit",
        kind=Kind.FIT,
        summary="models placed by the overlap of Gaussian mixtures from many random starts, alone or several at once",
        load="cryoweave_gmfit.fit:fit",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=FitParams,
        measures=MEASURES,
        cites=(DOI, GAUSSIAN_INPUT_DOI),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The fit."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """As published, and ours."""
    folder = files("cryoweave_gmfit") / "recipes"
    names = ("gmfit.toml", "gmfit-plus.toml")
    return [Recipe.from_toml((folder / name).read_text("utf-8"), name) for name in names]
