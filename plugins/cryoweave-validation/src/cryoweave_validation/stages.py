"""What the plugin hands over; each topic names its own stages."""

from cryoweave.host import Stage, hookimpl
from cryoweave_validation.correlation_stages import STAGES as CORRELATION

STAGES: list[Stage] = [
    *CORRELATION,
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The validators of this plugin."""
    return STAGES
