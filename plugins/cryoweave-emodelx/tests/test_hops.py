"""Steps and scores against slow twins."""

import itertools

import numpy as np
import pytest

from cryoweave.data import BondGraph, PointCloud
from cryoweave.kernels.bonds import bond_graph, walks
from cryoweave_emodelx.hops import ACROSS, best_steps, hops_of, neighbour_score, residue_scores
from cryoweave_emodelx.trace import pruned


def cloud(n=14, seed=0):
    """A crowded walk, so that points have several neighbours."""
    rng = np.random.default_rng(seed)
    step = rng.normal(size=(n, 3))
    xyz = np.cumsum(3.8 * step / np.linalg.norm(step, axis=1, keepdims=True), axis=0)
    return PointCloud(xyz, np.ones(n, np.float32))


def graph(n=14, seed=0):
    bonds = bond_graph(cloud(n, seed))
    mean = np.random.default_rng(seed).random(len(bonds)).astype(np.float32)
    return BondGraph(bonds.points, bonds.pairs, bonds.length, mean, mean, bonds.forward)


@pytest.mark.parametrize(
    ("length", "mean", "score"),
    [(3.8, 1.0, 1.0), (4.3, 1.0, 1.0), (3.3, 0.0, 0.5), (5.3, 0.4, 0.45), (6.3, 0.5, 0.25), (7.0, 0.0, 0.0)],
)
def test_the_neighbour_score(length, mean, score):
    bond = BondGraph(PointCloud(np.zeros((2, 3)), np.ones(2)), [[0, 1]], [length], [mean], [mean], [0])
    np.testing.assert_allclose(neighbour_score(bond), [score], atol=1e-6)


def test_steps_follow_each_other_but_not_back():
    bonds = graph()
    hops = hops_of(bonds)
    pairs = {*zip(hops.before.tolist(), hops.after.tolist(), strict=True)}
    xyz = bonds.points.xyz
    for e, f in itertools.product(range(len(hops.tail)), repeat=2):
        far = np.linalg.norm(xyz[hops.tail[e]] - xyz[hops.head[f]]) >= ACROSS
        assert ((e, f) in pairs) == bool(hops.head[e] == hops.tail[f] and far)


def test_the_best_steps_of_each():
    worth = np.array([0.3, 0.9, 0.9, 0.1])
    found = best_steps(np.array([0, 0, 0, 2]), np.arange(4), worth, 3, 2)
    assert found.tolist() == [[1, 2], [-1, -1], [3, -1]]


def slow_scores(cells, hops, count, branches):
    """Every path, step by step."""
    n = cells.shape[1]

    def best(outgoing):
        return sorted(outgoing, key=lambda e: (-hops.worth[e], e))[:branches]

    after = {e: hops.after[hops.before == e].tolist() for e in range(len(hops.tail))}

    def arm(e, residue, way, left):
        """From the head of a step on; at a residue outside of the sequence there is nothing."""
        if not 0 <= residue < n or not left:
            return 0.0
        onward = max([arm(f, residue + way, way, left - 1) for f in best(after[e])], default=0.0)
        return hops.worth[e] * (cells[hops.head[e], residue] + max(onward, 0.0))

    found = np.empty(cells.shape)
    for i, r in np.ndindex(cells.shape):
        out = best(np.flatnonzero(hops.tail == i).tolist())
        ahead = {e: max(arm(e, r + 1, 1, count), 0) for e in out}
        behind = {e: max(arm(e, r - 1, -1, count), 0) for e in out}
        options = [0.0, *ahead.values(), *behind.values()]
        options += [ahead[e] + behind[f] for e, f in itertools.permutations(out, 2)]
        found[i, r] = cells[i, r] + max(options)
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("count", "branches"), [(0, 2), (1, 2), (3, 2), (4, 3)])
def test_residue_scores_are_those_of_all_paths(seed, count, branches):
    hops = hops_of(graph(seed=seed))
    cells = np.random.default_rng(seed).normal(size=(14, 9)).astype(np.float32)
    np.testing.assert_allclose(
        residue_scores(cells, hops, count, branches), slow_scores(cells, hops, count, branches), atol=1e-4
    )


@pytest.mark.parametrize("seed", range(4))
def test_pruned_bonds_are_paths_and_the_best_are_kept(seed):
    bonds = graph(30, seed)
    worth = neighbour_score(bonds)
    kept = pruned(bonds, worth, 0.3)
    assert worth[kept].min() >= 0.3
    assert np.bincount(bonds.pairs[kept].ravel(), minlength=30).max() <= 2
    paths = walks(30, bonds.pairs[kept].tolist())
    on = np.concatenate(paths)
    # Trees of degree two: as many bonds as points less paths, and no point twice.
    assert len({*on.tolist()}) == len(on)
    assert len(kept) == len(on) - len(paths)
    assert kept.tolist().count(int(worth.argmax())) == 1
