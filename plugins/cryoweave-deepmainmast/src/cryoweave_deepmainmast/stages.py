"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path

from cryoweave.data import DensityMap, PointCloud, ProbabilityMaps
from cryoweave.host import Check, Kind, Params, Recipe, Stage, hookimpl, param
from cryoweave_deepmainmast.classes import BOX, STRIDE

DOI = "10.1038/s41592-023-02099-0"
SOURCE = "the published program's default; Terashi et al. 2024, doi 10.1038/s41592-023-02099-0"
TRIED = f"{SOURCE}, which tries 0.3, 0.4 and 0.5"


class MapsParams(Params):
    """Parameters of ``deepmainmast.maps``."""

    atoms: Path | None = param(None, "Unet_Protein_Atom.pth.tar; looked for in the folder of weights if absent")
    amino: Path | None = param(None, "Unet_Protein_AA.pth.tar; looked for in the folder of weights if absent")
    contour: float = param(0.0, "boxes with next to no density above this are left out", unit="map", ge=0)
    stride: int = param(
        STRIDE, "from box to box; boxes have 32 and overlap, and are averaged", unit="Å", ge=4, le=BOX, source=SOURCE
    )
    batch: int = param(4, "boxes at a time", ge=1, le=256)


class NodesParams(Params):
    """Parameters of ``deepmainmast.nodes``."""

    threshold: float = param(
        0.3,
        "start at every voxel with a higher probability of Cα",
        ge=0,
        le=1,
        source=TRIED,
    )
    bandwidth: float = param(2.0, "band width of the mean shift's kernel", unit="Å", gt=0, le=20, source=SOURCE)
    allow: float = param(10.0, "a point that moved farther than this stops", unit="Å", gt=0, le=1000, source=SOURCE)
    filter: float = param(0.1, "drop end points below this share of the range", ge=0, lt=1, source=SOURCE)
    merge: float = param(1.0, "join end points closer than this", unit="Å", gt=0, le=10, source=SOURCE)
    main_chain: float = param(0.5, "least probability of N, Cα or C at a point", ge=0, le=1, source=SOURCE)


STAGES = [
    Stage(
        id="deepmainmast.maps",
        kind=Kind.DETECT,
        summary="probability of backbone, atoms and amino acids at every voxel, by DeepMainmast's published networks",
        load="cryoweave_deepmainmast.detect:maps",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=MapsParams,
        cites=(DOI,),
        check="cryoweave_deepmainmast.weights:check",
    ),
    Stage(
        id="deepmainmast.nodes",
        kind=Kind.DETECT,
        summary="Cα candidates by mean shift in the Cα map, those off the main chain left out, with amino acids",
        load="cryoweave_deepmainmast.nodes:nodes",
        takes={"maps": ProbabilityMaps},
        gives=PointCloud,
        params=NodesParams,
        cites=(DOI,),
    ),
]
RECIPES = ("deepmainmast", "deepmainmast-plus", "deepmainmast-mainmast")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Detection and nodes."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """Its tracer and assembly on our network's maps, and its networks before ours."""
    folder = files("cryoweave_deepmainmast") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """The published weights, which the user brings."""
    return [
        Check(
            "deepmainmast-weights",
            "DeepMainmast's published weights and PyTorch",
            "cryoweave_deepmainmast.weights:check_weights",
        )
    ]
