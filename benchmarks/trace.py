"""CPU time and memory of the trace of the demo's map, with the settings of the original's own run."""

from typing import Any

import bench

import cryoweave
from cryoweave.pipeline.measure import measured

MEAN_SHIFT = {"threshold": bench.THRESHOLD, "filter": 0.3}
TRACE = {"dkeep": 1.0, "ntb": 10, "rlocal": 5.0, "nround": 50}


def stage(name: str, params: dict[str, Any], **inputs: Any) -> tuple[Any, float]:
    """Run a stage on one thread and print a row; the CPU time is the best of five runs, the memory the first's."""
    best, peak = float("inf"), None
    for i in range(5):
        with measured() as taken:
            value = cryoweave.run_stage(name, params=params, threads=1, **inputs)
        best = min(best, taken.cpu_seconds)
        peak = taken.peak_mb if i == 0 else peak
    bench.row(name.partition(".")[2], best, "unknown" if peak is None else peak)
    return value, best


def main() -> None:
    """The table."""
    density = cryoweave.load_map(bench.DEMO / "2566_3J6B_9.mrc.gz")
    bench.row("stage", "CPU s", "peak MB")
    fine, one = stage("map.upsample", {}, density=density)
    points, two = stage("peaks.meanshift", MEAN_SHIFT, density=fine)
    _, three = stage("mainmast.trace", TRACE, density=fine, points=points)
    bench.row("all", one + two + three)


if __name__ == "__main__":
    main()
