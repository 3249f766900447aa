"""Stage record of atom inclusion."""

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param


class InclusionParams(Params):
    """Parameters of ``quality.inclusion``."""

    contour: float | None = param(
        None, "density at which inclusion is judged; not given: the map's mean + 3 standard deviations", unit="map"
    )


STAGES = [
    Stage(
        id="quality.inclusion",
        kind=Kind.VALIDATE,
        summary="share of atoms inside the contour: by residue, of all and of the backbone, and against the contour",
        load="cryoweave_validation.inclusion:included",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=InclusionParams,
        version=2,
        cites=("10.1107/S205979832200328X",),
    ),
]
