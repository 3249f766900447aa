"""Maps: every order of axes, every rule of the origin, every mode lands where other readers put it."""

import bz2
import gzip
import itertools
import logging
from pathlib import Path
from typing import Any

import gemmi
import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.io import inspect_map, read_map, write_map
from cryoweave.io.header import header_dtype

ORDERS = list(itertools.permutations((1, 2, 3)))
VALUES = np.random.default_rng(3).normal(size=(4, 5, 6)).astype(np.float32)
VOXEL = (1.25, 1.5, 2.0)
START = (-3, 4, 7)


def mrc(values: np.ndarray, along: tuple[int, ...] = (1, 2, 3), order: str = "<", **words: Any) -> bytes:
    """A map file whose columns, rows and sections run along these axes; words in x, y, z order but for NSTART."""
    mode = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}[values.dtype.str[1:]]
    header = np.zeros((), header_dtype(order))  # type: ignore[arg-type]
    in_file = values.transpose([3 - axis for axis in along[::-1]])
    header["shape"] = in_file.shape[::-1]
    header["sampling"] = values.shape[::-1]
    header["cell"] = np.array(values.shape[::-1]) * VOXEL
    header["mode"], header["angles"], header["axes"] = mode, 90, along
    header["space_group"], header["mark"] = 1, b"MAP "
    header["stamp"] = (0x44, 0x44, 0, 0) if order == "<" else (0x11, 0x11, 0, 0)
    for name, value in words.items():
        header[name] = value
    return header.tobytes() + np.ascontiguousarray(in_file, values.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]


@pytest.fixture
def put(tmp_path: Path) -> Any:
    def write(content: bytes, name: str = "map.mrc") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("axes", ORDERS)
def test_all_axis_orders_with_nstart_agree_with_gemmi(put: Any, axes: tuple[int, ...]) -> None:
    start = [START[axis - 1] for axis in axes]
    sampling = (20, 30, 40)
    path = put(mrc(VALUES, axes, start=start, sampling=sampling, cell=np.array(sampling) * VOXEL))
    density = read_map(path)
    assert np.array_equal(density.values, VALUES)
    assert density.frame == Frame((4, 5, 6), VOXEL, (-3.75, 6.0, 14.0))
    other = gemmi.read_ccp4_map(str(path))
    other.setup(float("nan"))
    for z, y, x in itertools.product(range(4), range(5), range(6)):
        position = density.frame.to_xyz((z, y, x))[0]
        assert other.grid.get_nearest_point(gemmi.Position(*position)).value == VALUES[z, y, x]


@pytest.mark.parametrize("axes", ORDERS)
def test_all_axis_orders_with_origin_words(put: Any, axes: tuple[int, ...]) -> None:
    path = put(mrc(VALUES, axes, origin=(10.5, -20.25, 30.0)))
    density = read_map(path)
    assert np.array_equal(density.values, VALUES)
    assert density.frame == Frame((4, 5, 6), VOXEL, (10.5, -20.25, 30.0))
    assert inspect_map(path).origin_rule == "ORIGIN words"
    assert inspect_map(path).axes == axes
    with mrcfile.open(path) as other:
        assert np.array_equal(other.data.transpose(np.argsort([3 - axis for axis in axes[::-1]])), density.values)


def test_the_rules_of_the_origin(put: Any) -> None:
    both = mrc(VALUES, start=START, origin=(-3.75, 6.0, 14.0))
    assert inspect_map(put(both)).origin_xyz == (-3.75, 6.0, 14.0)
    assert inspect_map(put(both)).origin_rule == "both set and equal"
    disagreeing = inspect_map(put(mrc(VALUES, start=START, origin=(1, 2, 3))))
    assert disagreeing.origin_xyz == (1, 2, 3)
    assert "disagree" in disagreeing.warnings[0]
    assert inspect_map(put(mrc(VALUES, start=START))).origin_rule == "NSTART x voxel"
    assert inspect_map(put(mrc(VALUES))).origin_rule == "no shift in the header"
    given = inspect_map(put(both), origin=(5.0, 6.0, 7.0))
    assert (given.origin_xyz, given.origin_rule) == ((5, 6, 7), "given by --origin")
    assert read_map(put(both), origin=(5.0, 6.0, 7.0)).frame.origin_xyz == (5, 6, 7)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "i2", "f4", "u2", "f2"])
def test_modes_and_byte_orders_agree_with_mrcfile(put: Any, dtype: str, order: str) -> None:
    values = (np.arange(120) % 120 + (60_000 if dtype == "u2" else -50 if dtype != "u2" else 0)).reshape(4, 5, 6)
    path = put(mrc(values.astype(dtype), order=order))
    density = read_map(path)
    assert density.values.dtype == np.float32
    with mrcfile.open(path) as other:
        assert np.array_equal(density.values, other.data.astype(np.float32))
    assert np.array_equal(density.values, values)


@pytest.mark.parametrize(("pack", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (bytes, "")])
def test_compression_is_told_by_content(put: Any, pack: Any, name: str) -> None:
    path = put(pack(mrc(VALUES)), "misnamed.map")
    assert inspect_map(path).compression == name
    assert np.array_equal(read_map(path).values, VALUES)


def test_odd_headers_are_read_with_a_warning(put: Any, caplog: pytest.LogCaptureFixture) -> None:
    for words, text in (
        ({"stamp": 0}, "machine stamp"),
        ({"mark": b""}, "MAP mark"),
        ({"angles": 0}, "angles are 0"),
        ({"axes": 0}, "mapc"),
        ({"stamp": (0x11, 0x11, 0, 0)}, "machine stamp"),
    ):
        caplog.clear()
        path = put(mrc(VALUES, **words))
        assert text in inspect_map(path).warnings[0]
        with caplog.at_level(logging.WARNING, "cryoweave.io"):
            assert np.array_equal(read_map(path).values, VALUES)
        assert text in caplog.text


def test_the_sampling_not_the_shape_gives_the_voxel(put: Any) -> None:
    frame = read_map(put(mrc(VALUES, sampling=(5, 4, 3), cell=(5.5, 8.0, 3.18)))).frame
    assert frame.voxel_xyz == (1.1, 2.0, 1.06)


def test_an_extended_header_is_skipped(put: Any) -> None:
    content = mrc(VALUES, extended=160)
    assert np.array_equal(read_map(put(content[:1024] + b"x" * 160 + content[1024:])).values, VALUES)
    packed = gzip.compress(content[:1024] + b"x" * 160 + content[1024:])
    assert np.array_equal(read_map(put(packed)).values, VALUES)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"angles": (90, 94.326, 90)}, r"not orthogonal: its angles are 90, 94.326, 90"),
        ({"cell": 0}, "voxel size is zero"),
        ({"sampling": 0}, "voxel size is not known"),
        ({"space_group": 401, "sampling": (6, 5, 2)}, "stack of 2 volumes"),
        ({"space_group": 0, "sampling": (6, 5, 1)}, "stack of 4 images"),
        ({"axes": (1, 2, 2)}, "axis order"),
        ({"mode": 4}, "mode 4, complex"),
        ({"mode": 101}, "mode 101"),
        ({"shape": (2048, 1024, 1024)}, "missing"),
        ({"shape": (-6, 5, 4)}, "cannot be"),
        ({"origin": (np.nan, 0, 0)}, "origin cannot be"),
    ],
)
def test_what_cannot_be_read_says_why(put: Any, words: dict[str, Any], message: str) -> None:
    path = put(mrc(VALUES, **words))
    with pytest.raises(InputError, match=message) as caught:
        read_map(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_a_voxel_size_may_be_given(put: Any) -> None:
    frame = read_map(put(mrc(VALUES, cell=0, start=(2, 0, 0))), voxel=1.5).frame
    assert (frame.voxel_xyz, frame.origin_xyz) == ((1.5, 1.5, 1.5), (3.0, 0.0, 0.0))
    with pytest.raises(InputError, match="cannot be"):
        read_map(put(mrc(VALUES)), voxel=-1.0)


def test_missing_bytes_are_counted(put: Any) -> None:
    content = mrc(VALUES)
    with pytest.raises(InputError, match=f"7 of {len(content)} bytes are missing"):
        read_map(put(content[:-7]))
    with pytest.raises(InputError, match=f"7 of {len(content)} bytes are missing"):
        read_map(put(gzip.compress(content[:-7])))
    with pytest.raises(InputError, match="header: 24 bytes are missing"):
        inspect_map(put(content[:1000]))


def test_nan_voxels_are_named_in_our_order(put: Any) -> None:
    values = VALUES.copy()
    values[1, 2, 3] = values[3, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"infinite: 2, the first at \(z, y, x\) = \(1, 2, 3\)"):
        read_map(put(mrc(values, (3, 1, 2))))


def test_no_file_and_no_regular_file(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "none.mrc", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(InputError, match=message):
            read_map(path)


@pytest.mark.parametrize("suffix", [".mrc", ".map", ".mrc.gz", ".mrc.bz2"])
def test_written_maps_come_back_and_other_readers_agree(tmp_path: Path, suffix: str) -> None:
    density = DensityMap(VALUES, Frame((4, 5, 6), VOXEL, (-3.75, 6.0, 14.0)))
    path = tmp_path / f"out{suffix}"
    write_map(path, density)
    again = read_map(path)
    assert again.frame == density.frame
    assert np.array_equal(again.values, VALUES)
    assert inspect_map(path).origin_rule == "both set and equal"
    with mrcfile.open(path) as other:
        assert np.array_equal(other.data, VALUES)
        assert other.header.origin.tolist() == (-3.75, 6.0, 14.0)
        assert other.nstart.tolist() == START
        assert other.header.rms == pytest.approx(VALUES.std(), rel=1e-6)
    first = path.read_bytes()
    write_map(path, density)
    assert path.read_bytes() == first


def test_gemmi_finds_a_written_map_at_its_place(tmp_path: Path) -> None:
    density = DensityMap(VALUES, Frame((4, 5, 6), VOXEL, (-3.75, 6.0, 14.0)))
    write_map(tmp_path / "out.mrc", density)
    other = gemmi.read_ccp4_map(str(tmp_path / "out.mrc"))
    other.setup(0.0)
    for z, y, x in ((0, 0, 0), (3, 4, 5), (1, 2, 3)):
        position = gemmi.Position(*density.frame.to_xyz((z, y, x))[0])
        assert other.grid.interpolate_value(position, 1) == pytest.approx(VALUES[z, y, x], abs=1e-5)


def test_written_maps_are_valid(tmp_path: Path) -> None:
    write_map(tmp_path / "out.mrc", DensityMap(VALUES, Frame((4, 5, 6), VOXEL, (0.3, 0.1, 0.2))))
    assert mrcfile.validate(tmp_path / "out.mrc")
    with mrcfile.open(tmp_path / "out.mrc") as other:
        assert other.nstart.tolist() == (0, 0, 0)  # not a whole number of voxels


numbers = st.floats(-500, 500)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.1, 20), st.floats(0.1, 20), st.floats(0.1, 20), st.tuples(numbers, numbers, numbers))
def test_a_frame_once_read_does_not_drift(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, z: float, origin: tuple[float, float, float]
) -> None:
    path = tmp_path_factory.mktemp("drift") / "map.mrc"
    density = DensityMap(VALUES, Frame((4, 5, 6), (x, y, z), origin))
    write_map(path, density)
    once = read_map(path)
    assert np.allclose(once.frame.voxel_xyz, (x, y, z), rtol=1e-6, atol=1e-9)
    assert np.allclose(once.frame.origin_xyz, origin, rtol=1e-6, atol=1e-6)
    write_map(path, once)
    assert read_map(path).frame == once.frame


def test_whole_numbers_may_be_written_as_bytes(tmp_path: Path) -> None:
    values = np.arange(-60, 60, dtype=np.float32).reshape(4, 5, 6)
    density = DensityMap(values, Frame(values.shape, VOXEL, (1.0, 2.0, 3.0)))
    write_map(tmp_path / "bytes.mrc", density, mode=0)
    assert (tmp_path / "bytes.mrc").stat().st_size == 1024 + values.size
    back = read_map(tmp_path / "bytes.mrc")
    np.testing.assert_array_equal(back.values, values)
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "bytes.mrc"), values)
    for wrong in (values + 0.5, values + 100):
        with pytest.raises(InputError, match="whole numbers from -128 to 127"):
            write_map(tmp_path / "no.mrc", DensityMap(wrong, density.frame), mode=0)
        assert not (tmp_path / "no.mrc").exists()
