"""Cα candidates in probability maps."""

from inspect import signature

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, StageError
from cryoweave.kernels.candidates import apart, candidates
from cryoweave.testing import StageContract, ideal_model, perfect_maps, simulated_map
from cryoweave_basics.stages import CalphaParams

AMINO = tuple(AMINO_ACIDS)
CLASSES = ("backbone", "CA", "helix", "strand", "coil", *AMINO)
DENSITY = simulated_map(ideal_model(), resolution=3.0)


def maps_of(model):
    return perfect_maps(model, DENSITY.frame.with_voxel(1.0), CLASSES)


def test_points_are_the_residues_with_their_types():
    model = ideal_model()
    trace = model.trace_atoms()
    cloud = run_stage("points.calpha", maps=maps_of(model))
    assert len(cloud) == len(trace)
    distance = np.linalg.norm(cloud.xyz[:, None] - trace.xyz, axis=2)
    assert distance.min(axis=1).max() < 1.0
    best = np.array(cloud.classes)[cloud.probabilities.argmax(axis=1)]
    assert (best == trace.residue_name[distance.argmin(axis=1)]).mean() > 0.9
    assert (np.diff(cloud.weight) <= 0).all()


def test_the_likelier_of_two_near_points_stays():
    xyz = np.array([[0.0, 0, 0], [1.0, 0, 0], [2.5, 0, 0], [1.5, 0, 0]])
    assert apart(xyz, 2.0).tolist() == [True, False, True, False]
    assert apart(xyz[:0], 2.0).tolist() == []


def test_nothing_above_the_threshold_is_told():
    maps = maps_of(ideal_model())
    with pytest.raises(StageError, match="no voxel is a CA"):
        run_stage("points.calpha", maps=maps, params={"threshold": 1.0})
    other = ProbabilityMaps(maps.values[:1], maps.frame, ("P",))
    with pytest.raises(InputError, match="no class CA"):
        run_stage("points.calpha", maps=other)


class TestPoints(StageContract):
    stage_id = "points.calpha"

    def inputs(self):
        return {"maps": maps_of(ideal_model())}


def test_stage_and_kernel_have_the_same_defaults():
    """The detectors' own figures are by the kernel's, a user's run by the stage's."""
    kernel = {name: one.default for name, one in signature(candidates).parameters.items()}
    stage = CalphaParams()
    assert (stage.threshold, stage.width, stage.apart, stage.gather) == tuple(
        kernel[name] for name in ("threshold", "width", "closest", "gather")
    )


def test_candidates_need_no_amino_acids():
    maps = maps_of(ideal_model())
    few = ProbabilityMaps(maps.values[:2], maps.frame, CLASSES[:2])
    assert run_stage("points.calpha", maps=few).probabilities.shape[1] == 0
