"""Models from threadings."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet, Threading, Traces
from cryoweave.errors import CryoweaveError


def test_the_best_candidate_is_built_in_the_order_of_the_sequence():
    sequences = SequenceSet((Sequence("a", "ACDEF", copies=2), Sequence("long name", "GXW")))
    order = [(2, 1), (0, 4), (1, 0), (0, 2), (2, 0), (0, 3)]
    worse = [(0, 0)]
    rows = order + worse
    threading = Threading(
        sequences=sequences,
        candidate=[0] * len(order) + [1],
        chain=[c for c, _ in rows],
        residue=[r for _, r in rows],
        xyz=np.array([[10 * c + r, 0, 0] for c, r in rows], float),
        confidence=np.linspace(0.1, 0.7, len(rows)),
        score=[2.0, 1.0],
        origin=("one", "two"),
    )
    model = run_stage("build.calpha", threading=threading)
    assert list(zip(model.chain.tolist(), model.residue_number.tolist(), model.residue_name.tolist(), strict=True)) == [
        ("a", 3, "ASP"), ("a", 4, "GLU"), ("a", 5, "PHE"), ("A", 1, "ALA"), ("B", 1, "GLY"), ("B", 2, "UNK"),
    ]  # fmt: skip
    np.testing.assert_array_equal(model.xyz[:, 0], [2, 3, 4, 10, 20, 21])
    np.testing.assert_allclose(model.b_factor, [40, 60, 20, 30, 50, 10], rtol=1e-5)
    assert set(model.atom_name.tolist()) == {"CA"}


def test_traces_become_chains_of_unknown_residues():
    xyz = np.arange(21.0).reshape(7, 3)
    traces = Traces(xyz, np.ones(7), [0, 0, 0, 1, 2, 2, 3], [0, 0, 0, 1], np.ones(4))
    model = run_stage("build.trace", traces=traces)
    assert model.chain.tolist() == ["A"] * 3 + ["B"] * 2
    assert {*model.residue_name.tolist()} == {"UNK"}
    assert model.residue_number.tolist() == [1, 2, 3, 1, 2]
    np.testing.assert_array_equal(model.xyz, xyz[[0, 1, 2, 4, 5]])
    with pytest.raises(CryoweaveError, match="no trace has 9 points"):
        run_stage("build.trace", traces=traces, params={"fewest": 9})


def test_chains_of_which_little_is_built_are_told(caplog):
    sequences = SequenceSet((Sequence("A", "GAGAG", copies=2), Sequence("x", "MK"), Sequence("r", "ACGU", "rna")))
    rows = [0, 0, 0, 1]
    threading = Threading(
        sequences, [0] * 4, rows, [0, 1, 2, 0], np.arange(12.0).reshape(4, 3), np.ones(4), [1.0], ("trace",)
    )
    with caplog.at_level("WARNING"):
        run_stage("build.calpha", threading=threading)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 3
    assert said[2] == "r is RNA and is not built: only proteins are"
    assert said[0].startswith("A: only 1 of its 5 residues are built in 1 of 2 chains; is it in the map")
    assert said[1].startswith("x: only 0 of its 2 residues are built in the chain;")
