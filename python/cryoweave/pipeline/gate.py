"""What is checked of the inputs before a run: what costs next to nothing, and what the stages themselves ask."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cryoweave.data import Poses
from cryoweave.errors import CryoweaveError, InputError
from cryoweave.host.records import load_object
from cryoweave.kernels.grid import statistics
from cryoweave.pipeline.inputs import RunInput
from cryoweave.pipeline.preflight import (
    Finding,
    Inputs,
    Level,
    check_alphabet,
    check_contrast,
    check_hand,
    check_mask,
    check_origin,
    check_room,
    check_voxel,
    no_density,
)
from cryoweave.pipeline.wiring import REFERENCE, Wired


def check_before(wired: Wired, inputs: Mapping[str, RunInput], *, ignore: bool) -> tuple[Finding, ...]:
    """What is odd with the inputs of a run; the whole map is read twice at most.

    Parameters
    ----------
    wired
        The steps that are to run.
    inputs
        The run's inputs.
    ignore
        Take what would stop the run as a warning.

    Raises
    ------
    InputError
        If an input cannot give a result.
    CryoweaveError
        Whatever a stage's own check raises; that is never ignored, since the stage would raise it too.
    """
    found = tuple(finding for finding in _findings(wired, inputs) if finding.level in (Level.WARN, Level.FAIL))
    wrong = [finding for finding in found if finding.level is Level.FAIL]
    if wrong and not ignore:
        hint = f"{wrong[0].hint}; or go on anyway with --ignore-checks"
        raise InputError("; ".join(finding.message for finding in wrong), hint)
    _ask_stages(wired, inputs)
    return found


def told(finding: Finding) -> str:
    """A finding as a warning."""
    return f"{finding.message}; {finding.hint}" if finding.hint else finding.message


def _findings(wired: Wired, inputs: Mapping[str, RunInput]) -> Iterator[Finding]:
    value = {name: entry.value for name, entry in inputs.items()}
    density, sequences = value.get("density"), value.get("sequences")
    if sequences is not None:
        yield from check_alphabet(sequences)
    if density is None:
        return
    if not any(step.stage.gives is Poses for step in wired.steps):  # what is fitted needs no fine voxels
        yield check_voxel(density.frame.voxel_xyz)
    stats = statistics(density.values)
    if stats.sd == 0:
        yield no_density(stats)
        return
    given = Inputs(density, sequences, value.get(REFERENCE))
    yield check_mask(density, stats)
    yield check_contrast(density, stats)
    yield check_room(given, stats)
    if given.model is not None:
        origin = check_origin(given, stats)
        yield _of_reference(origin)
        if origin.level is not Level.FAIL:
            yield _of_reference(check_hand(given, stats))


def _of_reference(finding: Finding) -> Finding:
    """A reference is only compared with, and a step may flip the map: it must have residues and touch the box."""
    mild = finding.level is Level.FAIL and (finding.topic == "hand" or finding.values.get("inside", 0) > 0)
    message = f"reference: {finding.message}"
    return replace(finding, message=message, level=Level.WARN) if mild else replace(finding, message=message)


def _ask_stages(wired: Wired, inputs: Mapping[str, RunInput]) -> None:
    for step in wired.steps:
        if not step.stage.check:
            continue
        given: dict[str, Any] = dict.fromkeys(step.stage.takes)
        for name, source in step.sources.items():
            if source.startswith("input."):
                given[name] = inputs[source.removeprefix("input.")].value
        try:
            load_object(step.stage.check)(**given, params=step.params)
        except CryoweaveError as error:
            if step.stage.id not in str(error):
                error.args = (f"stage {step.stage.id}: {error}",)
            raise
