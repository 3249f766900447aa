"""What the plugin hands over; each topic names its own stages."""

from cryoweave.host import Command, Stage, hookimpl
from cryoweave_validation.compare_stages import STAGES as COMPARE
from cryoweave_validation.correlation_stages import STAGES as CORRELATION
from cryoweave_validation.emringer_stages import STAGES as EMRINGER
from cryoweave_validation.fsc_stages import STAGES as FSC
from cryoweave_validation.geometry_stages import STAGES as GEOMETRY
from cryoweave_validation.inclusion_stages import STAGES as INCLUSION
from cryoweave_validation.qscore_stages import STAGES as QSCORE
from cryoweave_validation.ramachandran_stages import STAGES as RAMACHANDRAN
from cryoweave_validation.smoc_stages import STAGES as SMOC

STAGES: list[Stage] = [
    *COMPARE,
    *CORRELATION,
    *EMRINGER,
    *FSC,
    *GEOMETRY,
    *INCLUSION,
    *QSCORE,
    *RAMACHANDRAN,
    *SMOC,
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The validators of this plugin."""
    return STAGES


@hookimpl
def cryoweave_commands() -> list[Command]:
    """The check of scores against decoys."""
    return [
        Command(
            "decoys",
            "How well each score tells wrong models from a model, on its map.",
            "cryoweave_validation.decoys_app:app",
        )
    ]
