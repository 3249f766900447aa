"""What the plugin hands over. Nothing here does work: each record names its function."""

from importlib.resources import files

from cryoweave.data import DensityMap, Metric, ModelSet, Poses
from cryoweave.host import Check, Kind, Params, Program, Recipe, Stage, hookimpl, param

PROGRAM = Program("powerfit", "pip install powerfit-em", version=("--version",))


class SearchParams(Params):
    """Parameters of ``powerfit_em.search``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    angle_step: float = param(10.0, "largest angle between rotations that are tried", unit="°", ge=2, le=90)
    laplacian: bool = param(True, "compare Laplacians instead of densities")
    core_weighted: bool = param(True, "the model's core counts more than its rim")
    contour: float | None = param(
        None, "the map's rim is cut off where it is below; a tenth of the maximum if not given", unit="map"
    )
    top: int = param(10, "poses of each model to keep", ge=1, le=1000)
    limit: float = param(3600.0, "time that the program may take for one model", unit="s", gt=0, le=864000)


MEASURES = {
    "fisher_z": Metric("Fisher's z of the local correlation", "", True),
    "relative_z": Metric("Fisher's z over its expected deviation, by the model's volume and the resolution", "σ", True),
}
STAGES = [
    Stage(
        id="powerfit_em.search",
        kind=Kind.FIT,
        summary="models placed by the program PowerFit: local correlation over all rotations and places",
        load="cryoweave_powerfit_em.search:search",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=SearchParams,
        needs=("powerfit-em",),
        cites=("10.1093/bioinformatics/btv584",),
        measures=MEASURES,
    )
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stage of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipe of this plugin."""
    return [Recipe.from_toml((files("cryoweave_powerfit_em") / "recipe.toml").read_text("utf-8"), "recipe.toml")]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """Whether the program is there; `cryoweave plugins doctor` asks."""
    return [Check("powerfit-em", "the program powerfit", "cryoweave_powerfit_em.search:check")]
