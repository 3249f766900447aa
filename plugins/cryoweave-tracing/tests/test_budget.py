"""With little time or none, each search gives a valid result and says what it left out."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.host import Context, registry
from cryoweave.host.context import CUT_SHORT
from cryoweave.testing import ideal_model, sequences_of
from cryoweave_tracing.assemble import as_choice, assembled
from cryoweave_tracing.grid import gridded, within
from cryoweave_tracing.packing import best_packing, greedy
from cryoweave_tracing.routes import affordable, routes
from cryoweave_tracing.stages import AssembleParams, GridParams, RoutesParams

rng = np.random.default_rng(8)
FOLD = "H" * 20 + "C" * 5 + "E" * 10 + "C" * 4 + "H" * 15
MODEL = ideal_model(FOLD, letters="".join(rng.choice(list(AMINO_ACIDS.values()), len(FOLD))))
QUALITY = {"error": 0.3, "missing": 0.05, "false": 0.1, "accuracy": 0.7}
BONDS = run_stage("edges.bonds", points=run_stage("model.points", model=MODEL, params=QUALITY))
SEQUENCES = sequences_of(MODEL)


def late():
    """A context whose time was up before it began."""
    return Context(until=time.monotonic() - 1)


def fragments():
    traces = run_stage("trace.routes", bonds=BONDS, params={"effort": 500, "restarts": 1})
    return run_stage("thread.ungapped", points=BONDS.points, traces=traces, sequences=SEQUENCES)


@pytest.mark.parametrize("stage", ["trace.routes", "assemble.fragments", "assemble.grid"])
def test_searches_say_that_they_may_end_at_any_time(stage):
    assert registry().stage(stage).anytime


@pytest.mark.parametrize("solver", ["ours", "ortools"])
def test_routes_without_time_are_one_search_of_the_first_round(solver):
    pytest.importorskip("ortools")
    ctx = late()
    found = routes(BONDS, RoutesParams(solver=solver, effort=500), ctx)
    assert len(found) > 0
    assert "3 of 4 rounds" in ctx.facts[CUT_SHORT]
    if solver == "ours":
        alone = routes(BONDS, RoutesParams(widths=(3.0,), restarts=1, effort=500), Context())
        np.testing.assert_array_equal(found.xyz, alone.xyz)


def test_so_many_restarts_as_there_is_time_for():
    params = RoutesParams(restarts=8)
    assert affordable(params, 1.0, Context()) == params
    assert affordable(params, 1.0, Context(until=time.monotonic() + 3.9)).restarts == 3
    assert affordable(params, 1.0, late()).restarts == affordable(params, 0.0, late()).restarts == 1
    ours = RoutesParams(solver="ortools", seconds=80)
    assert affordable(ours, 0.0, Context()).seconds == 80
    assert 5 < affordable(ours, 0.0, Context(until=time.monotonic() + 10)).seconds <= 10


def test_time_enough_changes_nothing():
    pool, params = fragments(), RoutesParams(effort=500)
    for call, result in (
        (lambda ctx: routes(BONDS, params, ctx), "xyz"),
        (lambda ctx: assembled(pool, AssembleParams(), ctx), "xyz"),
    ):
        rich = Context(until=time.monotonic() + 1e6)
        np.testing.assert_array_equal(getattr(call(rich), result), getattr(call(Context()), result))
        assert CUT_SHORT not in rich.facts


def test_without_time_the_best_fragments_come_first():
    pool, ctx = fragments(), late()
    choice = as_choice(pool, AssembleParams(), ctx)
    packed = best_packing(choice, np.full(len(pool), -1), 10.0, 0, lambda *_: None, wall=0.0)
    copy = greedy(choice, np.full(len(pool), -1))
    np.testing.assert_array_equal(packed.chosen, np.flatnonzero(copy >= 0))
    found = assembled(pool, AssembleParams(), ctx)
    best = assembled(pool, AssembleParams(), Context())
    assert 0 < found.score[0] <= best.score[0]
    assert ctx.facts["bound"] >= best.score[0] - 1e-3
    assert "better" in ctx.facts[CUT_SHORT]


def test_no_known_start_is_worse_than_the_solver_in_no_time():
    choice = as_choice(fragments(), AssembleParams(), Context())
    start = np.full(len(choice.score), -1)
    hurried = best_packing(choice, start, 10.0, 0, lambda *_: None, wall=1e-6)
    assert choice.score[hurried.chosen].sum() >= choice.score[greedy(choice, start) >= 0].sum()


def test_settings_that_are_not_begun_in_time_are_left_out():
    ctx, params = late(), GridParams(vehicles=(1, 3, 5), rounds=(5,), effort=500, seconds=2.0)
    found = gridded(BONDS, SEQUENCES, None, None, None, None, params, ctx)
    assert len(found) == 2  # the first setting and all together
    for part in ("2 of 3 settings", "some routings of 1 settings"):
        assert part in ctx.facts[CUT_SHORT]
    all_time = gridded(BONDS, SEQUENCES, None, None, None, None, params, replace(ctx, until=math.inf, facts={}))
    assert len(all_time) == 4


def test_a_share_of_no_budget_is_none():
    assert within(Context(), 0.5).time_left() == math.inf
    assert within(Context(until=time.monotonic() + 10), 0.5).time_left() == pytest.approx(5, abs=0.1)
