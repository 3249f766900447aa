"""Tracing and assignment: the contract, a real chain, copies and several chains, input that cannot be assigned."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import BondGraph, PointCloud, Sequence, SequenceSet
from cryoweave.data.model import joined_models
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import CryoweaveError, StageError
from cryoweave.host import registry
from cryoweave.io import read_model
from cryoweave.kernels.bonds import bond_graph
from cryoweave.testing import StageContract, ideal_model, sequences_of
from cryoweave_deeptracer.assign import MARGIN, Assignment, Chain, unused, worth_trying
from cryoweave_deeptracer.stages import AssignParams, TraceParams
from cryoweave_deeptracer.trace import bond_costs

NATIVE = Path(__file__).resolve().parents[4] / "shared" / "data" / "maps" / "emd2566_3j6b9" / "3J6B_9.pdb"


def chain(letters="", seed=0, chain="A", n=40, at=(0, 0, 0)):
    letters = letters or "".join(np.random.default_rng(seed).choice([*AMINO_ACIDS.values()], n))
    model = ideal_model(("H" * 15 + "C" * 3 + "E" * 60)[: len(letters)], letters=letters, chain=chain)
    return replace(model, xyz=model.xyz + np.array(at))


MODEL = chain()


def oracle(model=MODEL, seed=0, **params):
    perfect = {"error": 0.2, "missing": 0, "false": 0, "accuracy": 0.8}
    return run_stage("model.points", model=model, params=perfect | params, seed=seed)


def assigned(points, sequences, tracer="deeptracer.trace", seed=0, **params):
    traces = run_stage(tracer, bonds=bond_graph(points), params={"effort": 4000}, seed=seed)
    return run_stage("deeptracer.assign", points=points, traces=traces, sequences=sequences, params=params, seed=seed)


def right(threading, model):
    """Share of the residues of a model that are at their place."""
    figures = run_stage("compare.reference", model=run_stage("build.calpha", threading=threading), reference=model)
    return figures.whole["right_residue"]


class TestTrace(StageContract):
    stage_id = "deeptracer.trace"

    def inputs(self):
        return {"bonds": bond_graph(oracle())}

    def params(self):
        return TraceParams(effort=4000)


class TestAssign(StageContract):
    stage_id = "deeptracer.assign"

    def inputs(self):
        points = oracle()
        traces = run_stage("deeptracer.trace", bonds=bond_graph(points), params={"effort": 2000})
        return {"points": points, "traces": traces, "sequences": sequences_of(MODEL)}


@pytest.mark.parametrize("tracer", ["deeptracer.trace", "trace.routes"])
def test_a_chain_is_traced_and_named_whole(tracer):
    assert right(assigned(oracle(), sequences_of(MODEL), tracer), MODEL) >= 0.95


def test_a_real_chain_is_named():
    if not NATIVE.exists():
        pytest.skip(f"{NATIVE} is not there")
    model = read_model(NATIVE)
    points = oracle(model, error=0.3, missing=0.05, false=0.05)
    assert right(assigned(points, sequences_of(model), "trace.routes"), model) > 0.8


def test_two_chains_each_get_their_own():
    both = joined_models([MODEL, chain(seed=5, chain="B", at=(0, 30, 0))])
    found = assigned(oracle(both), sequences_of(both), "trace.routes")
    assert right(found, both) > 0.9


def test_copies_are_not_mixed():
    letters = "".join(AMINO_ACIDS[name] for name in MODEL.trace_atoms().residue_name.tolist())
    both = joined_models([MODEL, chain(letters, chain="B", at=(0, 40, 0))])
    found = assigned(oracle(both), SequenceSet((Sequence("s", letters, copies=2),)), "trace.routes")
    for number in (0, 1):
        mine = found.xyz[found.chain == number]
        nearest = np.linalg.norm(mine[:, None] - both.xyz[None], axis=2).argmin(axis=1)
        assert len(mine) > 0.9 * len(letters)
        assert len({*both.chain[nearest].tolist()}) == 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("alike", [False, True])
def test_a_piece_that_is_as_it_was_is_what_would_be_found_anew(seed, alike, monkeypatch):
    letters = "".join(AMINO_ACIDS[name] for name in MODEL.trace_atoms().residue_name.tolist())
    models = [chain(letters if alike else "", seed=k, chain="ABCD"[k], at=(0, 32 * k, 0)) for k in range(4)]
    whole = joined_models(models)
    points = oracle(whole, seed, error=0.6, missing=0.1, false=0.1, accuracy=0.6)
    found = assigned(points, sequences_of(whole), seed=seed)
    anew = []

    def as_it_was(self, piece, _seen):
        anew.append(again := self.best(piece.part, SimpleNamespace(progress=None)))
        if self.used[piece.part].any() or again is None or again.score != piece.score:
            return None
        return again.chain

    monkeypatch.setattr(Assignment, "as_it_was", as_it_was)
    wanted = assigned(points, sequences_of(whole), seed=seed)
    assert len(anew) > 10
    for name in ("chain", "residue", "xyz", "confidence", "score"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_of_copies_one_that_is_empty_and_the_near_ones_are_tried():
    chains = {number: Chain(Sequence("s", letters)) for number, letters in enumerate(["ACD"] * 5 + ["EFG"] * 2)}
    part = np.array([1, 2])
    for number, apart in ((0, 5.0), (2, 5.0 + MARGIN), (3, 6.0 + MARGIN), (6, 99.0)):
        chains[number].near = np.array([0.0, apart, 200.0])
    assert [number for number, _ in worth_trying(chains, part)] == [0, 1, 2, 5, 6]


def test_chains_end_where_confidence_does():
    bonds = bond_graph(oracle())
    index = np.linalg.norm(bonds.points.xyz[:, None] - MODEL.trace_atoms().xyz[None], axis=2).argmin(axis=1)
    apart = (index[bonds.pairs] < 15).any(axis=1) & (index[bonds.pairs] >= 15).any(axis=1)
    mean = np.where(apart, 0.1, 0.9)
    cut = BondGraph(bonds.points, bonds.pairs, bonds.length, mean, mean, bonds.forward)
    found = run_stage("deeptracer.trace", bonds=cut)
    assert np.bincount(found.fragment)[found.candidate == 0].tolist() == [25, 15]
    with pytest.raises(StageError, match="no chain has 3 points"):
        run_stage("deeptracer.trace", bonds=cut, params={"confidence": 1.0})


def test_a_bond_costs_by_closeness_and_confidence():
    bonds = BondGraph(PointCloud(np.zeros((3, 3)), np.ones(3)), [[0, 1], [0, 2]], [3.8, 4.8], [0, 0], [0.5, 1], [0, 0])
    np.testing.assert_allclose(bond_costs(bonds, TraceParams()), [50, 100 - 100 * np.exp(-0.5)])


def test_a_residue_cannot_be_where_the_chain_cannot_reach():
    one = Chain(Sequence("a", "ACDEFGHIKL"))
    one.xyz[4] = 0.0
    xyz = np.array([[3.8, 0, 0], [30.0, 0, 0]])
    found = one.matches(np.zeros((2, 20)), xyz, AssignParams())
    assert (found[:, 4] < -100).all()
    assert (found[0, [3, 5, 9]] > 0).all()
    assert (found[1, [3, 5, 9]] < -100).all()


def test_what_is_used_is_cut_out_of_a_trace():
    used = np.zeros(10, bool)
    used[[3, 4, 8]] = True
    found = unused(np.arange(10), used, 1)
    assert [part.tolist() for part in found] == [[0, 1, 2], [5, 6, 7], [9]]
    assert [len(part) for part in unused(np.arange(10), used, 2)] == [3, 3]


def test_input_that_cannot_be_assigned():
    points = oracle()
    traces = run_stage("deeptracer.trace", bonds=bond_graph(points), params={"effort": 500})
    given = {"points": points, "traces": traces, "sequences": sequences_of(MODEL)}
    bare = PointCloud(points.xyz, points.weight)
    with pytest.raises(CryoweaveError, match="nothing of amino acids"):
        run_stage("deeptracer.assign", **given | {"points": bare})
    with pytest.raises(CryoweaveError, match="no sequence is a protein"):
        run_stage("deeptracer.assign", **given | {"sequences": SequenceSet((Sequence("r", "ACGU", "rna"),))})
    with pytest.raises(CryoweaveError, match="no residue fits"):
        run_stage("deeptracer.assign", **given, params={"least": 1000.0})


def test_the_recipes_name_stages_that_are_there():
    for name in ("deeptracer", "deeptracer-plus"):
        stages = [registry().stage(step.stage).id for step in registry().recipe(name).steps]
        assert "deeptracer.assign" in stages
