"""``cryoweave fit``: known or predicted structures placed in a map, by one method or several side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from cryoweave.cli import console, options
from cryoweave.cli.interrupts import interruptible
from cryoweave.cli.watch import seconds, watching
from cryoweave.errors import UsageError

if TYPE_CHECKING:
    from cryoweave.data import Poses
    from cryoweave.host.records import Recipe
    from cryoweave.pipeline.run import RunResult

DEFAULT = "fit"
TRY = "Try a smaller --angle-step, another --contour, a part of the model, or --set search.candidates=300; is -d right?"
"""What to do where no fit is significant."""
ALIKE = ("laplacian", "correlation", "about_mean", "inside")
"""Measures that compare between methods."""
SHOWN = 10
"""Poses that the last screen shows."""
_RESUMABLE = "the same command goes on after the last stage that was done"
SEARCH = "Search"


def fit(
    models: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MODEL...", readable=False, help="Structures to place, mmCIF or PDB.", show_default=False
        ),
    ] = None,
    map_: options.Map = None,
    resolution: Annotated[
        float | None,
        typer.Option("-d", "--resolution", metavar="Å", help="Of the map, e.g. -d 6.5.", rich_help_panel=SEARCH),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--method",
            metavar="RECIPE",
            help="How to search, fit if not given; may be repeated to compare. `cryoweave fit --methods` lists them.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    methods: Annotated[
        bool, typer.Option("--methods", help="List what --method takes.", is_eager=True, rich_help_panel=SEARCH)
    ] = False,
    contour: Annotated[
        float | None,
        typer.Option("--contour", help="Density that counts as molecule; found if not given.", rich_help_panel=SEARCH),
    ] = None,
    angle_step: Annotated[
        float | None,
        typer.Option("--angle-step", metavar="°", help="Finer finds more and takes longer.", rich_help_panel=SEARCH),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="Poses of each model to keep.", rich_help_panel=SEARCH)
    ] = None,
    copies: Annotated[
        int | None,
        typer.Option("--copies", metavar="N", help="Copies of each model to place.", rich_help_panel=SEARCH),
    ] = None,
    symmetry: Annotated[
        str | None,
        typer.Option(
            "--symmetry",
            metavar="GROUP",
            help="Of the map about z: C4, D7, O, I2, H-166.5,27.5,6.",
            rich_help_panel=SEARCH,
        ),
    ] = None,
    reference: options.Reference = None,
    set_: options.Set = None,
    output: options.Output = None,
    force: options.Force = None,
    replace: options.Replace = False,
    ignore_checks: options.IgnoreChecks = False,
    threads: Annotated[
        int | None,
        typer.Option(
            "-t", "--threads", metavar="N", help="0, the default, for one per core.", rich_help_panel=options.RUN
        ),
    ] = None,
    workers: options.Workers = None,
    seed: options.Seed = None,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Only errors on stderr.", rich_help_panel=options.RUN)
    ] = False,
    json: console.Json = False,
) -> None:
    """Place structures in a map: all rotations and places, the best refined, with every score of every pose."""
    if methods:
        _list_methods()
        return
    from cryoweave.pipeline.run import default_folder, run

    if not models:
        raise UsageError("no model is given", "name the structures to place, e.g. cryoweave fit chain.cif -v map.mrc")
    if map_ is None:
        raise UsageError("no map is given", "give -v MAP, e.g. -v emd_5168.map.gz")
    chosen = method or [DEFAULT]
    shared = {"resolution": resolution, "contour": contour, "angle_step": angle_step}
    plans = _plans(chosen, {**shared, "top": top, "copies": copies, "symmetry": symmetry}, set_ or [])
    results = {}
    for name, recipe, settings in plans:
        folder = output or default_folder(name if len(chosen) == 1 else DEFAULT, map_)
        with interruptible(_RESUMABLE), watching(quiet) as progress, options.spread_over(workers) as spread:
            results[name] = run(
                recipe,
                map=map_,
                model=models,
                reference=reference,
                output=folder if len(chosen) == 1 else folder / Path(name).stem,
                settings=settings,
                force=force or [],
                replace=replace,
                ignore_checks=ignore_checks,
                seed=seed,
                threads=threads,
                progress=progress,
                spread=spread,
            )
    _show(results, json)


def _plans(
    methods: Sequence[str], shared: Mapping[str, Any], settings: Sequence[str]
) -> list[tuple[str, "Recipe", dict[str, Any]]]:
    """Each method's name, recipe and parameters."""
    from cryoweave.pipeline.chain import load_recipe
    from cryoweave.pipeline.settings import parse_settings, shared_settings

    if settings and len(methods) > 1:
        raise UsageError("--set names a step of one method, and several are given", "fit with each by itself")
    given = {name: value for name, value in shared.items() if value is not None}
    plans = []
    for name in methods:
        recipe = load_recipe(name)
        plans.append((name, recipe, {**shared_settings(recipe, given), **parse_settings(settings, recipe)}))
    return plans


def _list_methods() -> None:
    """Recipes that place models."""
    from cryoweave.host import registry
    from cryoweave.pipeline.settings import places_models

    rows = [(name, recipe.summary) for name, recipe in sorted(registry().recipes.items()) if places_models(recipe)]
    console.table(("method", "what it does"), rows)


def _show(results: Mapping[str, "RunResult"], json: bool) -> None:
    from cryoweave.data.poses import SURE
    from cryoweave.report.poses import verdict_of

    if json:
        console.data_json({name: _entry(result) for name, result in results.items()})
        return
    for name, result in results.items():
        poses = result.poses
        if len(results) > 1:
            console.data(f"\n{name}")
        if poses is None:
            console.data(f"{name} gave no poses")
            continue
        columns = [key for key, values in poses.measures.items() if np.isfinite(values).any()]
        rows = [
            (i + 1, poses.model[i], *(console.number(float(values[i])) for values in _numbers(poses, columns)))
            for i in range(min(len(poses), SHOWN))
        ]
        console.table(("pose", "model", "score", *columns), rows)
        verdict, good = verdict_of(poses)
        console.say(verdict if good or SURE not in poses.measures else f"{verdict} {TRY}", "" if good else "yellow")
        console.data(f"{name} done in {seconds(result.record['seconds'])}")
        for kind in ("poses", "fit", "model", "report"):
            if kind in result.record["outputs"]:
                console.data(f"{kind}: {result.folder / result.record['outputs'][kind]}")
    if len(results) > 1:
        console.data("\nThe best pose of each method:")
        console.table(("method", *ALIKE), [(name, *_alike(result.poses)) for name, result in results.items()])


def _alike(poses: "Poses | None") -> list[str]:
    """What the best pose has of the measures that compare between methods."""
    measures = poses.measures if poses is not None and len(poses) else {}
    return [console.number(float(measures[name][0])) if name in measures else "–" for name in ALIKE]


def _numbers(poses: "Poses", columns: list[str]) -> list[Any]:
    return [poses.score, *(poses.measures[name] for name in columns)]


def _entry(result: "RunResult") -> dict[str, Any]:
    from cryoweave.report.poses import significant

    poses = result.poses
    entry = {"folder": str(result.folder), "seconds": result.record["seconds"], "outputs": result.record["outputs"]}
    if poses is None:
        return entry
    columns = {"model": poses.model.tolist(), "score": poses.score.tolist()}
    columns |= {
        name: [None if value != value else value for value in values.tolist()]
        for name, values in poses.measures.items()
    }
    columns |= {"rotation": poses.rotation.tolist(), "translation": poses.translation.tolist()}
    return {**entry, "significant": int(significant(poses).sum()), "poses": columns}
