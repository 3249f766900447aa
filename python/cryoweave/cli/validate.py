"""``cryoweave validate``: all installed validators on models that anyone built."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import InputError, StageError, UsageError

if TYPE_CHECKING:
    from cryoweave.data import Model, ScoreTable
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
        typer.Option("--output", "-o", metavar="DIR", readable=False, help="Write scores.tsv and scores.json here."),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """Scores of models against a map, a reference or sequences, each with its definition."""
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model
    from cryoweave.io.sequences import read_sequences
    from cryoweave.pipeline.validation import parse_options
    from cryoweave.pipeline.validation import validate as run

    params, stages = parse_options(settings or [], only or [])
    names = _names(models)
    read = {path: _read(path) for path in models}
    inputs: dict[str, Any] = {
        "density": read_map(map_file) if map_file else None,
        "reference": read_model(reference) if reference else None,
        "sequences": read_sequences(sequence) if sequence else None,
        "half_maps": (read_map(half_maps[0]), read_map(half_maps[1])) if half_maps else None,
        "resolution": resolution,
        "contour": contour,
        "params": params,
        "stages": stages,
    }
    results = {name: run(read[path], **inputs, threads=threads) for name, path in zip(names, models, strict=True)}
    _complain(results)
    if all(result.scores is None for result in results.values()):
        raise StageError(
            "no validator gave a score", "give a map (-v) or a reference (-r); see `cryoweave plugins doctor`"
        )
    if output:
        _write(output, results)
    if as_json:
        console.data_json([_entry(name, result) for name, result in results.items()])
    else:
        _show(results)
    failed = [error for result in results.values() for error in result.failed.values()]
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _read(path: Path) -> "Model":
    """The model in a file or in the folder of a run."""
    from cryoweave.io.maps import inspect_map
    from cryoweave.io.models import read_model

    if path.is_dir():
        if not (path / "model.cif").is_file():
            raise InputError(
                f"the folder {path} holds no model.cif", "give the path of a model, or the folder of a run"
            )
        path = path / "model.cif"
    try:
        return read_model(path)
    except InputError as error:
        try:
            inspect_map(path)
        except InputError:
            raise error from None
        raise InputError(f"{path} is a density map, not a model", "give the map with -v, and a model besides") from None


def _names(models: list[Path]) -> list[str]:
    """What each model is called: its file's name, or its path where two files have one name."""
    names = [path.name or str(path) for path in models]
    if len(set(names)) < len(names):
        names = [str(path) for path in models]
    if len(set(names)) < len(names):
        raise UsageError("a model is given twice", "name each file once")
    return names


def _complain(results: "dict[str, Validation]") -> None:
    left_out = {stage: reason for result in results.values() for stage, reason in result.left_out.items()}
    for stage, reason in left_out.items():
        console.say(f"left out: {stage} {reason}", "dim")
    for name, result in results.items():
        for error in result.failed.values():
            console.show_error(f"{name}: {error}", error.hint)


def _write(output: Path, results: "dict[str, Validation]") -> None:
    from cryoweave.io.scores import write_scores

    for name, result in results.items():
        folder = output if len(results) == 1 else output / name.replace("/", "_")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder {folder}: {error.strerror}", "choose another with -o") from error
        if result.scores is not None:
            write_scores(folder, result.scores)
            console.say(f"scores of {name}: {folder / 'scores.tsv'}")


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
