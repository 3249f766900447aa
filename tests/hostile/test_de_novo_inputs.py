"""What tracers do with sequences and points that do not belong together: a clear word, never a model called success."""

import logging

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import BondGraph, PointCloud, Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import CryoweaveError
from cryoweave.host import registry
from cryoweave.kernels.evidence import LETTERS
from cryoweave.pipeline.ending import LOW_CONFIDENCE
from cryoweave.testing import ideal_model

NAMES = {BondGraph: "bonds", Traces: "traces", Threading: "threading"}
TRACERS = {
    "viterbi": ("cryo2struct.viterbi",),
    "beam": ("cryo2struct.beam",),
    "salesman": ("edges.bonds", "deeptracer.trace", "deeptracer.assign"),
    "routes": ("edges.bonds", "trace.routes", "deeptracer.assign"),
    "fragments": ("edges.bonds", "trace.routes", "thread.ungapped", "assemble.fragments"),
    "hops": ("edges.bonds", "emodelx.align"),
    "flood": ("edges.bonds", "modelangelo.chains", "modelangelo.assign"),
}
rng = np.random.default_rng(3)
FOLD = "H" * 18 + "C" * 4 + "E" * 9 + "C" * 3 + "H" * 14 + "C" * 3 + "E" * 8
RIGHT = "".join(rng.choice(list(LETTERS), len(FOLD)))
ABSENT = "".join(rng.permutation(list(RIGHT)))
POINTS = run_stage(
    "model.points",
    model=ideal_model(FOLD, letters=RIGHT),
    params={"error": 0.3, "missing": 0.05, "false": 0.05, "accuracy": 0.8},
)
NO_POINTS = PointCloud(np.zeros((0, 3)), np.zeros(0), probabilities=np.zeros((0, 20)), classes=POINTS.classes)


def chains(*letters: str) -> SequenceSet:
    return SequenceSet(tuple(Sequence(f"chain{number}", one) for number, one in enumerate(letters)))


def traced(tracer: str, points: PointCloud, sequences: SequenceSet):
    """The model that a tracer makes."""
    values = {"points": points, "sequences": sequences}
    for stage in TRACERS[tracer]:
        record = registry().stage(stage)
        found = run_stage(stage, **{name: values[name] for name in record.takes if name in values})
        values[NAMES[type(found)]] = found
    return run_stage("build.calpha", threading=found)


@pytest.mark.parametrize("tracer", TRACERS)
@pytest.mark.parametrize(
    ("points", "sequences"),
    [
        (POINTS, chains(ABSENT)),
        (POINTS, chains(RIGHT, ABSENT)),
        (POINTS, chains(RIGHT, RIGHT, RIGHT)),
        (POINTS, chains(RIGHT, "MKTA")),
        (POINTS, chains("MKTA")),
        (POINTS, chains("X" * 60)),
        (POINTS, SequenceSet((Sequence("chain0", RIGHT), Sequence("r", "ACGU" * 9, "rna")))),
        (NO_POINTS, chains(RIGHT)),
    ],
    ids=["absent", "one absent", "three copies", "short too", "short", "all unknown", "with RNA", "no points"],
)
def test_a_user_is_told(tracer, points, sequences, caplog):
    if tracer == "fragments":
        pytest.importorskip("ortools", reason="assembly needs OR-Tools")
    with caplog.at_level(logging.WARNING, "cryoweave"):
        try:
            confidence = traced(tracer, points, sequences).trace_atoms().b_factor / 100
        except CryoweaveError as error:
            refused = error
        else:
            refused = None
    if refused is not None:
        assert refused.hint, refused
        return
    told = [record.getMessage() for record in caplog.records]
    assert told or confidence.mean() < LOW_CONFIDENCE, f"{len(confidence)} residues, {confidence.mean():.2f}"


@pytest.mark.parametrize("tracer", [name for name in TRACERS if name != "viterbi"])
def test_unknown_residues_cost_no_others(tracer):
    letters = "".join("X" if number % 9 == 4 else letter for number, letter in enumerate(RIGHT))
    if tracer == "fragments":
        pytest.importorskip("ortools", reason="assembly needs OR-Tools")
    trace = traced(tracer, POINTS, chains(letters)).trace_atoms()
    truth = ideal_model(FOLD, letters=RIGHT).trace_atoms().xyz
    off = np.linalg.norm(trace.xyz - truth[trace.residue_number - 1], axis=1)
    assert (off < 3).sum() > 0.7 * len(FOLD)
