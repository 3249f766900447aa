"""Bonds and routes: the contract, a real chain, noise, direction, and input that cannot be traced."""

import importlib.util
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import BondGraph, PointCloud, ProbabilityMaps
from cryoweave.errors import CryoweaveError, PluginError, StageError, UsageError
from cryoweave.host import Context
from cryoweave.io import read_model
from cryoweave.kernels.bonds import bond_graph
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_tracing.routes import bond_costs, check, routes
from cryoweave_tracing.stages import BondsParams, RoutesParams

MODEL = ideal_model("H" * 30 + "C" * 5 + "E" * 12)
NATIVE = Path(__file__).resolve().parents[4] / "shared" / "data" / "maps" / "emd2566_3j6b9" / "3J6B_9.pdb"
QUICK = {"effort": 3000, "restarts": 2}


def oracle(model=MODEL, seed=0, **params):
    perfect = {"error": 0, "missing": 0, "false": 0}
    return run_stage("model.points", model=model, params=perfect | params, seed=seed)


def traced(points, seed=0, **params):
    bonds = run_stage("edges.bonds", points=points)
    return run_stage("trace.routes", bonds=bonds, params=QUICK | params, seed=seed)


def in_order(traces, model, fragment=0):
    """How many pairs of neighbours of a fragment are neighbours in the model."""
    trace = model.trace_atoms().xyz
    path = traces.xyz[traces.points_of(fragment)]
    index = np.linalg.norm(path[:, None] - trace[None], axis=2).argmin(axis=1)
    return int((np.abs(np.diff(index)) == 1).sum())


class TestBonds(StageContract):
    stage_id = "edges.bonds"

    def inputs(self):
        return {"points": oracle(), "density": simulated_map(MODEL)}


class TestRoutes(StageContract):
    stage_id = "trace.routes"

    def inputs(self):
        return {"bonds": bond_graph(oracle())}

    def params(self):
        return RoutesParams(effort=4000)


class TestRoutesOfOrTools(StageContract):
    stage_id = "trace.routes"

    def inputs(self):
        return {"bonds": bond_graph(oracle())}

    def params(self):
        pytest.importorskip("ortools", reason="OR-Tools is not installed")
        return RoutesParams(solver="ortools", vehicles=2, widths=(3.0,), patience=300)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_perfect_detection_is_traced_whole(seed):
    found = traced(oracle(seed=seed), vehicles=1, seed=seed)
    residues = len(MODEL.trace_atoms())
    assert found.points_of(0) == slice(0, residues)
    assert in_order(found, MODEL) == residues - 1


def test_a_real_chain_is_traced_whole():
    if not NATIVE.exists():
        pytest.skip(f"{NATIVE} is not there")
    model = read_model(NATIVE)
    model = model.select(model.atom_name == "CA")
    found = traced(oracle(model), vehicles=3, effort=10_000)
    # It has two gaps of missing residues, and so three parts.
    parts = np.flatnonzero(found.candidate == 0)
    assert np.count_nonzero(found.fragment <= parts[-1]) == len(model)
    assert sum(in_order(found, model, part) for part in parts) == len(model) - 3


def test_false_points_are_left_out_and_missing_ones_bridged():
    points = oracle(error=0.3, missing=0.0, false=0.2, seed=3)
    found = traced(points, vehicles=2, drop=60)
    placed = found.xyz[found.fragment < np.count_nonzero(found.candidate == 0)]
    gap = np.linalg.norm(placed[:, None] - MODEL.trace_atoms().xyz[None], axis=2).min(axis=1)
    wrong = np.linalg.norm(points.xyz[:, None] - MODEL.trace_atoms().xyz[None], axis=2).min(axis=1) > 1.5
    assert wrong.sum() >= 8
    assert (gap > 1.5).sum() < wrong.sum() / 2
    assert (gap <= 1.5).sum() > 0.85 * (~wrong).sum()


def test_each_search_of_each_round_is_a_candidate():
    found = traced(oracle(error=0.5), widths=(3.0, 1.0), vehicles=2)
    assert {*found.candidate.tolist()} == {*range(1 + found.candidate[-1])}
    assert 2 <= 1 + found.candidate[-1] <= 4
    assert (found.score > 0).all()
    sharp = traced(oracle(error=0.5), widths=(3.0, 1.0), vehicles=2, fewest=2)
    assert len(sharp) >= len(found)


def test_routes_run_from_n_to_c_where_maps_say_so():
    bonds = bond_graph(oracle())
    trace = MODEL.trace_atoms().xyz
    index = np.linalg.norm(bonds.points.xyz[:, None] - trace[None], axis=2).argmin(axis=1)
    for sign in (1, -1):
        forward = sign * np.sign(index[bonds.pairs[:, 1]] - index[bonds.pairs[:, 0]])
        found = run_stage("trace.routes", bonds=replace(bonds, forward=forward), params=QUICK | {"vehicles": 1})
        path = np.linalg.norm(found.xyz[found.points_of(0)][:, None] - trace[None], axis=2).argmin(axis=1)
        assert np.sign(path[-1] - path[0]) == sign


def test_bonds_without_main_chain_are_not_followed():
    bonds = bond_graph(oracle())
    cut = np.ones(len(bonds), np.float32)
    trace = MODEL.trace_atoms().xyz
    index = np.linalg.norm(bonds.points.xyz[:, None] - trace[None], axis=2).argmin(axis=1)
    cut[(index[bonds.pairs] < 20).any(axis=1) & (index[bonds.pairs] >= 20).any(axis=1)] = 0
    found = run_stage("trace.routes", bonds=replace(bonds, least=cut), params=QUICK | {"vehicles": 2})
    assert sorted(np.bincount(found.fragment)[found.candidate == 0].tolist()) == [20, 27]
    with pytest.raises(StageError, match="no bond has main chain"):
        run_stage("trace.routes", bonds=replace(bonds, least=0 * cut))


def test_costs_are_those_published():
    bonds = BondGraph(PointCloud(np.zeros((2, 3)), [1, 1]), [[0, 1]], [4.8], [0.5], [0.9], [0])
    assert bond_costs(bonds, 1.0, 3.8)[0] == pytest.approx(100 - 50 * np.exp(-0.5))


def test_ours_costs_no_more_than_guided_local_search():
    pytest.importorskip("ortools", reason="OR-Tools is not installed")
    bonds = bond_graph(oracle(error=0.5, missing=0.1, false=0.1))
    facts = {}
    for solver in ("ours", "ortools"):
        kept = {}
        params = QUICK | {"solver": solver, "vehicles": 3, "widths": (2.0,), "patience": 60, "seconds": 20}
        run_stage("trace.routes", bonds=bonds, params=params, facts=kept)
        facts[solver] = kept["cost at 2 Å"]
    # OR-Tools' costs are cut to whole numbers.
    assert facts["ours"] <= facts["ortools"] + len(bonds.points)


def test_guided_local_search_stops_when_told_and_when_nothing_improves():
    pytest.importorskip("ortools", reason="OR-Tools is not installed")
    from cryoweave_tracing.guided import guided_routes

    bonds = bond_graph(oracle())
    costs = bond_costs(bonds, 1.0, 3.8)
    calls = []

    def stop(_done, _total):
        calls.append(1)
        if len(calls) > 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guided_routes(len(bonds.points), bonds.pairs, costs, 1, 200, [], (100.0, 10**6), stop)
    begun = time.perf_counter()
    found = guided_routes(len(bonds.points), bonds.pairs, costs, 1, 200, [], (100.0, 20), lambda _d, _t: None)
    again = guided_routes(len(bonds.points), bonds.pairs, costs, 1, 200, found.routes, (100.0, 20), lambda _d, _t: None)
    assert time.perf_counter() - begun < 60
    assert again.cost <= found.cost


def test_without_or_tools_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    check(RoutesParams())
    with pytest.raises(PluginError) as raised:
        check(RoutesParams(solver="ortools"))
    assert "cryoweave[solve]" in raised.value.hint


def test_input_that_cannot_be_traced():
    bonds = bond_graph(oracle())
    with pytest.raises(UsageError, match="at least one width"):
        run_stage("trace.routes", bonds=bonds, params={"widths": ()})
    with pytest.raises(UsageError, match="no bond is from"):
        run_stage("edges.bonds", points=oracle(), params={"shortest": 6.0, "longest": 6.0})
    with pytest.raises(StageError, match="no route has 1000 points"):
        run_stage("trace.routes", bonds=bonds, params=QUICK | {"fewest": 1000})
    far = PointCloud(np.arange(9.0).reshape(3, 3) * 100, np.ones(3))
    with pytest.raises(CryoweaveError, match="no two of the 3 points"):
        run_stage("edges.bonds", points=far)


def test_probabilities_count_rather_than_density():
    points, density = oracle(), simulated_map(MODEL)
    maps = ProbabilityMaps(np.full((1, *density.frame.shape_zyx), 0.5), density.frame, ("backbone",))
    found = run_stage("edges.bonds", points=points, density=density, maps=maps)
    np.testing.assert_allclose(found.mean, 0.5)


def test_the_records_stand_on_their_own():
    assert RoutesParams().widths[0] == 3.0
    assert BondsParams().longest == 6.0
    assert isinstance(routes(bond_graph(oracle()), RoutesParams(effort=100, restarts=1), Context()).score[0], float)
