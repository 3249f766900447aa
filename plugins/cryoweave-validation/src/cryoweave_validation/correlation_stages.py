"""Stage records of the map–model correlations."""

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param

B_FACTOR = (
    "B factor of all atoms; negative: those of the model, but 20 Å² where its B column is known to hold confidences"
)


class CorrelationParams(Params):
    """Parameters of ``quality.correlation``."""

    resolution: float = param(4.0, "resolution at which the calculated map is cut", unit="Å", ge=0.5, le=50)
    b_factor: float = param(-1.0, B_FACTOR, unit="Å²", le=1000)


STAGES = [
    Stage(
        id="quality.correlation",
        kind=Kind.VALIDATE,
        summary="correlation with the calculated map: CC_mask, CC_volume, CC_peaks, CC_box, and of each residue",
        load="cryoweave_validation.correlation:correlated",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=CorrelationParams,
        version=2,
        cites=("10.1107/S2059798318009324",),
    ),
]
