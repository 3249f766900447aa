"""Record of EMRinger."""

from typing import Literal

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param


class EMRingerParams(Params):
    """Parameters of ``quality.emringer``."""

    interpolation: Literal["linear", "cubic"] = param(
        "linear", "interpolation between voxels; the published program does maps linearly"
    )


STAGES = [
    Stage(
        id="quality.emringer",
        kind=Kind.VALIDATE,
        summary="EMRinger: do the density peaks around Cα–Cβ lie at rotamers",
        load="cryoweave_validation.emringer:side_chains_scanned",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=EMRingerParams,
        cites=("10.1038/nmeth.3541",),
    ),
]
