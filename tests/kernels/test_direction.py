"""The direction of chains: where Cβ and O lie, against a slow twin and on ideal chains."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.data import PointCloud
from cryoweave.kernels.bonds import bond_graph
from cryoweave.kernels.direction import NEAR, SHARPEST, STEP, UNKNOWN, WIDTH, bond_odds, chain_odds, places
from cryoweave.testing import ideal_model, perfect_maps

MODEL = ideal_model("H" * 20 + "C" * 4 + "E" * 10)


MAPS = perfect_maps(MODEL, None, ("N", "CA", "C", "CB", "O"))


@pytest.mark.parametrize("sign", [1, -1])
def test_beta_carbons_lie_where_they_belong_and_in_a_mirror_where_the_other_direction_has_them(sign):
    model = ideal_model("H" * 12 + "E" * 8, letters="A" * 20)
    xyz = model.xyz * [1, 1, sign]
    own, trace = xyz[model.atom_name == "CB"][1:-1], xyz[model.atom_name == "CA"]
    found = places(trace[:-2], trace[1:-1], trace[2:], "CB")
    here, there = (np.linalg.norm(at - own, axis=1) for at in found)
    assert np.mean(here < there) == (1 if sign > 0 else 0)
    assert (here if sign > 0 else there).mean() < 0.8


def test_a_chains_direction_is_that_of_its_atoms_and_turns_with_it():
    trace = MODEL.trace_atoms().xyz
    odds = chain_odds(MAPS, trace)
    assert odds.shape == (len(trace) - 2,)
    assert (odds > 0).mean() > 0.9
    np.testing.assert_allclose(chain_odds(MAPS, trace[::-1])[::-1], -odds, atol=1e-5)
    assert chain_odds(MAPS, trace[:2]).shape == (0,)


def slow_bond_odds(maps, xyz, pairs, worth):
    """Bond by bond and third point by third point."""
    length = np.linalg.norm(xyz[pairs[:, 0]] - xyz[pairs[:, 1]], axis=1)
    weight, beside = {}, defaultdict(list)
    for (i, j), d, w in zip(pairs.tolist(), length, worth, strict=True):
        if NEAR[0] <= d <= NEAR[1]:
            weight[i, j] = weight[j, i] = (w * np.exp(-((d - STEP) ** 2) / (2 * WIDTH**2))) ** 2
            beside[i].append(j)
            beside[j].append(i)
    found = []
    for i, j in pairs.tolist():
        sides = []
        for chain, third in ((lambda k, i=i, j=j: (i, j, k), j), (lambda k, i=i, j=j: (k, i, j), i)):
            total, known = 0.0, UNKNOWN
            for k in beside[third] if (i, j) in weight else []:
                a, b, c = chain(k)
                if k not in (i, j) and np.linalg.norm(xyz[a] - xyz[c]) >= SHARPEST:
                    total += weight[third, k] * chain_odds(maps, xyz[[a, b, c]])[0]
                    known += weight[third, k]
            sides.append(total / known)
        found.append(np.mean(sides))
    return np.array(found)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_bonds_equal_the_slow_twin(seed):
    rng = np.random.default_rng(seed)
    xyz = MODEL.xyz[rng.integers(0, len(MODEL), 25)] + rng.normal(0, 0.5, (25, 3))
    pairs = np.argwhere(np.triu(np.linalg.norm(xyz[:, None] - xyz[None], axis=2) < 7, 1))
    worth = rng.uniform(0, 1, len(pairs))
    found = bond_odds(MAPS, xyz, pairs, worth)
    np.testing.assert_allclose(found, slow_bond_odds(MAPS, xyz, pairs, worth), atol=1e-4)
    np.testing.assert_allclose(bond_odds(MAPS, xyz, pairs[:, ::-1], worth), -found, atol=1e-4)


def test_nothing_is_known_of_single_bonds_and_none():
    assert bond_odds(MAPS, np.zeros((0, 3)), np.zeros((0, 2)), []).shape == (0,)
    pair = MODEL.trace_atoms().xyz[:2]
    assert bond_odds(MAPS, pair, [[0, 1]], [1.0]).tolist() == [0.0]


def test_the_bonds_of_a_chain_run_its_way():
    trace = MODEL.trace_atoms().xyz
    bonds = bond_graph(PointCloud(trace, np.ones(len(trace))), maps=MAPS)
    real = np.diff(bonds.pairs, axis=1)[:, 0] == 1
    assert (bonds.forward[real] > 0.2).all()
