"""Boxes over a map against a slow, obvious twin."""

import numpy as np
import pytest

from cryoweave.errors import StageError
from cryoweave.kernels.boxes import Scan, over_boxes, places


def silent(_done, _total):
    return None


def listed(n, size, stride):
    """Every box of the scan, those at the end as often as they come."""
    found = []
    for first in range(0, n, stride):
        end = min(first + size, n)
        found.append(first if end < n else max(end - size, 0))
    return found


def test_places_at_the_end_count_as_often():
    assert places(100, 64, 16) == [(0, 1), (16, 1), (32, 1), (36, 4)]
    assert places(20, 32, 16) == [(0, 2)]
    assert places(32, 32, 16) == [(0, 2)]


def network(boxes):
    """A voxel's value depends on its box, so that averaging is seen."""
    mean = boxes.mean(axis=(2, 3, 4), keepdims=True)
    return np.concatenate(
        (boxes[:, :1] + mean[:, :1], boxes[:, :1] * 0 + boxes.max(axis=(1, 2, 3, 4), keepdims=True)), 1
    )


def by_hand(source, size, stride, combine, rim):
    total, count = np.zeros((2, *source.shape[1:])), np.zeros(source.shape[1:])
    padded = np.pad(source, [(0, 0), *[(0, size)] * 3])
    wide = np.pad(total, [(0, 0), *[(0, size)] * 3])
    often = np.pad(count, [(0, size)] * 3)
    axes = [listed(n, size, stride) for n in source.shape[1:]]
    for z in axes[0]:
        for y in axes[1]:
            for x in axes[2]:
                box = padded[:, z : z + size, y : y + size, x : x + size]
                inner = (slice(z + rim, z + size - rim), slice(y + rim, y + size - rim), slice(x + rim, x + size - rim))
                value = network(box[None])[0][(slice(None), *[slice(rim, size - rim)] * 3)]
                if combine == "max":
                    wide[(slice(None), *inner)] = np.maximum(wide[(slice(None), *inner)], value)
                else:
                    wide[(slice(None), *inner)] += value
                    often[inner] += 1
    wide = wide if combine == "max" else wide / np.maximum(often, 1)
    return wide[:, : source.shape[1], : source.shape[2], : source.shape[3]]


@pytest.mark.parametrize("combine", ["mean", "max"])
@pytest.mark.parametrize(("shape", "rim", "batch"), [((19, 23, 17), 0, 1), ((19, 8, 30), 1, 3), ((5, 6, 7), 0, 2)])
def test_overlapping_boxes(shape, rim, batch, combine):
    source = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    scan = Scan([places(n, 8, 3) for n in shape], 8, combine, rim, batch)
    out = np.full((2, *shape), 9, np.float32)
    ran = over_boxes(source, out, network, scan, silent)
    assert ran == np.prod([len(axis) for axis in scan.at_zyx])
    np.testing.assert_allclose(out, by_hand(source, 8, 3, combine, rim), atol=1e-5)


def test_boxes_that_are_not_wanted_are_not_run():
    source = np.zeros((1, 40, 8, 8), np.float32)
    source[0, 2] = 1
    out = np.ones((2, 40, 8, 8), np.float16)
    scan = Scan([places(n, 8, 8) for n in (40, 8, 8)], 8, wanted=lambda box: bool(box.any()))
    seen = []
    assert over_boxes(source, out, network, scan, lambda done, total: seen.append((done, total))) == 1
    assert out[:, :8].any()
    assert not out[:, 8:].any()
    assert seen[-1] == (5, 5)


def test_what_is_not_finite_is_told():
    out = np.zeros((2, 8, 8, 8), np.float32)
    scan = Scan([places(8, 8, 8)] * 3, 8)
    with pytest.raises(StageError, match="not finite"):
        over_boxes(np.ones((1, 8, 8, 8), np.float32), out, lambda boxes: network(boxes) * np.nan, scan, silent)
