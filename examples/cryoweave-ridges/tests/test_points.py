"""The contract of the stage; its kernel against a slow, obvious twin."""

from itertools import product

import numpy as np
import pytest

from cryoweave.host import Context
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_ridges._native import ridges
from cryoweave_ridges.plugin import PointsParams
from cryoweave_ridges.points import points


class TestPoints(StageContract):
    stage_id = "ridges.points"

    def inputs(self):
        return {"density": simulated_map(ideal_model(), resolution=3.0)}


def twin(values, threshold, lines):
    ways = [way for way in product((-1, 0, 1), repeat=3) if way > (0, 0, 0)]
    found = []
    for voxel in product(*(range(1, n - 1) for n in values.shape)):
        here, at = values[voxel], np.array(voxel)
        maxima = sum(here > values[tuple(at + way)] and here >= values[tuple(at - way)] for way in ways)
        if here > threshold and maxima >= lines:
            found.append(voxel)
    return np.array(found, np.int32).reshape(-1, 3)


@pytest.mark.parametrize("lines", [1, 7, 13])
def test_the_kernel_is_its_twin(lines):
    values = np.random.default_rng(lines).integers(0, 5, (7, 6, 8)).astype(np.float32)
    np.testing.assert_array_equal(ridges(values, 1.0, lines), twin(values, 1.0, lines))


@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 1, 1), (2, 3, 3)])
def test_a_map_without_an_inside_has_no_ridge(shape):
    assert ridges(np.ones(shape, np.float32), 0.0, 1).shape == (0, 3)


def test_more_lines_than_there_are():
    with pytest.raises(ValueError, match="13 lines"):
        ridges(np.ones((3, 3, 3), np.float32), 0.0, 14)


def test_the_spine_lies_on_the_chain():
    model = ideal_model("E" * 12)
    found = points(simulated_map(model, resolution=3.0, voxel=0.5), PointsParams(threshold=1.0), Context())
    gaps = np.linalg.norm(found.xyz[:, None] - model.xyz[None], axis=2).min(axis=1)
    assert gaps.max() < 1.5
