"""Many starts, the best combination: the contract, a complex that is known, input that cannot be built."""

import pytest

pytest.importorskip("ortools", reason="OR-Tools is not installed")

from cryoweave import run_stage
from cryoweave.data import ModelSet
from cryoweave.errors import InputError, StageError
from cryoweave.testing import StageContract

RESOLUTION = 8.0
QUICK = {"resolution": RESOLUTION, "starts": 300}


@pytest.fixture(autouse=True)
def _complex(request, truth):
    if request.instance is not None:
        request.instance.truth = truth


class TestAssemble(StageContract):
    stage_id = "demoem2.assemble"

    def inputs(self):
        return {"density": self.truth.density, "models": ModelSet(("b",), self.truth.models.models[1:2])}

    def params(self):
        return self.stage.params(**{**QUICK, "starts": 100})


def test_a_complex_is_put_together(truth):
    model = run_stage("demoem2.assemble", density=truth.density, models=truth.models, params=QUICK)
    assert max(truth.off(model)) < 1.0
    assert model.b_is_confidence.all()


def test_errors_have_hints(truth):
    with pytest.raises(InputError) as error:
        run_stage("demoem2.assemble", density=truth.density, models=truth.models, params={})
    assert error.value.hint
    high = float(truth.density.values.max()) * 2
    with pytest.raises(StageError, match="contour"):
        run_stage("demoem2.assemble", density=truth.density, models=truth.models, params={**QUICK, "contour": high})
