"""What the plugin hands over. Nothing here does work: each record names its function."""

from cryoweave.data import Model
from cryoweave.host import Check, Kind, Params, Stage, hookimpl, param

PROGRAM = "pulchra"


class FullParams(Params):
    """Parameters of ``pulchra.full``."""

    limit: float = param(300.0, "for one chain; beyond, the stage fails", unit="s", gt=0, le=86400)


STAGES = [
    Stage(
        id="pulchra.full",
        kind=Kind.BUILD,
        summary="all heavy atoms from the model's Cα atoms, chain by chain, by PULCHRA; no map is looked at",
        load="cryoweave_pulchra.full:full",
        takes={"model": Model},
        gives=Model,
        params=FullParams,
        needs=(PROGRAM,),
        cites=("10.1002/jcc.20906",),
    )
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stage of this plugin."""
    return STAGES


@hookimpl
def cryoweave_checks() -> list[Check]:
    """Whether the program is there."""
    return [Check(PROGRAM, "PULCHRA, as the package pypulchra", "cryoweave_pulchra.full:check")]
