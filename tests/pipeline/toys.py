"""Toy stages: quick, and each counts its calls in the file that ``TOY_CALLS`` names."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from cryoweave.data import DensityMap, Metric, Model, PointCloud, ScoreTable, SequenceSet, Threading, Traces
from cryoweave.errors import StageError
from cryoweave.host import (
    Check,
    CheckResult,
    Format,
    Kind,
    Params,
    PluginRow,
    Recipe,
    Registry,
    Stage,
    Step,
    hookimpl,
    param,
)


class ScaleParams(Params):
    factor: float = param(1.0, "multiply by this", gt=0)


class PointsParams(Params):
    threshold: float = param(0.5, "lowest density", unit="map", ge=0, le=10)
    count: int = param(8, "points at most", ge=1)


class TraceParams(Params):
    seconds: float = param(0.0, "how long it takes", unit="s", ge=0)
    noise: float = param(0.1, "random shift", unit="Å", ge=0)
    label: str | None = param(None, "a text")


class ShortParams(Params):
    longest: int = param(5, "most residues", ge=1)


class ScoreParams(Params):
    value: float = param(0.5, "the score")


def _called(name):
    path = os.environ.get("TOY_CALLS")
    if path:
        with Path(path).open("a") as stream:
            stream.write(name + "\n")


def scale(density, params, ctx):
    _called("scale")
    return DensityMap(density.values * np.float32(params.factor), density.frame)


def points(density, params, ctx):
    _called("points")
    found = np.argwhere(density.values > params.threshold)[: params.count]
    if not len(found):
        raise StageError("no voxel lies above the threshold", "lower the threshold")
    weight = density.values[tuple(found.T)]
    ctx.note("points", np.int64(len(found)))
    ctx.note("share", np.float32("nan"))
    return PointCloud(density.frame.to_xyz(found), weight)


def trace(points, params, ctx):
    _called("trace")
    steps = max(int(params.seconds / 0.01), 1)
    for i in range(steps):
        time.sleep(0.01 if params.seconds else 0)
        ctx.progress(i + 1, steps)
    (ctx.scratch / "left.txt").write_text("scratch")
    n = len(points)
    xyz = points.xyz + ctx.rng().normal(scale=params.noise, size=(n, 3))
    return Traces(xyz, points.weight, np.zeros(n, np.int32), np.zeros(1, np.int32), np.ones(1))


def build(traces, sequences, params, ctx):
    _called("build")
    n = min(len(traces.xyz), len(sequences.sequences[0]))
    return Model.from_trace(
        traces.xyz[:n], np.full(n, "ALA"), np.full(n, "A"), np.arange(1, n + 1, dtype=np.int32), np.full(n, 50.0, "f4"),
        b_is_confidence=True,
    )  # fmt: skip


def short_only(params, sequences, traces):
    _called("check")
    assert traces is None, "an earlier step gives it"
    if sequences.residues > params.longest:
        raise StageError("the sequences are too long", "give shorter ones")


def build_short(traces, sequences, params, ctx):
    return build(traces, sequences, params, ctx)


def nothing(traces, params, ctx):
    return Model.from_trace(np.zeros((0, 3)), *(np.array([], kind) for kind in ("U3", "U1", np.int32, np.float32)))


def _table(model, name, value):
    n = len(model)
    return ScoreTable(
        model.chain,
        model.residue_number,
        model.insertion_code,
        model.residue_name,
        {name: np.full(n, value)},
        {f"mean_{name}": value},
        {name: Metric(f"{name} of a residue"), f"mean_{name}": Metric(f"mean {name}", higher_is_better=True)},
    )


def score(model, density, params, ctx):
    _called("score")
    return _table(model, "toyscore", params.value)


def compare(model, reference, params, ctx):
    _called("compare")
    return _table(model, "distance", float(np.linalg.norm(model.xyz[0] - reference.xyz[0])))


def wrong(density, params, ctx):
    return "not points"


def crash(density, params, ctx):
    raise ValueError("toy crash")


def absent():
    return CheckResult(False, "toyprogram is not on the PATH", "install toyprogram 1.2")


def read_points(path):
    return PointCloud(np.loadtxt(path, ndmin=2), np.ones(len(np.loadtxt(path, ndmin=2)), np.float32))


def stage(name, kind, takes, gives, **more):
    return Stage(f"toy.{name}", kind, f"toy {name}", f"toys:{name}", takes, gives, **more)


STAGES = [
    stage("scale", Kind.PREPARE, {"density": DensityMap}, DensityMap, params=ScaleParams),
    stage("points", Kind.DETECT, {"density": DensityMap}, PointCloud, params=PointsParams, cites=("10.1000/points",)),
    stage("trace", Kind.TRACE, {"points": PointCloud}, Traces, params=TraceParams),
    stage("build", Kind.BUILD, {"traces": Traces, "sequences": SequenceSet}, Model, cites=("10.1000/build",)),
    stage(
        "build_short",
        Kind.BUILD,
        {"traces": Traces, "sequences": SequenceSet},
        Model,
        params=ShortParams,
        check="toys:short_only",
    ),
    stage("nothing", Kind.BUILD, {"traces": Traces}, Model),
    stage("score", Kind.VALIDATE, {"model": Model, "density": DensityMap}, ScoreTable, params=ScoreParams),
    stage("compare", Kind.VALIDATE, {"model": Model, "reference": Model}, ScoreTable),
    stage("thread", Kind.BUILD, {"threading": Threading}, Model),
    stage("wrong", Kind.DETECT, {"density": DensityMap}, PointCloud),
    stage("crash", Kind.DETECT, {"density": DensityMap}, PointCloud),
    Stage("toy.needy", Kind.DETECT, "needs", "toys:points", {"density": DensityMap}, PointCloud, needs=("toyprogram",)),
]
RECIPE = Recipe(
    "toy",
    "Four toy steps and a comparison",
    (
        Step("toy.points", "points", {"count": 6}),
        Step("toy.trace", "trace"),
        Step("toy.build", "build"),
        Step("toy.score", "score", inputs={"density": "input.density"}),
        Step("toy.compare", "compare", optional=True),
    ),
    cites=("10.1000/toy",),
)
CHECKS = [Check("toyprogram", "a program", "toys:absent")]
FORMATS = [Format("toyxyz", "three columns", PointCloud, "toys:read_points")]

cryoweave_stages = hookimpl(lambda: STAGES)
cryoweave_recipes = hookimpl(lambda: [RECIPE])
cryoweave_checks = hookimpl(lambda: CHECKS)
cryoweave_formats = hookimpl(lambda: FORMATS)


def toy_registry(stages=STAGES, watcher=None):
    registry = Registry()
    plugin = SimpleNamespace(
        cryoweave_stages=hookimpl(lambda: list(stages)),
        cryoweave_recipes=cryoweave_recipes,
        cryoweave_checks=cryoweave_checks,
        cryoweave_formats=cryoweave_formats,
    )
    registry.add(PluginRow("toys", "cryoweave-toys", "1.0"), plugin)
    if watcher is not None:
        registry.add(PluginRow("watcher", "cryoweave-watcher", "1.0"), watcher)
    return registry
