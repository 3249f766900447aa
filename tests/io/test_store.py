"""Stored values come back, equal ones have one digest, and damaged folders say so."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cryoweave.data import (
    BondGraph,
    Curve,
    DensityMap,
    Frame,
    Metric,
    Model,
    ModelSet,
    PointCloud,
    Poses,
    ProbabilityMaps,
    ScoreTable,
    Sequence,
    SequenceSet,
    Threading,
    Traces,
)  # fmt: skip
from cryoweave.errors import InputError
from cryoweave.io import digest, load, read_model, save, store, write_scores

RNG = np.random.default_rng(11)
SEQUENCES = SequenceSet((Sequence("A b", "MKV", "protein", "HEC", 2), Sequence("R", "ACGU", "rna")))
NO_SCORES = '{"schema": "cryoweave-scores/2", "metrics": {}, "whole": {}, "curves": {}}'
FRAME = Frame((3, 4, 5), (1.06, 1.06, 1.06), (-2.12, 0.0, 10.6))


def doubles(n: int) -> Any:
    return hnp.arrays(np.float64, n, elements=st.floats(allow_nan=False, allow_infinity=False))


def singles(n: int) -> Any:
    return hnp.arrays(np.float32, n, elements=st.floats(width=32, allow_nan=False, allow_infinity=False))


def values() -> dict[type, Any]:
    n = 7
    xyz = RNG.normal(size=(n, 3)) * 100
    single = RNG.random(n).astype(np.float32)
    names = np.array(["ALA", "GLY", "MET", "ALA", "ALA", "TRP", "A"])
    chain, number = np.array(["A", "A", "AA", "B", "B", "B", "R"]), np.arange(-3, 4, dtype=np.int32)
    rotation = np.linalg.qr(RNG.normal(size=(2, 3, 3)))[0]
    rotation *= np.linalg.det(rotation)[:, None, None]
    return {
        DensityMap: DensityMap(RNG.normal(size=(3, 4, 5)), FRAME),
        ProbabilityMaps: ProbabilityMaps(RNG.random((2, 3, 4, 5)), FRAME, ("CA", "N/x")),
        PointCloud: PointCloud(xyz, single, [[0, 1], [3, 6]], RNG.random((n, 2)), ("helix", "strand")),
        BondGraph: BondGraph(
            PointCloud(xyz, single, [[0, 1]], RNG.random((n, 1)), ("ALA",)),
            [[0, 1], [0, 6], [2, 3]], RNG.random(3), RNG.random(3), RNG.random(3), RNG.normal(size=3),
        ),
        Traces: Traces(xyz, single, [0, 0, 0, 1, 1, 2, 2], [0, 0, 1], RNG.normal(size=3)),
        SequenceSet: SEQUENCES,
        Threading: Threading(
            SEQUENCES, [0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 2, 2, 2, 2], [0, 1, 2, 0, 1, 2, 3], xyz, single, [2.5, -1 / 3],
            ('trace 0, "forward"', ""), [0, -1, 1, 0, 1, -1, 0], ("on a line", "trace 3"),
        ),
        Model: Model.from_trace(np.round(xyz, 3), names, chain, number, np.round(single, 2)),
        ModelSet: ModelSet(
            ("a", "b/c"),
            (
                Model.from_trace(np.round(xyz, 3), names, chain, number, np.round(single, 2)),
                Model.from_trace(np.round(xyz[:2], 3), names[:2], chain[:2], number[:2], np.round(single[:2], 2)),
            ),
        ),
        Poses: Poses(
            rotation, RNG.normal(size=(2, 3)), [1.0, 0.1], ["a", "b c"],
            {"z": np.array([np.nan, 0.1]), "overlap": [3, 4]},
        ),
        ScoreTable: ScoreTable(
            chain, number, np.array(["", "A", "", "", "", "", ""]), names,
            {"daq": np.array([0.1, np.nan, *range(5)])}, {"daq": np.nan, "recall": 1 / 3},
            {"daq": Metric("A ratio.", "nat", True), "recall": Metric("A part.")},
            {"fsc": Curve([0.1, 0.2], [1.0, np.nan], "1/Å", "FSC", "A correlation.")},
        ),
    }  # fmt: skip


def same(one: Any, other: Any) -> bool:
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one)
        )
    if isinstance(one, np.ndarray):
        return one.dtype.kind == other.dtype.kind and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    return bool(one == other or (one != one and other != other))


@pytest.mark.parametrize("kind", store.TYPES)
def test_every_type_comes_back(tmp_path: Path, kind: type) -> None:
    value = values()[kind]
    save(value, tmp_path / "v")
    again = load(kind, tmp_path / "v")
    assert same(again, value)
    assert digest(again) == digest(value)
    assert list(tmp_path.iterdir()) == [tmp_path / "v"]


def test_half_precision_stays_half(tmp_path: Path) -> None:
    value = ProbabilityMaps(RNG.random((2, 3, 4, 5)).astype(np.float16), FRAME, ("CA", "N"))
    save(value, tmp_path / "v")
    again = load(ProbabilityMaps, tmp_path / "v")
    assert again.values.dtype == np.float16
    assert digest(again) == digest(value)
    assert again.of("N").values.dtype == np.float32


@pytest.mark.parametrize("kind", store.TYPES)
def test_saving_twice_gives_the_same_bytes(tmp_path: Path, kind: type) -> None:
    value = values()[kind]
    save(value, tmp_path / "a")
    save(value, tmp_path / "b")
    save(value, tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_tables_keep_every_bit(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 6))
    folder = tmp_path_factory.mktemp("bits")
    points = PointCloud(data.draw(doubles(3 * n)).reshape(n, 3), data.draw(singles(n)))
    save(points, folder / "points")
    assert same(load(PointCloud, folder / "points"), points)
    fragment = np.arange(n, dtype=np.int32)
    traces = Traces(
        data.draw(doubles(3 * n)).reshape(n, 3), data.draw(singles(n)), fragment, fragment, data.draw(doubles(n))
    )
    save(traces, folder / "traces")
    assert same(load(Traces, folder / "traces"), traces)


printable = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@settings(max_examples=40, deadline=None)
@given(origin=st.lists(printable, min_size=1, max_size=4))
def test_texts_keep_every_letter(tmp_path_factory: pytest.TempPathFactory, origin: list[str]) -> None:
    folder = tmp_path_factory.mktemp("texts") / "t"
    n = len(origin)
    empty = np.zeros(0, np.int32)
    threading = Threading(SEQUENCES, empty, empty, empty, np.zeros((0, 3)), np.zeros(0), np.zeros(n), tuple(origin))
    save(threading, folder)
    assert load(Threading, folder).origin == tuple(origin)


def test_a_line_end_in_a_table_is_refused(tmp_path: Path) -> None:
    poses = values()[Poses]
    with pytest.raises(InputError, match="line end"):
        save(Poses(poses.rotation, poses.translation, poses.score, ["a\tb", "c"]), tmp_path / "v")
    assert list(tmp_path.iterdir()) == []


def test_tables_open_in_pandas(tmp_path: Path) -> None:
    scores = values()[ScoreTable]
    save(scores, tmp_path / "v")
    frame = pandas.read_csv(tmp_path / "v" / "scores.tsv", sep="\t", keep_default_na=False, na_values=["nan"])
    assert list(frame.columns) == ["auth_asym_id", "auth_seq_id", "ins_code", "comp_id", "daq"]
    assert np.array_equal(frame["daq"], scores.residues["daq"], equal_nan=True)


def test_a_table_for_people_has_few_digits(tmp_path: Path) -> None:
    scores = values()[ScoreTable]
    third = replace(scores, residues={"daq": np.full(len(scores), 1 / 3)})
    write_scores(tmp_path, third, digits=7)
    assert (tmp_path / "scores.tsv").read_text().splitlines()[1].endswith("\t0.3333333")
    save(third, tmp_path / "v")
    assert load(ScoreTable, tmp_path / "v").residues["daq"][0] == 1 / 3


def test_digests_tell_values_apart() -> None:
    one = values()[PointCloud]
    moved = one.xyz.copy()
    moved[0, 0] = np.nextafter(moved[0, 0], 1e9)
    others = [
        PointCloud(moved, one.weight, one.edges, one.probabilities, one.classes),
        PointCloud(one.xyz, one.weight, one.edges, one.probabilities, ("helix", "strands")),
        PointCloud(one.xyz, one.weight, one.edges[:1], one.probabilities, one.classes),
        PointCloud(one.xyz, one.weight),
    ]
    assert len({digest(value) for value in [one, *others]}) == 5
    assert digest(np.array(["ab", "c"])) != digest(np.array(["a", "bc"]))
    assert digest(np.array(["a"], dtype="U1")) == digest(np.array(["a"], dtype="U9"))
    assert len(digest(one)) == 64


@pytest.mark.parametrize(
    ("kind", "file", "content", "message"),
    [
        (PointCloud, "points.tsv", None, "does not exist"),
        (PointCloud, "points.tsv", "x\ty\tweight\n", "no column 'z'"),
        (PointCloud, "points.tsv", "x\ty\tz\tweight\n1\t2\t3\n", "line 2 has 3 values for 4"),
        (PointCloud, "points.tsv", "x\ty\tz\tweight\n1\t2\ta\t1\n", "another type"),
        (PointCloud, "points.tsv", "x\ty\tz\tweight\n1\t2\tnan\t1\n", "not finite"),
        (PointCloud, "edges.tsv", "i\tj\n0\t99\n", "an edge names a point"),
        (PointCloud, "edges.tsv", "i\tj\n0\t99999999999\n", "another type"),
        (PointCloud, "edges.tsv", "", "not a table"),
        (PointCloud, "edges.tsv", "\xff\xfe\0", "no column 'i'"),
        (BondGraph, "bonds.tsv", "i\tj\tlength\tleast\tmean\tforward\n1\t0\t2\t1\t1\t0\n", "sorted, each once"),
        (BondGraph, "points.tsv", None, "does not exist"),
        (Traces, "fragments.tsv", "candidate\tscore\n", "names a fragment that is not there"),
        (Poses, "poses.tsv", "model\tscore\n", "no column"),
        (ModelSet, "001.cif", None, "does not exist"),
        (ModelSet, "models.json", '{"names": ["a"], "files": []}', "one file per model"),
        (ModelSet, "models.json", '{"names": ["a", "a"], "files": ["000.cif", "001.cif"]}', "two models"),
        (SequenceSet, "sequences.json", "[]", "not a JSON object"),
        (SequenceSet, "sequences.json", "{", "not JSON"),
        (SequenceSet, "sequences.json", '{"sequences": [{}]}', "does not have the members"),
        (SequenceSet, "sequences.json", "[" * 100_000, "not JSON"),
        (ScoreTable, "scores.json", NO_SCORES.replace("cryoweave-scores", "other"), "schema 'other/2'"),
        (ScoreTable, "scores.json", NO_SCORES.replace('"metrics": {}', '"metrics": {"daq": 3}'), "not well"),
        (ScoreTable, "scores.json", NO_SCORES.replace('"curves": {}', '"curves": {"fsc": {}}'), "not well"),
        (ProbabilityMaps, "classes.json", '{"classes": ["a"], "files": ["../a.mrc"]}', "does not exist"),
        (DensityMap, "density.mrc", "short", "header"),
        (Model, "model.cif", "data_x\n", "no _atom_site"),
    ],
)
def test_damaged_folders(tmp_path: Path, kind: type, file: str, content: str | None, message: str) -> None:
    folder = tmp_path / "v"
    save(values()[kind], folder)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        load(kind, folder)
    assert str(folder) in str(caught.value)


def test_types_without_a_format(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file format for int"):
        save(3, tmp_path / "v")
    with pytest.raises(InputError, match="no digest of a set"):
        digest({1})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("kind", "chains", "calphas"), [(PointCloud, ["1"] * 7, 0), (Traces, list("1112233"), 7)])
def test_viewers_open_points_and_traces(tmp_path: Path, kind: type, chains: list[str], calphas: int) -> None:
    value = values()[kind]
    save(value, tmp_path / "v")
    (file,) = (tmp_path / "v").glob("*.cif")
    shown = read_model(file)
    np.testing.assert_allclose(shown.xyz, value.xyz, atol=6e-4)
    np.testing.assert_allclose(shown.b_factor, value.weight, rtol=1e-4)
    assert shown.chain.tolist() == chains
    assert len(shown.trace_atoms()) == calphas
