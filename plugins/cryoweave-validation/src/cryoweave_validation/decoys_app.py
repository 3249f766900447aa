"""``cryoweave decoys``: which score to trust on this map."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.cli.interrupts import interruptible
from cryoweave.cli.judged import COARSEST, FINEST, making, no_score, warn
from cryoweave.cli.stage_options import ValidatorCommand
from cryoweave.errors import InputError, StageError

if TYPE_CHECKING:
    from cryoweave.pipeline.inputs import RunInput
    from cryoweave.pipeline.subject import Subject
    from cryoweave.pipeline.validation import Validation
    from cryoweave_validation.decoy_check import Judged, Row
    from cryoweave_validation.decoys import Decoy

FILE = "decoys.tsv"
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(cls=ValidatorCommand)
def main(
    model_file: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL",
            readable=False,
            help="A model (mmCIF or PDB) that is taken for right, or the folder of a run.",
        ),
    ],
    map_file: Annotated[Path, typer.Option("--map", "-v", metavar="MAP", readable=False, help="Its density map.")],
    resolution: Annotated[
        float | None,
        typer.Option("--resolution", "-d", metavar="Å", min=FINEST, max=COARSEST, help="Resolution of the map."),
    ] = None,
    contour: Annotated[
        float | None, typer.Option("--contour", metavar="DENSITY", help="The map's recommended contour.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="STAGE", help="Run only this validator; may be given again.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.PARAM=VALUE", help="A parameter of a validator; may be given again."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of decoys drawn by chance.")] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", readable=False, help=f"Write {FILE} here.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """How well each score tells wrong models from this one, by kind of error: 1 always, 0.5 not at all."""
    from cryoweave.pipeline.inputs import load_inputs
    from cryoweave.pipeline.subject import read_subject
    from cryoweave.pipeline.validation import parse_options
    from cryoweave_validation.decoy_check import judge
    from cryoweave_validation.decoys import decoys

    params, stages = parse_options(settings or [], only or [])
    subject, inputs = read_subject(model_file), load_inputs({"density": map_file})
    options: dict[str, Any] = {
        "density": inputs["density"].value,
        "resolution": resolution,
        "contour": contour,
        "params": params,
    }
    options |= {"stages": stages, "seed": seed, "threads": threads}
    wrong = list(decoys(subject.model, seed=seed))
    if not wrong:
        raise StageError(f"{model_file} has no protein residue with a Cα atom", "decoys are made of proteins only")
    place = _place(output)
    with interruptible("nothing was written; a single validator is faster: --only STAGE"):
        _look(subject, inputs, resolution)
        right, judged = _score(subject.model, wrong, options)
    assert right.scores is not None
    rows = judge(right.scores, judged)
    if place:
        _write(place, rows)
    if as_json:
        console.data_json(rows)
    else:
        _show(rows)
    for failed in right.failed.values():
        raise typer.Exit(failed.exit_code)


def _look(subject: "Subject", inputs: "Mapping[str, RunInput]", resolution: float | None) -> None:
    """Say what is odd with model and map before the work begins."""
    from cryoweave.pipeline.agreement import check_given, check_placed

    warn((*check_given(inputs, resolution), *check_placed(subject.model, inputs["density"].value)))
    for note in subject.notes:
        console.say(note)


def _place(output: Path | None) -> Path | None:
    """The folder, made before the work begins."""
    if output and output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file, not a folder", "give another -o")
    if output:
        output.mkdir(parents=True, exist_ok=True)
    return output


def _score(model: Any, wrong: "list[Decoy]", options: dict[str, Any]) -> "tuple[Validation, list[Judged]]":
    from cryoweave.pipeline.validation import validate
    from cryoweave_validation.decoy_check import Judged
    from cryoweave_validation.decoys import on_same_residues

    console.say(f"{len(wrong)} decoys; first the model")
    right = validate(model, **options, progress=making)
    for stage, reason in right.left_out.items():
        console.say(f"left out: {stage} {reason}", "dim")
    for note in right.notes:
        console.say(f"note: {note}", "yellow")
    for error in right.failed.values():
        console.show_error(str(error), error.hint)
    if right.scores is None:
        for failed in right.failed.values():
            raise typer.Exit(failed.exit_code)
        raise no_score(right.left_out)
    judged: list[Judged] = []
    options = {**options, "stages": right.ran, "offered": right.offered}
    for number, decoy in enumerate(wrong, 1):
        start = time.monotonic()
        found = validate(decoy.model, **options)
        for error in found.failed.values():
            console.say(f"{decoy.kind} {decoy.name}: {error}", "yellow")
        if found.scores is not None:
            fewer = on_same_residues(model, decoy)
            same = None if fewer is None else validate(fewer, **options).scores
            judged.append(Judged(decoy.kind, decoy.name, found.scores, decoy.changed, same))
        title = f"[{number}/{len(wrong)}] {decoy.kind} {decoy.name}"
        console.say(f"{title}: {len(decoy.changed)} residues wrong, {time.monotonic() - start:.1f} s")
    return right, judged


def _write(folder: Path, rows: "list[Row]") -> None:
    from cryoweave.io import atomic_file
    from cryoweave_validation.decoy_check import to_tsv

    with atomic_file(folder / FILE) as path:
        path.write_text(to_tsv(rows), encoding="utf-8")
    console.say(f"each decoy's figures: {folder / FILE}")


def _show(rows: "list[Row]") -> None:
    from cryoweave_validation.decoy_check import table
    from cryoweave_validation.decoys import KINDS

    for level in ("residue", "model"):
        kinds, lines = table(rows, level)
        if lines:
            console.table((f"AUC by {level}", *kinds), lines)
            console.data("")
    for kind in dict.fromkeys(row.kind for row in rows):
        console.say(f"{kind}: {KINDS[kind][1]}", "dim")
    console.say("in brackets the number of decoys; each is compared with the model's same residues", "dim")
