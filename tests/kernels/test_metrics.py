import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.metrics import lddt, match_points, precision_recall, superpose, tm_distance_scale, tm_score

seeds = st.integers(0, 2**32 - 1)


def slow_superpose(mobile, target, weights):
    """Kabsch by singular values."""
    weights = weights / weights.sum()
    a, b = mobile - weights @ mobile, target - weights @ target
    u, _, vt = np.linalg.svd((a * weights[:, None]).T @ b)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = (u @ flip @ vt).T
    return rotation, np.sqrt(weights @ ((a @ rotation.T - b) ** 2).sum(axis=1))


def assert_proper(rotation):
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


@settings(max_examples=150, deadline=None)
@given(seeds, st.integers(1, 20), st.booleans(), st.sampled_from([0, 1, 2, 3]))
def test_superpose_equals_the_slow_twin(seed, n, weighted, dimensions):
    rng = np.random.default_rng(seed)
    mobile, target = rng.normal(0, 10, (2, n, 3)) + 1000
    mobile[:, dimensions:] = 7.0
    weights = rng.uniform(0, 1, n) + 1e-3
    rotation, translation, rmsd = superpose(mobile, target, weights if weighted else None)
    if not weighted:
        weights = np.ones(n)
    slow_rotation, slow_rmsd = slow_superpose(mobile, target, weights)
    assert rmsd == pytest.approx(slow_rmsd, abs=1e-6)
    assert_proper(rotation)
    errors = ((mobile @ rotation.T + translation - target) ** 2).sum(axis=1)
    assert rmsd == pytest.approx(np.sqrt(weights @ errors / weights.sum()), abs=1e-9)
    if dimensions == 3 and n > 3:
        np.testing.assert_allclose(rotation, slow_rotation, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seeds, st.integers(3, 50))
def test_a_moved_copy_is_found_again(seed, n):
    rng = np.random.default_rng(seed)
    mobile = rng.normal(0, 20, (n, 3))
    turn, shift = Rotation.random(rng=rng).as_matrix(), rng.normal(0, 100, 3)
    rotation, translation, rmsd = superpose(mobile, mobile @ turn.T + shift)
    assert rmsd < 1e-8
    np.testing.assert_allclose(rotation, turn, atol=1e-6)
    np.testing.assert_allclose(translation, shift, atol=1e-4)


def test_superpose_refuses():
    points = np.zeros((3, 3))
    for mobile, target, weights, message in [
        (points, points[:2], None, "differ in length"),
        (points[:0], points[:0], None, "no points"),
        (points, points + np.nan, None, "point 0"),
        (points, points, [1.0, 1.0], "weights differ"),
        (points, points, [0.0, 0.0, 0.0], "zero"),
        (points, points, [1.0, -1.0, 0.0], "not negative"),
        (points[0], points, None, "shape"),
        (points[:, :2], points, None, "3 columns"),
    ]:
        with pytest.raises(InputError, match=message):
            superpose(mobile, target, weights)


def chain(rng, n):
    """A smooth walk of 3.8 Å steps."""
    steps = rng.normal(size=(n, 3))
    for i in range(1, n):
        steps[i] += 2 * steps[i - 1] / np.linalg.norm(steps[i - 1])
    return np.cumsum(3.8 * steps / np.linalg.norm(steps, axis=1)[:, None], axis=0)


def distorted(rng, native, kind):
    """A model as bad as models are: drifting, with a domain turned, half of it wrong, or not alike at all."""
    n = len(native)
    if kind == "drift":
        model = native + np.cumsum(rng.normal(0, 0.3, (n, 3)), axis=0)
    elif kind == "domain":
        model = native + rng.normal(0, 0.5, (n, 3))
        half = n // 3
        turn = Rotation.from_rotvec([0.0, 0.7, 0.3]).as_matrix()
        model[half:] = (model[half:] - model[half]) @ turn.T + model[half]
    elif kind == "half":
        model = native + rng.normal(0, 0.8, (n, 3))
        model[n // 2 :] = chain(rng, n - n // 2) + model[n // 2]
    else:
        model = chain(rng, n)
    return (model - model.mean(axis=0)) @ Rotation.random(rng=rng).as_matrix().T + 20


def write_ca(path, xyz):
    path.write_text(
        "".join(
            f"ATOM  {i + 1:5d}  CA  ALA A{i + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00           C\n"
            for i, (x, y, z) in enumerate(xyz)
        )
    )


@pytest.mark.skipif(shutil.which("TMscore") is None, reason="the TMscore program (Debian: tm-align) is not installed")
@pytest.mark.parametrize("kind", ["drift", "domain", "half", "unlike"])
@pytest.mark.parametrize("n", [12, 40, 150, 400])
def test_tm_score_and_gdt_agree_with_the_reference_program(tmp_path, kind, n):
    rng = np.random.default_rng(n)
    native = chain(rng, n)
    native -= native.mean(axis=0)
    model = distorted(rng, native, kind)
    model, native = model.round(3), native.round(3)
    kept = np.sort(rng.permutation(n)[: n - n // 5])
    write_ca(tmp_path / "native.pdb", native)
    lines = tmp_path / "model.pdb"
    write_ca(lines, model)
    all_lines = lines.read_text().splitlines(keepends=True)
    lines.write_text("".join(all_lines[i] for i in kept))
    out = subprocess.run(["TMscore", lines, tmp_path / "native.pdb"], capture_output=True, text=True, check=True).stdout
    numbers = {}
    for line in out.splitlines():
        for name in ("TM-score", "GDT-TS-score", "GDT-HA-score"):
            if line.startswith(name) and "=" in line:
                numbers.setdefault(name, float(line.split("=")[1].split()[0]))
    ours = tm_score(model[kept], native[kept], n)
    assert ours.tm == pytest.approx(numbers["TM-score"], abs=0.002)
    assert ours.gdt_ts == pytest.approx(numbers["GDT-TS-score"], abs=0.002 + 0.5 / n)
    assert ours.gdt_ha == pytest.approx(numbers["GDT-HA-score"], abs=0.002 + 0.5 / n)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 60), st.sampled_from(["drift", "domain", "half", "unlike"]))
def test_the_motion_gives_the_score(seed, n, kind):
    rng = np.random.default_rng(seed)
    native = chain(rng, n)
    model = distorted(rng, native, kind)
    length = n + 7
    found = tm_score(model, native, length)
    assert_proper(found.rotation)
    d = np.linalg.norm(model @ found.rotation.T + found.translation - native, axis=1)
    assert found.tm == pytest.approx((1 / (1 + (d / tm_distance_scale(length)) ** 2)).sum() / length)
    assert (np.diff(found.within) >= 0).all()
    assert (found.within >= [(d <= cutoff).sum() / length for cutoff in (0.5, 1, 2, 4, 8)]).all()
    whole = superpose(model, native)
    d = np.linalg.norm(model @ whole.rotation.T + whole.translation - native, axis=1)
    assert found.tm >= (1 / (1 + (d / tm_distance_scale(length)) ** 2)).sum() / length - 1e-9


def test_gdt_is_the_mean_of_its_shares():
    rng = np.random.default_rng(0)
    native = chain(rng, 50)
    found = tm_score(distorted(rng, native, "drift"), native, 60)
    assert found.gdt_ts == pytest.approx(found.within[1:].mean())
    assert found.gdt_ha == pytest.approx(found.within[:4].mean())


def test_tm_score_refuses():
    points = np.zeros((3, 3))
    for mobile, target, length, message in [
        (points, points[:2], 3, "differ in length"),
        (points[:0], points[:0], 3, "no pairs"),
        (points, points + np.inf, 3, "point 0"),
        (points, points, 0, "native_length"),
    ]:
        with pytest.raises(InputError, match=message):
            tm_score(mobile, target, length)


def slow_match(a, b, limit):
    distances = cdist(a, b)
    taken_a, taken_b, pairs = set(), set(), []
    for distance, i, j in sorted((distances[i, j], i, j) for i, j in np.argwhere(distances <= limit)):
        if i not in taken_a and j not in taken_b:
            taken_a.add(i)
            taken_b.add(j)
            pairs.append((i, j, distance))
    return sorted(pairs)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 60), st.integers(0, 60), st.sampled_from([0.3, 1.0, 3.0, 100.0]), st.booleans())
def test_match_points_equals_the_slow_twin(seed, n, m, limit, on_a_grid):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-5, 5, (n, 3)), rng.uniform(-5, 5, (m, 3))
    if on_a_grid:  # many ties, and points on the cubes' walls
        a, b = a.round(), b.round()
    pairs, distances = match_points(a, b, limit)
    slow = slow_match(a, b, limit)
    assert pairs.tolist() == [[i, j] for i, j, _ in slow]
    np.testing.assert_allclose(distances, [d for *_, d in slow], rtol=1e-12)
    assert pairs.dtype == np.int32


def test_match_points_refuses():
    for limit in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(InputError, match="max_distance"):
            match_points(np.zeros((1, 3)), np.zeros((1, 3)), limit)
    with pytest.raises(InputError, match="point 1"):
        match_points([[0.0, 0, 0], [0, np.nan, 0]], np.zeros((1, 3)), 1.0)


def test_precision_recall():
    assert precision_recall(3, 4, 6) == pytest.approx((0.75, 0.5, 0.6))
    assert precision_recall(0, 0, 0) == (0.0, 0.0, 0.0)
    with pytest.raises(InputError, match="impossible"):
        precision_recall(5, 4, 6)


def test_strides_and_threads_change_nothing():
    rng = np.random.default_rng(1)
    native = chain(rng, 120)
    model = distorted(rng, native, "domain")
    threads = _core.threads()
    results = []
    try:
        for number in (1, 2):
            _core.set_threads(number)
            for f in (np.ascontiguousarray, np.asfortranarray, lambda a: np.repeat(a, 2, 0)[::2]):
                a, b = f(model), f(native)
                a.flags.writeable = b.flags.writeable = False
                results.append([*tm_score(a, b, 130), *superpose(a, b), *match_points(a, b, 8.0)])
    finally:
        _core.set_threads(threads)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def slow_lddt(model, reference, partner, residue, radius, thresholds):
    """All pairs at once; sums of the first atom's residue."""
    placed = np.where((partner >= 0)[:, None], np.vstack((model, np.zeros((1, 3))))[partner], np.nan)
    near = (cdist(reference, reference) <= radius) & (residue[:, None] != residue)
    change = np.abs(np.linalg.norm(placed[:, None] - placed, axis=2) - cdist(reference, reference))
    kept = np.mean([change <= limit for limit in thresholds], axis=0) * near
    n = residue.max() + 1
    with np.errstate(invalid="ignore"):
        of = np.bincount(residue, kept.sum(axis=1), n) / np.bincount(residue, near.sum(axis=1), n)
        return kept.sum() / near.sum(), of


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 80), st.integers(1, 12), st.floats(0, 6), st.sampled_from([4.0, 15.0, 200.0]))
def test_lddt_equals_the_slow_twin(seed, n, residues, sd, radius):
    rng = np.random.default_rng(seed)
    reference = rng.uniform(-15, 15, (n, 3))
    model = (reference + rng.normal(0, sd, (n, 3)))[rng.permutation(n)]
    partner = rng.integers(-1, n, n)
    residue = rng.integers(0, min(n, residues), n)
    thresholds = np.sort(rng.uniform(0.1, 6, rng.integers(1, 6)))
    found = lddt(model, reference, partner, residue, radius=radius, thresholds=thresholds)
    total, each = slow_lddt(model, reference, partner, residue, radius, thresholds)
    assert found.total == pytest.approx(total, abs=1e-12, nan_ok=True)
    np.testing.assert_allclose(found.residues, each, atol=1e-12)


def test_lddt_needs_no_superposition_and_sees_no_order():
    rng = np.random.default_rng(3)
    reference = chain(rng, 300)
    model = reference + rng.normal(0, 0.7, reference.shape)
    rows = np.arange(300)
    plain = lddt(model, reference, rows, rows)
    assert 0.3 < plain.total < 0.99
    moved = model @ Rotation.random(rng=rng).as_matrix().T + 50
    np.testing.assert_allclose(lddt(moved, reference, rows, rows).residues, plain.residues, atol=1e-12)
    order = rng.permutation(300)
    shuffled = lddt(model[order], reference, np.argsort(order), rows)
    assert shuffled.total == plain.total
    np.testing.assert_array_equal(shuffled.residues, plain.residues)
    np.testing.assert_array_equal(lddt(reference, reference, rows, rows).residues, 1.0)


def test_lddt_is_the_same_with_any_threads_and_strides():
    rng = np.random.default_rng(4)
    reference = rng.uniform(0, 60, (3000, 3))
    model = reference + rng.normal(0, 1, reference.shape)
    rows, residue = np.arange(3000), np.arange(3000) // 8
    before = _core.threads()
    found = []
    try:
        for threads in (1, 2):
            _core.set_threads(threads)
            found.append(lddt(model, reference, rows, residue))
    finally:
        _core.set_threads(before)
    found.append(lddt(np.asfortranarray(model), np.repeat(reference, 2, axis=0)[::2], rows.astype(np.int64), residue))
    for other in found[1:]:
        assert other.total == found[0].total
        np.testing.assert_array_equal(other.residues, found[0].residues)


def test_lddt_refuses():
    points, rows = np.zeros((3, 3)), [0, 1, 2]
    for change, message in [
        ({"model": points + np.nan}, "point 0"),
        ({"reference": points + np.inf}, "point 0"),
        ({"partner": [0, 1]}, "partners differ"),
        ({"residue": [0, 1]}, "residues differ"),
        ({"partner": [0, 1, 3]}, "no atom of the model"),
        ({"residue": [0, 1, 2_000_000_000]}, "residue's number"),
        ({"radius": 0.0}, "radius"),
        ({"thresholds": [0.5, -1.0]}, "threshold"),
        ({"thresholds": []}, "no threshold"),
    ]:
        given_ = {"model": points, "reference": points, "partner": rows, "residue": rows} | change
        with pytest.raises(InputError, match=message):
            lddt(**given_)
    nothing = lddt(np.zeros((0, 3)), np.zeros((0, 3)), [], [])
    assert np.isnan(nothing.total)
    assert nothing.residues.shape == (0,)
