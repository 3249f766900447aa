"""The map and the points that the network sees, against the published example."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.kernels.network_input import whole_angstroms
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_daq.prepare import Scene, chosen_atoms, top_density

MODEL = ideal_model("HHHHHH")
RNG = np.random.default_rng(3)


def test_the_published_map_of_1_angstrom(example):
    ours = whole_angstroms(example.density)
    assert ours.frame == example.fine.frame
    assert np.abs(ours.values - example.fine.values).max() < 1e-6


def test_every_published_point_and_no_other(example):
    with gzip.open(example.prediction, "rt") as lines:
        published = np.array([[int(cell) for cell in line.split(",")[:3]] for line in lines])
    scene = Scene(whole_angstroms(example.density), chosen_atoms(example.model, compat=True).xyz, 2)
    assert len(published) == 7582
    np.testing.assert_array_equal(np.round(example.fine.frame.to_zyx(scene.xyz)).astype(int)[:, ::-1], published)


def test_the_cut_of_the_published_example(example):
    """The voxels at or below 0 count in the highest bin; without them it would be 0.4582, and one point more."""
    assert top_density(whole_angstroms(example.density).values) == pytest.approx(0.475804, abs=1e-6)


def by_hand(values, side):
    """The rule, voxel by voxel."""
    shape = np.floor(np.array(values.shape) * side).astype(int)
    new = np.zeros(shape)
    new[0, 0, 0], new[-1, -1, -1] = values[0, 0, 0], values[-1, -1, -1]
    for at in np.ndindex(*shape):
        low = (np.array(at) / side).astype(int)
        if min(at) == 0 or (low >= np.array(values.shape) - 1).any():
            continue
        f = np.array(at) / side - low
        corners = values[tuple(slice(i, i + 2) for i in low)]
        for share in f:
            corners = corners[0] * (1 - share) + corners[1] * share
        new[at] = corners
    return new


@pytest.mark.parametrize("side", [1.34, 1.5, 2.0])
def test_planes_at_the_edges_stay_empty(side):
    values = RNG.random((5, 6, 7)).astype(np.float32) + 1
    ours = whole_angstroms(DensityMap(values, Frame((5, 6, 7), (side,) * 3, (3.0, 4.0, 5.0))))
    np.testing.assert_allclose(ours.values, by_hand(values, side), atol=1e-6)
    assert ours.frame.origin_xyz == (3.0, 4.0, 5.0)


@pytest.mark.parametrize("sides", [(0.8, 0.8, 0.8), (1.2, 1.5, 0.9)])
def test_fine_and_oblong_voxels_go_on_beyond_the_last(sides):
    values = RNG.random((6, 7, 8)).astype(np.float32) + 1
    ours = whole_angstroms(DensityMap(values, Frame((6, 7, 8), sides[::-1]))).values
    assert ours.shape == tuple(int(np.float32(side) * n) for side, n in zip(sides, (6, 7, 8), strict=True))
    assert ours.min() >= 1
    assert ours[0, 0, 0] == values[0, 0, 0]
    at = [min(k / np.float32(side), n - 1) for k, side, n in zip((1, 0, 0), sides, (6, 7, 8), strict=True)]
    low = int(at[0])
    expected = values[low, 0, 0] + (at[0] - low) * (values[low + 1, 0, 0] - values[low, 0, 0])
    assert ours[1, 0, 0] == pytest.approx(expected, abs=1e-6)


def test_a_map_of_1_angstrom_stays():
    density = simulated_map(MODEL)
    assert whole_angstroms(density) is density


def test_maps_that_cannot_be_whole_angstroms():
    with pytest.raises(StageError, match="voxels of 1 Å"):
        whole_angstroms(DensityMap(np.ones((1, 9, 9)), Frame((1, 9, 9), (0.5, 0.5, 0.5))))
    with pytest.raises(StageError, match="voxels of 1 Å"):
        whole_angstroms(DensityMap(np.ones((9, 9, 9)), Frame((9, 9, 9), (200.0, 200.0, 200.0))))


@pytest.mark.parametrize("values", [np.zeros((4, 4, 4)), -np.ones((4, 4, 4))])
def test_no_density(values):
    with pytest.raises(StageError, match="no density above 0"):
        top_density(values.astype(np.float32))


def test_boxes_are_cut_where_the_points_are_and_zero_beyond_the_map():
    values = RNG.random((14, 15, 16)).astype(np.float32)
    density = DensityMap(values, Frame((14, 15, 16), origin_xyz=(5.0, 6.0, 7.0)))
    scene = Scene(density, None, 2)
    top = top_density(values)
    z, y, x = np.round(density.frame.to_zyx(scene.xyz[:1])[0]).astype(int)
    assert (z, y, x) == (0, 0, 0)
    box = scene.boxes(slice(0, 1), "zyx")
    assert box.shape == (1, 1, 11, 11, 11)
    assert box.dtype == np.float32
    assert not box[0, 0, :5].any()
    assert not box[0, 0, :, :, :5].any()
    expected = np.round(np.clip(values[:6, :6, :6] / top, 0, 1), 3)
    np.testing.assert_allclose(box[0, 0, 5:, 5:, 5:], expected, atol=1e-6)
    np.testing.assert_array_equal(scene.boxes(slice(0, 1), "xyz")[0, 0], box[0, 0].transpose(2, 1, 0))
    assert len(scene.xyz) == 7 * 8 * 8


def test_points_do_not_depend_on_what_else_is_in_the_box():
    """The scene is cut out around the model; points and boxes are those of the whole map."""
    density = simulated_map(MODEL, margin=20.0)
    atoms = MODEL.xyz
    here = Scene(density, atoms, 2)
    gap = np.linalg.norm(here.xyz[:, None] - atoms[None], axis=2).min(axis=1)
    assert gap.max() <= 6
    everywhere = Scene(density, None, 2)
    same = np.linalg.norm(everywhere.xyz[:, None] - here.xyz[None], axis=2).argmin(axis=0)
    np.testing.assert_array_equal(everywhere.xyz[same], here.xyz)
    k = int(same[7])
    np.testing.assert_array_equal(everywhere.boxes(slice(k, k + 1), "zyx"), here.boxes(slice(7, 8), "zyx"))


def test_a_model_outside_of_the_map():
    density = simulated_map(MODEL)
    with pytest.raises(StageError, match="outside of the map"):
        Scene(density, MODEL.xyz + 500, 2)


def test_atoms_of_the_reference():
    n = len(MODEL)
    hydrogens = replace(MODEL, element=np.full(n, "H"), atom_name=np.char.add("H", MODEL.atom_name))
    water = replace(MODEL.select(slice(0, 1)), residue_name=["HOH"], hetero=[True], element=["O"])
    columns = {
        name: np.concatenate([getattr(m, name) for m in (MODEL, hydrogens, water)])
        for name in MODEL.__dataclass_fields__
    }
    model = type(MODEL)(**columns)
    assert len(chosen_atoms(model, compat=False)) == n
    assert len(chosen_atoms(model, compat=True)) == 2 * n


def test_an_altloc_counts_once():
    twice = type(MODEL)(**{f: np.concatenate([getattr(MODEL, f)] * 2) for f in MODEL.__dataclass_fields__})
    n = len(MODEL)
    model = replace(twice, altloc=np.repeat(["B", "C"], n))
    assert len(chosen_atoms(model, compat=False)) == n
    assert set(chosen_atoms(model, compat=False).altloc.tolist()) == {"B"}
    assert len(chosen_atoms(model, compat=True)) == 0
