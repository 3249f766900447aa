"""What the plugin hands over. Nothing here does work: each stage names its function."""

from pathlib import Path

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.host import Check, Kind, Params, Stage, hookimpl, param
from cryoweave_modelangelo.classes import LEAST_BOX, STRIDE

DOI = "10.1038/s41586-024-07215-4"
SOURCE = f"the published program's configuration; Jamali et al. 2024, doi {DOI}"


class MapsParams(Params):
    """Parameters of ``modelangelo.maps``."""

    network: Path | None = param(
        None, "c_alpha/chkpt.torch of the bundle `nucleotides`; looked for in the folder of weights if absent"
    )
    box: int | None = param(
        None,
        "edge of a box in voxels of about 1.5 Å; what the checkpoint says, else 64, if absent",
        ge=LEAST_BOX,
        le=256,
    )
    stride: int = param(STRIDE, "voxels from box to box; boxes overlap and are averaged", ge=4, le=256, source=SOURCE)
    batch: int = param(1, "boxes at a time; on a CPU at least one for each thread", ge=1, le=256)


STAGES = [
    Stage(
        id="modelangelo.maps",
        kind=Kind.DETECT,
        summary="probability of Cα, P and backbone at every voxel, by ModelAngelo's published first network",
        load="cryoweave_modelangelo.detect:maps",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=MapsParams,
        cites=(DOI,),
        check="cryoweave_modelangelo.weights:check",
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Detection."""
    return STAGES


@hookimpl
def cryoweave_checks() -> list[Check]:
    """The published weights, which the user brings."""
    return [
        Check(
            "modelangelo-weights",
            "ModelAngelo's published Cα network and PyTorch",
            "cryoweave_modelangelo.weights:check_weights",
        )
    ]
