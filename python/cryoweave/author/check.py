"""The contract of every stage of an installed plugin, held against made inputs, without a test of the author's own."""

import inspect
import re
import tempfile
import traceback
import unittest
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import cryoweave.data
from cryoweave.author.inputs import made_inputs, made_params, missing_makers
from cryoweave.errors import CryoweaveError, NotGivenError, PluginError, UsageError
from cryoweave.host import Context, Params, PluginRow, Registry, Stage
from cryoweave.host.doctor import Finding, Health, diagnose
from cryoweave.testing import StageContract

OWN_TEST = "write a test of its own, with inputs that suit it: see StageContract in cryoweave.testing"
_ID = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")


class Outcome(StrEnum):
    """``not checked`` is no fault, and no praise either."""

    OK = "ok"
    ADVICE = "advice"
    SKIPPED = "skipped"
    UNCHECKED = "not checked"
    FAILED = "failed"


@dataclass(frozen=True)
class Verdict:
    """What became of one promise.

    Parameters
    ----------
    id
        Of the stage, recipe, check, format or command.
    promise
        In words.
    outcome, message
        How it went, and why.
    """

    id: str
    promise: str
    outcome: Outcome
    message: str = ""


def check_plugin(registry: Registry, name: str, may_be_empty: Collection[str] = ()) -> Iterator[Verdict]:
    """Hold the contract against every stage of a plugin.

    Parameters
    ----------
    registry
        The installed plugins.
    name
        Of the plugin or of its package.
    may_be_empty
        Inputs for which an empty one is no mistake, as ``stage.id:input``.

    Yields
    ------
    One verdict for each thing that the plugin brings and each promise of its stages.

    Raises
    ------
    UsageError
        If there is no such plugin, or it has no input that is named in ``may_be_empty``.
    PluginError
        If it is broken.
    """
    row = _row(registry, name)
    findings = [found for found in diagnose(registry, row.package) if found.what != "plugin"]
    stages = [registry.stages[found.id] for found in findings if found.what == "stage" and found.id in registry.stages]
    _known(may_be_empty, stages)
    for found in findings:
        yield _loaded(found)
        if found.what == "stage" and found.id in registry.stages:
            stage = registry.stages[found.id]
            yield _named(stage, row)
            yield from _contract(registry, stage, may_be_empty, runs=found.health is Health.OK)


def _row(registry: Registry, name: str) -> PluginRow:
    rows = [row for row in registry.plugins if name in (row.name, row.package)]
    if not rows:
        known = ", ".join(row.name for row in registry.plugins) or "none"
        raise UsageError(f"there is no plugin {name!r}", f"there are: {known}; is it installed (pip install -e .)?")
    if rows[0].error:
        raise PluginError(f"{rows[0].package} cannot be used: {rows[0].error}", "see `cryoweave plugins doctor`")
    return rows[0]


def _known(may_be_empty: Collection[str], stages: list[Stage]) -> None:
    known = [f"{stage.id}:{name}" for stage in stages for name in stage.takes]
    for name in may_be_empty:
        if name not in known:
            raise UsageError(f"the plugin has no input {name!r}", f"inputs: {', '.join(known) or 'none'}")


def _loaded(found: Finding) -> Verdict:
    promise = {"check": "answers", "recipe": "its stages are there"}.get(found.what, "loads")
    outcome = {Health.OK: Outcome.OK, Health.MISSING: Outcome.UNCHECKED, Health.BROKEN: Outcome.FAILED}[found.health]
    message = found.message if outcome is Outcome.OK or not found.hint else f"{found.message}; {found.hint}"
    return Verdict(found.id, promise, outcome, message)


def _named(stage: Stage, row: PluginRow) -> Verdict:
    promise, family = "is named after its plugin", row.name.replace("-", "_")
    if not _ID.fullmatch(stage.id):
        return Verdict(stage.id, promise, Outcome.FAILED, f"an id reads like {family}.verb, in lower case")
    if stage.id.partition(".")[0] != family:
        return Verdict(stage.id, promise, Outcome.ADVICE, f"only {family}.… is sure to be no other plugin's")
    return Verdict(stage.id, promise, Outcome.OK)


def _contract(registry: Registry, stage: Stage, may_be_empty: Collection[str], *, runs: bool) -> Iterator[Verdict]:
    """Verdicts of the contract's tests; those that run the stage only where it can be run on made inputs."""
    contract = contract_of(registry, stage, may_be_empty)
    tests = [getattr(contract, name) for name in vars(StageContract) if name.startswith("test_")]
    running = [test for test in tests if "tmp_path" in inspect.signature(test).parameters]
    if not runs:  # it does not load, or lacks a program: that was said
        return
    yield from (_verdict(stage, test) for test in tests if test not in running)
    reason = _cannot_run(contract)
    if reason is not None:
        yield Verdict(stage.id, "all that a run of it would show", Outcome.UNCHECKED, reason)
        return
    yield from (_verdict(stage, test) for test in running)


def contract_of(registry: Registry, stage: Stage, may_be_empty: Collection[str] = ()) -> StageContract:
    """The contract of one stage with made inputs; optional ones may be empty."""
    free = tuple(name for name in stage.takes if name in stage.optional or f"{stage.id}:{name}" in may_be_empty)

    class Made(StageContract):
        stage_id = stage.id

        def inputs(self) -> dict[str, Any]:
            return made_inputs(stage)

        def params(self) -> Params:
            return made_params(stage)

        def registry(self) -> Registry:
            return registry

    Made.may_be_empty = free
    return Made()


def _cannot_run(contract: StageContract) -> str | None:
    """Why the stage gives nothing on made inputs although it does nothing wrong; None if it does, or is at fault."""
    lacking = missing_makers(contract.stage)
    if lacking:
        return f"no {' or '.join(lacking)} can be made: {OWN_TEST}"
    try:
        with tempfile.TemporaryDirectory() as scratch:
            contract.run(Context(scratch=Path(scratch)), **contract.inputs())
    except NotGivenError as error:
        return f"it needs a parameter: {error}; {OWN_TEST}"
    except CryoweaveError as error:
        if not error.hint or _of_values(error):
            return None  # an error without a hint, or values that cannot be, are a fault, which the tests will meet
        return f"the inputs made for it do not suit it: {error}; {OWN_TEST}"
    except (Exception, SystemExit):
        return None
    return None


def _of_values(error: CryoweaveError) -> bool:
    """Whether a data class refused what the stage made."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).parent == Path(cryoweave.data.__file__).parent


def _verdict(stage: Stage, test: Callable[..., None]) -> Verdict:
    words = _words(test)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            test(**({"tmp_path": Path(scratch)} if "tmp_path" in inspect.signature(test).parameters else {}))
    except unittest.SkipTest as skipped:
        return Verdict(stage.id, words, Outcome.SKIPPED, str(skipped))
    except AssertionError as failed:
        return Verdict(stage.id, words, Outcome.FAILED, str(failed))
    except (Exception, SystemExit) as error:  # a stranger's stage may raise anything; users would be told of a bug
        return Verdict(stage.id, words, Outcome.FAILED, f"it raised {type(error).__name__}: {error}")
    return Verdict(stage.id, words, Outcome.OK)


def _words(test: Callable[..., None]) -> str:
    return test.__name__.removeprefix("test_").replace("_", " ")
