"""Chain by chain on dense points: the contract, a complex that is known, and its parts."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Frame, ModelSet
from cryoweave.errors import InputError, StageError
from cryoweave.host import registry
from cryoweave.kernels.fitting import Atoms
from cryoweave.kernels.rigid import Candidates
from cryoweave.pipeline.chain import load_recipe
from cryoweave.testing import StageContract
from cryoweave_assembly.groups import grouped
from cryoweave_assembly.ldp import Chain, cloud_of, recall, spread_of

RESOLUTION = 8.0
FAST = {"resolution": RESOLUTION, "angle_step": 20.0, "refined": 30, "fast": True}


@pytest.fixture(autouse=True)
def _complex(request, truth):
    if request.instance is not None:
        request.instance.truth = truth


class TestAssemble(StageContract):
    stage_id = "diffmodeler.assemble"

    def inputs(self):
        return {"density": self.truth.density, "models": ModelSet(("a", "b"), self.truth.models.models[:2])}

    def params(self):
        return self.stage.params(**FAST)


def test_a_complex_is_built_chain_by_chain(truth):
    model = run_stage("diffmodeler.assemble", density=truth.density, models=truth.models, params=FAST)
    assert max(truth.off(model)) < 1.5
    assert model.b_is_confidence.all()
    assert model.b_factor.max() <= 100.0


def test_copies_are_placed_in_different_places(truth):
    three = ModelSet(("a", "b", "c"), truth.models.models[:3])
    both = ModelSet(("a",), three.models[:1])
    model = run_stage("diffmodeler.assemble", density=truth.density, models=both, params={**FAST, "copies": 2})
    off = truth.off(model)
    assert max(off[0], off[3]) < 1.5


def test_recall_is_the_share_of_residues_with_a_point():
    trace = np.array([[10.0, 10.0, 10.0], [14.0, 10.0, 10.0], [30.0, 10.0, 10.0], [34.0, 10.0, 10.0]])
    frame = Frame((30, 30, 50))
    points = np.array([[10.0, 10.0, 11.0], [15.0, 10.0, 10.0]])
    cloud = cloud_of(points, np.ones(2), 1.0, frame, None, 4.0)
    chain = Chain(Atoms(trace, np.ones(4)), trace, trace)
    here = Candidates(np.eye(3)[None], np.zeros((1, 3)), np.zeros(1))
    assert recall(cloud, chain, here)[0] == 0.5
    left = cloud.without(trace[:1])
    assert left.xyz.tolist() == [[15.0, 10.0, 10.0]]


def test_lengths_grow_with_the_resolution_only_where_chains_are_not_seen():
    assert spread_of(3.0) == spread_of(5.0) == 1.0
    assert spread_of(20.0) == 4.0


def test_chains_of_one_sequence_are_one_group(truth):
    assert [group.names for group in grouped(truth.models)] == [("a", "d"), ("b",), ("c",)]


def test_errors_have_hints(truth):
    with pytest.raises(InputError) as error:
        run_stage("diffmodeler.assemble", density=truth.density, models=truth.models, params={})
    assert error.value.hint
    high = float(truth.density.values.max()) * 2
    with pytest.raises(StageError, match="contour"):
        run_stage("diffmodeler.assemble", density=truth.density, models=truth.models, params={**FAST, "contour": high})


@pytest.mark.parametrize("name", ["assembly", "diffmodeler", "diffmodeler-chains"])
def test_recipes_name_stages_that_are_there(name):
    for step in load_recipe(name).steps:
        assert step.stage in registry().stages
