"""``cryoweave run``: from a map to a model, its scores and a report."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cryoweave.cli import console, options
from cryoweave.cli.interrupts import interruptible
from cryoweave.cli.watch import seconds, watching
from cryoweave.pipeline.words import STAGE_FILE

if TYPE_CHECKING:
    from cryoweave.pipeline.run import RunResult

_RESUMABLE = "the same command goes on after the last stage that was done"
_MEANING = {
    "model": "atomic model",
    "points": "points or traces, for viewers",
    "residues": "where each residue comes from, and how sure that is",
    "poses": "all poses with their scores",
    "fit": "the model in its best pose (fit_02.cif … in the next)",
    "scores": "scores with their definitions",
    "scores_table": "scores per residue",
    "chimerax": "opens map and model, or points, in ChimeraX",
    "pymol": "opens map and model in PyMOL",
    "coot": "opens map and model in Coot",
    "scene": "map, model and colours for Mol*",
    "citations": "what to cite",
    "report": "the report",
}


def run(
    recipe: options.Named = None,
    map_: options.Map = None,
    sequence: options.Sequences = None,
    rna: options.Rna = None,
    dna: options.Dna = None,
    secondary_structure: options.Secondary = None,
    model: options.ModelFiles = None,
    reference: options.Reference = None,
    given: options.Given = None,
    chain: options.Chain = None,
    swap: options.Swap = None,
    set_: options.Set = None,
    output: options.Output = None,
    start: options.Start = None,
    until: options.Until = None,
    force: options.Force = None,
    replace: options.Replace = False,
    reuse: options.Reuse = None,
    ignore_checks: options.IgnoreChecks = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan and stop; writes nothing.", rich_help_panel=options.RUN)
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            "-t",
            "--threads",
            metavar="N",
            help="0, the default, for one per core; e.g. -t 4.",
            rich_help_panel=options.RUN,
        ),
    ] = None,
    seed: options.Seed = None,
    time_budget: options.TimeBudget = None,
    workers: options.Workers = None,
    device: Annotated[
        str | None,
        typer.Option(
            "-d",
            "--device",
            metavar="auto|cpu|N",
            help="Where to compute, auto if not given; e.g. -d cpu.",
            rich_help_panel=options.RUN,
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Only errors on stderr.", rich_help_panel=options.RUN)
    ] = False,
    json: console.Json = False,
) -> None:
    """Run a recipe on a map. The same command again goes on where a run was stopped."""
    if dry_run:
        from cryoweave.cli.plan import plan

        plan(
            recipe, map_, sequence, rna, dna, secondary_structure, model, reference, given, chain, swap, set_, output,
            start, until, force, replace, reuse, ignore_checks, seed, time_budget, json,
        )  # fmt: skip
        return
    from cryoweave.pipeline.run import run as execute

    chosen = options.recipe_of(recipe, chain, swap)
    density = options.map_of(map_, chosen)
    with interruptible(_RESUMABLE), watching(quiet) as progress, options.spread_over(workers) as spread:
        result = execute(
            chosen,
            map=density,
            sequences=options.sequences_of(sequence, rna, dna),
            model=model,
            reference=reference,
            secondary_structure=secondary_structure,
            output=output,
            settings=set_ or [],
            start=start,
            until=until,
            force=force or [],
            replace=replace,
            reuse=reuse or [],
            ignore_checks=ignore_checks,
            seed=seed,
            threads=threads,
            device=device,
            time_budget=options.seconds_of(time_budget),
            progress=progress,
            given=options.given_of(given),
            spread=spread,
        )
    if json:
        console.data_json(dict(result.record))
    else:
        _last_screen(result, reference is not None)


def _last_step(result: "RunResult") -> Iterator[tuple[str, Path]]:
    """The files of a run that ends before there is a model."""
    step = result.record["steps"][-1]
    for file in sorted((result.folder / step["folder"]).rglob("*")):
        if file.is_file() and file.name != STAGE_FILE:
            yield step["step"], file


def _confidence(sure: Mapping[str, float] | None) -> Iterator[tuple[str, str, str, str]]:
    if sure is None:
        return
    yield "confidence", f"{sure['mean']:.2f}", "", "mean over the residues, 0 to 1, by the method that built them"
    low = f"residues whose confidence is below {sure['low_below']:g}"
    yield "low_confidence", f"{sure['low_share']:.0%}", "", f"{low}, of {sure['residues']}"


def _last_screen(result: "RunResult", compared: bool) -> None:
    outputs = dict(result.record["outputs"])
    report = outputs.pop("report")
    rows = [*_confidence(result.record.get("confidence"))]
    if compared and result.scores is not None:
        rows += [
            (name, console.number(value), result.scores.metrics[name].unit, result.scores.metrics[name].definition)
            for name, value in result.scores.whole.items()
        ]
    if rows:
        console.table(("figure", "value", "unit", "meaning"), rows)
    console.data(f"{result.record['recipe']} done in {seconds(result.record['seconds'])}")
    if result.model is None:
        for name, file in _last_step(result):
            console.data(f"result of {name}: {file}")
    for name, file in outputs.items():
        console.data(f"{_MEANING[name]}: {result.folder / file}")
    console.data(f"{_MEANING['report']}: {result.folder / report}")
