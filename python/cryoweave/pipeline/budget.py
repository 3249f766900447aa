"""How long a run's searches may take, and how much of that each step gets."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryoweave.errors import UsageError
from cryoweave.pipeline.wiring import WiredStep

_TEXT = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(text: str) -> float:
    """Seconds of a time like ``90s``, ``10m`` or ``1h30m``.

    Raises
    ------
    UsageError
        If it is none, or no time at all.
    """
    found = _TEXT.fullmatch(text.strip().lower())
    hours, minutes, rest = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    total = 3600 * hours + 60 * minutes + rest
    if total <= 0:
        raise UsageError(f"{text!r} is no time above zero", "give a number with its unit, e.g. 90s, 10m or 1h30m")
    return total


@dataclass(frozen=True)
class Budget:
    """A run's time.

    Parameters
    ----------
    seconds
        All of it, from ``begun`` on.
    begun
        On the monotonic clock.
    """

    seconds: float
    begun: float = field(default_factory=time.monotonic)

    def until(self, steps: Sequence[WiredStep]) -> float:
        """When the first of the steps still to run has to end on the monotonic clock.

        What is left is shared evenly by those that search as long as they may; what the others take, is gone.
        """
        now = time.monotonic()
        left = max(0.0, self.begun + self.seconds - now)
        return now + left / max(1, sum(step.stage.anytime for step in steps))
