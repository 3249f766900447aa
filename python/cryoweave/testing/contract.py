"""What every stage promises, as a pytest class that a plugin's tests subclass."""

import inspect
import io
import signal
import tempfile
import threading
import time
import typing
import unittest
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from cryoweave.data import BondGraph, DensityMap, Model, PointCloud, Poses, ProbabilityMaps, Traces
from cryoweave.data.poses import COMMON_MEASURES
from cryoweave.errors import CryoweaveError
from cryoweave.host import Context, Params, Registry, Stage, registry
from cryoweave.host.params import describe

CANCELS_WITHIN = 1.0
"""Seconds that a stage may go on after Ctrl-C."""


class StageContract:
    """Subclass it, name the stage, give inputs; pytest does the rest.

    A subclass sets ``stage_id`` and writes ``inputs()``. It may replace ``params()`` (the defaults), ``registry()``
    (the installed plugins) and ``may_be_empty``: names of inputs for which an empty one is no mistake.
    """

    stage_id: ClassVar[str] = ""
    may_be_empty: ClassVar[tuple[str, ...]] = ()

    def inputs(self) -> dict[str, Any]:
        """Values for all that the stage takes, small but real enough to give a result; the same at every call."""
        raise NotImplementedError

    def params(self) -> Params:
        """Parameters for the runs."""
        return self.stage.params()

    def registry(self) -> Registry:
        """Where the stage is looked up."""
        return registry()

    @property
    def stage(self) -> Stage:
        """The record under test."""
        return self.registry().stage(self.stage_id)

    def run(self, ctx: Context, **inputs: Any) -> Any:
        """Call the stage as the pipeline does: with a scratch folder that is empty, and gone afterwards."""
        missing: dict[str, Any] = dict.fromkeys(self.stage.optional)
        with tempfile.TemporaryDirectory(dir=ctx.scratch) as scratch:
            ctx = replace(ctx, scratch=Path(scratch))
            return self.stage.function()(**{**missing, **inputs}, params=self.params(), ctx=ctx)

    def test_parameters_are_documented_and_bounded(self) -> None:
        """Each has a help line and a default that its own bounds allow; a number has bounds and says its unit.

        A number in the map's own units (``unit="map"``) may be any.
        """
        for row in describe(self.stage.params):
            assert row.description.strip(), f"{row.name} has no description"
            if row.type in ("int", "float"):
                assert row.bounds or row.unit == "map", f"{row.name} is a number without bounds"
                named = [unit for unit in ("Å", "degree", "second") if unit in row.description]
                assert row.unit or not named, f"{row.name}: say {named} in `unit`; an empty one means a pure number"
        self.stage.params.model_validate(self.stage.params().model_dump())

    def test_signature_is_what_the_record_says(self) -> None:
        """Inputs by name, then ``params``, then ``ctx``, annotated with the record's types."""
        function = self.stage.function()
        hints = typing.get_type_hints(function)
        named, wanted = list(inspect.signature(function).parameters), [*self.stage.takes, "params", "ctx"]
        assert named == wanted, f"the function takes {', '.join(named)}; its record says {', '.join(wanted)}"
        kinds = {name: kind | None if name in self.stage.optional else kind for name, kind in self.stage.takes.items()}
        for name, kind in {**kinds, "ctx": Context, "return": self.stage.gives}.items():
            assert hints.get(name) == kind, f"{name} is annotated {hints.get(name)}, wanted {kind}"
        taken = hints.get("params")
        fits = isinstance(taken, type) and issubclass(self.stage.params, taken)
        assert fits, f"params is annotated {taken}, wanted {self.stage.params}"

    def test_gives_what_it_says_and_leaves_inputs_alone(self, tmp_path: Path) -> None:
        """The output is of type ``gives``; every array of every input is what it was."""
        inputs = self.inputs()
        unknown = set(inputs) - set(self.stage.takes)
        assert not unknown, f"inputs() gives {unknown}, which the stage does not take"
        before = {name: digest(value) for name, value in inputs.items()}
        found = self.run(Context(scratch=tmp_path), **inputs)
        gives = self.stage.gives.__name__
        assert isinstance(found, self.stage.gives), f"it gave {type(found).__name__}, its record says {gives}"
        if isinstance(found, Poses):
            came = {name for value in inputs.values() if isinstance(value, Poses) for name in value.measures}
            unexplained = {*found.measures} - {*self.stage.measures} - {*COMMON_MEASURES} - came
            assert not unexplained, f"say in Stage.measures what {unexplained} means"
        changed = [name for name, value in inputs.items() if digest(value) != before[name]]
        assert not changed, f"it changed its input {', '.join(changed)}"

    def test_prints_nothing(self, tmp_path: Path) -> None:
        """Standard output belongs to what the user asked for; a stage has ``ctx.log``."""
        with redirect_stdout(io.StringIO()) as said:
            self.run(Context(scratch=tmp_path), **self.inputs())
        assert not said.getvalue(), f"it printed {said.getvalue()[:40]!r}: use ctx.log"

    def test_same_seed_gives_the_same_result(self, tmp_path: Path) -> None:
        """Bit for bit, and whatever the number of threads."""
        first = self.run(Context(seed=7, threads=1, scratch=tmp_path), **self.inputs())
        again = self.run(Context(seed=7, threads=2, scratch=tmp_path), **self.inputs())
        assert digest(first) == digest(again), "one seed gave two results (the first on one thread, the other on two)"

    def test_an_empty_input_is_a_clear_error(self, tmp_path: Path) -> None:
        """A map of zeros, no points, no atoms: an expected error that says what to do next."""
        inputs = self.inputs()
        for name in sorted(set(inputs) - set(self.may_be_empty)):
            nothing = empty(inputs[name])
            if nothing is None:
                continue
            refusal = self._refusal(tmp_path, {**inputs, name: nothing})
            assert refusal, f"an empty {name} is no error; if it is no mistake, name it in may_be_empty"
            assert str(refusal), f"the error for an empty {name} has no message"
            assert refusal.hint, f"the error for an empty {name} ({refusal}) has no hint"

    def _refusal(self, scratch: Path, inputs: dict[str, Any]) -> CryoweaveError | None:
        """The expected error that these inputs cause."""
        try:
            self.run(Context(scratch=scratch), **inputs)
        except CryoweaveError as error:
            return error
        return None

    def test_progress_can_stop_it(self, tmp_path: Path) -> None:
        """Whoever calls ``ctx.progress`` lets its ``KeyboardInterrupt`` through."""
        called = False

        def stop(_done: int, _total: int) -> None:
            nonlocal called
            called = True
            raise KeyboardInterrupt

        try:
            self.run(Context(scratch=tmp_path, progress=stop), **self.inputs())
        except KeyboardInterrupt:
            return
        assert not called, "the stage swallowed the KeyboardInterrupt that its progress raised"

    def test_interrupt_ends_it_within_a_second(self, tmp_path: Path) -> None:
        """Ctrl-C in the middle of a run that takes longer than 0.2 s on these inputs."""

        def work() -> None:
            self.run(Context(scratch=tmp_path), **self.inputs())

        work()  # loads what is loaded once
        begun = time.perf_counter()
        work()
        taken = time.perf_counter() - begun
        if taken < 0.2:
            raise unittest.SkipTest("done in less than 0.2 s: nothing to interrupt")  # pytest knows it too
        late = interrupted(work, after=taken / 4)
        assert late is not None, "it swallowed Ctrl-C"
        assert late < CANCELS_WITHIN, f"it went on for {late:.1f} s after Ctrl-C"


def digest(value: Any) -> str:
    """The digest that the cache uses."""
    from cryoweave.io import store

    found: str = store.digest(value)
    return found


def empty(value: Any) -> Any:
    """The same kind of value with nothing in it; None where there is no such thing."""
    if isinstance(value, DensityMap | ProbabilityMaps):
        return replace(value, values=np.zeros_like(value.values))
    if isinstance(value, Model | PointCloud | BondGraph | Traces):
        columns = {field.name: getattr(value, field.name) for field in fields(value)}
        nothing: dict[str, Any] = {n: c[:0] if isinstance(c, np.ndarray) else c for n, c in columns.items()}
        return type(value)(**nothing)
    return None


def interrupted(work: Callable[[], None], *, after: float) -> float | None:
    """Send SIGINT to the main thread, which does the work, after so many seconds.

    Work that is done before then is done again, with the signal after half as long: a machine is busy now and not then.

    Returns
    -------
    Seconds from the signal to the end, wall or CPU, whichever is less, so that a busy machine is no excuse and no
    reproach; None if the work did not end by ``KeyboardInterrupt``.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main or main.ident is None:
        raise RuntimeError("only the main thread can be interrupted")
    ident = main.ident
    sent: list[tuple[float, float]] = []

    def send() -> None:
        sent.append((time.perf_counter(), time.process_time()))
        signal.pthread_kill(ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        while not sent:
            timer = threading.Timer(after, send)
            timer.start()
            work()
            timer.cancel()
            timer.join()  # a signal sent in this moment is caught here, not by pytest
            after /= 2
    except KeyboardInterrupt:
        if not sent:
            raise
        return min(time.perf_counter() - sent[0][0], time.process_time() - sent[0][1])
    finally:
        signal.signal(signal.SIGINT, before)
    return None
