"""``domainfit.identify`` keeps the contract, ranks the right structure first and goes on where it stopped."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cryoweave import run_stage
from cryoweave.data import Model, ModelSet
from cryoweave.errors import CryoweaveError
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_fitmap import one as engine
from cryoweave_fitmap.parts import confident, is_predicted, packed
from cryoweave_fitmap.stages import IdentifyParams

LOOSE = {"packed": False, "plddt": 0.0, "least_residues": 20}


def fold(number):
    """A structure of its own: helices, strands and turns in a random order."""
    rng = np.random.default_rng(number)
    parts = ["H" * rng.integers(8, 20) + "C" * rng.integers(3, 6) + "E" * rng.integers(4, 9) for _ in range(2)]
    return ideal_model("C".join(parts))


MODELS = [fold(number) for number in range(24)]
TURN = Rotation.from_rotvec([0.5, -1.2, 0.8]).as_matrix()
RIGHT = 7
TRUTH = replace(MODELS[RIGHT], xyz=MODELS[RIGHT].xyz @ TURN.T + [40.0, -20.0, 10.0])
DENSITY = simulated_map(TRUTH, resolution=8.0, voxel=2.0, noise=0.01)
NAMES = [f"fold{number}" for number in range(24)]


class TestIdentify(StageContract):
    stage_id = "domainfit.identify"

    def inputs(self):
        return {"density": DENSITY, "models": ModelSet(tuple(NAMES[6:9]), tuple(MODELS[6:9]))}

    def params(self):
        return IdentifyParams(resolution=8.0, candidates=10, finish=8, angle_step=30.0, **LOOSE)


class TestIdentifyFromRandomPlacements(TestIdentify):
    def params(self):
        return IdentifyParams(resolution=8.0, search="random", rank_by="about_mean", starts=10, **LOOSE)


@pytest.mark.parametrize(
    "params", [{"angle_step": 25.0, "candidates": 20, "finish": 20}, {"search": "random", "starts": 60}]
)
def test_the_right_structure_is_first_and_stands_out(params):
    models = ModelSet(tuple(NAMES), tuple(MODELS))
    poses = run_stage(
        "domainfit.identify", density=DENSITY, models=models, params={"resolution": 8.0, **LOOSE, **params}
    )
    assert poses.model[0] == NAMES[RIGHT]
    moved = poses.moved(MODELS[RIGHT].xyz, 0)
    assert np.sqrt(((moved - TRUTH.xyz) ** 2).sum(axis=1).mean()) < 1.5
    measures = poses.measures
    assert measures["structure_rank"].tolist() == list(range(1, len(poses) + 1))
    assert measures["cross_bh_p_value"][0] < 0.05
    assert measures["sure"][0] > 0.95
    assert (measures["cross_p_value"] <= measures["cross_bh_p_value"] + 1e-12).all()
    assert measures["residues"][0] == len(MODELS[RIGHT].trace_atoms())
    assert poses.score[0] > poses.score[1] + 2  # some of these folds are much alike


def test_few_structures_have_no_p_value_among_them():
    models = ModelSet(tuple(NAMES[6:8]), tuple(MODELS[6:8]))
    params = {"resolution": 8.0, "candidates": 10, "finish": 8, "top": 2, "angle_step": 30.0, **LOOSE}
    poses = run_stage("domainfit.identify", density=DENSITY, models=models, params=params)
    assert len(poses) == 4
    assert poses.model[0] == NAMES[RIGHT]
    assert np.isnan(poses.measures["cross_p_value"]).all()
    assert "sure" not in poses.measures


def test_it_goes_on_where_it_stopped(tmp_path, monkeypatch):
    models = ModelSet(tuple(NAMES[6:9]), tuple(MODELS[6:9]))
    kept = tmp_path / "kept"
    params = {"resolution": 8.0, "candidates": 10, "finish": 8, "angle_step": 30.0, "kept": str(kept), **LOOSE}
    work, count = engine.fits_of, []

    def stopped(*given):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return work(*given)

    monkeypatch.setattr(engine, "fits_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_stage("domainfit.identify", density=DENSITY, models=models, params=params)
    files = sorted(kept.iterdir())
    assert len(files) == 2
    files[0].write_bytes(b"damaged")
    count.clear()
    monkeypatch.setattr(engine, "fits_of", lambda *given: (count.append(1), work(*given))[1])
    again = run_stage("domainfit.identify", density=DENSITY, models=models, params=params)
    assert len(count) == 2
    monkeypatch.setattr(engine, "fits_of", work)
    fresh = run_stage("domainfit.identify", density=DENSITY, models=models, params={**params, "kept": ""})
    assert np.array_equal(again.score, fresh.score)
    assert np.array_equal(again.rotation, fresh.rotation)
    other = run_stage("domainfit.identify", density=DENSITY, models=models, params={**params, "contour": 1.0})
    assert not np.array_equal(other.measures["inside"], fresh.measures["inside"])


def test_what_cannot_be_is_told(tmp_path):
    models = ModelSet(("one",), (MODELS[RIGHT],))
    (tmp_path / "file").write_text("")
    wide = replace(MODELS[RIGHT], xyz=MODELS[RIGHT].xyz * 5)
    for given, params, words in (
        (models, {}, "resolution"),
        (models, {"resolution": 8.0, "contour": 1e9}, "above the map's maximum"),
        (models, {"resolution": 8.0, "least_residues": 5000}, "residues are left"),
        (ModelSet(("wide",), (wide,)), {"resolution": 8.0}, "wider"),
        (models, {"resolution": 8.0, "kept": str(tmp_path / "file")}, "cannot be kept"),
    ):
        with pytest.raises(CryoweaveError, match=words) as error:
            run_stage("domainfit.identify", density=DENSITY, models=given, params={**LOOSE, **params})
        assert error.value.hint


def joined(one, other):
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in Model.__dataclass_fields__}
    return Model(**columns)


def with_confidence(model, values):
    return replace(model, b_factor=values[model.residue_number - 1].astype(np.float32))


def test_confidences_are_known_by_being_alike_in_each_residue():
    model = MODELS[0]
    values = np.linspace(30, 95, model.residue_number.max())
    predicted = with_confidence(model, values)
    assert is_predicted(predicted)
    assert not is_predicted(model)  # all alike
    crystal = replace(predicted, b_factor=predicted.b_factor + np.arange(len(model), dtype=np.float32) % 5)
    assert not is_predicted(crystal)
    assert not is_predicted(replace(predicted, b_factor=predicted.b_factor * 2))
    kept = confident(predicted, 70.0)
    assert sorted(set(kept.residue_number.tolist())) == (np.flatnonzero(values >= 70) + 1).tolist()
    assert confident(crystal, 70.0) is crystal
    assert confident(predicted, 0.0) is predicted


def test_arms_that_touch_nothing_are_left_out():
    """Four helices side by side, and one that goes on into the open."""
    helix = ideal_model("H" * 20)
    axis = np.linalg.svd(helix.xyz - helix.xyz.mean(axis=0))[2][0]
    side = np.linalg.svd(helix.xyz - helix.xyz.mean(axis=0))[2][1]
    bundle = helix
    for number in range(1, 4):
        shifted = replace(helix, xyz=helix.xyz + 9.0 * number * side, residue_number=helix.residue_number + 30 * number)
        bundle = joined(bundle, shifted)
    arm = replace(helix, xyz=helix.xyz + 60.0 * axis, residue_number=helix.residue_number + 200)
    part = packed(joined(bundle, arm))
    assert set(part.residue_number.tolist()) <= set(bundle.residue_number.tolist())
    assert len(part) > 0.7 * len(bundle)
    assert len(packed(arm)) == len(arm)  # a lone helix is all there is
