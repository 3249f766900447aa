"""The stages keep the contract."""

import pytest

from cryoweave.testing import StageContract
from cryoweave_daq.stages import PredictParams, ScoreParams


class WithPrediction(StageContract):
    """An imported prediction needs neither density nor, for prediction alone, a model."""

    @pytest.fixture(autouse=True)
    def _files(self, small):
        self.small = small

    def inputs(self):
        return {"density": self.small.density, "model": self.small.model}


class TestPredict(WithPrediction):
    stage_id = "daq.predict"
    may_be_empty = ("density", "model")

    def params(self):
        return PredictParams(prediction=self.small.prediction)


class TestScore(WithPrediction):
    stage_id = "daq.score"
    may_be_empty = ("density",)

    def params(self):
        return ScoreParams(prediction=self.small.prediction)
