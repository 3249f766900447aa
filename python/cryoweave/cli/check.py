"""``cryoweave check``: look at the inputs before an hour is spent."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cryoweave.cli import console

if TYPE_CHECKING:
    from cryoweave.data import SequenceSet
    from cryoweave.data.sequences import Molecule
    from cryoweave.pipeline.preflight import Finding

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


def check(
    map_file: Annotated[
        Path, typer.Option("--map", "-v", metavar="MAP", readable=False, help="The density map (MRC or CCP4).")
    ],
    protein: Annotated[
        Path | None,
        typer.Option("--sequence", "-s", "--protein-fasta", "-pf", readable=False, help="FASTA file of the proteins."),
    ] = None,
    rna: Annotated[
        Path | None, typer.Option("--rna-fasta", "-rf", readable=False, help="FASTA file of the RNA.")
    ] = None,
    dna: Annotated[
        Path | None, typer.Option("--dna-fasta", "-df", readable=False, help="FASTA file of the DNA.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option("--model", readable=False, help="A model that should sit in the map.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", "-r", readable=False, help="The deposited model; used if no --model is given."),
    ] = None,
    contour: Annotated[float | None, typer.Option("--contour", help="The contour that you mean to use.")] = None,
    as_json: console.Json = False,
) -> None:
    """Check map, sequences and model: contour, hand, origin, alphabet, size, memory. Exit 1 if one fails."""
    from cryoweave.io.maps import read_map
    from cryoweave.io.models import read_model
    from cryoweave.pipeline.preflight import Inputs, Level, attempt, check_header, check_inputs

    findings: list[Finding] = []
    header = attempt("map", lambda: list(check_header(map_file)), findings)
    findings += header or []
    density = attempt("map", lambda: read_map(map_file), findings) if header else None
    sequences = attempt("sequences", lambda: _sequences(protein, rna, dna), findings)
    path = model or reference
    built = attempt("model", lambda: read_model(path), findings) if path else None
    if density is not None:
        findings += check_inputs(Inputs(density, sequences, built, contour))
    if as_json:
        console.data_json(findings)
    else:
        _show(findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


def _sequences(protein: Path | None, rna: Path | None, dna: Path | None) -> "SequenceSet | None":
    from cryoweave.data import SequenceSet
    from cryoweave.io.sequences import read_sequences

    files: dict[Molecule, Path | None] = {"protein": protein, "rna": rna, "dna": dna}
    found = [s for kind, path in files.items() if path for s in read_sequences(path, kind)]
    return SequenceSet(tuple(found)) if found else None


def _show(findings: "list[Finding]") -> None:
    console.table(("check", "state", "message", "hint"), [(f.topic, f.level, f.message, f.hint) for f in findings])
    count = {level: sum(f.level == level for f in findings) for level in STYLES}
    worst = next((level for level in ("fail", "warn") if count[level]), "ok")
    console.say(", ".join(f"{number} {level}" for level, number in count.items() if number), STYLES[worst])
