"""Points as a detector of a chosen quality would find them."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import CryoweaveError
from cryoweave.kernels.graph import nearest
from cryoweave.testing import StageContract, ideal_model


def chain(n=400):
    letters = np.random.default_rng(1).choice([*AMINO_ACIDS.values()], n)
    return ideal_model("H" * n, letters="".join(letters))


class TestPoints(StageContract):
    stage_id = "model.points"

    def inputs(self):
        return {"model": chain(30)}


def found(seed=0, **params):
    return run_stage("model.points", model=chain(), params=params, seed=seed)


def test_a_perfect_detector_finds_the_model():
    points = found(error=0, missing=0, false=0, accuracy=0.999)
    trace = chain().trace_atoms()
    index, distance = nearest(points.xyz, trace.xyz, 1)
    assert len(points) == len(trace)
    assert distance.max() < 1e-9
    named = np.array(points.classes)[points.probabilities[index[:, 0]].argmax(axis=1)]
    assert np.mean(named == trace.residue_name) > 0.98


@pytest.mark.parametrize(("error", "missing", "false", "accuracy"), [(0.3, 0.05, 0.05, 0.8), (0.9, 0.3, 0.3, 0.3)])
def test_errors_are_those_that_were_asked_for(error, missing, false, accuracy):
    trace = chain().trace_atoms()
    right, wrong, square, called = 0, 0, [], []
    for seed in range(5):
        points = found(seed, error=error, missing=missing, false=false, accuracy=accuracy)
        index, distance = nearest(trace.xyz, points.xyz, 1)
        near = distance[:, 0] < 2.0
        right, wrong = right + int(near.sum()), wrong + int((~near).sum())
        named = np.array(points.classes)[points.probabilities.argmax(axis=1)]
        called.append(np.mean((named == trace.residue_name[index[:, 0]])[near]))
        square.append(np.mean(distance[near] ** 2))
    assert right / (5 * len(trace)) == pytest.approx(1 - missing, abs=0.06)
    assert wrong / (5 * len(trace)) == pytest.approx(false, abs=0.06)
    assert np.mean(called) == pytest.approx(accuracy, abs=0.05)
    assert np.sqrt(np.mean(square)) == pytest.approx(error, rel=0.1)


def test_false_points_keep_away_from_all_others():
    points = found(error=0, missing=0, false=1.0)
    _, distance = nearest(points.xyz, points.xyz, 2)
    assert distance[:, 1].min() >= 2.0


def test_a_model_without_calpha_is_told():
    model = chain(10)
    with pytest.raises(CryoweaveError, match="no Cα"):
        run_stage("model.points", model=model.select(model.atom_name != "CA"))
