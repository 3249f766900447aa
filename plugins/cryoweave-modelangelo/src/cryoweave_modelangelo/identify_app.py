"""``cryoweave identify``: whose chains these are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import StageError

if TYPE_CHECKING:
    from cryoweave_modelangelo.search import Found, Hit

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
CHANCE = 10.0
"""E-value above which a chain's hit alone is in no table."""


@app.command()
def identify(
    run: Annotated[Path, typer.Argument(metavar="RUN", readable=False, help="Folder of a run with points and traces.")],
    database: Annotated[
        Path, typer.Option("--database", "-d", metavar="FASTA", readable=False, help="Protein sequences, any number.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="TSV", help="A table of all hits, by chain.")
    ] = None,
    sequences: Annotated[
        Path | None,
        typer.Option("--sequences", "-s", metavar="FASTA", help="The sequences that explain the chains, for `run`."),
    ] = None,
    profiles: Annotated[
        Path | None, typer.Option("--profiles", metavar="HMM", help="The chains' profiles, for HMMER's programs.")
    ] = None,
    largest: Annotated[
        float, typer.Option("--evalue", min=0, help="Largest E-value of a sequence, all its chains together.")
    ] = 0.01,
    shortest: Annotated[int, typer.Option("--shortest", min=2, help="Points of a chain that is looked for.")] = 8,
    fast: Annotated[
        bool, typer.Option("--fast", help="With HMMER's filters, for large databases: misses what is doubtful.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random sequences for calibration.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="0: all cores.")] = 0,
    as_json: console.Json = False,
) -> None:
    """Look for the chains of a run in a database: each as a profile in both directions, by HMMER."""
    from cryoweave.pipeline.execute import choose_threads
    from cryoweave_modelangelo.identify import chains_of, require_hmmer

    require_hmmer()
    from cryoweave_modelangelo.search import profiles_of, search, write_profiles

    points, traces = chains_of(run)
    models = profiles_of(points, traces, shortest, seed)
    if profiles:
        write_profiles(profiles, models)
    found = search(models, read(database), choose_threads(threads), fast=fast)
    if output:
        write_hits(output, found, largest)
    report(found, largest, as_json)
    if sequences:
        write_found(sequences, found, largest, database)


def read(database: Path) -> Any:
    """The database's entries, with a word now and then."""
    from cryoweave.io.database import read_database

    for number, entry in enumerate(read_database(database), 1):
        if number % 50_000 == 0:
            console.say(f"{number} sequences", "dim")
        yield entry


def report(found: "Found", largest: float, as_json: bool) -> None:
    """The sequences that fit, the best first; an error if there is none."""
    proteins = found.proteins()
    fitting = [(e_value, hits) for e_value, hits in proteins if e_value <= largest]
    chosen = {*found.chosen(largest)}
    if as_json:
        console.data_json(
            {
                "searched": found.searched,
                "chains": found.chains,
                "sequences": [
                    {"name": hits[0].name, "e_value": e_value, "explains": hits[0].entry in chosen,
                     "hits": [{**hit._asdict(), "e_value": found.e_value(hit)} for hit in hits]}
                    for e_value, hits in fitting
                ],
            }
        )  # fmt: skip
    elif fitting:
        heads = ("sequence", "residues", "E-value", "chains", "covered", "best chain", "region", "E-value alone")
        console.table(heads, [row(found, e_value, hits, chosen) for e_value, hits in fitting])
        console.say(
            f"{found.chains} chains in {found.searched} sequences; * explains chains that none above does", "dim"
        )
    if not fitting:
        best = f"; the best is {proteins[0][1][0].name} with {proteins[0][0]:.2g}" if proteins else ""
        raise StageError(
            f"none of the {found.searched} sequences fits the {found.chains} chains at an E-value of {largest:g}{best}",
            "is the protein in the database, and the map better than 4 Å? --evalue takes in more, -o writes all hits",
        )


def row(found: "Found", e_value: float, hits: "list[Hit]", chosen: set[int]) -> tuple[Any, ...]:
    """Cells of one sequence."""
    best = hits[0]
    certain = [hit for hit in hits if found.e_value(hit) <= CHANCE] or [best]
    covered = {k for hit in certain for k in range(hit.sequence_region[0], hit.sequence_region[1] + 1)}
    return (
        f"{best.name}{' *' if best.entry in chosen else ''}",
        best.residues,
        f"{e_value:.2g}",
        len(certain),
        f"{len(covered) / best.residues:.0%}",
        f"{best.chain}{' backward' if best.backward else ''}",
        f"{best.sequence_region[0]}-{best.sequence_region[1]}",
        f"{found.e_value(best):.2g}",
    )


def write_hits(path: Path, found: "Found", largest: float) -> None:
    """All hits with a chance of their own, and those of sequences that fit, as TSV."""
    import numpy as np

    from cryoweave.io.tables import write_table

    whole = {hits[0].entry: e_value for e_value, hits in found.proteins()}
    rows = [hit for hit in found.hits if found.e_value(hit) <= CHANCE or whole[hit.entry] <= largest]
    columns: dict[str, list[Any]] = {
        "chain": [hit.chain for hit in rows],
        "direction": ["backward" if hit.backward else "forward" for hit in rows],
        "sequence": [hit.name for hit in rows],
        "residues": [hit.residues for hit in rows],
        "e_value": [found.e_value(hit) for hit in rows],
        "bits": [hit.bits for hit in rows],
        "chain_first": [hit.chain_region[0] for hit in rows],
        "chain_last": [hit.chain_region[1] for hit in rows],
        "sequence_first": [hit.sequence_region[0] for hit in rows],
        "sequence_last": [hit.sequence_region[1] for hit in rows],
        "sequence_e_value": [whole[hit.entry] for hit in rows],
    }
    write_table(path, {name: np.array(values) for name, values in columns.items()})


def write_found(path: Path, found: "Found", largest: float, database: Path) -> None:
    """The sequences that explain the chains, read once more from the database."""
    from cryoweave.data import Sequence, SequenceSet
    from cryoweave.io.database import read_database
    from cryoweave.io.sequences import write_sequences

    wanted = found.chosen(largest)
    entries: dict[int, Sequence] = {}
    for number, entry in enumerate(read_database(database)):
        if number in wanted:
            letters = "".join(letter if letter not in "BJOUZ" else "X" for letter in entry.letters)
            entries[number] = Sequence(entry.name, letters)
            if len(entries) == len(wanted):
                break
    write_sequences(path, SequenceSet(tuple(entries[number] for number in wanted)))
    console.say(f"{path}: {len(wanted)} sequences; cryoweave run modelangelo -v MAP -s {path} -o FOLDER")
