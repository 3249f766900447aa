"""What the framework of a bench adds to a recipe: a cell's time against the same chain called as functions.

    .venv/bin/python benchmarks/bench_overhead.py SHEET RECIPES [--rounds 3]

A cell is a process of its own that reads its inputs, runs and keeps every step and judges the model, without pages. The
functions are called one after the other, in a fresh process too, but one that has imported them and read the inputs
before the clock starts, and nothing is written. Least of the rounds, each in turn; what the validators themselves
take is taken off the cell.
"""

import argparse
import json
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from cryoweave.bench.cells import (
    Digests,
    Options,
    cells_of,
    chosen_validators,
    inputs_of,
    named_recipes,
    plan_cell,
    spec_of,
)
from cryoweave.bench.process import Limits
from cryoweave.bench.running import run_cell
from cryoweave.bench.sheet import read_sheet
from cryoweave.host import Context
from cryoweave.io.tables import write_json
from cryoweave.pipeline.execute import call, choose_threads
from cryoweave.pipeline.inputs import load_inputs
from cryoweave.pipeline.plan import prepare


def as_functions(planned) -> float:
    """Seconds of the chain as functions, in a process that has to load networks and fill caches too."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        return fresh.submit(functions, planned).result()


def functions(planned) -> float:
    """Seconds of the chain as functions."""
    wired = prepare(planned.cell.source, inputs_of(planned.cell.target, planned.cell.source), planned.settings)
    inputs = load_inputs(inputs_of(planned.cell.target, planned.cell.source))
    values = {f"input.{name}": entry.value for name, entry in inputs.items()}
    for step in wired.steps:
        step.stage.function()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        for step in wired.steps:
            ctx = Context(seed=planned.cell.seed, threads=choose_threads(0), scratch=Path(scratch))
            given = {name: values[source] for name, source in step.sources.items()}
            values[step.name] = call(step.stage, step.package, given, step.params, ctx)
    return time.perf_counter() - begun


def in_a_cell(planned, options: Options, folder: Path) -> tuple[float, float]:
    """Seconds of the cell's process, and of its validators."""
    shutil.rmtree(folder, ignore_errors=True)
    place = folder / "cells" / planned.cell.id
    place.mkdir(parents=True)
    write_json(place / "cell-input.json", spec_of(planned, options))
    outcome = run_cell(place, Limits())
    if outcome.error:
        raise SystemExit(f"{planned.cell.id}: {outcome.error}")
    record = json.loads((place / "validation" / "record.json").read_bytes())
    return outcome.seconds, sum(step["seconds"] for step in record["steps"])


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("recipes")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    options = Options(threads=choose_threads(0), validators=chosen_validators(()), reuse=False, pages=False)
    print("| cell | functions, s | cell, s | validators, s | added, s | share |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for cell in cells_of(read_sheet(given.sheet), named_recipes(given.recipes.split(",")), [0]):
            planned = plan_cell(cell, options, Digests(Path(scratch) / "digests.json"))
            rounds = [
                (as_functions(planned), *in_a_cell(planned, options, Path(scratch) / "bench"))
                for _ in range(given.rounds)
            ]
            plain, (whole, judged) = min(r[0] for r in rounds), min((r[1:] for r in rounds), key=lambda r: r[0] - r[1])
            added = whole - judged - plain
            print(
                f"| {cell.id} | {plain:.2f} | {whole:.2f} | {judged:.2f} | {added:.2f} | {added / whole:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
