"""Coarser maps without aliasing, curvature, and the boxes of a search."""

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.encode import coarsened, curvature
from cryoweave.kernels.fitting import Atoms, box_around, candidates, grown, points_of, radius_of, template_of
from cryoweave.kernels.rotations import random_rotations
from cryoweave.kernels.search import fast_size, rotational_search

FRAME = Frame((24, 30, 36), (1.0, 1.2, 0.9), (3.0, -2.0, 5.0))


def waves(frame, frequency_zyx):
    """A wave that fits into the box a whole number of times along each axis, and its squared frequency in 1/Å²."""
    z, y, x = np.meshgrid(*(np.arange(n) / n for n in frame.shape_zyx), indexing="ij")
    phase = sum(k * axis for k, axis in zip(frequency_zyx, (z, y, x), strict=True))
    lengths = frame.extent_xyz[::-1]
    square = sum((k / length) ** 2 for k, length in zip(frequency_zyx, lengths, strict=True))
    return DensityMap(np.cos(2 * np.pi * phase).astype(np.float32), frame), square


def test_a_wave_that_fits_stays_and_one_that_does_not_goes():
    slow, square = waves(FRAME, (2, 3, 1))
    fine, _ = waves(FRAME, (11, 0, 0))
    both = DensityMap(slow.values + fine.values, FRAME)
    coarse = coarsened(both, 2.5)
    expected, _ = waves(coarse.frame, (2, 3, 1))
    assert coarse.frame.shape_zyx < FRAME.shape_zyx
    assert max(coarse.frame.voxel_xyz) <= 2.5
    assert coarse.frame.origin_xyz == FRAME.origin_xyz
    assert np.allclose(coarse.frame.extent_xyz, FRAME.extent_xyz)
    assert np.allclose(coarse.values, expected.values, atol=1e-5)
    blurred = coarsened(slow, 2.5, sigma=3.0)
    assert np.allclose(blurred.values, expected.values * np.exp(-2 * np.pi**2 * 9 * square), atol=1e-5)


def test_a_map_that_is_coarse_already_stays():
    noise = DensityMap(np.random.default_rng(0).normal(size=FRAME.shape_zyx), FRAME)
    same = coarsened(noise, 0.3)
    assert same.frame == FRAME
    assert np.allclose(same.values, noise.values, atol=1e-5)
    with pytest.raises(InputError, match="positive"):
        coarsened(noise, 0.0)


def test_curvature_is_minus_the_second_derivatives():
    wave, square = waves(FRAME, (1, 2, 3))
    assert np.allclose(curvature(wave).values, 4 * np.pi**2 * square * wave.values, atol=1e-4)


def test_a_mask_grows_along_all_axes_at_once():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True
    wide = grown(mask, 2)
    assert wide.sum() == 125
    assert wide[2:7, 2:7, 2:7].all()


ATOMS = Atoms(np.random.default_rng(1).normal(size=(60, 3)) * [9, 5, 3], np.full(60, 6.0))


def test_a_box_holds_the_true_pose_wherever_the_density_lies():
    turn, shift = random_rotations(1, 3)[0], np.array([30.0, 44.0, 25.0])
    big = Frame((40, 36, 44), (2.0, 2.0, 2.0), (-5.0, 0.0, 3.0))
    moved = Atoms(ATOMS.xyz @ turn.T + shift, ATOMS.weight)
    model = moved.density(8.0, 2.0)
    values = np.zeros(big.shape_zyx, np.float32)
    from cryoweave.kernels.grid import interpolate

    grid = big.to_xyz(np.argwhere(np.ones(big.shape_zyx)))
    values[:] = interpolate(model.values, model.frame, grid).reshape(big.shape_zyx)
    density = DensityMap(values, big)
    template = template_of(ATOMS.density(8.0, 1.0, 2.0), ATOMS.middle())
    inside = values > 0.1 * values.max()
    box = box_around(density, inside, inside, radius_of(template))
    assert all(n == fast_size(n) for n in box.frame.shape_zyx)
    turns = np.concatenate([turn[None], random_rotations(5, 9)])
    best = candidates(rotational_search(box.target, template, "cosine", turns), box, turns, ATOMS.middle())
    assert np.allclose(best.rotation[0], turn)
    assert np.linalg.norm(best.translation[0] - shift) < 2.0
    with pytest.raises(StageError, match="density to fit into"):
        box_around(density, np.zeros_like(inside), inside, 10.0)


def test_points_of_a_template_are_its_stronger_voxels():
    density = ATOMS.density(8.0, 2.0)
    points = points_of(density, 0.5)
    assert points.values.min() > 0.5 * density.values.max()
    assert len(points.xyz) == np.sum(density.values > 0.5 * density.values.max())
