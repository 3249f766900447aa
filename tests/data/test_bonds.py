import numpy as np
import pytest

from cryoweave.data import BondGraph, PointCloud
from cryoweave.errors import InputError

POINTS = PointCloud(np.arange(9.0).reshape(3, 3), [1, 2, 3])


def graph(pairs, length=None, **others):
    ones = np.ones(len(pairs))
    return BondGraph(POINTS, pairs, ones if length is None else length, ones, ones, 0 * ones, **others)


def test_a_graph_is_read_only_and_may_be_empty():
    found = graph([[0, 1], [0, 2], [1, 2]])
    assert len(found) == 3
    assert len(graph([])) == 0
    with pytest.raises(ValueError, match="read-only"):
        found.length[0] = 2


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 3]], "not there"),
        ([[-1, 1]], "not there"),
        ([[1, 0]], "i < j"),
        ([[1, 1]], "i < j"),
        ([[0, 1], [0, 1]], "each once"),
        ([[0, 2], [0, 1]], "sorted"),
    ],
)
def test_pairs_that_are_none(pairs, message):
    with pytest.raises(InputError, match=message):
        graph(pairs)


def test_columns_of_other_lengths_and_lengths_below_zero():
    with pytest.raises(InputError, match="length"):
        graph([[0, 1]], length=[1.0, 2.0])
    with pytest.raises(InputError, match="negative"):
        graph([[0, 1]], length=[-1.0])
    with pytest.raises(InputError, match="not finite"):
        graph([[0, 1]], length=[np.nan])
