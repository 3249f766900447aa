"""Inputs without anything to find: a clear error with a hint, or a result that is rightly one; never a traceback."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame, Sequence, SequenceSet, Threading
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


def threading(sequences, xyz, candidates=1):
    n = len(xyz)
    return Threading(
        sequences=sequences,
        candidate=np.zeros(n),
        chain=np.zeros(n),
        residue=np.arange(n),
        xyz=np.reshape(xyz, (-1, 3)),
        confidence=np.ones(n),
        score=np.zeros(candidates),
        origin=("somewhere",) * candidates,
    )


BUILDERS = {"build.calpha": {}, "build.backbone": {"density": PEAK}}


@pytest.mark.parametrize("stage", BUILDERS)
@pytest.mark.parametrize("candidates", [0, 1])
def test_a_threading_without_residues_builds_nothing(stage, candidates):
    nothing = threading(sequences_of(MODEL) if candidates else SequenceSet(()), [], candidates)
    with pytest.raises(StageError, match="no residue") as refused:
        run_stage(stage, threading=nothing, **BUILDERS[stage])
    assert refused.value.hint


@pytest.mark.parametrize("stage", BUILDERS)
def test_nucleotides_are_not_built_as_amino_acids(stage):
    rna = threading(SequenceSet((Sequence("r", "GU", "rna"),)), np.zeros((2, 3)))
    with pytest.raises(StageError, match="RNA") as refused:
        run_stage(stage, threading=rna, **BUILDERS[stage])
    assert refused.value.hint


@pytest.mark.parametrize("kind", FLAT)
def test_a_flat_map_settles_no_backbone(kind):
    trace = threading(sequences_of(MODEL), MODEL.trace_atoms().xyz)
    with pytest.raises(StageError, match="same density everywhere") as refused:
        run_stage("build.backbone", density=FLAT[kind], threading=trace)
    assert refused.value.hint


@pytest.mark.parametrize("off", [0.0, 1000.0], ids=["in empty voxels", "outside of the box"])
def test_a_backbone_needs_density_at_its_residues(off):
    trace = threading(sequences_of(MODEL), MODEL.trace_atoms().xyz + off)
    with pytest.raises(StageError, match="no density above zero") as refused:
        run_stage("build.backbone", density=PEAK, threading=trace)
    assert refused.value.hint
