"""Simulated experiments: what their numbers promise is there when it is measured."""

from dataclasses import replace

import gemmi
import numpy as np
import pytest

from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.experiment import Conditions, Scatterers, experimental_map, frequencies, soft_mask

FRAME = Frame((64, 60, 56), (1.0, 1.0, 1.0), (-30.0, 4.0, 7.0))
CENTRE = np.array(FRAME.to_xyz([31.5, 29.5, 27.5]))[0]


def ball(n=900, radius=17.0, seed=3):
    """Atoms at random in a ball, as dense as protein is."""
    rng = np.random.default_rng(seed)
    place = rng.normal(size=(n, 3))
    place *= radius * rng.random(n)[:, None] ** (1 / 3) / np.linalg.norm(place, axis=1)[:, None]
    table = np.array([gemmi.Element(symbol).c4322.get_coefs() for symbol in ("C", "N", "O")])
    element = rng.integers(0, 3, n)
    return Scatterers(place + CENTRE, element, table[:, :5], table[:, 5:], np.full(n, 40.0), np.ones(n))


def shell_correlation(one, other, mask):
    """Correlation by shells of 0.02 1/Å within a mask: the slow way, with complex transforms."""
    a, b = np.fft.fftn(one * mask), np.fft.fftn(other * mask)
    axes = [np.fft.fftfreq(n, 1.0) for n in one.shape]
    s = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    shell = (s / 0.02).astype(int)
    cross = np.bincount(shell.ravel(), (a * b.conj()).real.ravel())
    power = [np.bincount(shell.ravel(), (np.abs(x) ** 2).ravel()) for x in (a, b)]
    return cross / np.sqrt(power[0] * power[1])


@pytest.mark.parametrize("resolution", [3.0, 4.5])
def test_two_recordings_agree_up_to_the_resolution(resolution):
    conditions = Conditions(resolution, falloff_b=60.0)
    one, other = (experimental_map(ball(), FRAME, conditions, seed).values for seed in (1, 2))
    found = shell_correlation(one, other, soft_mask(FRAME, ball().xyz, 3.0, 4.0))
    # Half maps of FSC f make whole maps that agree as 2 f / (1 + f): 0.25 at the resolution.
    at = round(1 / resolution / 0.02)
    assert found[2 : at // 2].min() > 0.8
    assert 0.1 < found[at - 1 : at + 1].mean() < 0.5
    assert found[at // 2] > found[at - 3] > found[at]


def test_without_noise_it_is_the_atoms_filtered():
    quiet = Conditions(3.0, noise=0.0, solvent=0.0, falloff_b=0.0)
    one, other = (experimental_map(ball(), FRAME, quiet, seed).values for seed in (1, 2))
    np.testing.assert_array_equal(one, other)
    spectrum = np.abs(np.fft.rfftn(one)) ** 2
    s = frequencies(FRAME)
    assert spectrum[s > 1 / 2.5].sum() < 1e-3 * spectrum[s > 0.05].sum()
    sharper = experimental_map(ball(), FRAME, replace(quiet, falloff_b=-40.0), 1).values
    ratio = np.sqrt(
        (np.abs(np.fft.rfftn(sharper)) ** 2)[(s > 0.29) & (s < 0.31)].sum() / spectrum[(s > 0.29) & (s < 0.31)].sum()
    )
    assert ratio == pytest.approx(np.exp(0.25 * 40 * 0.3**2), rel=0.05)


def test_solvent_takes_contrast_and_leaves_detail():
    bare = Conditions(3.0, noise=0.0, solvent=0.0, falloff_b=60.0)
    atoms = ball()
    without, within = (experimental_map(atoms, FRAME, replace(bare, solvent=x), 1).values for x in (0.0, 0.8))
    low = frequencies(FRAME) < 0.04
    power = [np.abs(np.fft.rfftn(values))[low].sum() for values in (without, within)]
    assert power[1] < 0.5 * power[0]
    high = shell_correlation(without, within, 1.0)[8:14]
    assert high.min() > 0.9


def test_beyond_the_mask_there_is_nothing():
    atoms = ball()
    conditions = Conditions(3.0, mask_radius=4.0)
    values = experimental_map(atoms, FRAME, conditions, 1, atoms.xyz[:50]).values
    voxels = np.indices(FRAME.shape_zyx).reshape(3, -1).T
    distance = np.linalg.norm(FRAME.to_xyz(voxels)[:, None] - atoms.xyz[None, :50], axis=2).min(axis=1)
    assert not values.ravel()[distance > 4.01].any()
    assert (values.ravel()[distance < 3.99] != 0).mean() > 0.99
    soft = soft_mask(FRAME, atoms.xyz, 4.0, 5.0)
    assert soft.min() >= 0
    assert soft.max() <= 1 + 1e-6


def test_the_seed_decides():
    conditions = Conditions(4.0, disorder=0.3)
    one, same, other = (experimental_map(ball(), FRAME, conditions, seed).values for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0


def test_what_cannot_be_simulated_is_refused():
    nothing = ball(0)
    with pytest.raises(InputError, match="no atom"):
        experimental_map(nothing, FRAME, Conditions(3.0), 0)
    with pytest.raises(InputError, match="cannot hold a resolution"):
        experimental_map(ball(), FRAME, Conditions(1.5), 0)
    for wrong in ({"resolution": 0.0}, {"resolution": 3.0, "noise": -1.0}, {"resolution": 3.0, "falloff_b": np.nan}):
        with pytest.raises(InputError, match="must be"):
            Conditions(**wrong)
