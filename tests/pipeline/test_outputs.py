import subprocess
import sys

import numpy as np
import pytest

from cryoweave.data import Metric, Model, ScoreTable, Sequence, SequenceSet, Threading
from cryoweave.pipeline.ending import confidence_of
from cryoweave.pipeline.outputs import bibtex, merge_scores, write_outputs, write_residues


def table(numbers, residues, whole=None):
    n = len(numbers)
    names = [*residues, *(whole or {})]
    return ScoreTable(
        np.full(n, "A"),
        np.array(numbers, np.int32),
        np.full(n, ""),
        np.full(n, "GLY"),
        residues,
        whole or {},
        {name: Metric(name) for name in names},
    )


def test_scores_are_joined_by_residue():
    merged = merge_scores(
        [("a", table([1, 2, 3], {"q": [1, 2, 3]}, {"cc": 0.5})), ("b", table([3, 1, 4], {"d": [7, 8, 9]}))]
    )
    assert merged.residue_number.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(merged.residues["q"], [1, 2, 3, np.nan])
    np.testing.assert_array_equal(merged.residues["d"], [8, np.nan, 7, 9])
    assert merged.whole == {"cc": 0.5}
    assert set(merged.metrics) == {"q", "cc", "d"}


def test_of_two_scores_with_one_name_the_last_keeps_it():
    merged = merge_scores(
        [("before", table([1], {"q": [1.0]}, {"cc": 0.1})), ("after", table([1], {"q": [2.0]}, {"cc": 0.2}))]
    )
    assert merged.whole == {"before.cc": 0.1, "cc": 0.2}
    assert {name: values.tolist() for name, values in merged.residues.items()} == {"before.q": [1.0], "q": [2.0]}


def test_tables_without_residues_and_no_tables():
    merged = merge_scores([("a", table([], {}, {"cc": 0.5}))])
    assert len(merged) == 0
    assert merged.whole == {"cc": 0.5}
    assert merge_scores([]) is None


def test_the_citations_say_what_they_leave_out(tmp_path):
    write_outputs(tmp_path, None, None, sequences=None, dois={"10.1/x": "a stage"})
    head, *entry = (tmp_path / "citations.bib").read_text().partition("@misc")
    assert all(line.startswith("%") for line in head.strip().splitlines())
    assert "by its DOI only" in head
    assert entry[1].startswith("{10_1_x")


def test_each_residue_says_where_it_comes_from(tmp_path):
    sequences = SequenceSet((Sequence("long name", "GAG"), Sequence("x", "MK")))
    threading = Threading(
        sequences, [0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 2, 1], np.zeros((4, 3)), [0.5, 0.25, 1, 0], [2.0, 1.0],
        ("trace 1", "trace 2"), [-1, 0, 0, -1], ("predicted",),
    )  # fmt: skip

    def model(numbers):
        n = len(numbers)
        return Model.from_trace(np.zeros((n, 3)), np.full(n, "GLY"), np.array(["A", "x"][:n]), numbers, np.ones(n))

    assert write_residues(tmp_path, model([3, 2]), threading) == {"residues": "residues.tsv"}
    assert (tmp_path / "residues.tsv").read_text().splitlines() == [
        "chain\tresidue_number\tresidue_name\tconfidence\torigin",
        "A\t3\tGLY\t1.0\tpredicted",
        "x\t2\tGLY\t0.5\ttrace 1",
    ]
    assert write_residues(tmp_path / "other", model([2]), threading) == {}, "candidate 0 has no such residue"


def test_confidence_comes_from_b_factors_that_are_one():
    def model(b_factor, sure=True):
        n = len(b_factor)
        names = np.full(n, "GLY"), np.full(n, "A"), np.arange(n)
        return Model.from_trace(np.zeros((n, 3)), *names, np.array(b_factor), b_is_confidence=sure)

    assert confidence_of(model([90, 60, 20, 19])) == {
        "mean": 0.4725, "low_share": 0.25, "low_below": 0.2, "residues": 4,
    }  # fmt: skip
    for no_confidence in ([120, 30], [-5, 3], []):
        assert confidence_of(model(no_confidence)) is None
    assert confidence_of(model([90, 60], sure=False)) is None


def test_citations_are_bibtex():
    text = bibtex({"10.1038/s41467-018-04053-7": "cryoweave recipe x"})
    assert text.startswith("@misc{10_1038_s41467_018_04053_7,\n  doi = {10.1038/s41467-018-04053-7},\n")
    assert text.count("{") == text.count("}")


# In a process of its own: what other tests leave behind is freed at any moment, and would count against the block.
MEASURED = """
import time
import numpy as np
from cryoweave.pipeline.measure import measured

with measured() as taken:
    block = np.ones(40_000_000 // 8)
    end, later = time.process_time() + 0.3, time.perf_counter() + 0.3
    while time.process_time() < end or time.perf_counter() < later:
        pass
del block
with measured() as second:
    pass
print(taken.seconds, taken.cpu_seconds, taken.peak_mb, second.peak_mb)
"""


def test_what_a_block_took():
    ran = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True, check=True)
    seconds, cpu_seconds, *peaks = ran.stdout.split()
    # Clocks of processes tick coarsely.
    assert float(seconds) > 0.1
    assert float(cpu_seconds) > 0.1
    if peaks == ["None", "None"]:
        pytest.skip("this system does not tell the peak of memory")
    first, second = (float(peak) for peak in peaks)
    assert 38 < first < 60
    assert second < 1, "the peak of the block before does not count"
