"""Inputs without anything to find: a clear error with a hint, or a result that is rightly one; never a traceback."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.testing import ideal_model, sequences_of

MODEL = ideal_model("HHHHHHHH")


def box(value, *, peak=0.0):
    values = np.full((12, 13, 14), value, np.float32)
    values[6, 6, 6] += peak
    return DensityMap(values, Frame(values.shape, (1.0, 1.1, 1.2), (-5.0, -6.0, -7.0)))


FLAT = {"zero": box(0.0), "constant": box(1.0), "negative": box(-2.0)}
PEAK = box(0.0, peak=1.0)


@pytest.mark.parametrize("kind", FLAT)
@pytest.mark.parametrize("stage", ["peaks.maxima", "peaks.meanshift", "compare.density"])
def test_a_flat_map_is_refused(stage, kind):
    inputs = {"model": MODEL} if stage.startswith("compare") else {}
    with pytest.raises(StageError, match="same density everywhere") as refused:
        run_stage(stage, density=FLAT[kind], **inputs)
    assert refused.value.hint


@pytest.mark.parametrize("kind", ["zero", "negative"])
@pytest.mark.parametrize("stage", ["map.crop", "map.solvent"])
def test_a_map_without_positive_density_is_refused_where_it_is_needed(stage, kind):
    with pytest.raises(StageError, match=r"no voxel|no positive") as refused:
        run_stage(stage, density=FLAT[kind])
    assert refused.value.hint


@pytest.mark.parametrize("kind", FLAT)
@pytest.mark.parametrize("stage", ["map.resample", "map.upsample", "map.blur", "map.flip"])
def test_a_flat_map_stays_flat_where_nothing_is_sought(stage, kind):
    found = run_stage(stage, density=FLAT[kind])
    np.testing.assert_allclose(found.values, FLAT[kind].values[0, 0, 0], rtol=1e-6)


def test_a_single_peak_is_one_point():
    at = PEAK.frame.to_xyz([6, 6, 6])
    np.testing.assert_array_equal(run_stage("peaks.maxima", density=PEAK).xyz, at)
    shifted = run_stage("peaks.meanshift", density=PEAK)
    np.testing.assert_allclose(shifted.xyz, at, atol=1e-6)
    assert not len(shifted.edges)


@pytest.mark.parametrize("stage", ["map.resample", "map.upsample", "map.crop", "map.blur", "map.flip", "map.solvent"])
def test_a_single_peak_is_a_map_like_any_other(stage):
    assert isinstance(run_stage(stage, density=PEAK), DensityMap)


@pytest.mark.parametrize("stage", ["peaks.maxima", "peaks.meanshift"])
def test_a_threshold_above_the_map_names_the_maximum(stage):
    with pytest.raises(StageError, match="maximum is 1") as refused:
        run_stage(stage, density=PEAK, params={"threshold": 3.0})
    assert "threshold" in refused.value.hint


def test_a_model_without_trace_atoms_has_no_support():
    with pytest.raises(StageError, match="no Cα") as refused:
        run_stage("compare.density", model=MODEL.select(MODEL.atom_name == "CB"), density=PEAK)
    assert refused.value.hint


@pytest.mark.parametrize("candidates", [0, 1])
def test_a_threading_without_residues_builds_nothing(candidates):
    nothing = np.zeros(0)
    threading = Threading(
        sequences=sequences_of(MODEL) if candidates else SequenceSet(()),
        candidate=nothing,
        chain=nothing,
        residue=nothing,
        xyz=nothing.reshape(0, 3),
        confidence=nothing,
        score=np.zeros(candidates),
        origin=("somewhere",) * candidates,
    )
    with pytest.raises(StageError, match="no residue") as refused:
        run_stage("build.calpha", threading=threading)
    assert refused.value.hint
