"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from typing import Literal

from cryoweave.data import DensityMap, Metric, ModelSet, Poses
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

COLORES = "10.1006/jmbi.2002.5438"
POWERFIT = "10.3934/biophy.2015.2.73"
VESPER = "10.1038/s41467-021-22401-y"


class ColoresParams(Params):
    """Parameters of ``situs.colores``."""

    resolution: float | None = param(None, "resolution of the map (-res); must be given", unit="Å", ge=2, le=60)
    angle_step: float = param(
        30.0, "largest angle between any rotation and one that is tried (-deg)", unit="°", ge=1, le=60, source=COLORES
    )
    contour: float = param(0.0, "density at or below it is cut off (-cutoff)", unit="map", source=COLORES)
    voxel: float | None = param(None, "voxels of the search; those of the map if not given", unit="Å", gt=0.2, le=20)
    explored: int = param(10, "best distinct poses that are refined (-explor)", ge=1, le=5000, source=COLORES)
    top: int = param(10, "poses of each model to keep", ge=1, le=1000)


class PowerFitParams(Params):
    """Parameters of ``powerfit.search``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    angle_step: float = param(
        10.0, "largest angle between any rotation and one that is tried (-a)", unit="°", ge=1, le=60, source=POWERFIT
    )
    sampling: float = param(
        4.0, "voxels for each resolution: finer maps are made coarser (-rr, twice)", ge=1.5, le=10, source=POWERFIT
    )
    laplacian: bool = param(True, "compare Laplacians, not densities (-l)", source=POWERFIT)
    core_weighted: bool = param(True, "count the model's core more than its surface (-cw)", source=POWERFIT)
    mask_radius: float = param(5.0, "the mask reaches so far from atoms", unit="Å", gt=0, le=20, source=POWERFIT)
    trim: float = param(
        0.1, "share of the maximum below which the map's rim is cut off (-tc)", ge=0, lt=1, source=POWERFIT
    )
    top: int = param(10, "poses of each model to keep (-n)", ge=1, le=1000, source=POWERFIT)


class VesperParams(Params):
    """Parameters of ``vesper.search``."""

    resolution: float | None = param(None, "at which the model's map is made; must be given", unit="Å", ge=2, le=60)
    mode: Literal["vectors", "correlation", "overlap"] = param(
        "vectors", "what is compared: unit vectors, densities, or where there is density (-M V, C, O)", source=VESPER
    )
    voxel: float = param(7.0, "grid (-s)", unit="Å", ge=1, le=20, source=VESPER)
    bandwidth: float = param(16.0, "of the density's average (-g)", unit="Å", gt=0, le=60, source=VESPER)
    angle_step: float = param(
        30.0, "largest angle between any rotation and one that is tried (-A)", unit="°", ge=1, le=60, source=VESPER
    )
    contour: float = param(0.0, "density of the map at or below it counts as none (-t)", unit="map", source=VESPER)
    top: int = param(
        10, "best rotations that are refined within 5° (-N), and poses to keep", ge=1, le=1000, source=VESPER
    )


def _stage(name: str, load: str, summary: str, params: type[Params], doi: str, **measures: Metric) -> Stage:
    return Stage(
        id=name,
        kind=Kind.FIT,
        summary=summary,
        load=f"cryoweave_fft.{load}:search",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=params,
        cites=(doi,),
        check="cryoweave_fft.lattice:check",
        measures=measures,
    )


STAGES = [
    _stage(
        "situs.colores",
        "colores",
        "Situs' colores: correlation of Laplacians over all rotations and places, the best refined",
        ColoresParams,
        COLORES,
    ),
    _stage(
        "powerfit.search",
        "powerfit",
        "PowerFit: core-weighted local correlation of Laplacians over all rotations and places",
        PowerFitParams,
        POWERFIT,
        fisher_z=Metric("Fisher's z of the score", "", True),
    ),
    _stage(
        "vesper.search",
        "vesper",
        "VESPER: products of unit vectors that point to density, over all rotations and places",
        VesperParams,
        VESPER,
        per_vector=Metric("score for each of the model's vectors", "", True),
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Three searches."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """Each search, all scores, the best poses as a model."""
    folder = files("cryoweave_fft") / "recipes"
    names = ("colores.toml", "powerfit.toml", "vesper.toml")
    return [Recipe.from_toml((folder / name).read_text("utf-8"), name) for name in names]
