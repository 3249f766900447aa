"""The rotational search: against its transforms alone, and against PowerFit and pyTME.

    python benchmarks/search.py --install                     both peers from PyPI, each in its own environment
    python benchmarks/search.py [kernels] [engines] [tasks] [--data FOLDER] [--peers FOLDER] [--angle 20.9]

Rates are rotations for each second of CPU (all threads and child processes), which other work on the machine disturbs
least; wall seconds stand beside them. FOLDER of `--data` holds `fitting_tasks` and `maps`.
"""

import argparse
import gzip
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import bench
import numpy as np
import scipy.fft
from cryoalign import TASKS

from cryoweave import _core, load_map, load_model
from cryoweave.data import DensityMap, Frame
from cryoweave.io.maps import write_map
from cryoweave.kernels.rotations import random_rotations, uniform_rotations
from cryoweave.kernels.search import Target, Template, fast_size, rotational_search
from cryoweave.pipeline.measure import measured

CLONE = Path(__file__).resolve().parents[1]
PEERS = {"powerfit-em": "powerfit", "pytme": "match_template"}
"""Name on PyPI, and program."""
KERNELS = {"cosine": 1, "vectors": 3, "sphere": 1, "local": 2}
"""Channels of the template."""
SIDES = {64: 300, 96: 100, 128: 40}
"""Sides of the box, and rotations."""
COARSE = 62.8
"""Degrees of a set of 24: its time is start and end, which are taken off."""
ROUNDS = 3
Seconds = tuple[float, float]
Task = tuple[Path, float, Path]
"""Map, resolution, model."""


def cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(run: Callable[[], Any]) -> Seconds:
    """CPU and wall seconds."""
    before, started = cpu(), time.perf_counter()
    run()
    return cpu() - before, time.perf_counter() - started


def best(runs: dict[str, Callable[[], Any]], rounds: int = ROUNDS) -> dict[str, Seconds]:
    """The least CPU and the least wall seconds of several runs of each, by turns."""
    found = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            found[name].append(timed(run))
    return {name: tuple(np.min(times, axis=0)) for name, times in found.items()}


def searched(kind: str, shape: tuple[int, int, int], width: int) -> Callable[[int], Any]:
    """Our search for a ball of noise of this width in a box of noise; one call searches so many rotations.

    The kind `sphere` is the local correlation under a mask that no rotation changes: its deviation is known before.
    """
    rng, side = np.random.default_rng(0), width + 2
    ball = np.linalg.norm(np.indices([side] * 3) - (side - 1) / 2, axis=0) < width / 2
    values = (ball * rng.random((KERNELS[kind], side, side, side))).astype(np.float32)
    template = Template(values, (1.0,) * 3, ((side - 1) / 2,) * 3, vectors=kind == "vectors")
    factor = rng.random(shape).astype(np.float32) if kind == "sphere" else None
    density = rng.random((3 if kind == "vectors" else 1, *shape)).astype(np.float32)
    target = Target(density, (1.0,) * 3, factor=factor)
    turns = random_rotations(10_000, 0)
    return lambda n: rotational_search(target, template, "local" if kind == "local" else "cosine", turns[:n])


def plain(side: int, many: int, threads: int) -> None:
    """So many real transforms forward and back, one thread each."""
    values = np.random.default_rng(0).random((side,) * 3).astype(np.float32)

    def one(_: int) -> Any:
        return scipy.fft.irfftn(scipy.fft.rfftn(values, workers=1), s=values.shape, workers=1)

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(one, range(many)):
            pass


def peak(kind: str, side: int, threads: int) -> float:
    """MB above the start of a search by so many threads, in a process of its own."""
    words = [sys.executable, __file__, "peak", kind, str(side), "--threads", str(threads)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def told_peak(kind: str, side: int, threads: int) -> None:
    search = searched(kind, (side,) * 3, side // 2)
    with measured() as memory:
        search(4 * threads)
    print(memory.peak_mb)


def kernels(threads: int) -> None:
    """Rotations a CPU second, what SciPy's transforms take, and memory for each voxel and thread."""
    bench.row("kernel", "box", "rot/CPU s", "rot/s", "fft/CPU s", "ratio", "bytes")
    for side, many in SIDES.items():
        searches = {kind: searched(kind, (side,) * 3, side // 2) for kind in KERNELS}
        runs = {kind: partial(run, many) for kind, run in searches.items()}
        taken = best({"plain": partial(plain, side, many, threads), **runs})
        for kind in KERNELS:
            one, all_ = peak(kind, side, 1), peak(kind, side, threads)
            more = (all_ - one) * 1e6 / side**3 / max(threads - 1, 1)
            ratio = taken["plain"][0] / taken[kind][0]
            rates = many / taken[kind][0], many / taken[kind][1], many / taken["plain"][0]
            bench.row(kind, f"{side}³", *(float(value) for value in (*rates, ratio, more)))


def program(peers: Path, name: str) -> Path | None:
    path = peers / name / "bin" / PEERS[name]
    if path.exists():
        return path
    print(f"{name} is not installed in {peers}: skipped (see --install)", file=sys.stderr)
    return None


def install(peers: Path) -> None:
    for name in PEERS:
        subprocess.run([sys.executable, "-m", "venv", peers / name], check=True)
        done = subprocess.run([peers / name / "bin" / "python", "-m", "pip", "install", "--quiet", name], check=False)
        print(f"{name}: {'installed' if done.returncode == 0 else 'could not be installed'}")


def command(peers: Path, name: str, task: Task, angle: float, threads: int, score: str) -> list[Any]:
    """The peer's command line; PowerFit's score is "default", or "box" where the map is to stay as it is."""
    density, resolution, model = task
    path = program(peers, name)
    if name == "pytme":
        return [path, "-m", density, "-i", model, "-a", angle, "-n", threads, "-s", score, "-o", "found.pickle"]
    return [path, density, resolution, model, "-a", angle, "-p", threads, *(["-nr", "-nt"] if score == "box" else [])]


def called(words: list[Any], output: list[str] | None = None) -> Callable[[], None]:
    """A run of a program in a folder of its own."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            text = [str(word) for word in words]
            done = subprocess.run(text, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{words[0]} failed:\n{done.stderr[-2000:]}")
        if output is not None:
            output.append(done.stdout)

    return run


def unpacked(path: Path, folder: Path) -> Path:
    """Peers do not read all that is compressed."""
    if path.suffix != ".gz":
        return path
    to = folder / f"{path.parent.name}_{path.name.removesuffix('.gz').replace('.map', '.mrc')}"
    to.write_bytes(gzip.decompress(path.read_bytes()))
    return to


def cubed(data: Path, side: int, folder: Path) -> Task:
    """The task ksga in a cubic box."""
    density = load_map(data / TASKS["ksga"][0])
    values = np.zeros((side,) * 3, np.float32)
    starts = [max(0, (n - side) // 2) for n in density.frame.shape_zyx]
    cut = density.values[tuple(slice(start, start + side) for start in starts)]
    values[tuple(slice(0, n) for n in cut.shape)] = cut
    path = folder / f"ksga_{side}.mrc"
    write_map(path, DensityMap(values, Frame(values.shape, density.frame.voxel_xyz, density.frame.origin_xyz)))
    return path, TASKS["ksga"][1], unpacked(data / "fitting_tasks" / "ksga" / "model.pdb.gz", folder)


def box_of(voxels: int) -> tuple[int, int, int]:
    """The smallest box of sides that transform fast, and nearly a cube, with at least so many voxels."""
    near = voxels ** (1 / 3)
    sides = sorted({fast_size(n) for n in range(int(near * 0.85), int(near * 1.15) + 1)})
    boxes = (box for box in combinations_with_replacement(sides, 3) if math.prod(box) >= voxels)
    return min(boxes, key=math.prod)


def engines(data: Path, peers: Path, folder: Path, angle: float, threads: int) -> None:
    """Peers in a cubic map beside ours in a box of at least as many voxels, template and step alike."""
    task = cubed(data, 64, folder)
    span = float(np.ptp(load_model(task[2]).xyz, axis=0).max())
    width = int(span / load_map(task[0]).frame.voxel_xyz[0])
    count = len(uniform_rotations(angle).matrices) - len(uniform_rotations(COARSE).matrices)
    bench.row("peer", "score", "voxels", "ours", "rot/CPU s", "rot/s", "ours/CPU s", "ours/s", "ratio")
    for name, score, ours in (
        ("powerfit-em", "box", "local"),
        ("pytme", "LCC", "cosine"),
        ("pytme", "FLCSphericalMask", "sphere"),
        ("pytme", "FLC", "local"),
    ):
        if program(peers, name) is None:
            continue
        said: list[str] = []
        runs = {str(step): called(command(peers, name, task, step, threads, score), said) for step in (angle, COARSE)}
        taken = best(runs, 2)
        fine, coarse = (np.array(taken[str(step)]) for step in (angle, COARSE))
        box = re.search(r"box\(es\), ([\d,]+) voxels", said[0])
        voxels = int(box[1].replace(",", "")) if box else 64**3
        shape = box_of(voxels)
        search = searched(ours, shape, min(width, min(shape) // 2))
        own = count / np.array(best({"ours": partial(search, count)})["ours"])
        theirs = count / (fine - coarse)
        figures = (*theirs, *own, own[0] / theirs[0])
        bench.row(name, score[:12], voxels, f"{ours} {math.prod(shape)}", *(float(value) for value in figures))


def tasks(data: Path, peers: Path, folder: Path, angle: float, threads: int) -> None:
    """CPU and wall seconds from the files to the results."""
    bench.row("task", "program", "CPU s", "wall s")
    own = Path(sys.executable).parent / "cryoweave"
    for name, (file, resolution, _) in TASKS.items():
        model = unpacked(data / "fitting_tasks" / name / "model.pdb.gz", folder)
        density = unpacked(data / file, folder)
        task = (density, resolution, model)
        ours = [own, "fit", "-v", density, "-d", resolution, "--angle-step", angle, "-t", threads, "-o", "out", model]
        runs = {"fit": called(ours), "fit powerfit": called([*ours, "-m", "powerfit"])}
        for peer, score in (("powerfit-em", "default"), ("pytme", "LCC")):
            if program(peers, peer) is not None:
                runs[f"{peer} {score}"] = called(command(peers, peer, task, angle, threads, score))
        for program_, taken in best(runs, 1).items():
            bench.row(name, program_, *map(float, taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help="kernels, engines, tasks: all if none is named")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--data", type=Path, default=CLONE.parent / "shared" / "data")
    parser.add_argument("--peers", type=Path, default=Path.home() / ".cache" / "cryoweave-peers")
    parser.add_argument("--angle", type=float, default=20.9)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    told = parser.parse_args()
    if told.install:
        return install(told.peers)
    if told.parts[:1] == ["peak"]:
        _core.set_threads(told.threads)
        return told_peak(told.parts[1], int(told.parts[2]), told.threads)
    parts = told.parts or ["kernels", "engines", "tasks"]
    print(f"threads {told.threads}, load {os.getloadavg()[0]:.1f}, priority {os.getpriority(os.PRIO_PROCESS, 0)}")
    _core.set_threads(told.threads)
    if "kernels" in parts:
        kernels(told.threads)
        _core.set_threads(told.threads)
    if not told.data.is_dir():
        print(f"there is no folder {told.data}: no engines, no tasks", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as name:
        if "engines" in parts:
            engines(told.data, told.peers, Path(name), told.angle, told.threads)
        if "tasks" in parts:
            tasks(told.data, told.peers, Path(name), told.angle, told.threads)
    return None


if __name__ == "__main__":
    main()
