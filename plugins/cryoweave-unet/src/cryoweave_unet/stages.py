"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from cryoweave.data import DensityMap, Model, PointCloud, ProbabilityMaps
from cryoweave.host import Check, Command, Kind, Params, Recipe, Stage, hookimpl, param

UNET = "10.1007/978-3-319-46723-8_49"
MODELANGELO = "10.1038/s41586-024-07215-4"
DIFFUSION = "10.48550/arXiv.2010.02502"


class NetworkParams(Params):
    """Parameters of ``unet.around``."""

    network: Path | None = param(None, "ONNX file of `cryoweave detect export`; the weights that come along if absent")


class MapsParams(NetworkParams):
    """Parameters of ``unet.maps``."""

    classes: Literal["all", "atoms"] = param(
        "all", "all: backbone, atoms, nucleic acid, fold and amino acid; atoms: without fold and amino acid"
    )
    turns: int = param(
        1,
        "look at each tile in so many orientations and average: with 4 a little more is right, in 4 times the time",
        ge=1,
        le=4,
    )


class ChainParams(Params):
    """Parameters of ``unet.chains``."""

    network: Path | None = param(
        None, "ONNX file of `cryoweave detect export`, task chains; the weights that come along if absent"
    )


class DiffuseParams(Params):
    """Parameters of ``unet.diffuse``."""

    network: Path | None = param(
        None, "ONNX file of `cryoweave detect export`, task diffusion; the weights that come along if absent"
    )
    steps: int = param(4, "calls of the network; with one it gives its mean, with more it decides", ge=1, le=100)


class RefineParams(Params):
    """Parameters of ``unet.refine``."""

    network: Path | None = param(
        None, "ONNX file of `cryoweave detect export`, task refine; the weights that come along if absent"
    )
    threshold: float = param(0.3, "least probability that a candidate is a Cα", ge=0, le=1)
    apart: float = param(2.2, "of two candidates closer than this the likelier one stays", unit="Å", ge=0, le=10)


STAGES = [
    Stage(
        id="unet.maps",
        kind=Kind.DETECT,
        summary="probability of backbone, atoms, nucleic acid, fold and amino acid at every voxel, by our 3-D U-Net",
        load="cryoweave_unet.detect:maps",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=MapsParams,
        needs=("unet-weights",),
        cites=(UNET,),
        check="cryoweave_unet.detect:check",
    ),
    Stage(
        id="unet.around",
        kind=Kind.DETECT,
        summary="probabilities of amino acid, atom and fold around a model, from which DAQ is computed",
        load="cryoweave_unet.around:around",
        takes={"density": DensityMap, "model": Model},
        gives=PointCloud,
        params=NetworkParams,
        needs=("unet-weights",),
        cites=(UNET,),
        check="cryoweave_unet.detect:check",
        offers=("daq.score",),
    ),
    Stage(
        id="unet.chains",
        kind=Kind.DETECT,
        summary="probability of main chain and fold at every voxel of a map of 5 to 10 Å, by our 3-D U-Net",
        load="cryoweave_unet.chains:chains",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=ChainParams,
        needs=("unet-weights",),
        cites=(UNET,),
        check="cryoweave_unet.chains:check_chains",
    ),
    Stage(
        id="unet.diffuse",
        kind=Kind.DETECT,
        summary="map of the main chain drawn by conditional diffusion from a map of 5 to 10 Å",
        load="cryoweave_unet.chains:diffused",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=DiffuseParams,
        needs=("unet-weights",),
        cites=(UNET, DIFFUSION),
        check="cryoweave_unet.chains:check_diffusion",
    ),
    Stage(
        id="unet.refine",
        kind=Kind.DETECT,
        summary="Cα candidates looked at with their neighbours: which are real, where they belong, what they are",
        load="cryoweave_unet.refine:refined",
        takes={"maps": ProbabilityMaps, "points": PointCloud},
        gives=PointCloud,
        params=RefineParams,
        needs=("unet-weights",),
        cites=(MODELANGELO,),
        check="cryoweave_unet.refine:check",
    ),
]
RECIPES = ("unet-mainmast",)


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Detection and its points."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipes of this plugin, one TOML file each."""
    folder = files("cryoweave_unet") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]


@hookimpl
def cryoweave_checks() -> list[Check]:
    """Weights and what runs them."""
    return [Check("unet-weights", "the network's weights and ONNX Runtime", "cryoweave_unet.weights:check_weights")]


@hookimpl
def cryoweave_commands() -> list[Command]:
    """Training and evaluation."""
    return [
        Command("detect", "Train, export and judge the networks of learned detection.", "cryoweave_unet.detect_app:app")
    ]
