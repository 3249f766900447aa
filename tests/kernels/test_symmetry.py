"""Groups: closed, proper, about the axis that is asked for."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoweave.data import Frame, Model
from cryoweave.data.model import joined_models, with_own_chains
from cryoweave.errors import UsageError
from cryoweave.kernels.symmetry import copies_at, symmetry_of

FRAME = Frame((10, 20, 30), (2.0, 1.0, 1.5), (5.0, -3.0, 7.0))


def apply(group, i, x):
    return group.rotation[i] @ x + group.translation[i]


@pytest.mark.parametrize(
    ("name", "order"), [("C1", 1), ("C7", 7), ("D1", 2), ("D7", 14), ("T", 12), ("O", 24), ("I1", 60), ("I2", 60)]
)
def test_point_groups_are_closed_and_keep_their_centre(name, order):
    group = symmetry_of(name, FRAME)
    assert len(group) == order
    assert np.allclose(np.linalg.det(group.rotation), 1)
    centre = FRAME.to_xyz([5, 10, 15])[0]
    x = np.array([1.0, 2.0, 3.0])
    images = [apply(group, i, x) for i in range(order)]
    assert np.allclose(images[0], x)
    for i in range(order):
        assert np.allclose(apply(group, i, centre), centre)
        again = apply(group, i, images[-1])
        assert min(np.linalg.norm(again - image) for image in images) < 1e-9
    gaps = [np.linalg.norm(a - b) for k, a in enumerate(images) for b in images[:k]]
    assert min(gaps, default=1) > 0.1


@pytest.mark.parametrize(
    ("name", "fold", "axis"),
    [
        ("D3", 2, (1, 0, 0)), ("T", 3, (0, 0, 1)), ("T", 2, (0, 0.816496, 0.577350)), ("O", 4, (1, 0, 0)),
        ("O", 3, (0.57735, 0.57735, 0.57735)), ("I1", 2, (1, 0, 0)), ("I1", 5, (0.850651, 0, -0.525731)),
        ("I1", 3, (0.934172, 0.356822, 0)), ("I2", 2, (0, 1, 0)), ("I2", 5, (0.525731, 0, 0.850651)),
        ("I2", 3, (0, 0.356822, 0.934172)),
    ],
)  # fmt: skip
def test_axes_lie_where_the_field_s_programs_have_them(name, fold, axis):
    """Axes of RELION's and Xmipp's tables."""
    turn = Rotation.from_rotvec(np.array(axis) * 2 * np.pi / fold).as_matrix()
    assert np.abs(symmetry_of(name, FRAME).rotation - turn).max(axis=(1, 2)).min() < 1e-5


def test_a_helix_turns_and_rises():
    group = symmetry_of("H-166.5,27.5,3", FRAME, np.zeros(3))
    assert np.allclose(group.translation, [[0, 0, 0], [0, 0, 27.5], [0, 0, 55]])
    x = apply(group, 1, np.array([10.0, 0, 0]))
    assert np.degrees(np.arctan2(x[1], x[0])) == pytest.approx(-166.5)


@pytest.mark.parametrize("name", ["", "C0", "D", "I", "C-1", "H1,2", "H1,2,0", "H1.2.3,4,5", "c4", "C4 "])
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match="no symmetry"):
        symmetry_of(name, FRAME)


def part(seed, chains="A", shift=(0.0, 0.0, 0.0)):
    """Chains of 30 Cα in the asymmetric unit beside the axis at (20, 10, 12.5)."""
    rng = np.random.default_rng(seed)
    n = 30 * len(chains)
    steps = rng.normal(0, 1, (n, 3)) + np.array([0, 0, 2])
    xyz = FRAME.to_xyz([5, 10, 15])[0] + np.array([25, 5, 0]) + np.cumsum(steps, axis=0) + np.array(shift)
    number = np.tile(np.arange(1, 31, dtype=np.int32), len(chains))
    name = np.repeat(list(chains), 30)
    return Model.from_trace(xyz, np.full(n, "ALA"), name, number, np.zeros(n, np.float32))


def at(model, group, *motions):
    """The model as these copies of itself."""
    copies = [replace(model, xyz=model.xyz @ group.rotation[i].T + group.translation[i]) for i in motions]
    return joined_models(with_own_chains(copies))


@pytest.mark.parametrize("name", ["C4", "D3", "H-166.5,27.5,3"])
def test_the_reference_is_carried_to_where_the_model_is(name):
    reference, group = part(1, "AB"), symmetry_of(name, FRAME)
    for motion in range(len(group)):
        found = copies_at(reference, at(reference, group, motion), group)
        assert np.allclose(found.xyz, at(reference, group, motion).xyz)
        assert found.chain.tolist() == reference.chain.tolist()
    assert copies_at(reference, reference, group) is reference


def test_a_helix_goes_both_ways():
    reference, group = part(1), symmetry_of("H40,30,3", FRAME)
    model = copies_at(at(reference, group, 1), reference, group)
    assert np.allclose(model.xyz, reference.xyz)
    assert len(group.both_ways()) == 5
    assert len(symmetry_of("D4", FRAME).both_ways()) == 8


def test_each_chain_finds_its_own_copy():
    reference, group = part(1, "AB"), symmetry_of("C4", FRAME)
    whole = at(reference, group, 0, 1, 2, 3)
    a_here, b_there = whole.select(whole.chain == "A"), at(reference, group, 2).select(np.repeat([False, True], 30))
    found = copies_at(reference, joined_models(with_own_chains([a_here, b_there])), group)
    assert np.allclose(found.xyz, np.concatenate([a_here.xyz, b_there.xyz]))


def test_copies_that_the_model_has_too_are_compared_with():
    reference, group = part(1), symmetry_of("C4", FRAME)
    ring = at(reference, group, 0, 1, 2, 3)
    found = copies_at(reference, ring, group)
    assert sorted(map(tuple, found.xyz.round(3).tolist())) == sorted(map(tuple, ring.xyz.round(3).tolist()))
    assert len(set(found.chain.tolist())) == 4
    most = ring.select(np.arange(len(ring)) < 30 + 20)  # two thirds of a second copy
    assert len(copies_at(reference, most, group)) == 60
    less = ring.select(np.arange(len(ring)) < 30 + 10)
    assert copies_at(reference, less, group) is reference, "a third is no copy"


def test_a_whole_reference_stays_and_never_stands_on_itself():
    group = symmetry_of("C4", FRAME)
    ring = at(part(1), group, 0, 1, 2, 3)
    for model in (ring, ring.select(ring.chain == "C"), ring.select(ring.chain != "B")):
        found = copies_at(ring, model, group)
        assert len(found) == len(ring)
        gaps = np.linalg.norm(found.xyz[:, None] - ring.xyz, axis=2)
        assert np.allclose(np.sort(gaps, axis=1)[:, 0], 0), "the same sites"
        assert len(set(np.argmin(gaps, axis=1).tolist())) == len(ring), "each once"


def test_a_model_that_is_elsewhere_moves_nothing():
    reference, group = part(1), symmetry_of("C4", FRAME)
    assert copies_at(reference, part(1, shift=(0, 0, 300.0)), group) is reference
    assert copies_at(reference, reference.select(np.zeros(30, bool)), group) is reference
