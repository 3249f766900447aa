"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from typing import Literal

from cryoweave.data import DensityMap, Metric, ModelSet, Poses
from cryoweave.data.poses import DENSITY_MEASURES
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

CHIMERA = "10.1002/pro.3943"
"""ChimeraX; fitmap has no paper of its own."""
CHIMERA_FIRST = "10.1016/j.jsb.2006.06.010"
"""Goddard, Huang & Ferrin 2007: fitting in UCSF Chimera."""
DOMAINFIT = "10.1016/j.str.2024.04.017"
FDRTOOL = "10.1186/1471-2105-9-303"
AS_PROGRAM = "ChimeraX, fitmap command"


class SearchParams(Params):
    """Parameters of ``fitmap.search``."""

    resolution: float | None = param(
        None, "of the map the model is simulated as; must be given unless points = atoms", unit="Å", ge=2, le=60
    )
    points: Literal["map", "atoms"] = param(
        "map", "what is placed: the grid points of the model's simulated map with their values, or its atoms alike",
        source=AS_PROGRAM,
    )  # fmt: skip
    metric: Literal["overlap", "correlation", "about_mean"] = param(
        "overlap", "what a placement climbs", source=AS_PROGRAM
    )
    field: Literal["density", "curvature"] = param(
        "density", "climb the densities as published, or their curvatures (minus the Laplacian), which agree only "
        "where ridges lie on ridges",
    )  # fmt: skip
    coarse: float | None = param(
        None, "resolution of a first climb by overlap of curvatures, whose ends go on; none if not given, as published",
        unit="Å", ge=2, le=60,
    )  # fmt: skip
    finish: int = param(200, "ends of the first climb that go on", ge=1, le=1_000_000)
    starts: int = param(
        200, "random placements of each model", ge=1, le=1_000_000, source="Gao et al. 2024: search 200"
    )
    steps: int = param(200, "of each climb, at most", ge=1, le=2000)
    contour: float | None = param(
        None, "density that counts as molecule; the mean and one deviation if not given", unit="map"
    )
    model_contour: float = param(0.05, "share of the simulated map's maximum from which its points count", ge=0, le=0.9)
    least_inside: float = param(
        0.1, "share of the atoms that must lie above the contour", ge=0, le=1, source=AS_PROGRAM
    )
    top: int = param(10, "fits of each model to keep", ge=1, le=10_000)


class IdentifyParams(Params):
    """Parameters of ``domainfit.identify``."""

    resolution: float | None = param(None, "resolution of the map; must be given", unit="Å", ge=2, le=60)
    search: Literal["exhaustive", "random"] = param(
        "exhaustive", "places by the curvature in all rotations, or from random placements as published"
    )
    contour: float | None = param(
        None, "density that counts as molecule; the mean and one deviation if not given", unit="map"
    )
    plddt: float = param(
        70.0, "residues predicted with less confidence are left out, 0 for none", ge=0, le=100,
        source="AlphaFold database: below 70 is low",
    )  # fmt: skip
    packed: bool = param(True, "only the largest part whose residues pack against each other is fitted")
    least_residues: int = param(
        60, "structures with fewer are left out: a pair of helices fits anywhere", ge=1, le=10_000,
        source="ours; Gao et al. 2024 keep domains of 40 to 1000",
    )  # fmt: skip
    rank_by: Literal["curvature", "about_mean"] = param(
        "curvature", "correlation that tells structures apart: of the curvatures, or of the densities about their "
        "means as published",
    )  # fmt: skip
    coarse: float = param(
        10.0, "exhaustive: resolution of the first search, unless the map's is worse", unit="Å", ge=2, le=60
    )
    angle_step: float | None = param(
        None, "exhaustive: largest angle between rotations; by the size if not given", unit="°", ge=1, le=60
    )
    candidates: int = param(60, "exhaustive: distinct places that are refined", ge=2, le=5000)
    finish: int = param(40, "exhaustive: of these, how many at the map's resolution", ge=2, le=5000)
    starts: int = param(200, "random: placements of each structure", ge=2, le=1_000_000, source="Gao et al. 2024")
    metric: Literal["overlap", "correlation", "about_mean"] = param(
        "overlap", "random: what a placement climbs", source=AS_PROGRAM
    )
    steps: int = param(200, "random: of each climb, at most", ge=1, le=2000)
    null_share: float = param(
        0.95, "share of a structure's fits, the least, taken for chance", ge=0.5, le=1, source="Gao et al. 2024"
    )
    top: int = param(1, "fits of each structure to give", ge=1, le=1000)
    kept: str = param(
        "", "folder in which the fits of each structure are kept, so that a run that was interrupted goes on there; "
        "none if empty",
    )  # fmt: skip


MEASURES = {
    **DENSITY_MEASURES,
    "hits": Metric("how many starts led to this place", "", True),
}
IDENTIFIED = {
    **MEASURES,
    "curvature": Metric("correlation of the curvatures of map and model", "", True),
    "p_value": Metric("chance of such a fit among all of this structure", "", False),
    "bh_p_value": Metric("the same, adjusted for the number of fits (Benjamini and Hochberg)", "", False),
    "one_tailed_p_value": Metric("chance of a fit as good as this among all of this structure", "", False),
    "cross_p_value": Metric("chance that a wrong structure of this size scores so high", "", False),
    "cross_bh_p_value": Metric("the same, adjusted for the number of structures (Benjamini and Hochberg)", "", False),
    "structure_rank": Metric("place of the structure among all", "", False),
    "second_best": Metric("what the structure's second best fit scores"),
    "difference": Metric("by how much the structure's best fit is better than its second", "", True),
    "residues": Metric("residues of the structure"),
    "eta0": Metric("share of the structure's fits that chance explains"),
}

STAGES = [
    Stage(
        id="domainfit.identify",
        kind=Kind.FIT,
        summary="which of many structures a density is: many fits of each, with p-values",
        load="cryoweave_fitmap.identify:identify",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=IdentifyParams,
        measures=IDENTIFIED,
        cites=(DOMAINFIT, FDRTOOL),
        check="cryoweave_fitmap.identify:check",
    ),
    Stage(
        id="fitmap.search",
        kind=Kind.FIT,
        summary="places of models from many random placements, each climbing to the best nearby, with hits",
        load="cryoweave_fitmap.search:search",
        takes={"density": DensityMap, "models": ModelSet},
        gives=Poses,
        params=SearchParams,
        measures=MEASURES,
        cites=(CHIMERA_FIRST, CHIMERA),
        check="cryoweave_fitmap.search:check",
    ),
]
RECIPES = ("fitmap.toml", "fitmap-plus.toml", "domainfit.toml")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Search and identification."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """A recipe for each."""
    folder = files("cryoweave_fitmap") / "recipes"
    return [Recipe.from_toml((folder / name).read_text("utf-8"), name) for name in RECIPES]
