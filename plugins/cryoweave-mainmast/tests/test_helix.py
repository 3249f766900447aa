"""Helices put back to the radius of their Cα atoms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from cryoweave.testing import ideal_model
from cryoweave_mainmast.helix import helicity, resampled, restored, smoothed

STEP = 0.8


def helix(radius, residues=40, rise=1.5):
    """A path along an ideal α helix with this radius, on the z axis."""
    residue = np.arange(0, residues, 0.05)
    angle = np.deg2rad(100) * residue
    return np.column_stack((radius * np.cos(angle), radius * np.sin(angle), rise * residue))


def calphas(structure):
    return ideal_model(structure).trace_atoms().xyz


def at_heights(path, heights):
    return np.column_stack([np.interp(heights, path[:, 2], path[:, axis]) for axis in range(3)])


@pytest.mark.parametrize("radius", [1.2, 1.4, 1.8])
def test_a_shrunk_helix_comes_back(radius):
    found = restored(helix(radius), STEP)
    heights = np.arange(9.0, 51.0, 1.5)
    residues = at_heights(found, heights)
    assert np.hypot(residues[:, 0], residues[:, 1]) == pytest.approx(2.3, abs=0.2)
    assert np.linalg.norm(np.diff(residues, axis=0), axis=1) == pytest.approx(3.8, abs=0.3)


def test_the_phase_of_a_restored_helix_is_kept():
    heights = np.arange(9.0, 51.0, 0.5)
    before, after = at_heights(helix(1.4), heights), at_heights(restored(helix(1.4), STEP), heights)
    cosine = (before[:, :2] * after[:, :2]).sum(axis=1) / np.hypot(*before[:, :2].T) / np.hypot(*after[:, :2].T)
    assert np.rad2deg(np.arccos(np.clip(cosine, -1, 1))).max() < 15


def moved_by(path):
    """Mean distance of the inner nodes from the restored path."""
    return cKDTree(restored(path, STEP)).query(path[3:-3])[0].mean()


def test_the_calphas_of_an_ideal_helix_stay_put():
    assert moved_by(calphas("H" * 30)) < 0.6


def test_a_straight_strand_stays_put():
    """Density at 3–4 Å shows a strand without most of its pleat."""
    alpha = calphas("E" * 20)
    middle = (alpha[1:] + alpha[:-1]) / 2
    assert moved_by((middle[1:] + middle[:-1]) / 2) < 0.3


def test_helicity_tells_a_helix_from_a_line():
    line = np.column_stack((np.linspace(0, 50, 70), np.zeros((70, 2))))
    assert np.median(helicity(resampled(helix(1.4), 0.7), 0.7)) > 0.9
    assert np.median(helicity(resampled(calphas("H" * 30), 0.7), 0.7)) > 0.7
    assert helicity(resampled(line, 0.7), 0.7).max() < 1e-6


def test_helicity_finds_the_helix_in_a_longer_chain():
    line = np.column_stack((np.full(40, 1.4), np.zeros(40), np.arange(-40.0, 0.0)))
    turning = helicity(resampled(np.concatenate([line, helix(1.4)]), 0.8), 0.8)
    assert turning[:35].mean() < 0.5
    assert turning[-80:-10].mean() > 0.9


@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 5])
def test_the_shortest_paths_are_safe(nodes):
    path = 1.3 * np.cumsum(np.ones((nodes, 3)), axis=0)
    found = restored(path, STEP)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[[0, -1]], path[[0, -1]])
    assert helicity(path, STEP).tolist() == [0.0] * nodes


def test_nodes_in_one_place_are_safe():
    assert np.isfinite(restored(np.ones((30, 3)), STEP)).all()
    assert np.isfinite(helicity(np.ones((30, 3)), STEP)).all()


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(2, 60), st.floats(0.2, 3.0))
def test_resampling_keeps_ends_and_spaces_nodes_evenly(seed, nodes, step):
    path = np.cumsum(np.random.default_rng(seed).normal(size=(nodes, 3)), axis=0)
    found = resampled(path, step)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    np.testing.assert_allclose(found[[0, -1]], path[[0, -1]])
    assert len(found) == max(2, round(length / step) + 1)
    # Along a bent path nodes lie no farther apart than along its length.
    assert np.linalg.norm(np.diff(found, axis=0), axis=1).max() <= length / (len(found) - 1) + 1e-9


@pytest.mark.parametrize(("count", "sigma"), [(80, 3.0), (30, 6.4), (5, 6.4)])
def test_smoothing_is_a_gaussian_with_the_ends_reflected_through_their_points(count, sigma):
    values = np.cumsum(np.random.default_rng(3).normal(size=(count, 3)), axis=0)
    reach = min(int(3 * sigma) + 1, count - 1)
    before, after = 2 * values[0] - values[reach:0:-1], 2 * values[-1] - values[-2 : -reach - 2 : -1]
    slow = gaussian_filter1d(np.concatenate([before, values, after]), sigma, axis=0, radius=reach, mode="constant")
    np.testing.assert_allclose(smoothed(values, sigma), slow[reach:-reach], atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_restoring_does_not_depend_on_where_the_molecule_lies(seed):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    offset = rng.normal(0, 100, 3)
    path = resampled(helix(1.4) + rng.normal(0, 0.1, (800, 3)), 1.0)
    np.testing.assert_allclose(restored(path @ rotation.T + offset, STEP), restored(path, STEP) @ rotation.T + offset)
