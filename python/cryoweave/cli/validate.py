"""``cryoweave validate``: all installed validators on models that anyone built."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.cli.interrupts import interruptible
from cryoweave.cli.judged import COARSEST, FINEST, making, no_score, warn
from cryoweave.cli.options import sequences_of
from cryoweave.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryoweave.data import ScoreTable
    from cryoweave.pipeline.inputs import RunInput
    from cryoweave.pipeline.subject import Subject
    from cryoweave.pipeline.validated import Judged

_LOST = "models that were finished have their report in the folder of -o; the others have none"


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
    rna: Annotated[
        Path | None, typer.Option("--rna-fasta", "-rf", readable=False, help="FASTA file of the RNA.")
    ] = None,
    dna: Annotated[
        Path | None, typer.Option("--dna-fasta", "-df", readable=False, help="FASTA file of the DNA.")
    ] = None,
    half_maps: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--half-maps", metavar="A B", readable=False, help="The two half maps, for their own correlation."
        ),
    ] = None,
    resolution: Annotated[
        float | None,
        typer.Option("--resolution", "-d", metavar="Å", min=FINEST, max=COARSEST, help="Resolution of the map."),
    ] = None,
    contour: Annotated[
        float | None, typer.Option("--contour", metavar="DENSITY", help="The map's recommended contour.")
    ] = None,
    symmetry: Annotated[
        str | None,
        typer.Option(
            "--symmetry",
            metavar="GROUP",
            help="Of the map about z, e.g. C4: all copies of the reference are as right.",
        ),
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
    from cryoweave.pipeline.validated import check_place
    from cryoweave.pipeline.validation import parse_options

    params, stages = parse_options(settings or [], only or [])
    _check_pair(half_maps)
    _check_symmetry(symmetry, map_file, reference)
    places = _places(models, output)
    given = {"density": map_file, "reference": reference, "sequences": sequences_of(sequence, rna, dna)}
    with interruptible(_LOST if output else "nothing was written"):
        subjects, unread = _read(dict(zip(places, models, strict=True)))
        files = [path for path in (map_file, reference, sequence, rna, dna, *(half_maps or ())) if path]
        for name in subjects if output else ():
            check_place(places[name], [*files, *(subject.path for subject in subjects.values())])
        inputs = _inputs(given, half_maps)
        common = {"resolution": resolution, "contour": contour, "symmetry": symmetry}
        options: dict[str, Any] = {**common, "threads": threads}
        judged = []
        for one in _judge(subjects, inputs, **options, params=params, stages=stages):
            judged.append(one)
            if output and one.result.scores is not None:
                _write(one, places[one.name], inputs, **options)
        failed = [*unread.values(), *(error for one in judged for error in one.result.failed.values())]
        scored = [one for one in judged if one.result.scores is not None]
        if not scored:
            raise typer.Exit(failed[0].exit_code) if failed else no_score(judged[0].result.left_out)
        if output:
            _finish(output, [(one, places[one.name]) for one in scored], several=len(models) > 1)
    if as_json:
        console.data_json([*map(_entry, judged), *({"model": name, "error": str(e)} for name, e in unread.items())])
    else:
        _show(judged)
    if failed:
        raise typer.Exit(failed[0].exit_code)


def _check_pair(half_maps: tuple[Path, Path] | None) -> None:
    """Of one file after the option, the parser takes the next option for the other."""
    for path in half_maps or ():
        if str(path).startswith("-") and not path.exists():
            given = " and ".join(str(path) for path in half_maps or ())
            raise UsageError(f"--half-maps needs two files, not {given}", "write --half-maps half1.mrc half2.mrc")


def _check_symmetry(symmetry: str | None, map_file: Path | None, reference: Path | None) -> None:
    if symmetry is None:
        return
    from cryoweave.kernels.symmetry import check_symmetry

    check_symmetry(symmetry)
    if map_file is None or reference is None:
        raise UsageError(
            "--symmetry says which copies of a reference are as right, about the axis of the map",
            "give --map and --reference too",
        )


def _read(models: dict[str, Path]) -> "tuple[dict[str, Subject], dict[str, InputError]]":
    """The models that can be read, and what is wrong with the others.

    Raises
    ------
    InputError
        If there is one only, and it cannot be read.
    """
    from cryoweave.pipeline.subject import read_subject

    subjects: dict[str, Subject] = {}
    unread: dict[str, InputError] = {}
    for name, path in models.items():
        try:
            subjects[name] = read_subject(path)
        except InputError as error:
            if len(models) == 1:
                raise
            console.show_error(f"{error}; the other models are judged", error.hint)
            unread[name] = error
    if not subjects:
        raise InputError("no model can be read", "see above")
    return subjects, unread


def _inputs(given: dict[str, Any], half_maps: tuple[Path, Path] | None) -> "dict[str, RunInput]":
    from cryoweave.io import store
    from cryoweave.io.maps import read_map
    from cryoweave.pipeline.inputs import RunInput, load_inputs

    inputs = load_inputs(given)
    for name, path in zip(("half_a", "half_b"), half_maps or (), strict=False):
        value = read_map(path)
        inputs[name] = RunInput(value, store.digest(value), (path,))
    return inputs


def _judge(
    subjects: "dict[str, Subject]", inputs: "Mapping[str, RunInput]", *, resolution: float | None, **options: Any
) -> "Iterator[Judged]":
    """Each model with its scores; what is odd is said before the work begins."""
    from cryoweave.pipeline.agreement import check_given, check_placed
    from cryoweave.pipeline.validated import Judged
    from cryoweave.pipeline.validation import validate as run

    values = {name: entry.value for name, entry in inputs.items()}
    halves = tuple(values.pop(name) for name in ("half_a", "half_b") if name in values)
    common = check_given(inputs, resolution)
    warn(common)
    said: set[tuple[str, str]] = set()
    for name, subject in subjects.items():
        own = check_placed(subject.model, values["density"]) if "density" in values else ()
        warn(own, name)
        result = run(
            subject.model, **values, half_maps=halves or None, resolution=resolution, progress=making, **options
        )
        one = Judged(name, subject.model, subject.path, result, list(subject.notes), (*common, *own))
        _complain(one, said)
        yield one


def _write(
    one: "Judged",
    place: Path,
    inputs: "Mapping[str, RunInput]",
    *,
    threads: int,
    **common: Any,
) -> None:
    from cryoweave.pipeline.execute import choose_threads
    from cryoweave.pipeline.outputs import REPORT
    from cryoweave.pipeline.validated import write_validation

    used = choose_threads(threads)
    write_validation(place, one, inputs, **common, threads=used)
    console.say(f"report of {one.name}: {place / REPORT}")


def _finish(output: Path, judged: "list[tuple[Judged, Path]]", *, several: bool) -> None:
    """The page of several models, and what in the folder is of another validation."""
    from cryoweave.pipeline.validated import leftovers, write_comparison

    if several:
        console.say(f"side by side: {write_comparison(output, judged)}")
    if old := leftovers(output, [place for _, place in judged]):
        console.say(f"of earlier validations, and not of this one: {', '.join(old)} in {output}", "yellow")


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


def _complain(one: "Judged", said: set[tuple[str, str]]) -> None:
    """What was left out, once for all models; notes; errors."""
    for stage, reason in one.result.left_out.items():
        if (stage, reason) not in said:
            console.say(f"left out: {stage} {reason}", "dim")
            said.add((stage, reason))
    for note in one.notes:
        console.say(note)
    for note in one.result.notes:
        console.say(f"{one.name}: {note}", "yellow")
    for error in one.result.failed.values():
        console.show_error(f"{one.name}: {error}", error.hint)


def _entry(one: "Judged") -> dict[str, Any]:
    result = one.result
    failed = {stage: str(error) for stage, error in result.failed.items()}
    entry: dict[str, Any] = {"model": one.name, "ran": result.ran, "left_out": result.left_out, "failed": failed}
    entry |= {"checks": one.findings, "notes": [*one.notes, *result.notes]}
    if (scores := result.scores) is None:
        return {**entry, "whole": {}, "metrics": {}, "residues": []}
    return {**entry, "whole": scores.whole, "metrics": scores.metrics, "residues": _residues(scores)}


def _residues(scores: "ScoreTable") -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in scores.to_pandas().to_dict("records")]


def _show(judged: "list[Judged]") -> None:
    tables = [one.result.scores for one in judged]
    known = [table for table in tables if table is not None]
    metrics = {name: metric for table in known for name, metric in table.metrics.items() if name in table.whole}
    wholes = [table.whole if table is not None else {} for table in tables]
    console.table(
        ("score", *(one.name for one in judged), "unit", "definition"),
        [(name, *(console.number(w.get(name)) for w in wholes), m.unit, m.definition) for name, m in metrics.items()],
    )
