"""Mixtures against a slow twin, by integration on a grid, by differences and by what must stay."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cryoweave import _core
from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.mixture import (
    Mixture,
    correlation,
    fit_complex,
    fit_mixture,
    fit_rigid,
    map_mixture,
    overlap,
    overlap_slope,
    starting_poses,
)


def random_mixture(seed, n, side=12.0):
    rng = np.random.default_rng(seed)
    turns = Rotation.random(n, rng=rng).as_matrix()
    covariance = turns @ (rng.uniform(2, 8, (n, 3))[:, :, None] * turns.transpose(0, 2, 1))
    return Mixture(rng.uniform(0.5, 1.5, n), rng.uniform(-side / 2, side / 2, (n, 3)), covariance)


def density(mixture, xyz):
    """The mixture's height at points, one Gaussian after the other."""
    out = np.zeros(len(xyz))
    for weight, mean, covariance in zip(mixture.weight, mixture.mean, mixture.covariance, strict=True):
        d = xyz - mean
        height = np.exp(-0.5 * np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance), d))
        out += weight * height / np.sqrt((2 * np.pi) ** 3 * np.linalg.det(covariance))
    return out


def moved(mixture, rotation, translation):
    return Mixture(mixture.weight, mixture.mean @ rotation.T + translation, rotation @ mixture.covariance @ rotation.T)


def slow_round(given, mixture):
    """One round of expectation and maximisation, and the log likelihood before it."""
    logs = np.empty((len(given), len(mixture)))
    for k, (weight, mean, covariance) in enumerate(zip(mixture.weight, mixture.mean, mixture.covariance, strict=True)):
        precision = np.linalg.inv(covariance)
        d = given.mean - mean
        square = np.einsum("ni,ij,nj->n", d, precision, d) + np.einsum("ij,nji->n", precision, given.covariance)
        logs[:, k] = np.log(weight) - 0.5 * (square + np.log(np.linalg.det(2 * np.pi * covariance)))
    a = given.weight / given.weight.sum()
    total = np.log(np.exp(logs).sum(axis=1))
    share = np.exp(logs - total[:, None]) * a[:, None]
    weight = share.sum(axis=0)
    mean = share.T @ given.mean / weight[:, None]
    d = given.mean[:, None] - mean
    each = d[..., :, None] * d[..., None, :] + given.covariance[:, None]
    return Mixture(weight, mean, np.einsum("nk,nkij->kij", share, each) / weight[:, None, None]), a @ total


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 8))
def test_rounds_are_those_of_the_slow_twin(seed, k):
    points = random_mixture(seed, 60)
    before, after = (fit_mixture(points, k, rounds=r, tolerance=-1.0) for r in (3, 4))
    scale = before.mixture.weight.sum()
    start = Mixture(before.mixture.weight / scale, before.mixture.mean, before.mixture.covariance)
    twin, likelihood = slow_round(points, start)
    np.testing.assert_allclose(after.mixture.weight, twin.weight * scale, rtol=1e-9)
    np.testing.assert_allclose(after.mixture.mean, twin.mean, atol=1e-9)
    np.testing.assert_allclose(after.mixture.covariance, twin.covariance, atol=1e-8)
    assert after.log_likelihood[-1] == pytest.approx(likelihood, abs=1e-10)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30))
def test_moments_stay_and_the_likelihood_never_falls(seed, k):
    points = random_mixture(seed, 200)
    found = fit_mixture(points, k, seed=seed)
    for mine, theirs in zip(found.mixture.moments(), points.moments(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)
    assert (np.diff(found.log_likelihood) > -1e-9).all()
    least = np.linalg.eigvalsh(points.covariance).min()
    assert np.linalg.eigvalsh(found.mixture.covariance).min() > least - 1e-9


def test_overlap_is_the_integral_of_the_product():
    one, other = random_mixture(1, 3), random_mixture(2, 4)
    axis = np.arange(-20, 20.1, 0.5)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    expected = (density(one, grid) * density(other, grid)).sum() * 0.5**3
    assert overlap(one, other) == pytest.approx(expected, rel=1e-6)
    assert correlation(one, one) == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_slope_is_that_of_small_motions(seed):
    fixed, moving = random_mixture(seed, 5), random_mixture(seed + 1, 4)
    rotation, translation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix(), np.array([1.0, -2.0, 0.5])
    value, force, torque = overlap_slope(fixed, moving, rotation, translation)
    assert value == pytest.approx(overlap(fixed, moved(moving, rotation, translation)), rel=1e-10)
    step = 1e-4
    for axis in np.eye(3):
        sides = [overlap(fixed, moved(moving, rotation, translation + s * axis)) for s in (step, -step)]
        assert force @ axis == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-5 * value)
        turns = [Rotation.from_rotvec(s * axis).as_matrix() @ rotation for s in (step, -step)]
        sides = [overlap(fixed, moved(moving, turn, translation)) for turn in turns]
        assert torque @ axis == pytest.approx((sides[0] - sides[1]) / (2 * step), abs=1e-5 * value)


def test_a_map_keeps_its_moments_however_many_voxels_are_merged():
    frame = Frame((10, 12, 14), (1.0, 1.5, 2.0), (-3.0, 4.0, 5.0))
    values = np.random.default_rng(0).random(frame.shape_zyx).astype(np.float32)
    kept = np.argwhere(values > 0.4)
    weight, xyz = values[tuple(kept.T)].astype(float), frame.to_xyz(kept)
    own = np.diag(np.square(frame.voxel_xyz) / 12)
    expected = np.cov(xyz.T, aweights=weight, bias=True) + own
    for side in (1, 2, 3):
        found = map_mixture(values, frame, 0.4, side)
        total, centre, covariance = found.moments()
        assert total == pytest.approx(weight.sum())
        np.testing.assert_allclose(centre, weight @ xyz / weight.sum(), atol=1e-9)
        np.testing.assert_allclose(covariance, expected, atol=1e-9)
    assert len(map_mixture(values, frame, 0.4, 1)) == len(kept)


@pytest.fixture(scope="module")
def atoms():
    rng = np.random.default_rng(4)
    chain = np.cumsum(rng.normal(0, 2.0, (150, 3)), axis=0)
    return Mixture.of_points(chain, 1.0, 2.0)


def test_a_known_motion_is_found_again_whatever_the_threads(atoms):
    rotation, translation = Rotation.random(rng=np.random.default_rng(5)).as_matrix(), np.array([30.0, -10.0, 5.0])
    target = fit_mixture(moved(atoms, rotation, translation), 20, seed=1).mixture
    model = fit_mixture(atoms, 15, seed=2).mixture
    before, ends = _core.threads(), []
    try:
        for threads in (1, 2):
            _core.set_threads(threads)
            found = fit_rigid(target, model, *starting_poses(target, model, 50))
            ends.append([column.tobytes() for column in found])
    finally:
        _core.set_threads(before)
    assert ends[0] == ends[1]
    best = int(np.argmax(found.correlation))
    placed = atoms.mean @ found.rotation[best].T + found.translation[best]
    assert np.sqrt(((placed - atoms.mean @ rotation.T - translation) ** 2).sum(axis=1).mean()) < 0.5
    assert found.correlation[best] == pytest.approx(
        correlation(target, moved(model, found.rotation[best], found.translation[best])), rel=1e-6
    )


def test_a_ring_of_copies_is_found_again(atoms):
    model = fit_mixture(atoms, 12).mixture
    turns = [Rotation.from_rotvec([0, 0, angle]).as_matrix() for angle in np.arange(3) * 2 * np.pi / 3]
    out = np.array([25.0, 0.0, 0.0])
    parts = [moved(model, turn, turn @ out) for turn in turns]
    tilt, shift = Rotation.from_rotvec([0.4, 0.3, 0.1]).as_matrix(), np.array([5.0, 6.0, 7.0])
    ring = Mixture(
        *(np.concatenate([getattr(one, name) for one in parts]) for name in ("weight", "mean", "covariance"))
    )
    found = fit_complex(moved(ring, tilt, shift), [model], order=3, starts=150)
    best = int(np.argmax(found.correlation))
    assert found.correlation[best] > 0.99
    assert found.rotation.shape == (150, 3, 3, 3)
    expected = {tuple(np.round(tilt @ turn @ (model.moments()[1] + out) + shift)) for turn in turns}
    placed = found.rotation[best] @ model.moments()[1] + found.translation[best]
    assert {tuple(np.round(one)) for one in placed} == expected


def test_starts_are_proper_uniform_and_seeded(atoms):
    rotation, translation = starting_poses(atoms, atoms, 2000, seed=3)
    np.testing.assert_allclose(rotation @ rotation.transpose(0, 2, 1), np.tile(np.eye(3), (2004, 1, 1)), atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(rotation), 1.0)
    assert np.abs(rotation[4:].mean(axis=0)).max() < 0.06
    again = starting_poses(atoms, atoms, 2000, seed=3)
    assert (again[0] == rotation).all()
    assert not (starting_poses(atoms, atoms, 2000, seed=4)[1][4:] == translation[4:]).any()


def test_what_makes_no_mixture_is_refused(atoms):
    good = random_mixture(1, 3)
    with pytest.raises(InputError, match="components"):
        fit_mixture(good, 4)
    with pytest.raises(InputError, match="weight"):
        overlap(Mixture(-good.weight, good.mean, good.covariance), good)
    with pytest.raises(InputError, match="positive definite"):
        overlap(good, Mixture(good.weight, good.mean, -good.covariance))
    with pytest.raises(InputError, match="differ in number"):
        overlap(Mixture(good.weight[:2], good.mean, good.covariance), good)
    with pytest.raises(InputError, match="not finite"):
        overlap(Mixture(good.weight, good.mean * np.nan, good.covariance), good)
    with pytest.raises(InputError, match="rotation"):
        fit_rigid(good, good, -np.eye(3)[None], np.zeros((1, 3)))
    with pytest.raises(InputError, match="background"):
        fit_rigid(good, good, np.eye(3)[None], np.zeros((1, 3)), background=-1.0)
    with pytest.raises(InputError, match="copies"):
        fit_complex(good, [])
    frame = Frame((2, 2, 2))
    with pytest.raises(InputError, match="threshold"):
        map_mixture(np.ones((2, 2, 2)), frame, 2.0)
    with pytest.raises(InputError, match="not finite"):
        map_mixture(np.full((2, 2, 2), np.nan), frame, 0.0)
