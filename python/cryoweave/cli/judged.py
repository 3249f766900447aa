"""What the commands that judge models say alike."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from cryoweave.cli import console
from cryoweave.errors import StageError

if TYPE_CHECKING:
    from cryoweave.pipeline.preflight import Finding

FINEST, COARSEST = 0.5, 50.0
"""Å; resolutions that ``--resolution`` takes: those that the validators take."""


def warn(findings: "Iterable[Finding]", name: str = "") -> None:
    """Say what is odd with the inputs; in red what makes the scores meaningless, which stops nothing."""
    failed = False
    for finding in findings:
        message = f"{name}: {finding.message}" if name else finding.message
        if finding.level == "fail":
            failed = True
            console.say(f"CHECK FAILED: {message}", "bold red")
            console.say(f"hint: {finding.hint}")
        else:
            console.say(f"warning: {message}{f'; {finding.hint}' if finding.hint else ''}", "yellow")
    if failed:
        console.say("scores that rest on this mean nothing; the validation goes on", "red")


def no_score(left_out: Mapping[str, str]) -> StageError:
    """The error where nothing failed and nothing ran."""
    if left_out:
        return StageError("no validator gave a score", "each says above what it lacks")
    return StageError("no validator is installed", "see `cryoweave plugins doctor`")


def making(stage: str, done: int, total: int) -> None:
    """Say how far a stage is that makes what a validator needs: at every tenth of it."""
    if total and (done == 0 or done * 10 // total > (done - 1) * 10 // total):
        console.say(f"{stage}: {done} of {total}", "dim")
