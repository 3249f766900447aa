import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import _core
from cryoweave.errors import InputError
from cryoweave.kernels.backbone import ACROSS, CA, CB, CHIRALITY, WITHIN, BackboneRefiner, C, N, helix_turns, runs
from cryoweave.testing import ideal_model, simulated_map

STRUCTURE = "H" * 16 + "C" * 4 + "E" * 8
LIKE_HELIX = {2: 6.3, 3: 6.5, 4: 7.5}


@pytest.fixture(scope="module")
def truth():
    """Cα atoms, and a refiner in their map at 3 Å."""
    model = ideal_model(STRUCTURE)
    density = simulated_map(model, resolution=3.0)
    return model.xyz[model.atom_name == "CA"], BackboneRefiner(density.values, density.frame)


def empty(refiner):
    return BackboneRefiner(np.zeros_like(refiner.values), refiner.frame)


def whole(calpha):
    return np.ones(len(calpha) - 1, bool)


def off_ideal(xyz, bonded, table=lambda share: share == 1.0):
    """Å that the distances of a backbone are off Engh and Huber's, worst first."""
    off = [np.abs(np.linalg.norm(xyz[:, a] - xyz[:, b], axis=1) - d) for a, b, d, share in WITHIN if table(share)]
    for a, b, d, share in ACROSS:
        if table(share):
            off.append(np.abs(np.linalg.norm(xyz[:-1, a] - xyz[1:, b], axis=1) - d)[bonded])
    return -np.sort(-np.concatenate(off))


def volumes(xyz):
    return np.linalg.det(xyz[:, [N, C, CB]] - xyz[:, [CA]])


def omegas(xyz):
    """Torsions Cα–C–N–Cα in degrees."""
    first, along, last = xyz[:-1, C] - xyz[:-1, CA], xyz[1:, N] - xyz[:-1, C], xyz[1:, CA] - xyz[1:, N]
    a, b = np.cross(first, along), np.cross(along, last)
    sine = np.linalg.norm(along, axis=1) * (first * b).sum(axis=1)
    return np.degrees(np.arctan2(sine, (a * b).sum(axis=1)))


def assert_sound(xyz, bonded, bond=0.05, planar=90):
    assert np.isfinite(xyz).all()
    assert off_ideal(xyz, bonded)[0] < bond
    assert off_ideal(xyz, bonded, lambda share: True)[0] < 6 * bond
    np.testing.assert_allclose(volumes(xyz), CHIRALITY, atol=0.3)
    assert np.abs(omegas(xyz))[bonded].min(initial=180) > planar, "no peptide is cis"


@pytest.mark.parametrize("seed", range(4))
def test_a_trace_one_angstrom_off_comes_back(truth, seed):
    calpha, refiner = truth
    noise = np.random.default_rng(seed).normal(size=calpha.shape)
    start = calpha + noise / np.linalg.norm(noise, axis=1, keepdims=True)
    xyz = refiner.refine(start, whole(calpha)).xyz
    assert xyz.shape == (len(calpha), 5, 3)
    assert np.median(np.linalg.norm(xyz[:, CA] - calpha, axis=1)) < 0.5
    assert_sound(xyz, whole(calpha), planar=150)


def test_the_end_does_not_depend_on_threads_or_strides(truth):
    calpha, refiner = truth
    try:
        _core.set_threads(1)
        one = refiner.refine(calpha + 0.5, whole(calpha))
        _core.set_threads(2)
        two = BackboneRefiner(refiner.values, refiner.frame)
        two.values, two.least = np.asfortranarray(refiner.values), refiner.least
        two = two.refine(np.asfortranarray(calpha + 0.5), whole(calpha).tolist())
    finally:
        _core.set_threads(0)
    np.testing.assert_array_equal(one.xyz, two.xyz)
    assert one.energy == two.energy


def test_a_break_is_not_drawn_together(truth):
    calpha, refiner = truth
    bonded = whole(calpha)
    bonded[13] = False
    far = calpha.copy()
    far[14:] += (40, 0, 0)
    xyz = empty(refiner).refine(far, bonded).xyz
    assert_sound(xyz, bonded)
    gap = np.linalg.norm(far[14] - far[13])
    assert np.linalg.norm(xyz[14, CA] - xyz[13, CA]) == pytest.approx(gap, abs=1.5)
    assert_sound(refiner.refine(calpha, bonded).xyz, bonded)
    alone = np.zeros_like(bonded)
    assert_sound(refiner.refine(calpha, alone).xyz, alone)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_residues(truth, n):
    calpha, refiner = truth
    xyz = refiner.refine(calpha[:n], whole(calpha[:n])).xyz
    assert xyz.shape == (n, 5, 3)
    assert_sound(xyz, whole(xyz))


def straight(calpha, step):
    return calpha.mean(axis=0) + np.outer(np.arange(10) - 4.5, step)


@pytest.mark.parametrize("step", [(3.8, 0, 0), (0, 0, -3.8), (1.1, -2.0, 3.0)])
def test_a_straight_line_bends_into_a_backbone(truth, step):
    line = straight(truth[0], step)
    assert_sound(empty(truth[1]).refine(line, whole(line)).xyz, whole(line))


@pytest.mark.parametrize("at", [[4], [3, 4, 5, 6, 7], [0], [26]])
def test_residues_on_one_point_part(truth, at):
    calpha, refiner = truth
    start = calpha.copy()
    start[[i + 1 for i in at]] = start[at[0]]
    for one in (refiner, empty(refiner)):
        assert_sound(one.refine(start, whole(start)).xyz, whole(start), 0.1)
    xyz = refiner.refine(calpha[[3, 3]], [False]).xyz
    assert np.linalg.norm(xyz[0, CA] - xyz[1, CA]) > 3.5


@pytest.mark.parametrize("start", ["line", "beside", "far"])
def test_a_start_beside_the_density_does_not_tear_the_geometry(truth, start):
    calpha, refiner = truth
    if start == "line":
        calpha = straight(calpha, (3.8, 0, 0))
    elif start == "beside":
        calpha = calpha + np.array([0, 7, 7])
    else:
        calpha = calpha + 500
    xyz = refiner.refine(calpha, whole(calpha)).xyz
    assert np.isfinite(xyz).all()
    assert off_ideal(xyz, whole(calpha))[0] < 0.6


def test_density_that_is_nowhere_leaves_ideal_geometry(truth):
    calpha, refiner = truth
    found = empty(refiner).refine(calpha + np.random.default_rng(0).normal(0, 0.5, calpha.shape), whole(calpha))
    assert off_ideal(found.xyz, whole(calpha), lambda share: True)[0] < 0.05
    assert found.energy < 0.5


@pytest.mark.parametrize("scale", [50, 64, 1e-6, 1e6])
def test_units_of_the_map_do_not_matter(truth, scale):
    calpha, refiner = truth
    model = ideal_model(STRUCTURE)
    density = simulated_map(model, resolution=3.0)
    other = BackboneRefiner(density.values * np.float32(scale), density.frame)
    here, there = (one.refine(calpha + 0.3, whole(calpha)) for one in (refiner, other))
    np.testing.assert_allclose(there.xyz, here.xyz, atol=0.0 if scale == 64 else 0.05)
    assert there.energy == pytest.approx(here.energy, rel=1e-4)


def test_below_zero_there_is_nothing(truth):
    calpha, refiner = truth
    values = refiner.values - np.float32(1000)
    found = BackboneRefiner(values, refiner.frame).refine(calpha, whole(calpha))
    np.testing.assert_array_equal(found.xyz, empty(refiner).refine(calpha, whole(calpha)).xyz)


def test_what_cannot_be_refined_is_refused(truth):
    calpha, refiner = truth
    for bonded in ([], np.ones(len(calpha), bool), np.ones((len(calpha) - 1, 2), bool)):
        with pytest.raises(InputError, match="bonds"):
            refiner.refine(calpha, bonded)
    with pytest.raises(InputError, match="0 residues"):
        refiner.refine([], [])
    bad = calpha.copy()
    bad[5, 1] = np.nan
    with pytest.raises(InputError, match="point 5"):
        refiner.refine(bad, whole(bad))
    values = refiner.values.copy()
    values[1, 0, 2] = np.inf
    with pytest.raises(InputError, match=r"\[1, 0, 2\]"):
        BackboneRefiner(values, refiner.frame)
    with pytest.raises(InputError, match="shape"):
        BackboneRefiner(refiner.values[1:], refiner.frame).refine(calpha, whole(calpha))


@given(st.lists(st.booleans(), max_size=20), st.integers(1, 6))
def test_runs_are_those_of_a_loop(bonded, onward):
    expected = [i for i in range(len(bonded) - onward + 1) if all(bonded[i : i + onward])]
    assert runs(np.array(bonded, bool), onward).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_helix_turns_are_those_of_a_loop(seed, n):
    rng = np.random.default_rng(seed)
    structure = "".join(rng.choice(list("HHHHEC"), n))
    model = ideal_model("H" * n if seed % 2 else structure)
    calpha = model.xyz[model.atom_name == "CA"] + rng.normal(0, 0.5, (n, 3))
    bonded = rng.random(n - 1) < 0.95

    def turns(i):
        five = range(i, i + 5)
        near = (np.linalg.norm(calpha[a] - calpha[b]) < LIKE_HELIX.get(b - a, np.inf) for a in five for b in five)
        return bonded[i : i + 4].all() and all(near)

    assert helix_turns(calpha, bonded).tolist() == [i for i in range(n - 4) if turns(i)]


def test_only_a_helix_turns_like_one():
    for letter, count in (("H", 16), ("E", 0), ("C", 0)):
        model = ideal_model(letter * 20)
        calpha = model.xyz[model.atom_name == "CA"]
        assert len(helix_turns(calpha, whole(calpha))) == count
