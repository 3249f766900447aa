"""``cryoweave validate``: all installed validators on models that anyone built."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import InputError, StageError, UsageError

if TYPE_CHECKING:
    from cryoweave.data import Model, ScoreTable
    from cryoweave.pipeline.inputs import RunInput
    from cryoweave.pipeline.validated import Judged
    from cryoweave.pipeline.validation import Validation


def validate(
    models: Annotated[
        list[Path],
        typer.Argument(metavar="MODEL...", readable=False, help="Models (mmCIF or PDB), or folders of runs."),
    ],
    map_file: Annotated[
        Path | None,
        typer.Option("--map", "-v", metavar="MAP", readable=False, help="The density map that they should explain."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option("--reference", "-r", readable=False, help="A model to compare with.")
    ] = None,
    sequence: Annotated[
        Path | None,
        typer.Option("--sequence", "-s", "--protein-fasta", "-pf", readable=False, help="FASTA file of the proteins."),
    ] = None,
    half_maps: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--half-maps", metavar="A B", readable=False, help="The two half maps, for their own correlation."
        ),
    ] = None,
    resolution: Annotated[
        float | None, typer.Option("--resolution", "-d", metavar="Å", min=0.1, max=100, help="Resolution of the map.")
    ] = None,
    contour: Annotated[
        float | None, typer.Option("--contour", metavar="DENSITY", help="The map's recommended contour.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.PARAM=VALUE", help="A parameter of a validator; may be given again."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STAGE", help="Run only this validator; may be given again.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            readable=False,
            help="Write scores, model, report and scripts for viewers here.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """Scores of models against a map, a reference or sequences, each with its definition."""
    from cryoweave.pipeline.execute import choose_threads
    from cryoweave.pipeline.outputs import REPORT
    from cryoweave.pipeline.validated import Judged, check_place, write_comparison, write_validation
    from cryoweave.pipeline.validation import parse_options
    from cryoweave.pipeline.validation import validate as run

    params, stages = parse_options(settings or [], only or [])
    places = _places(models, output)
    files = [path for path in (map_file, reference, sequence, *(half_maps or ())) if path]
    read = {name: _read(path) for name, path in zip(places, models, strict=True)}
    for place in places.values() if output else ():
        check_place(place, [*files, *(path for _, path, _ in read.values())])
    inputs = _inputs(map_file, reference, sequence, half_maps)
    given: dict[str, Any] = {name: entry.value for name, entry in inputs.items() if not name.startswith("half")}
    if half_maps:
        given["half_maps"] = (inputs["half_a"].value, inputs["half_b"].value)
    given |= {"resolution": resolution, "contour": contour, "params": params, "stages": stages, "threads": threads}
    judged = [Judged(name, model, path, run(model, **given), notes) for name, (model, path, notes) in read.items()]
    results = {one.name: one.result for one in judged}
    _complain(judged)
    failed = [error for result in results.values() for error in result.failed.values()]
    if all(result.scores is None for result in results.values()):
        raise typer.Exit(failed[0].exit_code) if failed else _no_score(bool(map_file or reference))
    for one in judged if output else ():
        write_validation(
            places[one.name], one, inputs, resolution=resolution, contour=contour, threads=choose_threads(threads)
        )
        console.say(f"report of {one.name}: {places[one.name] / REPORT}")
    if output and len(judged) > 1:
        console.say(f"side by side: {write_comparison(output, [(one, places[one.name]) for one in judged])}")
    if as_json:
        console.data_json([_entry(name, result) for name, result in results.items()])
    else:
        _show(results)
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _read(path: Path) -> "tuple[Model, Path, list[str]]":
    """The model in a file or in the folder of a run, its file, and what to know of how it was read."""
    from cryoweave.io.maps import inspect_map
    from cryoweave.io.model_writing import without_blank_chain
    from cryoweave.io.models import read_models

    if path.is_dir():
        if not (path / "model.cif").is_file():
            raise InputError(
                f"the folder {path} holds no model.cif", "give the path of a model, or the folder of a run"
            )
        path = path / "model.cif"
    try:
        model, *others = read_models(path)
    except InputError as error:
        try:
            inspect_map(path)
        except InputError:
            raise error from None
        raise InputError(f"{path} is a density map, not a model", "give the map with -v, and a model besides") from None
    notes = [f"{path.name} holds {len(others) + 1} models: the first is judged"] if others else []
    named, _ = without_blank_chain(model, None)
    if (model.chain == "").any():
        notes.append(f"the chain without an id is called {named.chain[model.chain == ''][0]} here")
    if not len(named.trace_atoms()):
        notes.append(f"{path.name} has no residue with a Cα or P atom: most validators have nothing to judge")
    return named, path, notes


def _inputs(
    map_file: Path | None, reference: Path | None, sequence: Path | None, half_maps: tuple[Path, Path] | None
) -> "dict[str, RunInput]":
    from cryoweave.io import store
    from cryoweave.io.maps import read_map
    from cryoweave.pipeline.inputs import RunInput, load_inputs

    inputs = load_inputs({"density": map_file, "reference": reference, "sequences": sequence})
    for name, path in zip(("half_a", "half_b"), half_maps or (), strict=False):
        value = read_map(path)
        inputs[name] = RunInput(value, store.digest(value), (path,))
    return inputs


def _places(models: list[Path], output: Path | None) -> dict[str, Path]:
    """Folder for each model by what it is called: its file's name, or its path where two files have one name."""
    names = [path.resolve().name or str(path) for path in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise UsageError("a model is given twice", "name each file once")
    top = output or Path()
    places = {name: top if len(names) == 1 else top / name.strip("/.").replace("/", "_") for name in names}
    if len(set(places.values())) < len(places):
        raise UsageError("two models would have one folder", "rename one of them")
    return places


def _complain(judged: "list[Judged]") -> None:
    left_out = {stage: reason for one in judged for stage, reason in one.result.left_out.items()}
    for stage, reason in left_out.items():
        console.say(f"left out: {stage} {reason}", "dim")
    for one in judged:
        for note in one.notes:
            console.say(note)
        for error in one.result.failed.values():
            console.show_error(f"{one.name}: {error}", error.hint)


def _no_score(something_given: bool) -> StageError:
    """Nothing failed, and nothing ran: each validator has said what it lacks."""
    hint = "each says above what it lacks" if something_given else "give a map (-v) or a reference (-r)"
    return StageError("no validator gave a score", f"{hint}; see `cryoweave plugins doctor`")


def _entry(name: str, result: "Validation") -> dict[str, Any]:
    failed = {stage: str(error) for stage, error in result.failed.items()}
    entry = {"model": name, "ran": result.ran, "left_out": result.left_out, "failed": failed}
    if (scores := result.scores) is None:
        return {**entry, "whole": {}, "metrics": {}, "residues": []}
    return {**entry, "whole": scores.whole, "metrics": scores.metrics, "residues": _residues(scores)}


def _residues(scores: "ScoreTable") -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in scores.to_pandas().to_dict("records")]


def _show(results: "dict[str, Validation]") -> None:
    tables = [result.scores for result in results.values()]
    known = [table for table in tables if table is not None]
    metrics = {name: metric for table in known for name, metric in table.metrics.items() if name in table.whole}
    wholes = [table.whole if table is not None else {} for table in tables]
    console.table(
        ("score", *results, "unit", "definition"),
        [(name, *(_number(w.get(name)) for w in wholes), m.unit, m.definition) for name, m in metrics.items()],
    )


def _number(value: float | None) -> str:
    return "" if value is None else "-" if value != value else f"{value:.4g}"
