"""The rotational search against an obvious loop, and by what it must find."""

import pickle
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.grid import interpolate
from cryoweave.kernels.rotations import angles_between, random_rotations, uniform_rotations
from cryoweave.kernels.search import Target, Template, fast_size, rotational_search

SEEDS = st.integers(0, 2**32 - 1)
SHAPES = st.tuples(*[st.integers(9, 12)] * 3)
VOXELS = st.sampled_from([(1.0, 1.0, 1.0), (1.1, 0.9, 1.3)])
few = settings(max_examples=6, deadline=None)


@pytest.fixture
def restore_threads():
    yield
    _core.set_threads(0)


def noise(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def template_of(seed, channels=1, vectors=False, shape=(5, 4, 6), voxel=(0.7, 1.0, 0.8)):
    """Noise with a rim of zeros, turning about no voxel in particular."""
    values = np.zeros((channels, *shape), np.float32)
    values[:, 1:-1, 1:-1, 1:-1] = noise(seed, (channels, *(side - 2 for side in shape)))
    return Template(values, voxel, (1.9, 1.6, 2.2), vectors)


def local_template(seed, shape=(5, 5, 6)):
    """The channels ``w t``, of sum 0, and ``w``."""
    rng = np.random.default_rng(seed)
    w, t = np.zeros(shape), rng.normal(size=shape)
    w[1:-1, 1:-1, 1:-1] = rng.uniform(0.2, 1, np.array(shape) - 2)
    t -= (w * t).sum() / w.sum()
    return Template(np.stack((w * t, w)).astype(np.float32), (0.7, 0.8, 0.9), (1.9, 1.6, 2.2))


def offsets(shape):
    """Cyclic offsets (z, y, x) of all voxels from voxel 0, the shorter way round."""
    sides = np.array(shape)
    zyx = np.indices(shape).reshape(3, -1).T
    return np.where(zyx <= sides // 2, zyx, zyx - sides)


def turned(template, rotation, shape, voxel):
    """The template over a box of voxels, its centre at voxel 0: read at R⁻¹ o for each offset o."""
    o = offsets(shape)[:, ::-1] * np.array(voxel)
    centre = np.array(template.centre_zyx)[::-1] * np.array(template.voxel_xyz)
    frame = SimpleNamespace(shape_zyx=template.values.shape[1:], voxel_xyz=template.voxel_xyz, origin_xyz=(0, 0, 0))
    xyz = o @ rotation + centre
    zyx = (xyz / np.array(template.voxel_xyz))[:, ::-1]
    # Within a thousandth of a voxel of the rim, which is zero, nothing is read.
    inside = ((zyx > 1e-3) & (zyx < np.array(frame.shape_zyx) - 1.001)).all(axis=1)
    read = np.stack([interpolate(channel, frame, xyz) * inside for channel in template.values])
    if template.vectors:
        read = rotation @ read
    return read.reshape(-1, *shape).astype(float)


def cyclic(small, large):
    """``Σ_o small(o) large(place + o)`` at every place."""
    places, o = np.indices(large.shape).reshape(3, 1, -1), np.argwhere(small).T[:, :, None]
    at = np.ravel_multi_index(tuple(places + o), large.shape, mode="wrap")
    return (small[small != 0] @ large.ravel()[at]).reshape(large.shape)


def slow_scores(target, template, score, rotation):
    shape = target.values.shape[1:]
    read, large = turned(template, rotation, shape, target.voxel_xyz), target.values.astype(float)
    if score == "local":
        (wt, w), values = read, large[0]
        mean = cyclic(w, values) / w.sum()
        variance = cyclic(w, values**2) - w.sum() * mean**2
        return (cyclic(wt, values) - wt.sum() * mean) / np.sqrt(variance)
    total = sum(cyclic(one, other) for one, other in zip(read, large, strict=True))
    return total / np.sqrt((read**2).sum()) if score == "cosine" else total


def slow_search(target, template, score, rotations):
    table = np.array([slow_scores(target, template, score, rotation) for rotation in rotations])
    if target.factor is not None:
        table *= target.factor
    if target.allowed is not None:
        table[:, ~target.allowed] = -np.inf
    return table


def assert_found(found, table):
    """What was found is the best of the table, but for scores that rounding cannot tell apart."""
    flat = table.reshape(len(table), -1)
    np.testing.assert_allclose(found.score, table.max(axis=0), atol=2e-4)
    np.testing.assert_allclose(found.best, flat.max(axis=1), atol=2e-4)
    there = np.isfinite(found.score)
    chosen = np.take_along_axis(table, found.rotation[None].astype(int), axis=0)[0]
    np.testing.assert_allclose(chosen[there], table.max(axis=0)[there], atol=4e-4)
    np.testing.assert_allclose(flat[np.arange(len(flat)), found.voxel], flat.max(axis=1), atol=4e-4)


CASES = {
    "sum": ("sum", 1, False),
    "sum of two": ("sum", 2, False),
    "cosine": ("cosine", 1, False),
    "cosine of two": ("cosine", 2, False),
    "cosine of three": ("cosine", 3, False),
    "sum of vectors": ("sum", 3, True),
    "vectors": ("cosine", 3, True),
    "local": ("local", 1, False),
}


def case(name, seed, shape, voxel=(1.0, 1.0, 1.0)):
    score, channels, vectors = CASES[name]
    template = local_template(seed) if score == "local" else template_of(seed, channels, vectors)
    return Target(noise(seed + 1, (channels, *shape)), voxel), template, score


@pytest.mark.parametrize("name", CASES)
@few
@given(SEEDS, SHAPES, VOXELS)
def test_scores_are_those_of_the_slow_twin(name, seed, shape, voxel):
    target, template, score = case(name, seed, shape, voxel)
    rotations = random_rotations(3, seed)
    assert_found(rotational_search(target, template, score, rotations), slow_search(target, template, score, rotations))


@pytest.mark.parametrize("name", CASES)
@few
@given(SEEDS, SHAPES)
def test_only_voxels_that_are_allowed_count_and_factors_multiply(name, seed, shape):
    target, template, score = case(name, seed, shape)
    rng, rotations = np.random.default_rng(seed), random_rotations(3, seed)
    allowed = rng.random(shape) < 0.3
    allowed[rng.integers(shape[0])] = allowed[:, rng.integers(shape[1])] = False
    allowed[0, 0, 0] = True
    factor = rng.uniform(-1, 2, shape).astype(np.float32)
    target = replace(target, allowed=allowed, factor=factor)
    found = rotational_search(target, template, score, rotations)
    assert_found(found, slow_search(target, template, score, rotations))
    np.testing.assert_array_equal(np.isfinite(found.score), allowed)
    assert allowed.ravel()[found.voxel].all()


@pytest.mark.parametrize("shape", [(9, 9, 9), (10, 10, 10), (9, 16, 11)])
@pytest.mark.parametrize("name", CASES)
def test_odd_even_and_uneven_boxes(name, shape):
    target, template, score = case(name, 4, shape, (1.0, 1.2, 0.9))
    rotations = random_rotations(2, 8)
    assert_found(rotational_search(target, template, score, rotations), slow_search(target, template, score, rotations))


def test_of_equal_scores_the_first_rotation_and_voxel_stay():
    # The map repeats itself every four voxels along x; the rotations repeat themselves; two turns of a ball are one.
    values = np.tile(noise(1, (8, 8, 4)), 2)[None]
    # The centre of the template is a voxel and its neighbours are zero: it is the same in all orientations.
    dot = np.zeros((1, 3, 3, 3), np.float32)
    dot[0, 1, 1, 1] = 1
    turns = np.repeat(random_rotations(2, 1), 3, axis=0)
    for threads in (1, 2):
        _core.set_threads(threads)
        found = rotational_search(Target(values, (2.0,) * 3), Template(dot, (1.0,) * 3, (1.0,) * 3), "sum", turns)
        assert not found.rotation.any()
        table = found.score.ravel()
        np.testing.assert_array_equal(found.voxel, np.full(6, np.flatnonzero(table == table.max())[0]))
    _core.set_threads(0)


def blobs():
    """An asymmetric molecule of Gaussian blobs as points (Å) and heights."""
    xyz = np.array([[6, 0, 0], [-5, 3, 1], [0, -6, 3], [1, 4, -6], [4, 5, 4], [-3, -2, -5.0]])
    return xyz - xyz.mean(axis=0), np.array([1, 1.3, 0.8, 1.1, 0.6, 1.4])


def density(xyz, heights, shape, voxel, origin):
    at = np.indices(shape).reshape(3, -1).T[:, ::-1] * voxel + origin
    squared = ((at[:, None] - xyz) ** 2).sum(axis=2)
    return (np.exp(-squared / (2 * 1.8**2)) @ heights).reshape(shape).astype(np.float32)


def molecule_template(score):
    xyz, heights = blobs()
    shape, voxel = (31, 31, 31), 0.9
    values = density(xyz, heights, shape, voxel, -15 * voxel)
    away = np.linalg.norm(np.indices(shape) - 15, axis=0) * voxel
    values[away > 12.5] = 0
    if score == "local":
        w = (away <= 12.5).astype(np.float32)
        values = np.stack((w * (values - values[w > 0].mean()), w))
    elif score == "vectors":
        values = np.stack(np.gradient(values)[::-1])
        values[:, away > 12.5] = 0
    else:
        values = values[None]
    return Template(values, (voxel,) * 3, (15.0,) * 3, vectors=score == "vectors")


@pytest.mark.parametrize("score", ["cosine", "local", "vectors"])
def test_a_known_pose_is_found_where_it_is(score):
    rotations = uniform_rotations(30.0).matrices
    voxel, shape, truth = 1.5, (30, 32, 36), 317
    place = np.array([20, 17, 13])
    xyz, heights = blobs()
    values = density(xyz @ rotations[truth].T + place * voxel, heights, shape, voxel, 0.0)[None]
    if score == "vectors":
        values = np.stack(np.gradient(values[0])[::-1])
    template = molecule_template(score)
    found = rotational_search(
        Target(values, (voxel,) * 3), template, "local" if score == "local" else "cosine", rotations
    )
    assert found.best.argmax() == truth
    assert np.unravel_index(found.voxel[truth], shape) == tuple(place[::-1])
    assert found.rotation[tuple(place[::-1])] == truth
    length = np.sqrt((values.astype(float) ** 2).sum())
    if score == "local":
        wt, w = template.values.astype(float)
        # The template's voxels are finer than the map's: lengths go with the root of the number of voxels.
        length = np.sqrt((wt[w > 0] ** 2 / w[w > 0]).sum() * (0.9 / voxel) ** 3)
    assert found.best[truth] / length == pytest.approx(1, abs=0.05)
    far = angles_between(rotations, rotations[truth]) > 45
    assert found.best[far].max() < 0.93 * found.best[truth]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("restore_threads")
def test_threads_strides_and_types_do_not_matter(name):
    target, template, score = case(name, 3, (12, 15, 9))
    allowed = noise(9, (12, 15, 9)) > -1
    target = replace(target, allowed=allowed, factor=np.abs(noise(8, allowed.shape)))
    # Each rotation twice, so that threads have to agree about equal scores.
    rotations = np.tile(random_rotations(40, 2), (2, 1, 1))
    _core.set_threads(1)
    one = rotational_search(target, template, score, rotations)
    assert (one.rotation < 40).all()
    other = replace(
        target,
        values=np.asfortranarray(target.values.astype(np.float64)),
        allowed=np.asfortranarray(allowed),
        factor=np.repeat(target.factor, 2, axis=2)[:, :, ::2],
    )
    for threads in (2, 3):
        _core.set_threads(threads)
        for _ in range(3):
            again = rotational_search(other, template, score, np.asfortranarray(rotations))
            for found, known in zip(again, one, strict=True):
                assert found.dtype == known.dtype
                np.testing.assert_array_equal(found, known)


def test_progress_is_told_and_what_it_raises_stops_the_search():
    target, template, score = case("vectors", 1, (32, 32, 32))
    told = []

    def stop(done, total):
        told.append((done, total))
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotational_search(target, template, score, random_rotations(200_000, 1), stop)
    assert len(told) == 3
    assert told == sorted(told)
    assert told[-1][1] == 200_000
    assert told[-1][0] < 200_000


def test_no_rotation_finds_nothing():
    target, template, score = case("cosine", 1, (8, 8, 8))
    found = rotational_search(target, template, score, np.empty((0, 3, 3)))
    assert found.best.shape == found.voxel.shape == (0,)
    assert (found.score == -np.inf).all()
    nowhere = replace(target, allowed=np.zeros((8, 8, 8), bool))
    found = rotational_search(nowhere, template, score, random_rotations(2, 1))
    assert (found.score == -np.inf).all()
    assert (found.best == -np.inf).all()


def test_where_the_map_is_flat_the_local_score_is_0():
    _, template, score = case("local", 1, (10, 10, 10))
    for level in (0.0, 1.0, -300.0):
        values = np.full((1, 10, 10, 10), level, np.float32)
        found = rotational_search(Target(values, (1.0,) * 3), template, score, random_rotations(3, 1))
        assert not found.score.any()


def test_an_empty_template_scores_0():
    target, template, _ = case("cosine", 1, (8, 8, 8))
    empty = replace(template, values=np.zeros_like(template.values))
    for score in ("sum", "cosine"):
        assert not rotational_search(target, empty, score, random_rotations(3, 1)).score.any()
    two = replace(template, values=np.zeros((2, 4, 4, 4), np.float32))
    assert not rotational_search(target, two, "local", random_rotations(3, 1)).score.any()


def poisoned(values, value=np.nan):
    values = values.copy()
    values[(0, 3, 2, 1)[-values.ndim :]] = value
    return values


GOOD = case("cosine", 1, (9, 8, 10))
BAD = {
    "a target that is not finite": (r"\[3, 2, 1\]", {"target": {"values": poisoned(GOOD[0].values)}}),
    "an infinite target": (r"\[3, 2, 1\]", {"target": {"values": poisoned(GOOD[0].values, np.inf)}}),
    "a template that is not finite": (r"\[3, 2, 1\]", {"template": {"values": poisoned(GOOD[1].values)}}),
    "a target of three axes": ("shape", {"target": {"values": GOOD[0].values[0]}}),
    "a template of three axes": ("shape", {"template": {"values": GOOD[1].values[0]}}),
    "too few channels": ("channels: 1 against 3", {"template": {"values": noise(1, (3, 5, 4, 6))}}),
    "four channels": (
        "channels must be 1 to 3, not 4",
        {"target": {"values": noise(1, (4, 9, 8, 10))}, "template": {"values": noise(1, (4, 5, 4, 6))}},
    ),
    "vectors of one channel": ("three components", {"template": {"vectors": True}}),
    "local without weights": ("w t and w", {"score": "local"}),
    "a flat template": ("two voxels", {"template": {"values": np.zeros((1, 1, 4, 6), np.float32)}}),
    "no voxels": ("target's size", {"target": {"values": np.empty((1, 0, 8, 10), np.float32)}}),
    "no template": ("two voxels", {"template": {"values": np.empty((1, 0, 4, 6), np.float32)}}),
    "a template as wide as the box": ("twice the template's radius", {"template": {"voxel_xyz": (2.0, 2.0, 2.0)}}),
    "a centre far outside": ("twice the template's radius", {"template": {"centre_zyx": (90.0, 1.0, 1.0)}}),
    "a centre that is not finite": ("centre must be finite", {"template": {"centre_zyx": (1.0, np.nan, 1.0)}}),
    "a voxel of 0": ("voxel must be positive", {"target": {"voxel_xyz": (1.0, 0.0, 1.0)}}),
    "a voxel that is not finite": ("voxel must be positive", {"target": {"voxel_xyz": (1.0, 1.0, np.nan)}}),
    "an infinite voxel": ("voxel must be positive", {"target": {"voxel_xyz": (np.inf, 1.0, 1.0)}}),
    "a template's voxel of 0": ("voxel must be positive", {"template": {"voxel_xyz": (1.0, 0.0, 1.0)}}),
    "an unknown score": ("no score 'best'.*\n?", {"score": "best"}),
    "a mask of another shape": ("allowed has the shape", {"target": {"allowed": np.ones((9, 8, 9), bool)}}),
    "factors of another shape": ("factor has the shape", {"target": {"factor": np.ones((9, 8), np.float32)}}),
    "a factor that is not finite": (
        "factor of the target must be finite",
        {"target": {"factor": poisoned(np.ones((9, 8, 10), np.float32))}},
    ),
    "one number as a rotation": ("shape", {"rotations": np.ones(1)}),
    "rotations of another shape": ("shape", {"rotations": np.ones((2, 3, 4))}),
    "a rotation that is not finite": ("no proper rotation .row 1", {"rotations": [np.eye(3), np.full((3, 3), np.nan)]}),
    "a mirror": ("no proper rotation .row 0", {"rotations": -np.eye(3)}),
    "a stretch": ("no proper rotation .row 0", {"rotations": 1.1 * np.eye(3)}),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_what_is_wrong(name):
    message, changes = BAD[name]
    target, template = replace(GOOD[0], **changes.get("target", {})), replace(GOOD[1], **changes.get("template", {}))
    with pytest.raises(InputError, match=message):
        rotational_search(
            target, template, changes.get("score", GOOD[2]), changes.get("rotations", random_rotations(2, 1))
        )


def test_one_matrix_is_one_rotation():
    found = rotational_search(*GOOD, np.eye(3))
    assert found.best.shape == (1,)


@pytest.mark.parametrize("n", [0, 1, 7, 11, 25, 49, 100, 121, 251, 1000])
def test_fast_sizes_have_small_factors_and_none_is_left_out(n):
    def fast(size):
        size = size // 5 if size % 5 == 0 else size
        for factor in (2, 3):
            while size % factor == 0:
                size //= factor
        return size == 1

    assert fast_size(n) == next(size for size in range(max(n, 1), 9999) if fast(size))


def afar(work, shared, parts):
    """Each part as another machine would get it."""
    for part in parts:
        work_there, shared_there, part_there = pickle.loads(pickle.dumps((work, shared, part)))
        yield pickle.loads(pickle.dumps(work_there(shared_there, part_there)))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("count", [127, 130, 1001])
def test_split_over_machines_it_finds_the_same_bit_by_bit(name, count):
    target, template, score = case(name, 3, (10, 9, 12))
    rotations = np.concatenate([random_rotations(count - 50, 1), random_rotations(50, 1)])  # some of them twice
    told = []
    one = rotational_search(target, template, score, rotations)
    split = rotational_search(target, template, score, rotations, lambda *done: told.append(done), afar)
    for part in one._fields:
        np.testing.assert_array_equal(getattr(split, part), getattr(one, part), err_msg=part)
    assert told[-1] == (count, count) or count < 128
    assert len(told) > 1 or count < 128
