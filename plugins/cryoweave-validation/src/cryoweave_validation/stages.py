"""What the plugin hands over; each topic names its own stages."""

from cryoweave.host import Stage, hookimpl

STAGES: list[Stage] = []


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The validators of this plugin."""
    return STAGES
