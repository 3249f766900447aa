"""A bench of thousands of cells whose processes only copy a result: what the scheduler, the folders and the page take.

    .venv/bin/python benchmarks/bench_scale.py BENCH FOLDER [--maps 200] [--jobs 2] [--dask]

BENCH is a bench with a cell that is done, whose run and validation every stub copies with small changes of its scores.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from cryoweave.bench import drive, executors
from cryoweave.bench.cells import Options
from cryoweave.bench.outcome import State
from cryoweave.bench.pages import write_pages
from cryoweave.bench.process import Limits
from cryoweave.bench.results import read_results
from cryoweave.host import registry

STUB = """
import json, random, shutil, sys
from pathlib import Path
source, place = Path(sys.argv[1]), Path(sys.argv[2])
rng = random.Random(str(place))
if rng.random() < 0.02: sys.exit(3)
for part in ("run", "validation"): shutil.copytree(source / part, place / part)
file = place / "validation" / "scores.json"
table = json.loads(file.read_text())
table["whole"] = {name: value * rng.random() for name, value in table["whole"].items() if isinstance(value, float)}
file.write_text(json.dumps(table))
"""


def told(what: str, begun: float) -> float:
    """Print what a part took; the time now."""
    resident = psutil.Process().memory_info().rss / 1e6
    print(f"| {what} | {time.perf_counter() - begun:.1f} | {resident:.0f} |", flush=True)
    return time.perf_counter()


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--maps", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--dask", action="store_true")
    given = parser.parse_args()
    found = read_results(given.bench)
    cell = next(cell for cell in found.cells if cell.state is State.DONE)
    (target,) = (target for target in found.targets if target.name == cell.target)
    targets = [target.model_copy(update={"name": f"map-{number:04d}"}) for number in range(given.maps)]
    names = [name for name, recipe in registry().recipes.items() if recipe.steps and name != "domainfit"]
    recipes = {name: name for name in sorted(names)[:10]}
    shutil.rmtree(given.folder, ignore_errors=True)
    print(f"{given.maps} maps × {len(recipes)} recipes\n\n| part | s | driver, MB |\n|---|---|---|")
    begun = time.perf_counter()
    bench = drive.prepare_bench(given.folder, targets, recipes, [0], Options(reuse=False))
    begun = told(f"plan {len(bench.planned)} cells", begun)
    context = executors.dask(given.jobs) if given.dask else executors.local(given.jobs)
    source = (given.bench / cell.folder).absolute()
    stub = [sys.executable, "-S", "-c", STUB, str(source)]
    outcomes = drive.run_bench(bench, context, Limits(60, 10**9), command=stub)
    begun = told("run them", begun)
    counts = {state: sum(outcome.state is state for outcome in outcomes) for state in State}
    write_pages(given.folder)
    begun = told("results.tsv and report.html", begun)
    drive.run_bench(bench, executors.local(given.jobs), Limits(), command=stub)
    told("run again: nothing to do", begun)
    files = sum(1 for _ in given.folder.rglob("*"))
    size = int(
        subprocess.run(["du", "-sk", given.folder], capture_output=True, text=True, check=True).stdout.split()[0]
    )
    sizes = {name: (given.folder / name).stat().st_size / 1e6 for name in ("bench.json", "results.tsv", "report.html")}
    print(f"\n{counts}\n{files} files, {size / 1e3:.0f} MB; {json.dumps(sizes)} MB")


if __name__ == "__main__":
    main()
