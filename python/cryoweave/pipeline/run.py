"""A run: the steps of a recipe one after the other, each result kept in the run folder."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryoweave import host
from cryoweave.data import DensityMap, Model, ModelSet, Poses, ScoreTable, SequenceSet
from cryoweave.data.arrays import short_repr
from cryoweave.errors import UsageError
from cryoweave.host.context import CUT_SHORT, Context, Spread
from cryoweave.host.records import Recipe
from cryoweave.pipeline.again import complete
from cryoweave.pipeline.budget import Budget
from cryoweave.pipeline.cache import KEPT, Kept, identify, keep, look_up
from cryoweave.pipeline.chain import load_recipe
from cryoweave.pipeline.ending import Found, finish, report
from cryoweave.pipeline.events import Journal, Watch, held, logged
from cryoweave.pipeline.execute import call, choose_device, choose_threads, facts_of
from cryoweave.pipeline.gate import check_before, told
from cryoweave.pipeline.inputs import RunInput, load_inputs, model_inputs
from cryoweave.pipeline.lock import LOCK, locked
from cryoweave.pipeline.measure import measured
from cryoweave.pipeline.plan import describe, prepare, why_forced
from cryoweave.pipeline.record import (
    EARLIER,
    Record,
    check_folder,
    check_lenders,
    check_same_problem,
    finished,
    new_entries,
    remove_stale_stages,
    write_run_toml,
)
from cryoweave.pipeline.scratch import clean, scratch_folder
from cryoweave.pipeline.wiring import Wired, WiredStep, check_needs, select


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run gave.

    Parameters
    ----------
    folder
        The run folder.
    record
        What ``record.json`` holds.
    model
        The last model that a step gave, if any did.
    scores
        All score tables of the run in one, if there are any.
    poses
        The last poses that a step gave, if any did.
    """

    folder: Path
    record: Mapping[str, Any]
    model: Model | None
    scores: ScoreTable | None
    poses: Poses | None = None

    __repr__ = short_repr


def default_folder(recipe: Recipe | str | Path, map: str | Path) -> Path:
    """``RECIPE_MAPSTEM`` in the current folder."""
    name = Path(recipe.id if isinstance(recipe, Recipe) else recipe)
    stem = Path(map).name
    while Path(stem).suffix.lower() in (".gz", ".bz2", ".mrc", ".map", ".ccp4", ".mrcs", ".rec"):
        stem = Path(stem).stem
    return Path(f"{name.stem if name.suffix == '.toml' else name.name}_{stem}")


def run(
    recipe: Recipe | str | Path,
    *,
    map: str | Path | DensityMap | None = None,
    sequences: str | Path | SequenceSet | Mapping[str, str | Path] | None = None,
    model: str | Path | Model | Sequence[str | Path | Model] | ModelSet | None = None,
    reference: str | Path | Model | None = None,
    secondary_structure: str | Path | None = None,
    output: str | Path | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    start: str | None = None,
    until: str | None = None,
    force: Sequence[str] = (),
    replace: bool = False,
    reuse: Sequence[str | Path] = (),
    ignore_checks: bool = False,
    seed: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    time_budget: float | None = None,
    progress: Watch | None = None,
    given: Mapping[str, str | Path] | None = None,
    pages: bool = True,
    spread: Spread | None = None,
) -> RunResult:
    """Run a recipe; what an earlier run in the folder left is used where nothing that made it has changed.

    Parameters
    ----------
    recipe
        A recipe, its id, or the path of its TOML file. Inputs, seed, threads and device that are not given come from
        the table ``[run]`` of that file, if it has one: so ``run.toml`` of a run folder repeats that run.
    map, reference
        Paths or values.
    model
        Path or value; a list of them for a recipe that places several models.
    sequences
        Path of the proteins' FASTA file, a mapping of ``protein``, ``rna``, ``dna`` to paths, or a value.
    secondary_structure
        File with the secondary structure of the proteins' sequences.
    output
        The run folder; ``RECIPE_MAPSTEM`` in the current folder if the map is a path.
    settings
        Parameters, ``{"step.param": value}`` or ``["step.param=value"]``.
    start
        Run again from this step on; what is before it must be there.
    until
        Stop after this step.
    force
        Steps to run again whatever is kept.
    replace
        Use the folder although it holds the results of another map, other sequences or other models.
    reuse
        Folders of other runs, also of other recipes: results of steps that would run alike are taken from there.
    ignore_checks
        Run although a check of the inputs fails; it becomes a warning.
    seed
        Decides all random numbers; 0 if nothing else is said.
    threads
        0, the default, for one per core; results do not depend on it.
    device
        ``auto``, the default, ``cpu`` or the number of an accelerator.
    time_budget
        Seconds from the start of the run that its searches share, as far as they can end early; no limit if absent.
        What they give then depends on the machine.
    progress
        Gets every event; see :data:`cryoweave.pipeline.events.Watch`.
    given
        Files of other programs, by the id of their format.
    pages
        Whether to write the report and the scripts for viewers.
    spread
        By which stages split long searches over other machines; results do not depend on it.

    Raises
    ------
    UsageError
        If recipe, parameters, inputs or folder do not fit together.
    InputError, StageError
        If an input cannot be read or a stage cannot give a result.
    PluginError
        If a plugin or what a stage needs is missing or broken.
    """
    inputs = {"density": map, "sequences": sequences, "reference": reference, **(given or {})}
    inputs |= model_inputs(recipe, model)
    begin = complete(recipe, inputs, secondary_structure, seed, threads, device)
    recipe = load_recipe(recipe)
    whole = prepare(recipe, begin.inputs, settings)
    wired, forced = select(whole, start, until, tuple(force))
    check_needs(wired)
    map = begin.inputs.get("density")
    if output is None and not isinstance(map, str | Path):
        raise UsageError("a run whose map is not a file needs a folder", "give output=FOLDER")
    folder = Path(output) if output is not None else default_folder(recipe, str(map))
    check_folder(folder, recipe, LOCK)
    lenders = check_lenders(reuse)
    with held() as before:
        values = load_inputs(begin.inputs, begin.secondary_structure)
        if not replace:
            check_same_problem(folder, values)
    chosen, why = choose_device(begin.device)
    count = choose_threads(begin.threads)
    findings = check_before(wired, values, ignore=ignore_checks)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "choose another folder with -o"
        raise UsageError(f"cannot make the folder {folder}: {error.strerror}", hint) from error
    with locked(folder):
        journal = Journal(folder, progress)
        with logged(folder, journal, before) as log:
            log.info("device %s: %s; threads: %d", chosen, why, count)
            for finding in findings:
                log.warning("%s", told(finding))
            entries = {"seed": begin.seed, "threads": count, "device": chosen}
            budget = Budget(time_budget) if time_budget is not None else None
            return _Run(
                folder, wired, forced, start, values, lenders, journal, log, entries, budget, pages, spread
            ).go()


class _Run:
    """The state of one run: the values that later steps need, their digests, the record."""

    def __init__(
        self,
        folder: Path,
        wired: Wired,
        forced: frozenset[str],
        start: str | None,
        inputs: Mapping[str, RunInput],
        lenders: Sequence[Path],
        journal: Journal,
        log: logging.Logger,
        settings: Mapping[str, Any],
        budget: Budget | None,
        pages: bool,
        spread: Spread | None,
    ) -> None:
        earlier = finished(folder)
        clean(folder, keep_outputs=earlier is not None)
        self.folder, self.wired, self.forced, self.start = folder, wired, forced, start
        self.lenders, self.journal, self.log = lenders, journal, log
        self.inputs = {name: entry.on_disk(name, folder) for name, entry in inputs.items()}
        self.values = {f"input.{name}": entry.value for name, entry in inputs.items()}
        self.digests = {f"input.{name}": entry.digest for name, entry in inputs.items()}
        self.found = Found()
        self.record = Record(folder, new_entries(wired, self.inputs, earlier, **settings))
        if budget is not None:
            self.record.entries["time_budget"] = budget.seconds
        self.context, self.budget, self.pages, self.spread = settings, budget, pages, spread

    def go(self) -> RunResult:
        """All steps, then the files that people open; the record says how it ended."""
        recipe = self.wired.recipe
        entries = {name: self.record.entries[name] for name in ("cryoweave", "plugins", "seed", "command")}
        self.journal.emit("run_started", recipe=recipe.id, steps=[step.name for step in self.wired.steps], **entries)
        state = "interrupted"
        try:
            self._announce()
            write_run_toml(self.folder, self.wired, self.inputs, **self.context)
            for i, step in enumerate(self.wired.steps):
                self._step(step)
                self._forget(i)
            remove_stale_stages(self.folder, self.wired)
            self._tell_of_lenders()
            result = self._finish()
            state = "done"
        except Exception as error:
            state = "failed"
            self.record.write(state=state, error=str(error) or type(error).__name__)
            self.log.error("%s", error)
            if self.pages:
                self._report_failure()
            raise
        finally:
            if state == "interrupted":
                self.record.write(state=state)
            if earlier := self.record.entries.get(EARLIER):
                began = str(earlier.get("started"))[:16]
                self.log.warning("model, scores and report.html in %s are those of the run of %s", self.folder, began)
            left = self.record.entries["outputs"].get("report") if state == "failed" else None
            report_there = {"report": str(self.folder / left)} if left else {}
            self.journal.emit("run_finished", state=state, seconds=self.record.entries["seconds"], **report_there)
        return result

    def _tell_of_lenders(self) -> None:
        reasons = [entry["reason"] for entry in self.record.entries["steps"]]
        for folder in self.lenders:
            if KEPT not in reasons and not any(
                reason.startswith(f"taken from {folder / 'stages'}") for reason in reasons
            ):
                self.log.warning("no step of %s ran alike: are map, sequences and parameters the same?", folder)

    def _report_failure(self) -> None:
        """A failed run gets a report too; the run's own error stays the one that the user sees."""
        try:
            report(self.folder, self.record)
        except Exception as error:
            self.log.warning("the report could not be written: %s", error)

    def _announce(self) -> None:
        for row in host.registry().plugins:
            if row.error:
                self.log.warning("the plugin %s cannot be used: %s", row.package, row.error)
        for name in self.wired.unused:
            self.log.warning("no step of %s takes the input %s", self.wired.recipe.id, name)
        for name, reason in self.wired.left_out.items():
            self.journal.emit("stage_left_out", step=name, reason=reason)

    def _step(self, step: WiredStep) -> None:
        identity = identify(step, self.digests, self.context["seed"])
        place = self.wired.folder(step.name)
        if step.name in self.forced:
            found: Kept | str = why_forced(self.wired, step.name, self.start)
            reason = str(found)
        else:
            seconds = self.budget.seconds if self.budget else None
            found, reason = look_up(self.folder / place, self.lenders, identity, step.stage.gives, seconds)
        if reused := isinstance(found, Kept):
            kept = found
        else:
            self._must_be_kept(step, reason)
            self.journal.emit(
                "stage_started", step=step.name, stage=step.stage.id, reason=reason, params=identity.params
            )
            inputs = {name: self.values[source] for name, source in step.sources.items()}
            value, taken = self._run_stage(step, inputs)
            kept = keep(self.folder / place, identity, value, step.stage.gives, taken)
        self.values[step.name], self.digests[step.name] = kept.value, kept.digest
        self._note(step, {**_entry(step, kept, place), "reused": reused, "reason": reason})

    def _must_be_kept(self, step: WiredStep, reason: str) -> None:
        names = [entry.name for entry in self.wired.steps]
        if self.start and names.index(step.name) < names.index(self.start):
            raise UsageError(
                f"--from {self.start}: the step {step.name} before it has no result that can be used: {reason}",
                "run without --from",
            )

    def _run_stage(self, step: WiredStep, inputs: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        hook = host.registry().manager.hook
        self._observe(hook.cryoweave_stage_started, step=step.name, stage=step.stage)
        step.stage.function()  # imported before the clock starts
        left = self.wired.steps[self.wired.steps.index(step) :]
        with scratch_folder(self.folder) as scratch:
            ctx = Context(
                **self.context,
                until=self.budget.until(left) if self.budget and step.stage.anytime else math.inf,
                spread=self.spread,
                scratch=scratch,
                log=logging.getLogger(f"cryoweave.stage.{step.name}"),
                progress=lambda done, total: self.journal.progress(step.name, done, total),
            )
            try:
                with measured() as taken:
                    value = call(step.stage, step.package, inputs, step.params, ctx)
            except Exception as error:
                self.journal.emit("stage_failed", step=step.name, error=str(error))
                raise
        return value, {
            "seconds": round(taken.seconds, 4),
            "cpu_seconds": round(taken.cpu_seconds, 4),
            "peak_mb": taken.peak_mb if taken.peak_mb is None else round(taken.peak_mb, 2),
            "facts": facts_of(ctx.facts),
            **({"budget": self.budget.seconds} if self.budget and CUT_SHORT in ctx.facts else {}),
        }

    def _note(self, step: WiredStep, entry: dict[str, Any]) -> None:
        """Take a step's result into the record, the events and the outputs."""
        value = self.values[step.name]
        self.found.take(step.name, value)
        self.record.entries["steps"].append(entry)
        self.record.write()
        facts = {"seconds": entry["seconds"], "facts": entry["facts"]}
        if entry["reused"]:
            self.journal.emit("stage_reused", step=step.name, stage=step.stage.id, reason=entry["reason"], **facts)
            return
        self.journal.emit("stage_finished", step=step.name, stage=step.stage.id, **facts)
        self._observe(
            host.registry().manager.hook.cryoweave_stage_finished, step=step.name, stage=step.stage, record=entry
        )

    def _observe(self, hook: Any, **facts: Any) -> None:
        """Call observers; a broken one is a warning."""
        try:
            hook(**facts)
        except Exception as error:
            self.log.warning("a plugin that watches runs failed: %s: %s", type(error).__name__, error)

    def _forget(self, done: int) -> None:
        """Let go of values that no later step takes."""
        needed = {source for step in self.wired.steps[done + 1 :] for source in step.sources.values()}
        for source in set(self.values) - needed:
            del self.values[source]

    def _finish(self) -> RunResult:
        scores = finish(self.folder, self.wired, self.record, self.inputs, self.found, pages=self.pages)
        return RunResult(self.folder, self.record.entries, self.found.model, scores, self.found.poses)


def _entry(step: WiredStep, kept: Kept, place: str) -> dict[str, Any]:
    taken = {name: kept.entry.get(name) for name in ("key", "digest", "seconds", "cpu_seconds", "peak_mb", "facts")}
    return {**describe(step), **taken, "folder": place}
