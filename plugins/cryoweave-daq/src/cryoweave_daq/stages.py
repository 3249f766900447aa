"""What the plugin hands over. Nothing here does work: each stage names its function."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

from cryoweave.data import DensityMap, Model, PointCloud, ProbabilityMaps, ScoreTable
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

SOURCE = "Terashi et al. 2022, doi 10.1038/s41592-022-01574-4"
DOI = "10.1038/s41592-022-01574-4"


class PredictParams(Params):
    """Parameters of ``daq.predict``."""

    prediction: Path | None = param(
        None,
        "probabilities that were predicted before: prediction.txt (also .gz) of DAQ, or .npy of DAQplugin",
        option="--daq-prediction",
    )
    network: Path | None = param(
        None, "network that predicts them: ONNX file (.onnx) or checkpoint of the published layout (.pth, .pt)"
    )
    axis_order: Literal["zyx", "xyz"] = param(
        "zyx",
        "order in which the network sees a box's axes: zyx as DAQ, xyz as DAQplugin; unverified until published "
        "weights decide it",
    )
    stride: int = param(
        2, "predict at every n-th voxel along each axis of the resampled map", ge=1, le=5, source=SOURCE
    )
    batch: int = param(128, "boxes at a time", ge=1, le=8192)
    daq_compat: bool = param(
        False,
        "as the published program: atoms are all ATOM records, hydrogens and nucleotides too, and a residue without a "
        "prediction scores 0",
        option="--daq-compat",
    )


class ScoreParams(PredictParams):
    """Parameters of ``daq.score``."""

    window: int = param(
        9, "residue numbers on either side that the windowed mean takes in", ge=1, le=100, source=SOURCE
    )


class MapsParams(Params):
    """Parameters of ``daq.maps``."""

    voxel: float = param(1.0, "edge of the maps' cubic voxels", unit="Å", ge=0.2, le=5)
    order: Literal["linear", "cubic"] = param("cubic", "interpolation between the points")


STAGES = [
    Stage(
        id="daq.predict",
        kind=Kind.DETECT,
        summary="probabilities of amino acid, atom and secondary structure at points around the model",
        load="cryoweave_daq.predict:predicted",
        takes={"density": DensityMap, "model": Model},
        gives=PointCloud,
        optional=("model",),
        params=PredictParams,
        cites=(DOI,),
        check="cryoweave_daq.predict:check",
    ),
    Stage(
        id="daq.maps",
        kind=Kind.DETECT,
        summary="predicted points as maps of backbone, atoms, secondary structure and amino acids, for any tracer",
        load="cryoweave_daq.lattice:maps",
        takes={"points": PointCloud},
        gives=ProbabilityMaps,
        params=MapsParams,
        cites=(DOI,),
    ),
    Stage(
        id="daq.score",
        kind=Kind.VALIDATE,
        summary="DAQ of each residue's type and Cα: log of what a network sees there over what it sees on average",
        load="cryoweave_daq.score:scored",
        takes={"model": Model, "density": DensityMap, "points": PointCloud},
        gives=ScoreTable,
        optional=("points",),
        params=ScoreParams,
        cites=(DOI,),
        check="cryoweave_daq.predict:check",
    ),
]


RECIPES = ("daq-mainmast", "mainmast-daq")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Prediction, maps of it and scoring."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipes of this plugin, one TOML file each."""
    folder = files("cryoweave_daq") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
