"""What a value looks like in a Python session."""

import subprocess
import sys

import numpy as np

from cryoweave.data import DensityMap, Frame, Metric, Model, PointCloud, ScoreTable, Sequence, SequenceSet, Threading
from cryoweave.pipeline.run import RunResult

N = 300


def model():
    names = np.full(N, "ALA")
    return Model.from_trace(np.zeros((N, 3)), names, np.full(N, "A"), np.arange(N, dtype=np.int32), np.ones(N))


def scores():
    whole = dict.fromkeys(("recall", "precision", "f1", "rmsd", "tm", "gdt"), 0.5)
    return ScoreTable([], [], [], [], {}, whole, {name: Metric(name) for name in whole})


def test_arrays_are_shown_by_their_shape():
    assert repr(PointCloud(np.zeros((7, 3)), np.ones(7))) == (
        "PointCloud(xyz=[7 × 3], weight=[7], edges=[0 × 2], probabilities=[7 × 0], classes=())"
    )
    assert "xyz=[300 × 3], element=[300]" in repr(model())


def test_every_value_fits_a_few_lines():
    sequences = SequenceSet(tuple(Sequence(f"chain {i}", "A" * N) for i in range(50)))
    zeros = np.zeros(N, np.int32)
    threading = Threading(sequences, zeros, zeros, zeros, np.zeros((N, 3)), zeros, [1.0], ("a trace, forward",))
    result = RunResult("out", {f"entry {i}": list(range(N)) for i in range(30)}, model(), scores())
    for value in (DensityMap(np.zeros((9, 9, 9)), Frame((9, 9, 9))), model(), scores(), sequences, threading, result):
        assert len(repr(value)) < 800
        assert "\n" not in repr(value)
    assert "… 46 more" in repr(sequences)
    assert "whole={recall, precision, f1, rmsd, … 2 more}" in repr(result)


def test_the_package_lists_what_it_offers_and_no_imports():
    code = "import cryoweave; print(*[name for name in dir(cryoweave) if name[0] != '_'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "load_map load_model load_sequences plan run run_stage\n"
