from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.optimize import check_grad, minimize

from cryoweave import _core
from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.kernels.grid import gradient, interpolate
from cryoweave.kernels.refine import Restraints, refine_atoms

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=40, deadline=None)


def spring(xyz, i, j, lower, upper, stiffness):
    apart = xyz[i] - xyz[j]
    length = max(np.linalg.norm(apart), 1e-12)
    off = length - np.clip(length, lower, upper)
    gradient = np.zeros_like(xyz)
    if abs(off) <= 2:
        energy, force = stiffness * off**2, 2 * stiffness * off
    else:
        energy, force = stiffness * (4 + 4 * (abs(off) - 2)), 4 * stiffness * np.sign(off)
    gradient[i], gradient[j] = force * apart / length, -force * apart / length
    return energy, gradient


def corner(xyz, atoms, volume, stiffness):
    sides = xyz[atoms[1:]] - xyz[atoms[0]]
    off = np.linalg.det(sides) - volume
    by_side = np.cross(sides[[1, 2, 0]], sides[[2, 0, 1]])
    gradient = np.zeros_like(xyz)
    gradient[atoms[1:]] = 2 * stiffness * off * by_side
    gradient[atoms[0]] = -2 * stiffness * off * by_side.sum(axis=0)
    return stiffness * off**2, gradient


def turn_energy(xyz, atoms, angle, slack, stiffness):
    a, b, c, d = xyz[atoms]
    left, right = np.cross(b - a, c - b), np.cross(c - b, d - c)
    if min(left @ left, right @ right) < 1e-3:
        return 0.0
    at = np.arctan2(np.cross(left, right) @ (c - b) / np.linalg.norm(c - b), left @ right)
    beyond = max(abs((at - np.radians(angle) + np.pi) % (2 * np.pi) - np.pi) - np.radians(slack), 0)
    return stiffness * (beyond**2 if beyond <= 1 else 2 * beyond - 1)


def turn(xyz, atoms, *rest):
    gradient = np.zeros_like(xyz)
    for atom in atoms:
        for axis in range(3):
            step = np.zeros_like(xyz)
            step[atom, axis] = 1e-6
            gradient[atom, axis] = (
                turn_energy(xyz + step, atoms, *rest) - turn_energy(xyz - step, atoms, *rest)
            ) / 2e-6
    return turn_energy(xyz, atoms, *rest), gradient


def terms(values, frame, weights, r, xyz):
    """Energy and gradient of all there is, one by one."""
    yield -(weights * interpolate(values, frame, xyz, "cubic")).sum(), -weights[:, None] * gradient(values, frame, xyz)
    for (i, j), lower, upper, stiffness in zip(r.pairs, r.lower, r.upper, r.stiffness, strict=True):
        yield spring(xyz, i, j, lower, upper, stiffness)
    for atoms, volume in zip(r.corners, r.volume, strict=True):
        yield corner(xyz, atoms, volume, r.volume_stiffness)
    for atoms, angle, slack in zip(r.turns, r.angle, r.slack, strict=True):
        yield turn(xyz, atoms, angle, slack, r.turn_stiffness)
    restrained = {frozenset(pair) for pair in r.pairs.tolist()}
    reach = dict(zip(r.apart.tolist(), r.apart_reach.tolist(), strict=True))
    for i, j in combinations(r.apart.tolist(), 2):
        if frozenset((i, j)) not in restrained:
            yield spring(xyz, i, j, reach[i] + reach[j], np.inf, r.apart_stiffness)


def held(xyz, start, hold):
    """As springs to points that stay."""
    gradient, energy = np.zeros_like(xyz), 0.0
    for atom, stiffness in enumerate(hold):
        cost, pull = spring(np.stack((xyz[atom], start[atom])), 0, 1, 0.0, 0.0, stiffness)
        energy, gradient[atom] = energy + cost, pull[0]
    return energy, gradient


def slow_energy(values, frame, weights, restraints, xyz):
    energies, gradients = zip(*terms(values, frame, weights, restraints, xyz), strict=True)
    return sum(energies), sum(gradients)


def smooth_map(seed, shape=(9, 10, 11), voxel=(1.1, 0.8, 1.3), origin=(-4.0, 10.0, 2.5)):
    values = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    return (values / values.std()).astype(np.float32), Frame(shape, voxel, origin)


def problem(seed, apart_distance=4.0):
    """A map, atoms in the middle of it and restraints of all kinds among them."""
    values, frame = smooth_map(seed)
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 9))
    middle = np.array(frame.origin_xyz) + 0.5 * np.array(frame.extent_xyz)
    xyz = middle + rng.uniform(-2.5, 2.5, (n, 3))
    every = list(combinations(range(n), 2))
    chosen = rng.permutation(len(every))[: int(rng.integers(0, 2 * n))]
    pairs = np.array([every[k][:: rng.choice([1, -1])] for k in chosen], np.int32).reshape(-1, 2)
    lower = rng.uniform(0, 5, len(pairs))
    corners = np.array([rng.permutation(n)[:4] for _ in range(n if n >= 4 else 0)], np.int32).reshape(-1, 4)
    apart = rng.permutation(n)[: int(rng.integers(0, n + 1))].astype(np.int32)
    turns = np.array([rng.permutation(n)[:4] for _ in range(n if n >= 4 else 0)], np.int32).reshape(-1, 4)
    restraints = Restraints(
        pairs=pairs,
        lower=lower,
        upper=lower + rng.choice([0, 1, np.inf], len(pairs)),
        stiffness=rng.uniform(0, 20, len(pairs)),
        corners=corners,
        volume=rng.choice([-2.6, 2.6], len(corners)),
        volume_stiffness=0.5,
        apart=apart,
        apart_reach=apart_distance * rng.uniform(0.3, 0.5, len(apart)),
        apart_stiffness=2.0,
        turns=turns,
        angle=rng.uniform(-180, 180, len(turns)),
        slack=rng.uniform(0, 30, len(turns)),
        turn_stiffness=1.5,
    )
    return values, frame, xyz, rng.uniform(-0.5, 3, n), restraints


def nothing_but(**more):
    empty = np.empty(0)
    none = Restraints(
        np.empty((0, 2), np.int32), empty, empty, empty, np.empty((0, 4), np.int32), empty, 0.0,
        np.empty(0, np.int32), empty, 0.0,
    )  # fmt: skip
    return replace(none, **more)


def bond(i, j, length, stiffness=10.0):
    return {
        "pairs": np.array([[i, j]], np.int32),
        "lower": np.array([length]),
        "upper": np.array([length]),
        "stiffness": np.array([stiffness]),
    }


@pytest.mark.parametrize("seed", range(5))
def test_the_twin_is_right_about_its_gradient(seed):
    _, frame, xyz, _, restraints = problem(seed + 100)
    values = np.zeros(frame.shape_zyx, np.float32)  # density comes in float32 here: too coarse for differences
    weights = np.ones(len(xyz))

    def at(flat, part):
        return np.ravel(slow_energy(values, frame, weights, restraints, flat.reshape(-1, 3))[part])

    assert check_grad(lambda x: at(x, 0)[0], lambda x: at(x, 1), xyz.ravel()) < 1e-4 * max(1, abs(at(xyz, 1)).max())


@few
@given(SEEDS, st.sampled_from([(0, 0), (0, 9), (2, 0), (1, 1), (1, 7), (3, 40)]))
def test_the_energy_is_that_of_the_twin(seed, effort):
    values, frame, xyz, weights, restraints = problem(seed)
    found = refine_atoms(values, frame, xyz, weights, restraints, *effort)
    expected, _ = slow_energy(values, frame, weights, restraints, found.xyz)
    assert found.energy == pytest.approx(expected, rel=1e-5, abs=1e-4)
    if not effort[0] * effort[1]:
        np.testing.assert_array_equal(found.xyz, xyz)
    assert np.linalg.norm(found.xyz - xyz, axis=1).max() <= 0.5 * effort[0] * effort[1] + 1e-9


@few
@given(SEEDS, st.integers(1, 60))
def test_the_energy_never_rises(seed, steps):
    values, frame, xyz, weights, restraints = problem(seed, apart_distance=6.0)  # no pair is too far to be watched
    start, _ = slow_energy(values, frame, weights, restraints, xyz)
    assert refine_atoms(values, frame, xyz, weights, restraints, 1, steps).energy <= start + 1e-5 * max(1, abs(start))


@pytest.mark.parametrize("seed", range(8))
def test_atoms_rest_where_scipy_finds_them(seed):
    rng = np.random.default_rng(seed)
    shape = (16, 17, 18)
    frame = Frame(shape, (1.0, 0.9, 1.1), (3.0, -2.0, 1.0))
    middle = frame.to_xyz([[8, 8, 8]])[0]
    zyx = frame.to_zyx(middle).ravel()
    off = np.indices(shape) - zyx[:, None, None, None]
    uneven = (off**2 / np.array([6, 18, 50])[:, None, None, None]).sum(axis=0)  # so that no turn is free
    values = (20 * np.exp(-uneven)).astype(np.float32)
    xyz = middle + np.array([[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5], [2, 2, 2]]) + rng.normal(0, 0.2, (5, 3))
    pairs = np.array([[0, 1], [0, 2], [0, 3], [4, 1]], np.int32)
    lengths = np.array([1.5, 1.4, 1.5, 2.5])
    restraints = Restraints(
        pairs, lengths, lengths, np.full(4, 20.0), np.array([[0, 1, 2, 3]], np.int32), np.array([2.6]), 2.0,
        np.array([1, 2, 3, 4], np.int32), np.full(4, 1.1), 2.0,
    )  # fmt: skip
    weights = rng.uniform(0.5, 2, 5)

    def at(flat):
        energy, gradient = slow_energy(values, frame, weights, restraints, flat.reshape(-1, 3))
        return energy, gradient.ravel()

    slow = minimize(at, xyz.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 2000, "ftol": 1e-12})
    # There are several minima: begin near SciPy's.
    beside = slow.x.reshape(-1, 3) + rng.normal(0, 0.1, (5, 3))
    found = refine_atoms(values, frame, beside, weights, restraints)
    assert found.energy == pytest.approx(slow.fun, abs=1e-4)
    np.testing.assert_allclose(found.xyz, slow.x.reshape(-1, 3), atol=0.02)
    assert np.abs(at(found.xyz.ravel())[1]).max() < 2e-3, "at rest"


@few
@given(SEEDS, st.tuples(*[st.integers(-4000, 4000)] * 3))
def test_a_moved_map_moves_the_result_alike(seed, by):
    values, frame, xyz, weights, restraints = problem(seed)
    shift = np.array(by) / 8
    moved = Frame(frame.shape_zyx, frame.voxel_xyz, tuple(np.array(frame.origin_xyz) + shift))
    here = refine_atoms(values, frame, xyz, weights, restraints, 1, 5)
    there = refine_atoms(values, moved, xyz + shift, weights, restraints, 1, 5)
    np.testing.assert_allclose(there.xyz - shift, here.xyz, atol=1e-6)
    assert there.energy == pytest.approx(here.energy, rel=1e-6, abs=1e-6)


def test_threads_and_strides_change_nothing_and_inputs_stay():
    values, frame = smooth_map(1, (30, 31, 32))
    rng = np.random.default_rng(1)
    xyz = np.array(frame.origin_xyz) + rng.uniform(0, 1, (3000, 3)) * frame.extent_xyz
    chain = np.stack((np.arange(2999), np.arange(1, 3000)), axis=1).astype(np.int32)
    restraints = nothing_but(
        pairs=chain,
        lower=np.full(2999, 1.5),
        upper=np.full(2999, 20.0),
        stiffness=np.full(2999, 0.1),
        apart=np.arange(3000, dtype=np.int32),
        apart_reach=np.full(3000, 0.75),
        apart_stiffness=1.0,
    )
    given = [values, xyz, restraints.pairs, restraints.lower, restraints.apart]
    before = [array.copy() for array in given]
    every_second = np.repeat(xyz, 2, axis=0)[::2]
    strided = replace(restraints, pairs=np.asfortranarray(chain), apart=np.arange(6000, dtype=np.int64)[:3000])
    try:
        _core.set_threads(1)
        one = refine_atoms(values, frame, xyz, np.ones(3000), restraints, 2, 15)
        _core.set_threads(2)
        two = refine_atoms(np.asfortranarray(values), frame, every_second, np.ones(6000)[::2], strided, 2, 15)
    finally:
        _core.set_threads(0)
    np.testing.assert_array_equal(one.xyz, two.xyz)
    assert one.energy == two.energy
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_nothing_is_refined_to_nothing():
    values, frame = smooth_map(2)
    found = refine_atoms(values, frame, [], [], nothing_but())
    assert found.xyz.shape == (0, 3)
    assert found.energy == 0


def test_beyond_the_map_only_geometry_counts():
    values, frame = smooth_map(3)
    found = refine_atoms(values, frame, [[500, 0, 0], [501, 0, 0]], [1, 1], nothing_but(**bond(0, 1, 3.0)))
    np.testing.assert_allclose(found.xyz, [[499, 0, 0], [502, 0, 0]], atol=1e-3)
    assert found.energy == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("how", ["restrained", "apart", "all"])
def test_atoms_on_one_point_part(how):
    values, frame = smooth_map(4)
    n = 5
    pairs = np.array(list(combinations(range(n), 2)), np.int32)
    restraints = nothing_but(
        **bond(0, 1, 3.0), apart=np.arange(n, dtype=np.int32), apart_reach=np.ones(n), apart_stiffness=5.0
    )
    if how == "apart":
        restraints = replace(restraints, **{k: v[:0] for k, v in bond(0, 1, 3.0).items()})
    if how == "all":
        ones = np.ones(len(pairs))
        restraints = replace(restraints, pairs=pairs, lower=2 * ones, upper=np.inf * ones, stiffness=5 * ones)
    found = refine_atoms(np.zeros_like(values), frame, np.full((n, 3), 5.0), np.zeros(n), restraints)
    apart = np.linalg.norm(found.xyz[pairs[:, 0]] - found.xyz[pairs[:, 1]], axis=1)
    assert apart.min() > 1.95
    assert found.energy == pytest.approx(0, abs=1e-2)


def test_a_pair_that_is_restrained_has_no_contact():
    values, frame = smooth_map(5)
    contacts = {"apart": np.arange(3, dtype=np.int32), "apart_reach": np.full(3, 2.0), "apart_stiffness": 1.0}
    close = nothing_but(**bond(1, 0, 1.0), **contacts)
    xyz = np.array([[0.0, 0, 0], [1, 0, 0], [0, 50, 0]])
    assert refine_atoms(np.zeros_like(values), frame, xyz, np.zeros(3), close).energy == 0
    touching = replace(close, pairs=np.array([[0, 2]], np.int32), lower=np.zeros(1), upper=np.full(1, 99.0))
    assert refine_atoms(np.zeros_like(values), frame, xyz, np.zeros(3), touching, 0).energy == pytest.approx(8)


def test_a_nan_or_infinity_anywhere_is_refused():
    values, frame = smooth_map(6)
    bad = values.copy()
    bad[1, 0, 2] = np.nan
    with pytest.raises(InputError, match=r"\[1, 0, 2\]"):
        refine_atoms(bad, frame, [[0, 0, 0]], [1], nothing_but())
    with pytest.raises(InputError, match="point 1"):
        refine_atoms(values, frame, [[0, 0, 0], [0, np.nan, 0]], [1, 1], nothing_but())
    with pytest.raises(InputError, match="weight is not finite"):
        refine_atoms(values, frame, [[0, 0, 0]], [np.inf], nothing_but())
    with pytest.raises(InputError, match="energy must be finite"):
        refine_atoms(values, frame, [[0, 0, 0], [1e200, 0, 0]], [1, 1], nothing_but(**bond(0, 1, 3.0)))


FOUR = np.array([[0, 1, 2, 3]], np.int32)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (bond(0, 4, 1.0), "two atoms that exist"),
        (bond(-1, 1, 1.0), "two atoms that exist"),
        (bond(2, 2, 1.0), "two atoms that exist"),
        (bond(0, 1, 1.0) | {"pairs": np.array([[0, 2**32 + 1]])}, "32 bits"),
        (bond(0, 1, 1.0) | {"pairs": np.array([[0.0, 1.5]])}, "whole numbers"),
        (bond(0, 1, 1.0) | {"pairs": np.array([[0, 1, 2]], np.int32)}, "columns"),
        (bond(0, 1, 1.0, -1.0), "negative"),
        (bond(0, 1, 1.0, np.nan), "not finite"),
        (bond(0, 1, -1.0), "range"),
        (bond(0, 1, np.nan), "range"),
        (bond(0, 1, np.inf), "range"),
        (bond(0, 1, 1.0) | {"lower": np.array([2.0])}, "range"),
        (bond(0, 1, 1.0) | {"lower": np.ones(2)}, "lower and upper"),
        (bond(0, 1, 1.0) | {"lower": np.ones(2), "upper": np.ones(2)}, "length"),
        (bond(0, 1, 1.0) | {"stiffness": np.ones(2)}, "length"),
        ({"corners": FOUR + 1, "volume": np.ones(1)}, "four atoms that exist"),
        ({"corners": np.array([[0, 1, 2, 1]], np.int32), "volume": np.ones(1)}, "four atoms that exist"),
        ({"corners": FOUR, "volume": np.ones(2)}, "length"),
        ({"corners": FOUR, "volume": np.full(1, np.nan)}, "volume is not finite"),
        ({"volume_stiffness": -1.0}, "volume_stiffness"),
        ({"apart": np.array([0, 4], np.int32), "apart_reach": np.ones(2)}, "contacts"),
        ({"apart": np.array([-1], np.int32), "apart_reach": np.ones(1)}, "contacts"),
        ({"apart": np.array([2, 2], np.int32), "apart_reach": np.ones(2)}, "twice"),
        ({"apart": np.array([2], np.int32), "apart_reach": np.ones(2)}, "length"),
        ({"apart": np.array([2], np.int32), "apart_reach": -np.ones(1)}, "reach"),
        ({"apart": np.array([2], np.int32), "apart_reach": np.full(1, np.inf)}, "reach"),
        ({"turns": FOUR + 1, "angle": np.ones(1), "slack": np.ones(1)}, "four atoms that exist"),
        ({"turns": FOUR, "angle": np.ones(2), "slack": np.ones(2)}, "length"),
        ({"turns": FOUR, "angle": np.ones(1), "slack": np.ones(2)}, "angle and slack"),
        ({"turns": FOUR, "angle": np.full(1, np.nan), "slack": np.ones(1)}, "torsion is not finite"),
        ({"turns": FOUR, "angle": np.ones(1), "slack": -np.ones(1)}, "slack negative"),
        ({"turn_stiffness": -1.0}, "turn_stiffness"),
        ({"apart_stiffness": np.nan}, "contact_stiffness"),
    ],
)
def test_restraints_without_a_meaning_are_refused(wrong, message):
    values, frame = smooth_map(7)
    with pytest.raises(InputError, match=message):
        refine_atoms(values, frame, np.eye(4)[:, :3], np.ones(4), nothing_but(**wrong))


def test_what_does_not_belong_together_is_refused():
    values, frame = smooth_map(8)
    with pytest.raises(InputError, match="length"):
        refine_atoms(values, frame, [[0, 0, 0]], [1, 1], nothing_but())
    with pytest.raises(InputError, match="shape"):
        refine_atoms(values[1:], frame, [[0, 0, 0]], [1], nothing_but())
    with pytest.raises(InputError, match="shape"):
        refine_atoms(values, frame, [[0, 0]], [1], nothing_but())
    for effort in ((-1, 1), (1, -1)):
        with pytest.raises(InputError, match="at least 0"):
            refine_atoms(values, frame, [[0, 0, 0]], [1], nothing_but(), *effort)


def test_what_progress_raises_stops_it():
    values, frame = smooth_map(9, (40, 40, 40))
    rng = np.random.default_rng(9)
    xyz = np.array(frame.origin_xyz) + rng.uniform(0, 1, (20_000, 3)) * frame.extent_xyz

    def stop(done, total):
        raise TimeoutError("enough")

    with pytest.raises(TimeoutError, match="enough"):
        refine_atoms(values, frame, xyz, np.ones(len(xyz)), nothing_but(), 1000, 1000, progress=stop)


@few
@given(SEEDS)
def test_held_atoms_rest_where_hold_and_restraints_balance(seed):
    values, frame = smooth_map(seed)
    rng = np.random.default_rng(seed)
    start = rng.uniform(-3, 3, (2, 3))
    hold, length, stiffness = rng.uniform(0.5, 5, 2), 1.0 + np.linalg.norm(start[1] - start[0]), 2.0
    tied = nothing_but(**bond(0, 1, length, stiffness))
    found = refine_atoms(np.zeros_like(values), frame, start, np.zeros(2), tied, hold=hold).xyz

    def at(flat):
        pair = flat.reshape(2, 3)
        parts = [held(pair, start, hold), spring(pair, 0, 1, length, length, stiffness)]
        return sum(part[0] for part in parts), sum(part[1] for part in parts).ravel()

    slow = minimize(at, start.ravel(), jac=True, method="L-BFGS-B")
    np.testing.assert_allclose(found, slow.x.reshape(2, 3), atol=1e-2)


@pytest.mark.parametrize(("hold", "message"), [([1.0], "length"), ([-1.0, 0], "hold"), ([np.nan, 0], "hold")])
def test_a_hold_without_a_meaning_is_refused(hold, message):
    values, frame = smooth_map(1)
    with pytest.raises(InputError, match=message):
        refine_atoms(values, frame, np.eye(3)[:2], np.ones(2), nothing_but(), hold=hold)
