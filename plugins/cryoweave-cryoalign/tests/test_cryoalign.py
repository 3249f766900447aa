"""Alignment: the contract, a pose that is known, and input that cannot be aligned."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, Model, ModelSet
from cryoweave.errors import StageError
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave.testing import StageContract, ideal_model

TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
SHIFT = np.array([61.0, 45.0, 52.0])


def moved(model, xyz, chain="A"):
    columns = {name: getattr(model, name) for name in model.__dataclass_fields__}
    return Model(**(columns | {"xyz": xyz, "chain": np.full(len(model), chain)}))


def joined(parts):
    return Model(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in Model.__dataclass_fields__})


def bundle(seed, helices=13):
    """Helices of different lengths, every which way about the origin: nothing in it is alike."""
    rng = np.random.default_rng(seed)
    parts = []
    for k in range(helices):
        helix = ideal_model("H" * int(rng.integers(10, 26)))
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        axes *= np.linalg.det(axes)
        place = 15.0 * np.array([k % 3 - 1, k // 3 % 3 - 1, k // 9 - 0.5])
        parts.append(moved(helix, (helix.xyz - helix.xyz.mean(axis=0)) @ axes.T + place, chr(65 + k)))
    return joined(parts)


MODEL, OTHER = bundle(1), bundle(2)
PLACED = MODEL.xyz @ TURN.T + SHIFT


def a_map(*atoms, voxel=2.0, resolution=6.0):
    frame = Frame((60, 52, 76), (voxel,) * 3, (-2.0, -4.0, -3.0))
    values = simulate_blurred(frame, np.concatenate(atoms), 12.0, 0.225 * resolution)
    noise = np.random.default_rng(0).normal(0, 0.02 * values.max(), values.shape)
    return DensityMap((values + noise).astype(np.float32), frame)


COMPLEX = a_map(PLACED, OTHER.xyz + SHIFT + [52.0, 8.0, 4.0])
ALONE = a_map(PLACED)


def off(poses, pose=0):
    return float(np.sqrt(np.mean(np.sum((poses.moved(MODEL.xyz, pose) - PLACED) ** 2, axis=1))))


class TestAlign(StageContract):
    stage_id = "cryoalign.align"

    def inputs(self):
        return {"density": COMPLEX, "models": ModelSet(("bundle",), (MODEL,))}


class TestAlignInMasks(TestAlign):
    def params(self):
        return self.stage.params(search="masks", resolution=6.0)


def align(density, *models, **params):
    names = tuple(f"m{i}" for i in range(len(models)))
    return run_stage(
        "cryoalign.align", density=density, models=ModelSet(names, models), params={"resolution": 6.0, **params}
    )


def test_a_model_is_found_in_a_complex():
    poses = align(COMPLEX, MODEL)
    assert off(poses) < 1.0
    assert set(poses.measures) == {"agreeing", "matched", "correspondences", "cosine", "z"}
    assert (np.diff(poses.score) <= 0).all()
    assert poses.score[0] > 1.3 * poses.score[1]


def test_two_models_both_find_their_places():
    poses = align(COMPLEX, MODEL, OTHER, top=3)
    assert set(poses.model.tolist()) == {"m0", "m1"}
    first = int(np.flatnonzero(poses.model == "m0")[0])
    assert off(poses, first) < 1.0
    assert len(poses) <= 6


def test_poses_differ_from_each_other():
    poses = align(COMPLEX, MODEL, apart=6.0)
    placed = [poses.moved(MODEL.xyz, i) for i in range(len(poses))]
    gaps = [np.sqrt(np.mean(np.sum((a - b) ** 2, axis=1))) for i, a in enumerate(placed) for b in placed[:i]]
    assert min(gaps) > 5.0


def test_the_whole_of_a_map_is_aligned_as_published():
    poses = align(ALONE, MODEL, search="whole")
    assert off(poses) < 4.0
    assert len(poses) == 1
    assert poses.measures["correspondences"][0] >= 3


def test_masks_find_a_model_in_a_complex():
    poses = align(COMPLEX, MODEL, search="masks")
    assert min(off(poses, i) for i in range(len(poses))) < 5.0


def test_masks_that_hold_too_little_are_told():
    with pytest.raises(StageError, match="no sphere") as error:
        align(ALONE, MODEL, search="masks", voxel=8.0)
    assert error.value.hint


@pytest.mark.parametrize("search", ["triples", "masks", "whole"])
def test_a_contour_above_the_maximum_is_told(search):
    with pytest.raises(StageError, match="no density lies above the contour of 1e\\+06") as error:
        align(ALONE, MODEL, contour=1e6, search=search)
    assert "map info" in error.value.hint


@pytest.mark.parametrize("search", ["triples", "masks", "whole"])
def test_a_model_of_one_atom_is_told(search):
    with pytest.raises(StageError) as error:
        align(ALONE, MODEL.select(np.arange(len(MODEL)) == 0), search=search)
    assert error.value.hint


def test_a_map_of_a_few_voxels_is_told():
    values = np.zeros((6, 6, 6), np.float32)
    values[2, 2, 2] = 1.0
    with pytest.raises(StageError, match="the map gives only") as error:
        align(DensityMap(values, Frame((6, 6, 6))), MODEL)
    assert error.value.hint
