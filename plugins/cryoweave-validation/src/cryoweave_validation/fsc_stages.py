"""Stage records of the Fourier shell correlations."""

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param
from cryoweave_validation.correlation_stages import B_FACTOR

CHEN = "Chen et al. 2013, doi 10.1016/j.ultramic.2013.06.004"
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
    b_factor: float = param(-1.0, B_FACTOR, unit="Å²", le=1000)


class HalfFscParams(Params):
    """Parameters of ``quality.half_fsc``."""

    mask_radius: float = param(
        3.0, "the mask is 1 this far around heavy atoms", unit="Å", gt=0, le=1000, source=SERVALCAT
    )
    mask_edge: float = param(
        6.0,
        "width of the cosine edge around that",
        unit="Å",
        gt=0,
        le=100,
        source="relion_postprocess has 6 voxels; soft so that the edge itself correlates little: Chen et al. 2013",
    )
    randomise_below: float = param(
        0.8, "phases become random from where the unmasked correlation falls below this", gt=0, lt=1, source=CHEN
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
        version=2,
        cites=("10.1107/S2059798321009475",),
    ),
    Stage(
        id="quality.half_fsc",
        kind=Kind.VALIDATE,
        summary="Fourier shell correlation of two half maps: without a mask, in one around the model, corrected for it",
        load="cryoweave_validation.half_fsc:half_fsc",
        takes={"half_a": DensityMap, "half_b": DensityMap, "model": Model},
        optional=("model",),
        gives=ScoreTable,
        params=HalfFscParams,
        version=3,
        cites=("10.1016/j.jmb.2003.07.013", "10.1016/j.ultramic.2013.06.004"),
    ),
]
