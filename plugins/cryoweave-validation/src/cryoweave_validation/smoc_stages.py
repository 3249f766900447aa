"""Stage record of SMOC."""

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param

TEMPY = "Joseph et al. 2016, doi 10.1016/j.ymeth.2016.03.007"


class SmocParams(Params):
    """Parameters of ``quality.smoc``."""

    resolution: float = param(4.0, "resolution of the model's Gaussian map", unit="Å", ge=0.5, le=50)
    window: int = param(
        11, "residues of a window, an odd number (an even one counts as one more)", ge=1, le=101, source=TEMPY
    )
    less_mean: bool = param(
        True, "take the mean off the model's map, as BioTEMPy does, though then the score depends on the box"
    )


STAGES = [
    Stage(
        id="quality.smoc",
        kind=Kind.VALIDATE,
        summary="SMOC: Manders' overlap in windows along the chain; correlation and mutual information of the maps",
        load="cryoweave_validation.smoc:overlapped",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=SmocParams,
        version=2,
        cites=("10.1016/j.ymeth.2016.03.007", "10.1107/S2059798320014928"),
    ),
]
