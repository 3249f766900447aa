import gzip
import struct

import numpy as np
import pytest

from cryoweave.data import DensityMap, Frame
from cryoweave.io.maps import write_map


@pytest.fixture
def path(tmp_path):
    values = np.zeros((6, 5, 4), np.float32)
    values[2, 2, 2], values[3, 2, 2] = 6.0, -1.0
    write_map(tmp_path / "a.mrc", DensityMap(values, Frame((6, 5, 4), (1.1, 1.1, 1.1), (5.0, -7.0, 2.5))))
    return tmp_path / "a.mrc"


def test_info(cli, path):
    report = cli("map", "info", path, "--json").json()
    assert report["shape_xyz"] == [4, 5, 6]
    assert report["voxel_xyz"] == [1.1, 1.1, 1.1]
    assert report["extent_xyz"] == pytest.approx([4.4, 5.5, 6.6])
    assert report["origin_xyz"] == [5.0, -7.0, 2.5]
    assert report["origin_rule"] == "ORIGIN words"
    assert (report["axis_order"], report["mode"]) == ("XYZ", "2 (float32)")
    assert (report["minimum"], report["maximum"]) == (-1.0, 6.0)
    assert report["mean"] == pytest.approx(5 / 120)
    assert report["zero_fraction"] == pytest.approx(118 / 120)
    assert report["contour_3_sigma"] == pytest.approx(5 / 120 + 3 * report["standard_deviation"])
    lines = cli("map", "info", path).out.splitlines()
    assert ["origin", "rule", "ORIGIN", "words"] in [line.split() for line in lines]


def test_only_the_header(cli, path):
    report = cli("map", "info", path, "--header-only", "--json").json()
    assert "mean" not in report
    assert report["compression"] == "none"


def test_other_origin_and_voxel(cli, path):
    report = cli("map", "info", path, "--origin=-1,0,2.5", "--voxel", "2", "--json").json()
    assert (report["origin_xyz"], report["voxel_xyz"]) == ([-1.0, 0.0, 2.5], [2.0, 2.0, 2.0])
    assert "origin" in report["origin_rule"]
    result = cli("map", "info", path, "--origin", "here")
    assert result.code == 2
    assert "three numbers" in result.err


def test_a_warning_goes_to_stderr(cli, path):
    content = bytearray(path.read_bytes())
    content[16:28] = struct.pack("<3i", 1, 2, 3)
    path.write_bytes(content)
    result = cli("map", "info", path)
    assert result.code == 0
    assert "disagree" in result.err
    assert "warning:" not in result.out


def test_compressed(cli, path):
    packed = path.with_name("renamed.mrc")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert cli("map", "info", packed, "--json").json()["compression"] == "gzip"


@pytest.mark.parametrize("content", [b"", b"no map", b"\0" * 1024, None])
def test_what_is_no_map_is_a_clear_error(cli, tmp_path, content):
    bad = tmp_path / "bad.mrc"
    if content is not None:
        bad.write_bytes(content)
    result = cli("map", "info", bad)
    assert (result.code, result.out) == (1, "")
    assert "bad.mrc" in result.err.replace("\n", "")
    assert "Traceback" not in result.err


def test_a_cut_file_is_a_clear_error(cli, path):
    path.write_bytes(path.read_bytes()[:-4])
    for extra in ([], ["--header-only"]):
        result = cli("map", "info", path, *extra)
        assert result.code == 1
        assert "cut short" in result.err
