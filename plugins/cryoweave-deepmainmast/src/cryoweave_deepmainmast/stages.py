"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.host import Check, Kind, Params, Recipe, Stage, hookimpl, param
from cryoweave_deepmainmast.classes import BOX, STRIDE

DOI = "10.1038/s41592-023-02099-0"
SOURCE = "the published program's default; Terashi et al. 2024, doi 10.1038/s41592-023-02099-0"


class MapsParams(Params):
    """Parameters of ``deepmainmast.maps``."""

    atoms: Path | None = param(None, "Unet_Protein_Atom.pth.tar; looked for in the folder of weights if absent")
    amino: Path | None = param(None, "Unet_Protein_AA.pth.tar; looked for in the folder of weights if absent")
    contour: float = param(0.0, "boxes with next to no density above this are left out", unit="map", ge=0)
    stride: int = param(
        STRIDE, "from box to box; boxes have 32 and overlap, and are averaged", unit="Å", ge=4, le=BOX, source=SOURCE
    )
    batch: int = param(4, "boxes at a time", ge=1, le=256)


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
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Detection."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """Detection, and the tracer and threader that exist."""
    name = "deepmainmast-mainmast.toml"
    return [Recipe.from_toml((files("cryoweave_deepmainmast") / "recipes" / name).read_text("utf-8"), name)]


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
