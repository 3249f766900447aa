"""Stage record of the Q-score."""

from pydantic import field_validator

from cryoweave.data import DensityMap, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param

DOI = "10.1038/s41592-020-0731-1"
NARROWEST, WIDEST = 0.01, 5.0
"""Å, of a sigma; the shells around an atom are 0.1 Å apart and end at 2 Å."""


class QScoreParams(Params):
    """Parameters of ``quality.qscore``."""

    sigmas: tuple[float, ...] = param(
        (0.6, 0.4),
        "widths of the Gaussian that an atom should look like; backbone and side chains are scored by the first",
        unit="Å",
        source=f"0.6: Pintilie et al. 2020, doi {DOI}; 0.4: validation reports of EMDB and wwPDB",
    )
    expected_at: float = param(
        0.0, "resolution for which to say what is usual, for sigmas 0.6 and 0.4; 0: do not", unit="Å", ge=0, le=50
    )

    @field_validator("sigmas")
    @classmethod
    def _sensible(cls, sigmas: tuple[float, ...]) -> tuple[float, ...]:
        if not sigmas:
            raise ValueError("give at least one sigma")
        for sigma in sigmas:
            if not NARROWEST <= sigma <= WIDEST:
                raise ValueError(f"{sigma:g} is not between {NARROWEST:g} and {WIDEST:g}")
        if len({f"{sigma:g}" for sigma in sigmas}) < len(sigmas):
            raise ValueError("give each sigma once")
        return sigmas


STAGES = [
    Stage(
        id="quality.qscore",
        kind=Kind.VALIDATE,
        summary="Q-score: how much like a Gaussian the density falls off around each atom",
        load="cryoweave_validation.qscore:resolved",
        takes={"model": Model, "density": DensityMap},
        gives=ScoreTable,
        params=QScoreParams,
        cites=(DOI,),
    ),
]
