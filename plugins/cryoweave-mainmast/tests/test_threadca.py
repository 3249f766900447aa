"""Threading as published: features, weights, scores, directions."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Traces
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import StageError
from cryoweave_mainmast.stages import ThreadParams
from cryoweave_mainmast.threadca import (
    UNKNOWN_VOLUME,
    VOLUME,
    candidates_of,
    path_feature,
    sequence_feature,
    weight_pairs,
    z_score,
)

LETTERS = "MKTAYIAKQRQISFVKSHFSWGGELVDRWPNCG"


def traces_of(*paths, weights=None):
    weights = weights or [np.ones(len(path)) for path in paths]
    return Traces(
        xyz=np.concatenate(paths),
        weight=np.concatenate(weights),
        fragment=np.repeat(np.arange(len(paths)), [len(path) for path in paths]),
        candidate=np.arange(len(paths)),
        score=np.zeros(len(paths)),
    )


def ideal_path(letters=LETTERS):
    """A straight path, 3.5 Å a residue, two weak nodes between residues; weights as the side chains want them."""
    n = 3 * (len(letters) - 1) + 1
    xyz = np.column_stack((np.arange(n) * 3.5 / 3, np.zeros(n), np.zeros(n)))
    weight = np.full(n, 1.0)
    weight[::3] = [VOLUME[letter] for letter in letters]
    return xyz, weight


def threaded(traces, letters=LETTERS, structure="", **params):
    sequences = SequenceSet((Sequence("a", letters, secondary_structure=structure),))
    return run_stage("mainmast.thread", traces=traces, sequences=sequences, params=params)


def test_z_scores_have_no_mean_and_deviation_one():
    z = z_score(np.array([3.0, 1, 4, 1, 5, 9, 2, 6]))
    assert (z.mean(), z.std()) == pytest.approx((0, 1))
    np.testing.assert_array_equal(z_score(np.full(7, 3.3)), 0)


def test_the_table_has_a_volume_for_each_amino_acid():
    assert set(VOLUME) | {"X"} == set(PROTEIN_NAMES)
    assert min(VOLUME, key=VOLUME.get) == "G"
    assert max(VOLUME, key=VOLUME.get) == "W"
    assert min(VOLUME.values()) < UNKNOWN_VOLUME < max(VOLUME.values())


def test_helices_and_strands_are_weighed():
    sequence = Sequence("a", "AAALXG", secondary_structure="HECHEC")
    raw = np.array([176 * 1.2, 176 * 0.7, 176, 300.2 * 1.2, UNKNOWN_VOLUME * 0.7, 115.3])
    np.testing.assert_allclose(sequence_feature(sequence, 1.2, 0.7), (raw - raw.mean()) / raw.std())


def test_the_grid_of_weights_has_every_pair_once():
    pairs = weight_pairs(Sequence("a", "AAA", secondary_structure="HEC"))
    assert len(set(pairs)) == len(pairs) == 16
    assert weight_pairs(Sequence("a", "AAA")) == [(1.0, 1.0)]


def test_density_is_gathered_within_its_radius_only():
    xyz = np.array([[0, 0, 0], [1, 0, 0], [5.9, 0, 0], [50, 0, 0]], float)
    near = path_feature(xyz, np.ones(4, np.float32), ThreadParams(gather=2.0))
    assert near[0] == near[1] > near[2] == near[3]


@pytest.mark.parametrize("direction", [1, -1], ids=["forward", "backward"])
def test_the_true_threading_wins_on_an_ideal_path(direction):
    xyz, weight = ideal_path()
    rng = np.random.default_rng(0)
    decoy = np.cumsum(rng.normal(0, 1.0, xyz.shape), axis=0)
    pool = threaded(traces_of(decoy, xyz[::direction], weights=[rng.permutation(weight), weight[::direction]]))
    rows = pool.rows_of(0)
    np.testing.assert_allclose(pool.xyz[rows], xyz[::3], atol=1e-9)
    assert pool.origin[0].startswith(f"tree 1, {'forward' if direction == 1 else 'backward'}")


def test_every_tree_direction_and_weight_is_tried_and_the_pool_is_ranked():
    xyz, weight = ideal_path()
    structure = "H" * 10 + "C" * 8 + "E" * 15
    pool = threaded(traces_of(xyz, xyz + 1, weights=[weight, weight]), structure=structure, pool=100)
    assert len(pool) == len(set(pool.origin)) == 2 * 2 * 16
    assert np.all(np.diff(pool.score) <= 0)
    few = threaded(traces_of(xyz, xyz + 1, weights=[weight, weight]), structure=structure, pool=5)
    np.testing.assert_array_equal(few.score, pool.score[:5])
    assert few.origin == pool.origin[:5]


def test_a_score_is_the_match_less_the_deviation_from_the_ideal_distance():
    rng = np.random.default_rng(2)
    xyz = np.cumsum(rng.normal(0, 1.1, (60, 3)), axis=0)
    weight = rng.random(60).astype(np.float32)
    sequence, params = Sequence("a", LETTERS), ThreadParams()
    volume = path_feature(xyz, weight, params)
    feature = sequence_feature(sequence, 1.0, 1.0)
    from cryoweave.host import Context

    found = candidates_of(traces_of(xyz, weights=[weight]), sequence, params, Context())
    assert len(found) == 2
    for candidate in found:
        node = [int(np.linalg.norm(xyz - place, axis=1).argmin()) for place in candidate.xyz]
        steps = np.diff(node)
        assert np.all(steps > 0) or np.all(steps < 0)
        bonds = np.linalg.norm(np.diff(candidate.xyz, axis=0), axis=1)
        score = (1 - np.abs(volume[node] - feature)).sum() - 0.9 * np.abs(bonds - 3.5).sum()
        assert candidate.score == pytest.approx(score, abs=1e-4)


def test_a_path_with_too_few_nodes_is_passed_over_or_refused():
    xyz, weight = ideal_path()
    short = xyz[:20] + 7
    pool = threaded(traces_of(short, xyz, weights=[weight[:20], weight]))
    assert all(origin.startswith("tree 1") for origin in pool.origin)
    with pytest.raises(StageError, match="20 nodes, fewer than the 33 residues") as refused:
        threaded(traces_of(short))
    assert "mainmast-plus" in refused.value.hint


def test_without_any_weight_the_path_alone_decides():
    xyz, _ = ideal_path()
    pool = threaded(traces_of(xyz, weights=[np.zeros(len(xyz))]))
    assert np.isfinite(pool.score).all()
