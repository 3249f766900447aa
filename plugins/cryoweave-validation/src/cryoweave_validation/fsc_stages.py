"""Stage records of the Fourier shell correlations."""

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param

SERVALCAT = "Yamashita et al. 2021, doi 10.1107/S2059798321009475"


class FscParams(Params):
    """Parameters of ``quality.fsc``."""

    resolution: float = param(4.0, "resolution to which the correlation is averaged", unit="Å", ge=0.5, le=50)
    mask_radius: float = param(
        3.0, "the map counts this far around heavy atoms", unit="Å", gt=0, le=1000, source=SERVALCAT
    )
    sharpening: float = param(
        0.0, "B factor by which the map is sharpened before masking; 0: fitted to the model", unit="Å²", ge=-500, le=500
    )


STAGES = [
    Stage(
        id="quality.fsc",
        kind=Kind.VALIDATE,
        summary="Fourier shell correlation of map and model, its mean and where it falls below 0.5, 0.143 and 0",
        load="cryoweave_validation.fsc:model_fsc",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=FscParams,
        cites=("10.1107/S2059798321009475",),
    ),
    Stage(
        id="quality.half_fsc",
        kind=Kind.VALIDATE,
        summary="Fourier shell correlation of two half maps, without a mask",
        load="cryoweave_validation.fsc:half_fsc",
        takes={"half_a": DensityMap, "half_b": DensityMap},
        gives=ScoreTable,
        cites=("10.1016/j.jmb.2003.07.013",),
    ),
]
