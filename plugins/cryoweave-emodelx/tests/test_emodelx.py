"""The stages: their contract, chains and copies, models with domains moved, input that cannot be used."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import BondGraph, ModelSet, PointCloud, Poses, ProbabilityMaps, Sequence, SequenceSet, Threading
from cryoweave.data.model import joined_models
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import CryoweaveError
from cryoweave.host import registry
from cryoweave.kernels.bonds import bond_graph
from cryoweave.kernels.chains import LINE
from cryoweave.kernels.predicted import PredictedChain
from cryoweave.testing import (
    StageContract,
    ideal_model,
    perfect_maps,
    predicted_like,
    sequences_of,
    simulated_map,
)
from cryoweave_emodelx.complete import best_of_each, merged
from cryoweave_emodelx.parts import Known, Laid, best_way

CLASSES = ("CA", "backbone", *AMINO_ACIDS)


def chain(letters="", seed=0, chain="A", n=40, at=(0, 0, 0)):
    letters = letters or "".join(np.random.default_rng(seed).choice([*AMINO_ACIDS.values()], n))
    model = ideal_model(("H" * 15 + "CHC" + "E" * 12 + "CHC" + "H" * 60)[: len(letters)], letters=letters, chain=chain)
    return replace(model, xyz=model.xyz + np.array(at))


MODEL = chain()
LONG = chain(n=60, seed=3)


def oracle(model=MODEL, seed=0, **params):
    perfect = {"error": 0.2, "missing": 0, "false": 0, "accuracy": 0.8}
    return run_stage("model.points", model=model, params=perfect | params, seed=seed)


def aligned(points, sequences, **params):
    return run_stage("emodelx.align", bonds=bond_graph(points), sequences=sequences, params=params)


def right(threading, model):
    built = run_stage("build.calpha", threading=threading)
    return run_stage("compare.reference", model=built, reference=model).whole["right_residue"]


def maps_of(model=MODEL):
    return perfect_maps(model, simulated_map(model).frame, CLASSES)


class TestPoints(StageContract):
    stage_id = "emodelx.points"

    def inputs(self):
        return {"maps": maps_of()}


class TestTrace(StageContract):
    stage_id = "emodelx.trace"

    def inputs(self):
        return {"bonds": bond_graph(oracle())}


class TestAlign(StageContract):
    stage_id = "emodelx.align"

    def inputs(self):
        return {"bonds": bond_graph(oracle()), "sequences": sequences_of(MODEL)}


class TestComplete(StageContract):
    stage_id = "emodelx.complete"
    may_be_empty = ("threading", "poses")

    def inputs(self):
        points = oracle()
        threading = without(aligned(points, sequences_of(MODEL)), 15, 25)
        models = ModelSet(("p",), (predicted_like(MODEL, 1, loops=0.0),))
        return {"threading": threading, "points": points, "models": models, "maps": maps_of()}


def without(threading, first, last):
    """A threading with a gap."""
    kept = (threading.residue < first) | (threading.residue >= last)
    names = ("candidate", "chain", "residue", "xyz", "confidence", "part")
    columns = {name: getattr(threading, name)[kept] for name in names}
    return replace(threading, **columns)


def test_candidates_lie_on_the_calpha_and_are_named():
    found = run_stage("emodelx.points", maps=maps_of())
    trace = MODEL.trace_atoms()
    apart = np.linalg.norm(found.xyz[:, None] - trace.xyz[None], axis=2)
    assert apart.min(axis=1).max() < 1.0
    assert np.linalg.norm(found.xyz[:, None] - found.xyz[None], axis=2)[np.triu_indices(len(found), 1)].min() > 2.0
    named = np.array(found.classes)[found.probabilities.argmax(axis=1)]
    assert (named == trace.residue_name[apart.argmin(axis=1)]).mean() > 0.95


def test_a_cluster_off_the_main_chain_is_left_out():
    maps = maps_of()
    values = np.array(maps.values)
    values[maps.classes.index("CA"), :3, :3, :3] = 0.9
    frame = maps.frame
    found = run_stage("emodelx.points", maps=ProbabilityMaps(values, frame, maps.classes), params={"join": 3.0})
    corner = np.array(frame.origin_xyz)
    assert np.linalg.norm(found.xyz - corner, axis=1).min() > 5
    with pytest.raises(CryoweaveError, match="no cluster has 100000 voxels"):
        run_stage("emodelx.points", maps=maps, params={"fewest": 100_000})
    with pytest.raises(CryoweaveError, match="no voxel is a Cα") as told:
        run_stage("emodelx.points", maps=maps, params={"threshold": 1.0})
    assert "lower the threshold" in told.value.hint


@pytest.mark.parametrize("evidence", ["probability", "log-odds"])
def test_a_chain_is_named_whole(evidence):
    assert right(aligned(oracle(), sequences_of(MODEL), evidence=evidence, threshold=(2.0,)), MODEL) >= 0.9


def test_two_chains_and_copies_each_get_their_own():
    both = joined_models([MODEL, chain(seed=5, chain="B", at=(0, 40, 0))])
    assert right(aligned(oracle(both), sequences_of(both)), both) > 0.85
    letters = sequences_of(MODEL).sequences[0].letters
    twice = joined_models([MODEL, chain(letters, chain="B", at=(0, 40, 0))])
    found = aligned(oracle(twice), SequenceSet((Sequence("s", letters, copies=2),)))
    for number in (0, 1):
        mine = found.xyz[found.chain == number]
        nearest = np.linalg.norm(mine[:, None] - twice.xyz[None], axis=2).argmin(axis=1)
        assert len(mine) > 0.8 * len(letters)
        assert len({*twice.chain[nearest].tolist()}) == 1


def test_a_gap_is_closed_through_free_points():
    points = oracle()
    order = np.linalg.norm(points.xyz[:, None] - MODEL.trace_atoms().xyz[None], axis=2).argmin(axis=0)
    # Three residues that look like nothing are placed by their bonds alone.
    probabilities = np.array(points.probabilities)
    probabilities[order[19:22]] = 0.0
    blind = replace(points, probabilities=probabilities)
    found = aligned(blind, sequences_of(MODEL))
    assert {19, 20, 21} <= {*found.residue.tolist()}
    near = {int(r): x for r, x in zip(found.residue, found.xyz, strict=True)}
    for r in (19, 20, 21):
        np.testing.assert_allclose(near[r], points.xyz[order[r]])


def test_traces_without_a_sequence_follow_the_chain():
    points = oracle()
    found = run_stage("emodelx.trace", bonds=bond_graph(points))
    index = np.linalg.norm(found.xyz[:, None] - MODEL.trace_atoms().xyz[None], axis=2).argmin(axis=1)
    steps = np.abs(np.diff(index))[np.diff(found.fragment) == 0]
    assert (steps == 1).mean() > 0.85
    with pytest.raises(CryoweaveError, match="no trace has 900 points"):
        run_stage("emodelx.trace", bonds=bond_graph(points), params={"fewest": 900})


@pytest.mark.parametrize("seed", range(3))
def test_a_gap_is_filled_from_a_model_with_a_domain_moved(seed):
    points = oracle(LONG, error=0.5, missing=0.1)
    threading = without(aligned(points, sequences_of(LONG)), 22, 40)
    before = right(threading, LONG)
    models = ModelSet(("p",), (predicted_like(LONG, seed, loops=0.05),))
    after = run_stage("emodelx.complete", threading=threading, points=points, models=models)
    assert right(after, LONG) > max(before + 0.1, 0.8)
    assert "added" in after.origin[0]
    assert {"predicted model, on a detected point"} <= {*after.origins()}


def test_poses_of_the_whole_model_do_without_any_residue():
    points = oracle(LONG, error=0.5)
    nothing = without(aligned(points, sequences_of(LONG)), 0, 60)
    pose = Poses(np.eye(3)[None], np.zeros((1, 3)), np.ones(1), np.array(["p"]))
    models = ModelSet(("p",), (LONG,))
    given = {"threading": nothing, "points": points, "models": models}
    assert len(run_stage("emodelx.complete", **given).residue) == 0
    assert right(run_stage("emodelx.complete", **given, poses=pose), LONG) > 0.9


def test_a_wrong_model_changes_little():
    points = oracle(LONG, error=0.5)
    threading = aligned(points, sequences_of(LONG))
    letters = sequences_of(LONG).sequences[0].letters
    wrong = ideal_model("E" * 60, letters=letters)
    after = run_stage("emodelx.complete", threading=threading, points=points, models=ModelSet(("p",), (wrong,)))
    assert right(after, LONG) >= right(threading, LONG) - 0.1


def test_the_model_with_most_of_a_chain_counts():
    found = [PredictedChain(chains, name, np.zeros((1, 3)), np.zeros(1, int), equal) for chains, name, equal in (
        ((0, 2), "some", 3), ((1,), "other", 9), ((0, 2), "most", 5), ((0, 2), "as many", 5), ((0, 2), "few", 1),
    )]  # fmt: skip
    assert {number: one.model for number, one in best_of_each(found).items()} == {0: "most", 1: "other", 2: "most"}


@pytest.mark.parametrize("seed", range(5))
def test_the_best_way_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    gain = rng.normal(size=(6, 3))
    ways = np.stack(np.meshgrid(*[range(3)] * 6, indexing="ij"), axis=-1).reshape(-1, 6)
    value = gain[np.arange(6), ways].sum(axis=1) - 0.7 * (np.diff(ways, axis=1) != 0).sum(axis=1)
    way = best_way(gain, 0.7)
    own = gain[np.arange(6), way].sum() - 0.7 * (np.diff(way) != 0).sum()
    assert own == pytest.approx(value.max())


def test_threaded_residues_that_do_not_go_with_a_part_are_dropped():
    laid = np.full((6, 3), np.nan)
    laid[:3] = [[0, 0, 0], [3.8, 0, 0], [7.6, 0, 0]]
    known = np.full((6, 3), np.nan)
    known[3:] = [[11.4, 0, 0], [7.6, 1.0, 0], [90, 0, 0]]
    on_point = np.array([True, False, True, False, False, False])
    threaded = Known(known, np.full(6, 0.5), np.array([-1, -1, -1, 2, 2, -1]))
    found = merged(threaded, Laid(laid, np.full(6, 0.9), on_point), np.full(6, 0.9))
    assert found.part.tolist()[:4] == [0, 1, 0, 2]
    assert np.flatnonzero(~np.isnan(found.xyz[:, 0])).tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(found.confidence[:4], [0.9, 0.9, 0.9, 0.5])
    assert (found.added, found.moved) == (3, 0)


def test_residues_without_a_point_lie_on_the_line():
    points = oracle()
    trace = MODEL.trace_atoms().xyz
    kept = np.linalg.norm(points.xyz[:, None] - trace[None, 23:25], axis=2).min(axis=1) > 1.0
    columns = {name: getattr(points, name)[kept] for name in ("xyz", "weight", "probabilities")}
    found = aligned(replace(points, **columns), sequences_of(MODEL))
    rows = [found.residue.tolist().index(k) for k in (22, 23, 24, 25)]
    assert [found.origins()[k] == LINE for k in rows] == [False, True, True, False]
    expected = found.xyz[rows[0]] + np.arange(4)[:, None] / 3 * (found.xyz[rows[3]] - found.xyz[rows[0]])
    np.testing.assert_allclose(found.xyz[rows], expected, atol=1e-9)


def test_residues_that_stay_keep_what_they_come_from():
    other = chain(seed=5, chain="B", at=(0, 40, 0))
    both = joined_models([MODEL, other])
    points = oracle(both)
    threading = aligned(points, sequences_of(both))
    line = np.flatnonzero(threading.chain == 1)[10:12]
    part = np.full(len(threading.chain), -1)
    part[line] = 1
    threading = replace(threading, part=part, parts=("unused", "on a line"))
    models = ModelSet(("p",), (predicted_like(MODEL, 1, loops=0.0),))
    after = run_stage("emodelx.complete", threading=threading, points=points, models=models)
    said = {
        (c, r): text for c, r, text in zip(after.chain.tolist(), after.residue.tolist(), after.origins(), strict=True)
    }
    assert {key for key, text in said.items() if text == "on a line"} == {(1, int(r)) for r in threading.residue[line]}
    assert {text for (c, _), text in said.items() if c == 0} >= {"predicted model, on a detected point"}


def test_input_that_cannot_be_used_is_told():
    points = oracle()
    bonds, sequences = bond_graph(points), sequences_of(MODEL)
    rna = SequenceSet((Sequence("r", "ACGU", "rna"),))
    bare = bond_graph(PointCloud(points.xyz, points.weight))
    none = BondGraph(points, np.zeros((0, 2)), *[np.zeros(0)] * 4)
    for given, message in (
        ({"bonds": bonds, "sequences": rna}, "no sequence is a protein"),
        ({"bonds": bare, "sequences": sequences}, "nothing of amino acids"),
        ({"bonds": none, "sequences": sequences}, "no two points are bonded"),
    ):
        with pytest.raises(CryoweaveError, match=message) as told:
            run_stage("emodelx.align", **given)
        assert told.value.hint
    with pytest.raises(CryoweaveError, match="no residue fits any point"):
        run_stage("emodelx.align", bonds=bonds, sequences=sequences, params={"threshold": (100.0,)})
    threading = aligned(points, sequences)
    other = ModelSet(("p",), (chain(seed=9),))
    with pytest.raises(CryoweaveError, match=r"identity of 0\.6") as told:
        run_stage("emodelx.complete", threading=threading, points=points, models=other)
    assert "predictions of the chains in the map" in told.value.hint
    empty = Threading(sequences, *[np.zeros(0)] * 3, np.zeros((0, 3)), np.zeros(0), np.zeros(0), ())
    with pytest.raises(CryoweaveError, match="no candidate to complete"):
        run_stage("emodelx.complete", threading=empty, points=points, models=ModelSet(("p",), (MODEL,)))


def test_the_recipes_name_stages_that_are_there():
    for name, wanted in (
        ("emodelx", "emodelx.align"),
        ("emodelx-plus", "emodelx.align"),
        ("emodelx-predicted", "emodelx.complete"),
    ):
        assert wanted in [registry().stage(step.stage).id for step in registry().recipe(name).steps]
