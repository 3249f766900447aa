"""Maps as networks see them; `blank` edges are tested against a published map, with the plugin that needs them."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels.network_input import bright, from_0_to_1, whole_angstroms

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("side", [0.8, 1.34, 2.0])
def test_beyond_the_last_voxel_the_density_fades(side):
    values = RNG.random((5, 6, 7)).astype(np.float32) + 1
    ours = whole_angstroms(DensityMap(values, Frame((5, 6, 7), (side,) * 3, (3.0, 4.0, 5.0))), "fade")
    shape = tuple(int(np.floor(n * np.float64(np.float32(side)))) for n in values.shape)
    at = np.indices(shape) / np.float64(np.float32(side))
    slow = map_coordinates(np.pad(values, [(0, 1)] * 3).astype(float), at, order=1, mode="constant")
    assert ours.frame == Frame(shape, (1.0, 1.0, 1.0), (3.0, 4.0, 5.0))
    np.testing.assert_allclose(ours.values, slow, atol=1e-5)


def test_a_map_of_1_angstrom_stays():
    density = DensityMap(RNG.random((4, 5, 6)), Frame((4, 5, 6)))
    assert whole_angstroms(density, "fade") is density


def by_hand(values, share):
    positive = [float(v) for v in values.ravel() if v > 0]
    edges = np.linspace(min(positive), max(positive), 201)
    counts = np.zeros(200, int)
    for v in positive:
        counts[min(int(np.searchsorted(edges, v, "right")) - 1, 199)] += 1
    logs = [np.log(n) if n > 0 else 0.0 for n in counts]
    total = 0.0
    for edge, log in zip(edges, logs, strict=False):
        total += log
        if total > share * sum(logs):
            return edge
    return edges[-1]


@pytest.mark.parametrize("share", [0.5, 0.95, 0.98])
def test_the_bright_end_of_a_histogram(share):
    values = RNG.normal(0, 1, (12, 13, 14)) ** 3
    assert bright(values, share) == pytest.approx(by_hand(values, share), rel=1e-6)


def test_from_0_to_1():
    density = DensityMap(RNG.normal(0, 1, (12, 13, 14)), Frame((12, 13, 14)))
    found, high = from_0_to_1(density, 0.98)
    assert (found.values.min(), found.values.max()) == (0, 1)
    inside = (density.values > 0) & (density.values < high)
    np.testing.assert_allclose(found.values[inside], density.values[inside] / high, atol=1e-6)


@pytest.mark.parametrize("values", [np.zeros((3, 4, 5)), -np.ones((3, 4, 5)), np.ones((3, 4, 5))])
def test_maps_without_contrast_are_told(values):
    with pytest.raises(StageError, match=r"no density above 0|is alike"):
        bright(values.astype(np.float32), 0.98)
