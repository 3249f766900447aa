"""One stage, run: its function with its inputs, parameters and context, its result checked."""

import logging
import traceback
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.data import Model
from cryoweave.errors import CryoweaveError, PluginError, StageError, UsageError
from cryoweave.host.context import Context, Fact, silent
from cryoweave.host.params import Params
from cryoweave.host.records import Stage, Step
from cryoweave.pipeline.chain import near
from cryoweave.pipeline.settings import check_params

DEVICES = Path("/dev")


def choose_threads(threads: int) -> int:
    """Let kernels use so many threads, 0 for one per core; how many that are."""
    from cryoweave import _core

    if threads < 0:
        raise UsageError(f"cannot use {threads} threads", "give a number from 1, or 0 for all cores")
    _core.set_threads(threads)
    return int(_core.threads())


def choose_device(device: str) -> tuple[str, str]:
    """The device that stages are told, and why."""
    if device == "auto":
        return "cpu", "auto takes the CPU, where all kernels run"
    if device == "cpu":
        return device, "as asked for"
    if not device.isdecimal():
        raise UsageError(f"there is no device {device!r}", "give auto, cpu, or the number of an accelerator, e.g. 0")
    there = accelerators()
    if int(device) >= there:
        found = f"there are {there} of them, from 0" if there > 1 else "there is one, 0" if there else "none was found"
        raise UsageError(f"there is no accelerator {device}: {found}", "give auto or cpu" + ", or 0" * (there > 0))
    return device, "as asked for; stages that have no code for it compute on the CPU"


def accelerators() -> int:
    """How many NVIDIA accelerators the system shows; those of other makers no stage can use yet."""
    return sum(path.name.removeprefix("nvidia").isdecimal() for path in DEVICES.glob("nvidia*"))


def call(stage: Stage, package: str, inputs: Mapping[str, Any], params: Params, ctx: Context) -> Any:
    """What the stage gives.

    Raises
    ------
    StageError
        If it gives a model without atoms.
    PluginError
        If it gives another type than it says, or ends the program.
    """
    function: Callable[..., Any] = stage.function()
    missing: dict[str, Any] = dict.fromkeys(stage.optional)
    try:
        value = function(**{**missing, **inputs}, params=params, ctx=ctx)
    except CryoweaveError as error:
        if stage.id not in str(error):
            error.args = (f"stage {stage.id}: {error}",)
        raise
    except SystemExit as error:
        raise PluginError(
            f"stage {stage.id} of {package} ended the program, which no stage may", "report it to the plugin's author"
        ) from error
    except Exception as error:
        error.add_note(f"in stage {stage.id} of package {package}")
        raise
    if not isinstance(value, stage.gives):
        raise PluginError(
            f"stage {stage.id} of {package} gave a {type(value).__name__}, not a {stage.gives.__name__}",
            "report it to the plugin's author",
        )
    if isinstance(value, Model) and not len(value):
        raise StageError(
            f"stage {stage.id} gave a model without atoms",
            "look at what the stages before it gave; a lower threshold may help",
        )
    return value


def bug_in(stage: str, error: Exception) -> PluginError:
    """An exception that no stage should raise, as an error that says where it came from."""
    package = host.registry().package_of("stages", stage)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return PluginError(
        f"stage {stage}: this is a bug in {package}: {type(error).__name__}: {error} ({where})",
        "report it to the plugin's author",
    )


def facts_of(facts: Mapping[str, Fact]) -> dict[str, Fact | None]:
    """A stage's findings in JSON's types: NumPy scalars as numbers, what is no number as None."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in facts.items()}
    return {name: None if value != value or value in (inf, -inf) else value for name, value in plain.items()}


def run_stage(
    stage_id: str,
    *,
    params: Params | Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int = 0,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    facts: dict[str, Fact] | None = None,
    **inputs: Any,
) -> Any:
    """Run one stage on values in memory; nothing is kept on disk.

    Parameters
    ----------
    stage_id
        As ``cryoweave stages list`` names it.
    params
        The stage's parameters, or those that differ from its defaults.
    seed, threads, device
        As for a run.
    progress
        Called with units done and units in all.
    facts
        Takes what the stage notes of itself, by name.
    **inputs
        The stage's inputs by name.

    Returns
    -------
    What the stage gives: a value of ``cryoweave.data``.

    Raises
    ------
    UsageError
        If the stage, a parameter or an input does not exist, or an input is missing or of the wrong type.
    StageError
        If the stage cannot give a result.

    Examples
    --------
    >>> density = cryoweave.load_map("map.mrc")
    >>> cloud = cryoweave.run_stage("peaks.meanshift", density=density, params={"threshold": 0.2})
    """
    import tempfile

    stage = host.registry().stage(stage_id)
    own = (
        params
        if isinstance(params, stage.params)
        else check_params(Step(stage_id, stage_id), stage, dict(params or {}))
    )
    _check_inputs(stage, inputs)
    package = host.registry().package_of("stages", stage_id)
    with tempfile.TemporaryDirectory(prefix="cryoweave-") as scratch:
        ctx = Context(
            seed=seed,
            threads=choose_threads(threads),
            device=choose_device(device)[0],
            scratch=Path(scratch),
            log=logging.getLogger(f"cryoweave.stage.{stage_id}"),
            progress=progress or silent,
            facts=facts if facts is not None else {},
        )
        return call(stage, package, inputs, own, ctx)


def _check_inputs(stage: Stage, inputs: Mapping[str, Any]) -> None:
    for name in inputs:
        if name not in stage.takes:
            raise UsageError(f"stage {stage.id} takes no {name!r}", near(name, list(stage.takes)))
    for name, wanted in stage.takes.items():
        value = inputs.get(name)
        if value is None and name in stage.optional:
            continue
        if not isinstance(value, wanted):
            found = "is missing" if value is None else f"is a {type(value).__name__}"
            raise UsageError(f"input {name} of stage {stage.id} {found}", f"give {name}=<{wanted.__name__}>")
