"""Reading predictions of other programs, sound and hostile."""

import gzip

import numpy as np
import pytest

from cryoweave.errors import InputError
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_daq.classes import CLASSES, SPLITS
from cryoweave_daq.imported import read_prediction

FRAME = simulated_map(ideal_model("H" * 12 + "E" * 6), resolution=3.0).frame


def test_the_published_file(example):
    xyz, found = read_prediction(example.prediction, example.fine.frame)
    assert xyz.shape == (7582, 3)
    assert found.shape == (7582, 29)
    np.testing.assert_allclose(xyz[0] - example.fine.frame.origin_xyz, (0, 12, 32), atol=1e-9)
    assert found[0, 0] == pytest.approx(0.035113085)
    assert found[0, -1] == pytest.approx(0.6140918)


def test_compressed_or_not_with_and_without_the_last_comma(small, tmp_path):
    xyz, found = read_prediction(small.prediction, FRAME)
    packed = tmp_path / "prediction.txt.gz"
    packed.write_bytes(gzip.compress("\n".join(line.rstrip(",") for line in small.lines).encode()))
    again = read_prediction(packed, FRAME)
    np.testing.assert_array_equal(again[0], xyz)
    np.testing.assert_array_equal(again[1], found)


HOSTILE = {
    "empty": (lambda _lines: [], "is empty"),
    "truncated": (lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]], "lacks a number|no probabilities"),
    "nan": (lambda lines: [lines[0].replace(lines[0].split(",")[9], "nan"), *lines[1:]], "not finite"),
    "infinite": (lambda lines: [lines[0].replace(lines[0].split(",")[9], "inf"), *lines[1:]], "not finite"),
    "too few columns": (lambda lines: [",".join(line.split(",")[:20]) for line in lines], "columns, wanted 32"),
    "too many columns": (lambda lines: [line + "0.5,0.5," for line in lines], "columns, wanted 32"),
    "ragged": (lambda lines: [*lines, lines[0] * 2], "no table of numbers"),
    "words": (lambda lines: ["x,y,z," * 8, *lines], "no table of numbers"),
    "negative index": (lambda lines: ["-" + lines[0], *lines[1:]], "outside of the map"),
    "far index": (lambda lines: ["9999," + lines[0].partition(",")[2], *lines[1:]], "outside of the map"),
    "broken index": (lambda lines: ["1.5," + lines[0].partition(",")[2], *lines[1:]], "not whole voxels"),
    "negative probability": (
        lambda lines: [",".join([*line.split(",")[:3], "-0.1", *line.split(",")[4:]]) for line in lines],
        "no probabilities",
    ),
    "no probabilities": (
        lambda lines: [",".join([*line.split(",")[:3], *["1"] * 29]) for line in lines],
        "no probabilities",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(small, tmp_path, name):
    change, message = HOSTILE[name]
    path = tmp_path / "hostile.txt"
    lines = change(small.lines)
    if name == "negative index" and lines[0].startswith("-0,"):
        lines[0] = "-1" + lines[0][2:]
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message) as error:
        read_prediction(path, FRAME)
    assert str(path) in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize("name", ["prediction.txt", "prediction.npy"])
def test_bytes_of_anything(tmp_path, name):
    path = tmp_path / name
    for content in (b"\x00\xff\xfe" * 99, b"\x93NUMPY", gzip.compress(b"1,2,3\n" * 99)[:30], b"PK\x03\x04junk"):
        path.write_bytes(content)
        with pytest.raises(InputError):
            read_prediction(path, FRAME)


def array_of(xyz, values, path):
    np.save(path, np.concatenate((xyz, values), axis=1).astype(np.float32))
    return path


def test_an_array_of_probabilities(small, tmp_path):
    xyz = FRAME.to_xyz(np.argwhere(np.ones((5, 5, 5))))
    values = small.random(len(xyz))
    found_xyz, found = read_prediction(array_of(xyz, values, tmp_path / "a.npy"), FRAME)
    np.testing.assert_allclose(found_xyz, xyz, atol=1e-4)
    np.testing.assert_allclose(found, values, atol=1e-6)


def test_an_array_of_log_ratios(example, tmp_path):
    """What DAQplugin writes: ln of probability over its mean; the probabilities come back."""
    xyz, values = read_prediction(example.prediction, example.fine.frame)
    means = np.concatenate([head.mean(axis=0) for head in np.split(values.astype(np.float64), SPLITS, axis=1)])
    path = array_of(xyz, np.log(values / means), tmp_path / "points_AA_ATOM_SS.npy")
    _, found = read_prediction(path, example.fine.frame)
    assert np.abs(found - values).max() < 1e-4


def test_hostile_arrays(small, tmp_path):
    path = tmp_path / "a.npy"
    xyz = np.array(FRAME.to_xyz(np.argwhere(np.ones((4, 4, 4)))))
    values = small.random(len(xyz))
    wrong = {
        "holds no prediction": np.zeros((0, 32)),
        "does not hold numbers": np.concatenate((xyz, values[:, :20]), axis=1),
        "not finite": np.full((40, 32), np.nan),
        "outside of the map": np.concatenate((xyz + 999, values), axis=1),
        "neither probabilities": np.concatenate((xyz, 99 * values - 0.5), axis=1),
    }
    for message, table in wrong.items():
        np.save(path, table)
        with pytest.raises(InputError, match=message):
            read_prediction(path, FRAME)
    np.save(path, np.array([{"a": 1}] * 32, dtype=object)[None], allow_pickle=True)
    with pytest.raises(InputError, match="no array of numbers"):
        read_prediction(path, FRAME)


def test_classes():
    assert len(CLASSES) == 29
    assert CLASSES[:20][-1] == "GLY"
    assert CLASSES[22] == "CA"
