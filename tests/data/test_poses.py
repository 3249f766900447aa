"""Poses put together."""

import numpy as np

from cryoweave.data import Poses


def some(name, *score):
    n = len(score)
    return Poses(np.tile(np.eye(3), (n, 1, 1)), np.arange(3.0 * n).reshape(n, 3), score, np.full(n, name), {"z": score})


def test_joined_poses_are_best_first_and_equal_ones_keep_their_order():
    found = Poses.joined([some("b", 3.0, 1.0), some("longer", 3.0, 2.0, 1.0)])
    assert found.model.tolist() == ["b", "longer", "longer", "b", "longer"]
    assert found.score.tolist() == found.measures["z"].tolist() == [3, 3, 2, 1, 1]
    assert found.translation[:, 0].tolist() == [0, 0, 3, 3, 6]
