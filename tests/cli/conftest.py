"""The command line, called in this process."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import cryoweave.host
from cryoweave.cli import console
from cryoweave.cli.main import app
from cryoweave.data import DensityMap, Metric, Model, PointCloud, ScoreTable
from cryoweave.errors import StageError
from cryoweave.host import Check, CheckResult, Context, Kind, Params, Recipe, Stage, Step, param
from cryoweave.testing import make_registry


@pytest.fixture
def cli(capfd):
    """Call with arguments; the answer has ``code``, ``out``, ``err`` and ``json()``."""

    def call(*arguments):
        capfd.readouterr()
        code = console.guard(lambda: app([str(argument) for argument in arguments], prog_name="cryoweave"))
        sys.stdout.flush()
        out, err = capfd.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, json=lambda: json.loads(out))

    return call


class PeakParams(Params):
    contour: float = param(0.5, "Density above which a voxel counts.", unit="map", source="doi:10.1/x")
    apart: float = param(2.0, "Least distance.", unit="Å", gt=0.0, le=10.0)


def peaks(density: DensityMap, params: PeakParams, ctx: Context) -> PointCloud:
    above = np.argwhere(density.values > params.contour)
    return PointCloud(density.frame.to_xyz(above), density.values[tuple(above.T)])


def table(name, value):
    none = np.zeros(0)
    return ScoreTable(none.astype(str), none, none.astype(str), none.astype(str), {}, {name: value},
                      {name: Metric(f"the {name}", "Å", False)})  # fmt: skip


def gap(model: Model, reference: Model, params: Params, ctx: Context) -> ScoreTable:
    return table("gap", float(np.linalg.norm(model.xyz.mean(axis=0) - reference.xyz.mean(axis=0))))


def support(model: Model, density: DensityMap, params: Params, ctx: Context) -> ScoreTable:
    if not density.values.any():
        raise StageError("the map is empty", "give another map")
    return table("support", 4.5)


def stage(name, kind, takes, gives, **more):
    return Stage(name, kind, f"Does {name}.", f"fake_plugin:{name.partition('.')[2]}", takes, gives, **more)


@pytest.fixture
def plugins(monkeypatch):
    """A registry with one plugin; one of its stages needs what is not there."""
    module = ModuleType("fake_plugin")
    module.peaks, module.gap, module.support = peaks, gap, support
    module.there = lambda: CheckResult(True, "version 3")
    module.absent = lambda: CheckResult(False, "no program 'absent'", "apt install absent")
    monkeypatch.setitem(sys.modules, "fake_plugin", module)
    density = {"density": DensityMap}
    stages = [
        stage("fake.peaks", Kind.DETECT, density, PointCloud, params=PeakParams, cites=("10.1/x",), needs=("there",)),
        stage("fake.gap", Kind.VALIDATE, {"model": Model, "reference": Model}, ScoreTable),
        stage("fake.support", Kind.VALIDATE, {"model": Model, **density}, ScoreTable),
        stage("fake.wants", Kind.PREPARE, density, DensityMap, needs=("absent",)),
    ]
    recipe = Recipe("fake", "Peaks.", (Step("fake.peaks", "points", params={"apart": 3.0}),), cites=("10.1/y",))
    checks = [Check("there", "A.", "fake_plugin:there"), Check("absent", "B.", "fake_plugin:absent")]
    made = make_registry(stages, [recipe], checks, package="fake-package")
    monkeypatch.setattr(cryoweave.host, "registry", lambda: made)
    return made
