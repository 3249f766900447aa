"""``cryoweave bench``, cell by cell: run one, judge all again, hand them to a queue."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cryoweave.cli import console
from cryoweave.cli.interrupts import interruptible

if TYPE_CHECKING:
    from cryoweave.bench.outcome import Outcome

Folder = Annotated[Path, typer.Argument(metavar="DIR", readable=False, help="Folder of a bench.")]
TimeLimit = Annotated[
    str | None, typer.Option("--time-limit", metavar="TIME", help="After which a cell is killed; e.g. 30m.")
]
MemoryLimit = Annotated[
    float | None,
    typer.Option(
        "--memory-limit",
        metavar="GB",
        min=0.1,
        help="Beyond which a cell is killed; its share of nine tenths of the memory if not given.",
    ),
]


def cell(
    folder: Folder,
    name: Annotated[str, typer.Argument(metavar="[CELL]", help="As --dry-run names it; e.g. MAP/RECIPE/0.")] = "",
    number: Annotated[
        int | None,
        typer.Option("--number", min=0, metavar="N", help="Its place in the bench, from 0, in place of its name."),
    ] = None,
    time_limit: TimeLimit = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Run one cell of a bench that `bench run --dry-run` prepared, whether it was done or not."""
    from cryoweave.bench.drive import CELLS, read_bench
    from cryoweave.bench.machine import share_of_memory
    from cryoweave.bench.process import Limits
    from cryoweave.bench.running import run_cell
    from cryoweave.cli.options import seconds_of
    from cryoweave.errors import UsageError
    from cryoweave.pipeline.chain import near

    cells = read_bench(folder)["cells"]
    if (number is None) == (not name):
        raise UsageError("a cell is given by its name or by its number", "e.g. --number 0")
    if number is not None and number >= len(cells):
        raise UsageError(f"there is no cell {number}", f"the last is {len(cells) - 1}")
    name = name if number is None else cells[number]
    if name not in cells:
        raise UsageError(f"there is no cell {name!r}", near(name, cells))
    limits = Limits(seconds_of(time_limit), int(memory_limit * 1e9) if memory_limit else share_of_memory(1))
    with interruptible("the same command goes on after the last step that was done"):
        outcome = run_cell(folder / CELLS / name, limits)
    say(outcome, 1, 1)
    if outcome.state not in ("done", "unfit"):
        raise typer.Exit(1)


def verify(folder: Folder) -> None:
    """Judge every model of a bench again, and say which figures are not as shown; exit 1 if any is not."""
    from cryoweave.bench.verify import verify as judged

    figures, bad = 0, 0
    with interruptible("nothing was changed"):
        for verdict in judged(folder):
            figures += verdict.figures
            bad += bool(verdict.differ or verdict.error)
            console.say(
                f"{verdict.cell}: {verdict.error or f'{verdict.figures} figures, {len(verdict.differ)} differ'}"
            )
            for name, shown, found in verdict.differ:
                console.data(f"{verdict.cell}: {name} is shown as {shown!r}, and is {found!r}")
    console.say(f"{figures} figures worked out again; {bad} cells are not as shown")
    if bad:
        raise typer.Exit(1)


def suite(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Of the suite; without it all are listed.")] = "",
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", readable=False, help="Folder with the maps and structures that it names."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="DIR", readable=False, help="Where to write; as default the suite's name."
        ),
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Only the subset that takes minutes.")] = False,
) -> None:
    """Make the sheet of one of our suites, with the maps that it simulates."""
    from cryoweave.bench.suite import SHEET, suites, write_suite
    from cryoweave.errors import UsageError

    if not name:
        console.table(("suite", "structures", "summary"), [(k, len(s.entry), s.summary) for k, s in suites().items()])
        return
    if data is None:
        raise UsageError(
            f"the suite {name} needs the maps and structures that it names", "give their folder: --data DIR"
        )
    folder = output or Path(name)
    with interruptible("the same command begins anew"):
        for target in write_suite(name, data, folder, fast=fast):
            console.say(target)
    console.data(f"the sheet: {folder / SHEET}")


def export(
    kind: Annotated[str, typer.Argument(metavar="slurm|snakemake|nextflow", help="What shall run the cells.")],
    folder: Folder,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", readable=False, help="Standard output if not given."),
    ] = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, metavar="N", help="Cells at once; e.g. -j 40.")] = 10,
    time_limit: Annotated[str, typer.Option("--time-limit", metavar="TIME", help="Of each cell; e.g. 2h.")] = "1h",
    memory_limit: Annotated[float, typer.Option("--memory-limit", metavar="GB", min=0.1, help="Of each cell.")] = 8.0,
) -> None:
    """Write a file by which a queue or a workflow manager runs the cells that `bench run --dry-run` prepared."""
    from cryoweave.bench.export import Share, exported
    from cryoweave.cli.options import seconds_of
    from cryoweave.io.atomic import atomic_file

    seconds = seconds_of(time_limit) or 0.0
    text = exported(kind, folder, Share(jobs, seconds, int(memory_limit * 1e9)))
    if output is None:
        console.data(text.rstrip())
        return
    with atomic_file(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def say(outcome: "Outcome", done: int, total: int) -> None:
    """One line for a cell that ended, and one for what went wrong."""
    from cryoweave.cli.watch import seconds

    console.say(
        f"[{done}/{total}] {outcome.cell}: {outcome.state} in {seconds(outcome.seconds)}", _STYLES[outcome.state]
    )
    if outcome.error:
        console.say(f"    {outcome.error}")


_STYLES = {"done": "", "unfit": "dim", "failed": "yellow", "no result": "yellow"} | dict.fromkeys(
    ("crashed", "timed out", "out of memory"), "red"
)
