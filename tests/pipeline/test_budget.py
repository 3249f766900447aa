"""What a time budget gives each step, and whom a result serves that it cut short."""

import json
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cryoweave import host
from cryoweave.data import Traces
from cryoweave.errors import UsageError
from cryoweave.host.context import CUT_SHORT
from cryoweave.pipeline.budget import Budget, seconds_of
from cryoweave.pipeline.run import run


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5H", 5400), ("2m5s", 125), (" 0.5s", 0.5)]
)
def test_times_have_units(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "ten minutes", "-5s", "0s", "5d", "1s1m", "2m 5s"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(UsageError, match="is no time") as caught:
        seconds_of(text)
    assert "10m" in caught.value.hint


def test_what_is_left_is_shared_by_searches():
    steps = [SimpleNamespace(stage=SimpleNamespace(anytime=anytime)) for anytime in (True, False, True, True)]
    budget = Budget(30)
    assert budget.until(steps) - time.monotonic() == pytest.approx(10, abs=0.5)
    assert budget.until(steps[2:]) - time.monotonic() == pytest.approx(15, abs=0.5)
    assert Budget(30, time.monotonic() - 60).until(steps) <= time.monotonic()


@pytest.fixture
def searching(toys, monkeypatch):
    """What a tracer was given that goes on as long as it may."""
    seen = []

    def trace(points, params, ctx):
        seen.append(ctx.time_left())
        if ctx.time_left() < 100:
            ctx.cut_short("7 of 9 tries")
        n = len(points.xyz)
        return Traces(points.xyz, points.weight, [0] * n, [0], [1.0])

    monkeypatch.setattr(toys, "trace", trace)
    registry = toys.toy_registry([replace(one, anytime=one.id == "toy.trace") for one in toys.STAGES])
    monkeypatch.setattr(host, "registry", lambda: registry)
    return seen


@pytest.mark.usefixtures("quick_report")
def test_a_result_cut_short_serves_only_runs_with_no_more_time(files, searching):
    def go(**options):
        inputs = {"map": files / "emd_1.map.gz", "sequences": files / "chains.fasta", "output": files / "out"}
        record = run("toy", **inputs, **options).record
        return record, {one["step"]: one["reason"] for one in record["steps"]}["trace"]

    record, _ = go(time_budget=50.0)
    assert record["time_budget"] == json.loads((files / "out" / "record.json").read_text())["time_budget"] == 50
    assert {one["step"]: one["facts"] for one in record["steps"]}["trace"][CUT_SHORT] == "7 of 9 tries"
    assert 0 < searching[0] <= 50
    assert go(time_budget=50.0)[1] == "nothing changed"
    assert go(time_budget=60.0)[1] == "a time budget of 50 s cut it short"
    record, reason = go()
    assert reason == "a time budget of 60 s cut it short"
    assert "time_budget" not in record
    assert searching[-1] == float("inf")
    assert go(time_budget=50.0)[1] == "nothing changed", "with all its time it gave more than that"
