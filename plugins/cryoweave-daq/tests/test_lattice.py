"""From predicted points to probability maps, and the recipes that trace and thread them."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import PointCloud
from cryoweave.errors import InputError
from cryoweave.host import registry
from cryoweave.testing import StageContract
from cryoweave_daq.classes import ATOMS, CLASSES
from cryoweave_daq.lattice import NAMES, lattice_of


def cloud(n=4, step=2.0, seed=0):
    """Points on a whole cubic lattice, with smooth random probabilities."""
    rng = np.random.default_rng(seed)
    xyz = np.argwhere(np.ones((n, n, n))) * step + (3.0, -5.0, 7.5)
    heads = [rng.dirichlet(np.ones(classes), len(xyz)) for classes in (20, 6, 3)]
    return PointCloud(xyz, np.ones(len(xyz)), probabilities=np.concatenate(heads, axis=1), classes=CLASSES)


@pytest.mark.parametrize("order", ["linear", "cubic"])
def test_the_points_keep_their_probabilities(order):
    points = cloud()
    maps = run_stage("daq.maps", points=points, params={"order": order})
    assert maps.classes == NAMES
    assert maps.frame.voxel_xyz == (1.0, 1.0, 1.0)
    at = np.rint(maps.frame.to_zyx(points.xyz)).astype(int)
    for name in NAMES[1:]:
        expected = points.probabilities[:, CLASSES.index(name)]
        np.testing.assert_allclose(maps.of(name).values[tuple(at.T)], expected, atol=1e-3, err_msg=name)
    chain = sum(points.probabilities[:, CLASSES.index(name)] for name in ("N", "CA", "C", "O"))
    np.testing.assert_allclose(maps.of("backbone").values[tuple(at.T)], chain, atol=1e-3)


def test_in_between_it_is_trilinear():
    points = cloud()
    maps = run_stage("daq.maps", points=points, params={"order": "linear"})
    zyx = np.rint(maps.frame.to_zyx(points.xyz)).astype(int)
    first, second = (np.flatnonzero((zyx == place).all(axis=1))[0] for place in ((0, 0, 0), (0, 0, 2)))
    column = CLASSES.index("CA")
    expected = (points.probabilities[first, column] + points.probabilities[second, column]) / 2
    assert maps.of("CA").values[0, 0, 1] == pytest.approx(expected, abs=1e-3)


def test_what_was_not_predicted_is_zero():
    points = cloud()
    kept = points.xyz[:, 0] < 5.5
    few = PointCloud(points.xyz[kept], points.weight[kept], probabilities=points.probabilities[kept], classes=CLASSES)
    far = PointCloud(
        np.concatenate((few.xyz, few.xyz[:1] + np.array([8.0, 0, 0]))),
        np.ones(len(few) + 1),
        probabilities=np.concatenate((few.probabilities, few.probabilities[:1])),
        classes=CLASSES,
    )
    maps = run_stage("daq.maps", points=far, params={"order": "linear"})
    assert not maps.of("backbone").values[:, :, 5:7].any()


def test_points_that_are_no_lattice_are_told():
    points = cloud()
    xyz = points.xyz.copy()
    xyz[5] += (0.0, 0.0, 0.7)
    moved = PointCloud(xyz, points.weight, probabilities=points.probabilities, classes=CLASSES)
    with pytest.raises(InputError, match="do not lie on a lattice"):
        run_stage("daq.maps", points=moved)


def test_points_of_another_detector_are_told():
    points = cloud()
    plain = PointCloud(points.xyz, points.weight)
    with pytest.raises(InputError, match="no probability of N") as error:
        run_stage("daq.maps", points=plain)
    assert "daq.predict" in error.value.hint


def test_maps_that_are_too_large_are_told():
    xyz = np.array([[0.0, 0, 0], [0.5, 0, 0], [900, 900, 900]])
    points = cloud()
    wide = PointCloud(xyz, np.ones(3), probabilities=points.probabilities[:3], classes=CLASSES)
    with pytest.raises(InputError, match="too large"):
        run_stage("daq.maps", points=wide)


def test_a_single_point_is_a_lattice():
    frame, zyx = lattice_of(np.array([[1.0, 2, 3]]))
    assert frame.shape_zyx == (1, 1, 1)
    assert frame.origin_xyz == (1.0, 2.0, 3.0)
    assert zyx.tolist() == [[0, 0, 0]]


def test_the_published_prediction_has_a_lattice_of_2(example):
    points = run_stage("daq.predict", density=example.density, params={"prediction": example.prediction})
    maps = run_stage("daq.maps", points=points)
    frame, _ = lattice_of(points.xyz)
    np.testing.assert_allclose(frame.voxel_xyz, 2.0, atol=1e-6)
    trace = example.model.trace_atoms()
    zyx = np.rint(maps.frame.to_zyx(trace.xyz)).astype(int)
    near = maps.of("CA").values[tuple(zyx.T)]
    assert near.mean() > 3 * maps.of("CA").values.mean()
    assert set(ATOMS[1:]) < set(maps.classes)


@pytest.mark.parametrize("recipe", ["daq-mainmast", "mainmast-daq"])
def test_the_recipes_name_stages_that_are_there(recipe):
    steps = registry().recipe(recipe).steps
    assert steps[0].stage == "daq.predict"
    for step in steps:
        registry().stage(step.stage)


class TestMaps(StageContract):
    stage_id = "daq.maps"

    def inputs(self):
        return {"points": cloud()}
