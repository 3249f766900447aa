"""Chains by flood fill: the contract, a real chain, direction, and the slow twins of what they are made of."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import PointCloud
from cryoweave.errors import InputError, StageError
from cryoweave.host import Context
from cryoweave.io import read_model
from cryoweave.kernels.bonds import bond_graph, walks
from cryoweave.testing import StageContract, ideal_model, perfect_maps
from cryoweave_modelangelo.chains import bond_scores, joined
from cryoweave_modelangelo.stages import ChainsParams

MODEL = ideal_model("H" * 20 + "C" * 4 + "E" * 10)
NATIVE = Path(__file__).resolve().parents[4] / "shared" / "data" / "maps" / "emd2566_3j6b9" / "3J6B_9.pdb"


MAPS = perfect_maps(MODEL, None, ("CA", "CB", "O"))


def oracle(model=MODEL, seed=0, **params):
    return run_stage("model.points", model=model, params={"error": 0.0, "missing": 0, "false": 0} | params, seed=seed)


class TestChains(StageContract):
    stage_id = "modelangelo.chains"

    def inputs(self):
        return {"bonds": bond_graph(oracle()), "maps": MAPS}


class TestChainsWithoutMaps(StageContract):
    stage_id = "modelangelo.chains"

    def inputs(self):
        return {"bonds": bond_graph(oracle())}


def steps_of(traces, fragment, model):
    """Residue numbers that a fragment goes forward from point to point."""
    path = traces.xyz[traces.points_of(fragment)]
    trace = model.trace_atoms().xyz
    return np.diff(np.linalg.norm(path[:, None] - trace[None], axis=2).argmin(axis=1))


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_is_whole_and_runs_from_n_to_c(seed):
    traces = run_stage("modelangelo.chains", bonds=bond_graph(oracle(seed=seed, error=0.2)), maps=MAPS)
    assert len(traces) == 1
    assert (steps_of(traces, 0, MODEL) == 1).all()
    assert len(traces.xyz) == len(MODEL.trace_atoms())


@pytest.mark.skipif(not NATIVE.exists(), reason="needs ../shared/data")
def test_a_real_chain_in_noise_is_mostly_joined_rightly():
    native = read_model(NATIVE)
    points = oracle(native, error=0.3, missing=0.05, **{"false": 0.05})
    traces = run_stage(
        "modelangelo.chains", bonds=bond_graph(points), maps=perfect_maps(native, None, ("CA", "CB", "O"))
    )
    right = forward = 0
    for fragment in range(len(traces)):
        steps = steps_of(traces, fragment, native)
        right += int((np.abs(steps) == 1).sum())
        forward += int((steps == 1).sum())
    assert right >= 0.8 * (len(native.trace_atoms()) - 1)
    assert forward >= 0.95 * right


def slow_links(xyz, pairs, score, least, bend):
    """The same choice by asking for whole paths each time."""
    links = []
    for k in sorted(range(len(pairs)), key=lambda k: (-score[k], k)):
        i, j = map(int, pairs[k])
        trial = [*links, (i, j)]
        beside = {n: [b if a == n else a for a, b in trial if n in (a, b)] for n in (i, j)}
        if score[k] < least or any(len(one) > 2 for one in beside.values()):
            continue
        reached, todo = {i}, [i]
        while todo:
            at = todo.pop()
            new = {b if a == at else a for a, b in links if at in (a, b)} - reached
            reached |= new
            todo += new
        sharp = any(
            np.degrees(np.arccos(np.clip((u @ v) / np.linalg.norm(u) / np.linalg.norm(v), -1, 1))) < bend
            for n, others in beside.items() if len(others) == 2
            for u, v in [[xyz[other] - xyz[n] for other in others]]
        )  # fmt: skip
        if j not in reached and not sharp:
            links.append((i, j))
    return links


@pytest.mark.parametrize("seed", range(8))
def test_links_are_those_of_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    points = PointCloud(rng.uniform(0, 14, (40, 3)), np.ones(40, np.float32))
    bonds = bond_graph(points)
    params = ChainsParams(least=0.01, bend=70)
    score = bond_scores(bonds) * rng.uniform(0.2, 1, len(bonds))
    found = joined(bonds, score, np.ones(40, bool), params, Context())
    assert found == slow_links(points.xyz, bonds.pairs, score, 0.01, 70)
    assert len(found) > 10
    for path in walks(40, found):
        linked = {tuple(sorted(pair)) for pair in pairwise(path.tolist())}
        assert linked <= set(found)
    assert sum(len(path) for path in walks(40, found)) == 40


def test_of_doubles_the_likelier_stays():
    points = oracle()
    twice = PointCloud(
        np.concatenate((points.xyz, points.xyz + np.array([0.2, 0, 0]))),
        np.concatenate((np.full(len(points), 0.5), np.full(len(points), 0.9))).astype(np.float32),
    )
    bonds = bond_graph(twice, shortest=0.0)
    traces = run_stage("modelangelo.chains", bonds=bonds)
    assert len(traces.xyz) == len(points)
    np.testing.assert_allclose(traces.weight, 0.9)


def test_what_cannot_be_joined_is_told():
    bonds = bond_graph(oracle())
    with pytest.raises(InputError, match="lack CB or O"):
        run_stage("modelangelo.chains", bonds=bonds, maps=perfect_maps(MODEL, None, ("CA",)))
    with pytest.raises(InputError, match="no Cβ anywhere"):
        run_stage("modelangelo.chains", bonds=bonds, maps=replace(MAPS, values=np.zeros_like(MAPS.values)))
    with pytest.raises(StageError, match="no chain has 100 points"):
        run_stage("modelangelo.chains", bonds=bonds, params={"fewest": 100})
