"""Groups: closed, proper, about the axis that is asked for."""

import numpy as np
import pytest

from cryoweave.data import Frame
from cryoweave.errors import UsageError
from cryoweave.kernels.symmetry import symmetry_of

FRAME = Frame((10, 20, 30), (2.0, 1.0, 1.5), (5.0, -3.0, 7.0))


def apply(group, i, x):
    return group.rotation[i] @ x + group.translation[i]


@pytest.mark.parametrize(("name", "order"), [("C1", 1), ("C7", 7), ("D1", 2), ("D7", 14)])
def test_point_groups_are_closed_and_keep_their_centre(name, order):
    group = symmetry_of(name, FRAME)
    assert len(group) == order
    assert np.allclose(np.linalg.det(group.rotation), 1)
    centre = FRAME.to_xyz([5, 10, 15])[0]
    x = np.array([1.0, 2.0, 3.0])
    images = [apply(group, i, x) for i in range(order)]
    assert np.allclose(images[0], x)
    for i in range(order):
        assert np.allclose(apply(group, i, centre), centre)
        again = apply(group, i, images[-1])
        assert min(np.linalg.norm(again - image) for image in images) < 1e-9
    gaps = [np.linalg.norm(a - b) for k, a in enumerate(images) for b in images[:k]]
    assert min(gaps, default=1) > 0.1


def test_a_helix_turns_and_rises():
    group = symmetry_of("H-166.5,27.5,3", FRAME, np.zeros(3))
    assert np.allclose(group.translation, [[0, 0, 0], [0, 0, 27.5], [0, 0, 55]])
    x = apply(group, 1, np.array([10.0, 0, 0]))
    assert np.degrees(np.arctan2(x[1], x[0])) == pytest.approx(-166.5)


@pytest.mark.parametrize("name", ["", "C0", "D", "T", "C-1", "H1,2", "H1,2,0", "c4", "C4 "])
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match="no symmetry"):
        symmetry_of(name, FRAME)
