"""Density maps: MRC and CCP4 files, plain, gzip or bzip2."""

import bz2
import gzip
from pathlib import Path
from typing import IO, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file
from cryoweave.io.content import compression_of, log, open_content
from cryoweave.io.header import HEADER_BYTES, MODES, MapInfo, header_dtype, parse_header

_CHUNK = 1 << 22
_DEFLATE_AT_MOST = 1040
"""Deflate cannot pack more bytes than this into one."""
_STRONGEST = 1.8e19
"""Its square is the largest that float32 holds."""


def inspect_map(
    path: str | Path, *, origin: tuple[float, float, float] | None = None, voxel: float | None = None
) -> MapInfo:
    """What a map's header says, without reading the voxels.

    Parameters
    ----------
    path
        MRC or CCP4 file; gzip and bzip2 are told by their content.
    origin
        Position of the first voxel in Å, instead of the header's.
    voxel
        Voxel size in Å, instead of the header's.

    Raises
    ------
    InputError
        If the file cannot be a map, is shorter than its header says, or holds what cannot be read here: complex
        numbers, several volumes, a cell whose angles are not 90 degrees, no voxel size.
    """
    path = Path(path)
    compression = compression_of(path)
    with open_content(path) as stream:
        block = stream.read(HEADER_BYTES)
    info = parse_header(block, path, compression, origin=origin, voxel=voxel)
    _long_enough(info)
    return info


def read_map(
    path: str | Path, *, origin: tuple[float, float, float] | None = None, voxel: float | None = None
) -> DensityMap:
    """Read a density map; its axes are put in the order z, y, x.

    The origin is that of the ORIGIN words if one of them is not zero, else NSTART times voxel; never the sum. The
    voxel size is the cell divided by (mx, my, mz). What is odd in the header is logged as a warning.

    Parameters
    ----------
    path, origin, voxel
        As for `inspect_map`.

    Raises
    ------
    InputError
        As for `inspect_map`, and if a voxel is NaN, infinite or absurdly large.
    """
    info = inspect_map(path, origin=origin, voxel=voxel)
    for warning in info.warnings:
        log.warning("%s: %s", info.path, warning)
    try:
        values = _in_order(_read_voxels(info), info)
    except MemoryError as error:
        needed = info.data_bytes / 2**30
        raise InputError(
            f"{info.path} needs {needed:.1f} GiB of memory", "crop the map or use a larger machine"
        ) from error
    values.flags.writeable = False
    _finite(values, info)
    return DensityMap(values, info.frame)


def write_map(path: str | Path, density: DensityMap, *, mode: Literal[0, 2, 12] = 2) -> None:
    """Write a density map as MRC; gzip or bzip2 if the name ends in ``.gz`` or ``.bz2``.

    The ORIGIN words hold the origin. NSTART holds it too where it is a whole number of voxels, for the readers that
    know NSTART only (gemmi, CCP4); those that know both use one of them.

    Parameters
    ----------
    path
        Where to write; the file appears whole or not at all.
    density
        The map.
    mode
        2: 32-bit floating numbers. 12: 16-bit ones, which round. 0: 8-bit whole numbers, for maps that hold only such.

    Raises
    ------
    InputError
        If the folder cannot be written, or the map's values do not fit into the mode.
    """
    path = Path(path)
    header = _header_of(density, mode)
    values = np.ascontiguousarray(density.values.astype({0: "i1", 2: "<f4", 12: "<f2"}[mode]))
    if mode == 0 and not np.array_equal(values, density.values):
        raise InputError(f"{path}: mode 0 holds whole numbers from -128 to 127 only", "write mode 2")
    with atomic_file(path) as temporary, temporary.open("wb") as raw, _packed(raw, path.suffix) as stream:
        stream.write(header)
        stream.write(values.data.cast("B"))


def _packed(raw: IO[bytes], suffix: str) -> BinaryIO:
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0))
    return cast(BinaryIO, bz2.open(raw, "wb")) if suffix == ".bz2" else cast(BinaryIO, raw)


def _header_of(density: DensityMap, mode: int) -> bytes:
    frame = density.frame
    words = np.zeros((), header_dtype())
    words["shape"] = words["sampling"] = frame.shape_zyx[::-1]
    words["mode"] = mode
    words["start"] = _whole_voxels(frame)
    words["cell"], words["angles"], words["axes"] = frame.extent_xyz, 90.0, (1, 2, 3)
    values = density.values
    mean = float(values.mean(dtype=np.float64))
    words["range"] = float(values.min()), float(values.max()), mean
    words["rms"] = float(values.std(dtype=np.float64))
    words["space_group"], words["version"] = 1, 20140
    words["origin"] = frame.origin_xyz
    words["mark"], words["stamp"] = b"MAP ", (0x44, 0x44, 0, 0)
    words["labels"], words["label"] = 1, b"cryoweave".ljust(80)
    return words.tobytes()


def _whole_voxels(frame: Frame) -> tuple[int, ...]:
    """The origin in voxels if that is a whole number along each axis (to 0.001), else zeros."""
    start = np.array(frame.origin_xyz) / frame.voxel_xyz
    whole = np.rint(start)
    if np.abs(whole).max() < 2**31 and np.abs(start - whole).max() <= 1e-3:
        return tuple(int(n) for n in whole)
    return (0, 0, 0)


def _long_enough(info: MapInfo) -> None:
    """Refuse a file that cannot hold its voxels before memory is taken for them."""
    needed = info.data_offset + info.data_bytes
    size = info.path.stat().st_size
    if info.compression == "" and size < needed:
        _truncated(info, needed - size)
    if info.compression == "gzip" and size * _DEFLATE_AT_MOST < needed:
        raise InputError(
            f"{info.path}: {size} packed bytes cannot hold the {needed} bytes that the header claims",
            "the file is damaged or was cut; copy or download it again",
        )


def _truncated(info: MapInfo, missing: int) -> None:
    raise InputError(
        f"{info.path} is cut short: {missing} of {info.data_offset + info.data_bytes} bytes are missing",
        "copy or download it again",
    )


def _read_voxels(info: MapInfo) -> NDArray[np.generic]:
    dtype = np.dtype(MODES[info.mode]).newbyteorder(info.byte_order)
    if info.compression == "":
        return np.fromfile(info.path, dtype, count=info.data_bytes // dtype.itemsize, offset=info.data_offset)
    content = bytearray()  # grows with what is really there, not with what the header claims
    with open_content(info.path) as stream:
        skipped = len(stream.read(info.data_offset)) if info.data_offset < _CHUNK else stream.seek(info.data_offset)
        while len(content) < info.data_bytes:
            chunk = stream.read(min(_CHUNK, info.data_bytes - len(content)))
            if not chunk:
                _truncated(info, info.data_offset - skipped + info.data_bytes - len(content))
            content += chunk
        if stream.read(1):  # also makes the stream check its own sum
            log.warning("%s: there are bytes after the last voxel; they are not read", info.path)
    return np.frombuffer(content, dtype)


def _in_order(voxels: NDArray[np.generic], info: MapInfo) -> NDArray[np.float32]:
    """Sections, rows, columns of the file to z, y, x."""
    shape = dict(zip((3, 2, 1), info.shape_zyx, strict=True))
    sections, rows, columns = info.axes[::-1]
    grid = voxels.reshape(shape[sections], shape[rows], shape[columns])
    place = {axis: i for i, axis in enumerate((sections, rows, columns))}
    with np.errstate(invalid="ignore"):
        return np.ascontiguousarray(grid.transpose(place[3], place[2], place[1]), dtype=np.float32)


def _finite(values: NDArray[np.float32], info: MapInfo) -> None:
    good = np.isfinite(values)
    if good.all():
        _of_this_world(values, info)
        return
    bad = values.size - np.count_nonzero(good)
    z, y, x = np.unravel_index(int(np.argmin(good)), values.shape)
    raise InputError(
        f"{info.path}: voxels that are NaN or infinite: {bad}, the first at (z, y, x) = ({z}, {y}, {x})",
        "replace them, e.g. by 0, with the program that wrote the map",
    )


def _of_this_world(values: NDArray[np.float32], info: MapInfo) -> None:
    """Refuse densities whose squares single precision cannot hold: misread bytes, on which kernels would overflow."""
    strongest = max(float(values.max()), -float(values.min()))
    if strongest > _STRONGEST:
        raise InputError(
            f"{info.path}: densities as large as {strongest:.3g}",
            "the header's mode or byte order is wrong, or the file is damaged; export the map again",
        )
