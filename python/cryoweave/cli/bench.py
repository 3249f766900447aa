"""``cryoweave bench``: many maps and many recipes, side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cryoweave.cli import bench_cells, console
from cryoweave.cli.interrupts import interruptible

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextlib import AbstractContextManager

    from cryoweave.bench.drive import Bench
    from cryoweave.bench.outcome import Outcome
    from cryoweave.data.means import Mean
    from cryoweave.report.leaderboard import Board

app = typer.Typer(help="Many maps and many recipes, side by side.", no_args_is_help=True)

_RESUMABLE = "the same command goes on with the cells that are missing"


@app.command("run")
def run(
    sheet: Annotated[
        Path, typer.Argument(metavar="SHEET", readable=False, help="Maps and what is known of them, TOML or CSV.")
    ],
    recipes: Annotated[
        str,
        typer.Option(
            "--recipes", metavar="A,B", help="Recipes by name or path of a TOML file; e.g. --recipes RECIPE,own.toml."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", readable=False, help="Folder of the bench; e.g. -o bench.")
    ],
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, metavar="N", help="Cells at once; e.g. -j 4.")] = 1,
    threads: Annotated[
        int, typer.Option("-t", "--threads", min=0, metavar="N", help="Of each cell; 0 for its share of the cores.")
    ] = 0,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="N,M", help="Each a cell of its own; e.g. --seeds 0,1.")
    ] = "0",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="STEP.PARAM=VALUE", help="A parameter, in all recipes that have the step; may be repeated."
        ),
    ] = None,
    validators: Annotated[
        str,
        typer.Option(
            "--validators", metavar="A,B", help="What judges all models; all, or none given: all that need no network."
        ),
    ] = "",
    time_limit: bench_cells.TimeLimit = None,
    time_budget: Annotated[
        str | None,
        typer.Option("--time-budget", metavar="TIME", help="That the searches of each run share; e.g. 10m."),
    ] = None,
    memory_limit: bench_cells.MemoryLimit = None,
    reuse: Annotated[
        bool, typer.Option("--reuse/--no-reuse", help="Let the cells of one map share steps that run alike.")
    ] = True,
    pages: Annotated[
        bool,
        typer.Option("--pages/--no-pages", help="Whether each model gets its report, 2 MB, and files for viewers."),
    ] = True,
    only_failed: Annotated[
        bool, typer.Option("--only-failed", help="Run those again that failed, and nothing else.")
    ] = False,
    keep_going: Annotated[
        bool, typer.Option("--keep-going/--stop-at-failure", help="Whether to go on after a cell that failed.")
    ] = True,
    device: Annotated[
        str, typer.Option("--device", metavar="auto|cpu|N", help="Where each cell computes; e.g. --device cpu.")
    ] = "auto",
    executor: Annotated[
        str, typer.Option("--executor", metavar="local|dask", help="Processes here, or workers of Dask.")
    ] = "local",
    scheduler: Annotated[
        str, typer.Option("--scheduler", metavar="ADDRESS", help="Of a Dask scheduler that runs; e.g. tcp://head:8786.")
    ] = "",
    cluster: Annotated[
        str,
        typer.Option("--cluster", metavar="slurm", help="Have the queue start -j workers, as its jobqueue.yaml says."),
    ] = "",
    resources: Annotated[
        list[str] | None,
        typer.Option(
            "--resource", metavar="NAME=N", help="What a Dask worker must have free for a cell; e.g. --resource GPU=1."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write what each cell needs, say which would run, and run none.")
    ] = False,
) -> None:
    """Run every recipe on every map of a sheet and judge all models alike. The same command again goes on."""
    from cryoweave.bench import drive
    from cryoweave.bench.cells import Options, chosen_validators, named_recipes
    from cryoweave.bench.machine import share_of_cores, share_of_memory
    from cryoweave.bench.process import Limits
    from cryoweave.bench.sheet import read_sheet
    from cryoweave.cli.options import seconds_of
    from cryoweave.pipeline.settings import parsed

    targets = read_sheet(sheet)
    options = Options(
        threads=threads or share_of_cores(1 if scheduler or cluster else jobs),
        device=device,
        time_budget=seconds_of(time_budget),
        validators=chosen_validators(_names(validators)),
        settings=parsed(set_ or [], lambda _key, _value: "write --set STEP.PARAM=VALUE"),
        reuse=reuse,
        pages=pages,
    )
    bench = drive.prepare_bench(output, targets, named_recipes(_names(recipes)), _seeds(seeds), options)
    if bench.left:
        console.say(
            f"note: {len(bench.left)} cells of an earlier command, {bench.left[0]} among them, are no part of this one "
            "and its page; they stay, and a command that names their maps, recipes and seeds too has them again"
        )
    if dry_run:
        _show_plan(bench, only_failed)
        return
    most = int(memory_limit * 1e9) if memory_limit else share_of_memory(jobs)
    limits = Limits(seconds_of(time_limit), most)
    free = _resources(resources or [])
    where = _where(executor, jobs, scheduler, cluster, free, threads=options.threads, memory=most)
    with interruptible(_RESUMABLE):
        outcomes = drive.run_bench(
            bench, where, limits, only_failed=only_failed, keep_going=keep_going, watch=bench_cells.say
        )
    bad = _summary(outcomes)
    _write_page(output, [], "", None)
    if bad:
        raise typer.Exit(1)


@app.command("report")
def report(
    folder: bench_cells.Folder,
    metrics: Annotated[
        str,
        typer.Option(
            "--metrics", metavar="A,B", help="Scores to show; the first decides the order; e.g. tm_score,recall."
        ),
    ] = "",
    show: Annotated[
        str, typer.Option("--show", metavar="MAP", help="Map whose models are laid over each other; none for none.")
    ] = "",
    since: Annotated[
        Path | None,
        typer.Option(
            "--since", metavar="DIR|TSV", readable=False, help="Earlier bench to compare with, or its results.tsv."
        ),
    ] = None,
    markdown: Annotated[bool, typer.Option("--md", help="Print a Markdown table.")] = False,
    as_json: console.Json = False,
) -> None:
    """Read all cells of a bench again; write its page and table, and print the leaderboard."""
    from cryoweave.bench.board import rows_of
    from cryoweave.errors import UsageError

    if markdown and as_json:
        raise UsageError("--md and --json exclude each other", "choose one of them")
    board = _write_page(folder, _names(metrics), show, since)
    if as_json:
        console.data_json(rows_of(board))
        return
    headers = ["recipe", *(block.name for block in board.blocks), "done", "failed", "unfit"]
    order = board.blocks[0].order if board.blocks else []
    rows = [
        [
            board.contenders[j].name,
            *(_mean(block.means[j]) for block in board.blocks),
            board.contenders[j].done,
            board.contenders[j].failed,
            board.contenders[j].unfit,
        ]
        for j in order
    ]
    if markdown:
        console.markdown(headers, rows)
    else:
        console.table(headers, rows)


def _mean(mean: "Mean") -> str:
    if not mean.count:
        return "-"
    between = f" [{console.number(mean.low)}, {console.number(mean.high)}]" if mean.low == mean.low else ""
    return f"{console.number(mean.value)}{between}"


def _write_page(folder: Path, metrics: list[str], show: str, since: Path | None) -> "Board":
    from cryoweave.bench.pages import write_pages

    board, page = write_pages(folder, metrics, show, since)
    for note in board.notes:
        console.say(f"note: {note}")
    console.say(f"the page: {page}")
    return board


def _where(
    executor: str, jobs: int, scheduler: str, cluster: str, resources: dict[str, float], *, threads: int, memory: int
) -> "AbstractContextManager[Executor]":
    from cryoweave.bench import executors
    from cryoweave.errors import UsageError

    if executor == "dask":
        return executors.dask(
            jobs, scheduler=scheduler, cluster=cluster, threads=threads, memory=memory, resources=resources
        )
    if executor != "local":
        raise UsageError(f"there is no executor {executor!r}", f"there are: {', '.join(executors.KINDS)}")
    given = {"--scheduler": scheduler, "--cluster": cluster, "--resource": resources}
    odd = next((option for option, value in given.items() if value), None)
    if odd:
        raise UsageError(f"{odd} is for Dask's workers", "add --executor dask")
    return executors.local(jobs)


def _resources(texts: list[str]) -> dict[str, float]:
    from cryoweave.errors import UsageError

    found = {}
    for text in texts:
        name, _, count = text.partition("=")
        try:
            found[name] = float(count)
        except ValueError:
            raise UsageError(f"cannot read --resource {text!r}", "write --resource NAME=NUMBER, e.g. GPU=1") from None
    return found


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _seeds(text: str) -> list[int]:
    from cryoweave.errors import UsageError

    try:
        found = [int(name) for name in _names(text)]
    except ValueError:
        found = []
    if not found or min(found) < 0 or len(set(found)) < len(found):
        raise UsageError(f"cannot read --seeds {text!r}", "give different whole numbers from 0, e.g. --seeds 0,1,2")
    return found


def _show_plan(bench: "Bench", only_failed: bool) -> None:
    from cryoweave.bench.drive import to_do

    todo = {planned.cell.id for planned in to_do(bench, only_failed)}
    rows = [
        (
            planned.cell.id,
            "unfit" if planned.unfit else "run" if planned.cell.id in todo else "keep",
            planned.unfit,
        )
        for planned in bench.planned
    ]
    console.table(("cell", "action", "why"), rows)


def _summary(outcomes: "list[Outcome]") -> bool:
    """How many cells ended how; whether any that could have run gave no scores."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.state] = counts.get(outcome.state, 0) + 1
    console.say(", ".join(f"{number} {state}" for state, number in counts.items()) or "no cell ran")
    return any(state not in ("done", "unfit") for state in counts)


app.command("cell")(bench_cells.cell)
app.command("verify")(bench_cells.verify)
app.command("export")(bench_cells.export)
app.command("suite")(bench_cells.suite)
