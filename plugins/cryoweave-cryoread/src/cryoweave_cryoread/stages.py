"""What the plugin hands over. Nothing here does work: each stage names its function."""

from pathlib import Path

from cryoweave.data import DensityMap, ProbabilityMaps
from cryoweave.host import Check, Kind, Params, Stage, hookimpl, param
from cryoweave_cryoread.classes import BOX, STRIDE

DOI = "10.1038/s41592-023-02032-5"
SOURCE = f"the published program's default; Wang et al. 2023, doi {DOI}"


class MapsParams(Params):
    """Parameters of ``cryoread.maps``."""

    first: Path | None = param(None, "stage1_network.pth; looked for in the folder of weights if absent")
    second: Path | None = param(None, "stage2_network.pth; looked for in the folder of weights if absent")
    contour: float = param(
        0.0, "boxes with next to no density above this are left out; half the author's is advised", unit="map", ge=0
    )
    stride: int = param(STRIDE, "from box to box; boxes have 64 and overlap", unit="Å", ge=8, le=BOX, source=SOURCE)
    batch: int = param(1, "boxes at a time; on a CPU at least one for each thread", ge=1, le=256)


STAGES = [
    Stage(
        id="cryoread.maps",
        kind=Kind.DETECT,
        summary="probability of phosphate, sugar, base, kind of base and protein, by CryoREAD's published networks",
        load="cryoweave_cryoread.detect:maps",
        takes={"density": DensityMap},
        gives=ProbabilityMaps,
        params=MapsParams,
        cites=(DOI,),
        check="cryoweave_cryoread.weights:check",
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
            "cryoread-weights", "CryoREAD's published weights and PyTorch", "cryoweave_cryoread.weights:check_weights"
        )
    ]
