"""Clouds against slow twins: vectors voxel by voxel, descriptors point by point, motions that are known."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.cloud import Cloud, descriptors, keypoints, match_descriptors, sample, unit_vectors
from cryoweave.kernels.registration import (
    Motion,
    Motions,
    agreement,
    field_ascent,
    field_scores,
    register,
    robust_icp,
    triple_motions,
)
from cryoweave.kernels.simulate import simulate_blurred

FRAME = Frame((11, 12, 13), (1.5, 2.0, 1.0), (3.0, -4.0, 5.0))
COARSE = Frame((6, 7, 5), (3.0, 3.5, 2.5), (2.0, -6.0, 4.0))


def some_map(seed=0):
    return np.random.default_rng(seed).normal(0.3, 1.0, FRAME.shape_zyx).astype(np.float32)


def slow_vectors(values, frame, out, bandwidth, threshold):
    voxels = frame.to_xyz(np.indices(frame.shape_zyx).reshape(3, -1).T)
    weight = np.where(values > max(threshold, 0), values, 0).astype(float).ravel()
    vectors, density = np.zeros((*out.shape_zyx, 3)), np.zeros(out.shape_zyx)
    for zyx in np.ndindex(*out.shape_zyx):
        x = out.to_xyz(zyx)[0]
        near = np.floor(frame.to_zyx(x)[0] + 0.5).astype(int)
        if (near < 0).any() or (near >= frame.shape_zyx).any() or values[tuple(near)] <= max(threshold, 0):
            continue
        d = voxels - x
        w = weight * np.exp(-1.5 * (d**2).sum(axis=1) / (bandwidth / 2) ** 2) * (np.abs(d) <= 2 * bandwidth).all(axis=1)
        shift = (w[:, None] * d).sum(axis=0) / w.sum()
        density[zyx], vectors[zyx] = w.sum(), shift / np.linalg.norm(shift)
    return vectors, density


@pytest.mark.parametrize(("bandwidth", "threshold"), [(3.0, 0.0), (6.0, 0.5), (40.0, -1.0)])
def test_vectors_equal_the_sum_over_all_voxels(bandwidth, threshold):
    values = some_map()
    vectors, density = unit_vectors(values, FRAME, COARSE, bandwidth=bandwidth, threshold=threshold)
    slow, total = slow_vectors(values, FRAME, COARSE, bandwidth, threshold)
    np.testing.assert_allclose(density, total, rtol=1e-4)
    np.testing.assert_allclose(vectors, slow, atol=2e-3)


def test_samples_lie_in_density():
    cloud = sample(some_map(), FRAME, spacing=3.0, bandwidth=6.0, threshold=0.5)
    nearest = np.floor(FRAME.to_zyx(cloud.xyz) + 0.5).astype(int)
    assert len(cloud.xyz)
    assert (some_map()[tuple(nearest.T)] > 0.5).all()
    np.testing.assert_allclose(np.linalg.norm(cloud.normals, axis=1), 1.0, atol=1e-5)
    assert len(sample(some_map(), FRAME, threshold=100.0).xyz) == 0


def test_keypoints_are_the_centres_of_blobs():
    frame = Frame((40, 42, 44), (1.0,) * 3, (-5.0, 3.0, 0.0))
    blobs = frame.to_xyz([[10, 10, 10], [28, 12, 30], [20, 30, 14]])
    values = simulate_blurred(frame, blobs, 100.0, 2.5)
    cloud = sample(values, frame, spacing=3.0, bandwidth=8.0, threshold=float(values.max()) / 10)
    found = keypoints(values, frame, cloud.xyz, bandwidth=6.0, threshold=float(values.max()) / 10)
    gaps = np.linalg.norm(found[:, None] - blobs, axis=2)
    assert len(found) == 3
    assert gaps.min(axis=1).max() < 0.2
    assert len(keypoints(values, frame, np.zeros((0, 3)))) == 0


def slow_share(place, n, circle):
    low = int(np.floor(place * n - 0.5))
    part = place * n - 0.5 - low
    bins = [(b % n if circle else min(max(b, 0), n - 1)) for b in (low, low + 1)]
    return zip(bins, (1 - part, part), strict=True)


def slow_descriptor(points, normals, centre, radius):
    offset = points - centre
    distance = np.linalg.norm(offset, axis=1)
    near = distance <= radius
    offset, normal, distance = offset[near], normals[near], distance[near]
    weight = radius - distance
    _, vectors = np.linalg.eigh((offset * weight[:, None]).T @ offset)
    z, x = (v * (1 if (weight * (offset @ v)).sum() >= 0 else -1) for v in (vectors[:, 0], vectors[:, 2]))
    y = np.cross(z, x)
    histogram = np.zeros((8, 2, 2, 11))
    for p, n, d in zip(offset, normal, distance, strict=True):
        azimuth = np.arctan2(p @ y, p @ x) / (2 * np.pi) + 0.5
        elevation = np.arccos(np.clip(p @ z / d, -1, 1)) / np.pi
        shares = [
            slow_share(azimuth, 8, True),
            slow_share(elevation, 2, False),
            slow_share(d / radius, 2, False),
            slow_share((np.clip(n @ z, -1, 1) + 1) / 2, 11, False),
        ]
        for bins in itertools.product(*shares):
            histogram[tuple(b for b, _ in bins)] += np.prod([w for _, w in bins])
    return histogram.ravel() / np.linalg.norm(histogram)


def some_cloud(n=200, side=50.0, seed=0):
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(n, 3))
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    return Cloud(rng.uniform(-side / 2, side / 2, (n, 3)), normals, np.ones(n, np.float32))


def some_motion(seed=0):
    return Motion(Rotation.random(random_state=seed).as_matrix(), np.random.default_rng(seed).uniform(-40, 40, 3))


def moved(cloud, motion):
    return Cloud(motion.apply(cloud.xyz), cloud.normals @ motion.rotation.T, cloud.density)


def angle(a, b):
    return np.degrees(Rotation.from_matrix(a @ b.T).magnitude())


def test_descriptors_equal_the_slow_twin():
    cloud, centres = some_cloud(), some_cloud(6, 20.0, 1).xyz
    found = descriptors(cloud, centres, 20.0)
    slow = [slow_descriptor(cloud.xyz, cloud.normals, centre, 20.0) for centre in centres]
    assert found.shape == (6, 352)
    np.testing.assert_allclose(found, slow, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_descriptors_do_not_change_when_all_is_turned(seed):
    cloud, centres, motion = some_cloud(seed=seed), some_cloud(5, 20.0, seed).xyz, some_motion(seed)
    np.testing.assert_allclose(
        descriptors(cloud, centres, 20.0), descriptors(moved(cloud, motion), motion.apply(centres), 20.0), atol=2e-3
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 4))
def test_matches_equal_the_slow_twin(seed, k):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(14, 7)), rng.normal(size=(17, 7))
    distance = np.linalg.norm(a[:, None] - b, axis=2)
    forward, backward = distance.argsort(axis=1)[:, :k], distance.argsort(axis=0)[:k]
    mutual = [(i, j) for i in range(14) for j in forward[i] if i in backward[:, j]]
    every = [(i, j) for i in range(14) for j in forward[i]]
    pairs, both = match_descriptors(a, b, k)
    assert both == (len(mutual) >= 3)
    assert [tuple(pair) for pair in pairs.tolist()] == [(i, int(j)) for i, j in (mutual if both else every)]


def agree(mobile, target, noise, nodes):
    return all(
        abs(np.linalg.norm(mobile[i] - mobile[j]) - np.linalg.norm(target[i] - target[j])) <= 2 * noise
        for i, j in itertools.combinations(nodes, 2)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_the_clique_is_the_largest_of_all_subsets(seed):
    rng = np.random.default_rng(seed)
    mobile, target = rng.uniform(0, 30, (9, 3)), rng.uniform(0, 30, (9, 3))
    largest = max(
        size
        for size in range(10)
        for nodes in itertools.combinations(range(9), size)
        if agree(mobile, target, 3.0, nodes)
    )
    found = register(mobile, target, 3.0)
    assert (len(found.clique) if found else 0) == (largest if largest >= 3 else 0)
    if found:
        assert found.exact
        assert agree(mobile, target, 3.0, found.clique)


@pytest.mark.parametrize("seed", range(4))
def test_a_motion_is_recovered_though_seventy_percent_of_the_pairs_are_wrong(seed):
    rng, truth = np.random.default_rng(seed), some_motion(seed)
    mobile = rng.uniform(-50, 50, (200, 3))
    target = truth.apply(mobile) + rng.normal(0, 0.5, (200, 3))
    wrong = rng.permutation(200)[:140]
    target[wrong] = rng.uniform(-90, 90, (140, 3))
    found = register(mobile, target, 2.0)
    assert angle(found.motion.rotation, truth.rotation) < 1.0
    assert np.linalg.norm(found.motion.translation - truth.translation) < 0.5
    assert len(set(found.clique.tolist()) - set(wrong.tolist())) >= 55
    assert found.inliers >= 55


def test_closest_points_bring_back_a_small_motion():
    cloud = some_cloud(500, 80.0)
    truth = Motion(Rotation.from_rotvec([0.1, -0.05, 0.08]).as_matrix(), np.array([1.0, -1.5, 0.5]))
    part = (cloud.xyz[:200] - truth.translation) @ truth.rotation
    motion, median = robust_icp(part, cloud.xyz, Motion(np.eye(3), np.zeros(3)))
    assert angle(motion.rotation, truth.rotation) < 0.1
    assert np.linalg.norm(motion.translation - truth.translation) < 0.05
    assert median < 0.05


def test_agreement_counts_what_is_near_and_points_the_same_way():
    cloud, truth = some_cloud(), some_motion(3)
    motions = Motions(np.stack([truth.rotation, np.eye(3)]), np.stack([truth.translation, [900.0, 0, 0]]))
    target = moved(cloud, truth)
    flipped = Cloud(target.xyz, np.where(np.arange(200)[:, None] < 50, -target.normals, target.normals), target.density)
    matched, agreeing = agreement(cloud, flipped, motions, within=2.0)
    np.testing.assert_allclose(matched, [1.0, 0.0])
    np.testing.assert_allclose(agreeing, [0.75, 0.0])


def test_triples_hold_the_motion_and_the_field_finds_and_refines_it():
    truth = some_motion(5)
    frame = Frame((40, 40, 40), (2.0,) * 3, tuple(truth.translation - 40.0))
    atoms = some_cloud(60, 36.0, 7).xyz
    values = simulate_blurred(frame, truth.apply(atoms), 1.0, 2.5)
    field, _ = unit_vectors(values, frame, frame, bandwidth=8.0, threshold=float(values.max()) / 5)
    cloud = sample(values, frame, spacing=3.0, bandwidth=8.0, threshold=float(values.max()) / 5)
    model = Cloud((cloud.xyz - truth.translation) @ truth.rotation, cloud.normals @ truth.rotation, cloud.density)
    noisy = truth.apply(atoms) + np.random.default_rng(1).normal(0, 0.7, atoms.shape)
    noisy[:40] = noisy[np.random.default_rng(2).permutation(40)]
    guesses = triple_motions(atoms, noisy, 1.5)
    scores = field_scores(field, frame, model, guesses)
    best = guesses.select(np.argsort(-scores)[:3])
    climbed, refined = field_ascent(field, frame, model, best, 2.0)
    assert (refined >= np.sort(scores)[::-1][:3]).all()
    assert angle(climbed.rotation[0], truth.rotation) < 1.5
    assert np.linalg.norm(climbed.translation[0] - truth.translation) < 0.5
    slow = np.mean([n @ g for n, g in zip(cloud.normals, cloud.normals, strict=True)])
    itself = field_scores(field, frame, model, Motions(truth.rotation[None], truth.translation[None]))[0]
    assert 0.6 < itself <= slow + 1e-6


def test_bad_input_is_refused():
    cloud = some_cloud(20)
    bad = cloud.xyz.copy()
    bad[3, 1] = np.nan
    motions = Motions(np.eye(3)[None], np.zeros((1, 3)))
    with pytest.raises(InputError):
        unit_vectors(some_map(), COARSE, COARSE)
    with pytest.raises(InputError):
        sample(some_map(), FRAME, spacing=0.0)
    with pytest.raises(InputError):
        descriptors(Cloud(bad, cloud.normals, cloud.density), cloud.xyz)
    with pytest.raises(InputError):
        match_descriptors(np.zeros((3, 2)), np.zeros((3, 4)))
    with pytest.raises(InputError):
        register(cloud.xyz, cloud.xyz[:5])
    with pytest.raises(InputError):
        robust_icp(np.zeros((0, 3)), cloud.xyz, Motion(np.eye(3), np.zeros(3)))
    with pytest.raises(InputError):
        field_scores(np.zeros((2, 2, 2, 3), np.float32), COARSE, cloud, motions)
    with pytest.raises(InputError):
        agreement(cloud, cloud, Motions(np.eye(3)[None], np.zeros((2, 3))))
