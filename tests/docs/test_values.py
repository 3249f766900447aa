"""The table of data classes in docs/guide/plugins.md against the classes themselves."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from cryoweave import data

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "guide" / "plugins.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)\.(\w+)` \| ([^|]+) \|", TEXT, re.MULTILINE)
FRAME = data.Frame((2, 3, 4))
SEQUENCES = data.SequenceSet((data.Sequence("a", "ACD"),))
NAMES = [["A"], [1], [""], ["ALA"]]
VALUES = [
    FRAME,
    data.DensityMap(np.zeros((2, 3, 4)), FRAME),
    data.ProbabilityMaps(np.zeros((1, 2, 3, 4)), FRAME, ("CA",)),
    data.PointCloud(np.zeros((2, 3)), [1, 2], [[0, 1]]),
    data.BondGraph(data.PointCloud(np.zeros((2, 3)), [1, 2]), [[0, 1]], [3.8], [1.0], [1.0], [0.0]),
    data.Traces(np.zeros((2, 3)), [1, 1], [0, 0], [0], [1.0]),
    SEQUENCES,
    SEQUENCES.sequences[0],
    data.Threading(SEQUENCES, [0], [0], [2], np.zeros((1, 3)), [0.5], [1.0], ("trace 0",)),
    data.Model.from_trace(np.zeros((1, 3)), *(np.array(column) for column in (["ALA"], ["A"], [1], [0.0]))),
    data.ModelSet(
        ("m",), (data.Model.from_trace(np.zeros((1, 3)), *(np.array(c) for c in (["ALA"], ["A"], [1], [0.0]))),)
    ),
    data.Poses(np.eye(3)[None], np.zeros((1, 3)), [1.0], ["m"]),
    data.ScoreTable(*NAMES, {"q": [1.0]}, {"q": 1.0}, {"q": data.Metric("Q.")}),
]


def test_the_table_has_every_class_but_those_it_explains_in_a_row():
    in_a_row = {"Metric", "Curve"}
    assert {type(value).__name__ for value in VALUES} == {name for name, _, _ in ROWS} == {*data.__all__} - in_a_row


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_its_rows_are_the_fields_in_their_order_with_their_types(value):
    rows = [(field, kind) for name, field, kind in ROWS if name == type(value).__name__]
    assert [field for field, _ in rows] == [field.name for field in fields(value)]
    for field, kind in rows:
        held = getattr(value, field)
        if isinstance(held, np.ndarray):
            dtype, shape = re.fullmatch(r"(\w+) `\((.+?),?\)`", kind).groups()
            assert dtype == ("str" if held.dtype.kind == "U" else held.dtype.name), field
            assert len(shape.split(",")) == held.ndim, field
        else:
            assert "`(" not in kind, field


def test_the_filter_on_the_page_keeps_the_edges():
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    block = next(code for code in blocks if "def stronger" in code)
    names = {}
    exec(compile(block, "plugins.md", "exec"), names)
    points = data.PointCloud(np.arange(12.0).reshape(4, 3), [1, 5, 0, 5], [[0, 1], [1, 3], [2, 3]])
    found = names["stronger"](points, 0.5)
    assert found.xyz.tolist() == points.xyz[[0, 1, 3]].tolist()
    assert found.edges.tolist() == [[0, 1], [1, 2]]
