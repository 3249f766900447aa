"""The 1024 bytes that begin an MRC or CCP4 map: what they say of the grid, and whether it can be believed."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cryoweave.data import Frame
from cryoweave.errors import InputError
from cryoweave.io.content import Compression

HEADER_BYTES = 1024
ByteOrder = Literal["<", ">"]
_BYTE_ORDERS: tuple[ByteOrder, ByteOrder] = ("<", ">")
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_OTHER_MODES = {3: "complex 16-bit integers", 4: "complex numbers (a Fourier transform)", 101: "4-bit integers"}
_LARGEST_AXIS = 1 << 16
_FARTHEST_ORIGIN = 1e7

_WORDS: list[tuple[str, str, int]] = [
    ("shape", "3i4", 0), ("mode", "i4", 12), ("start", "3i4", 16), ("sampling", "3i4", 28), ("cell", "3f4", 40),
    ("angles", "3f4", 52), ("axes", "3i4", 64), ("range", "3f4", 76), ("space_group", "i4", 88),
    ("extended", "i4", 92), ("version", "i4", 108), ("origin", "3f4", 196), ("mark", "S4", 208), ("stamp", "4u1", 212),
    ("rms", "f4", 216), ("labels", "i4", 220), ("label", "S80", 224),
]  # fmt: skip


@cache
def header_dtype(byte_order: ByteOrder = "<") -> np.dtype[Any]:
    """The words of the header, for little (``<``) or big (``>``) byte order."""
    names, formats, offsets = zip(*_WORDS, strict=True)
    described = {"names": names, "formats": formats, "offsets": offsets, "itemsize": HEADER_BYTES}
    return np.dtype(described).newbyteorder(byte_order)  # type: ignore[call-overload, no-any-return]


@dataclass(frozen=True)
class MapInfo:
    """What a map's header says.

    Parameters
    ----------
    path
        The file.
    shape_zyx
        Voxels along z, y, x, after the axes are put in order.
    voxel_xyz
        Spacing in Å.
    origin_xyz
        Position of the first voxel in Å.
    origin_rule
        Where the origin was taken from.
    mode
        MRC mode: 0, 1, 2, 6 or 12.
    axes
        ``(mapc, mapr, maps)``: which of x (1), y (2), z (3) the file's columns, rows and sections run along.
    cell_angles
        In degrees, as written.
    compression
        ``gzip``, ``bzip2`` or empty.
    byte_order
        ``<`` little, ``>`` big.
    stamp_ok
        Whether the machine stamp is one that the format defines.
    data_offset, data_bytes
        Where the voxels begin in the unpacked file, and how many bytes they are.
    warnings
        What is odd about the header, a sentence each.
    """

    path: Path
    shape_zyx: tuple[int, int, int]
    voxel_xyz: tuple[float, float, float]
    origin_xyz: tuple[float, float, float]
    origin_rule: str
    mode: int
    axes: tuple[int, int, int]
    cell_angles: tuple[float, float, float]
    compression: Compression
    byte_order: ByteOrder
    stamp_ok: bool
    data_offset: int
    data_bytes: int
    warnings: tuple[str, ...] = ()

    @property
    def frame(self) -> Frame:
        """The grid in space."""
        return Frame(self.shape_zyx, self.voxel_xyz, self.origin_xyz)


@dataclass
class _Header:
    path: Path
    words: Any
    byte_order: ByteOrder
    stamp_ok: bool
    warnings: list[str] = field(default_factory=list)

    def fail(self, message: str, hint: str = "is it an MRC or CCP4 map?") -> InputError:
        return InputError(f"{self.path}: {message}", hint)

    def triple(self, name: str) -> tuple[Any, Any, Any]:
        first, second, third = self.words[name].tolist()
        return first, second, third


def parse_header(
    block: bytes,
    path: Path,
    compression: Compression = "",
    *,
    origin: tuple[float, float, float] | None = None,
    voxel: float | None = None,
) -> MapInfo:
    """Judge a header: the first 1024 bytes of the unpacked file.

    ``origin`` and ``voxel`` (Å) are used instead of what the header says.

    Raises
    ------
    InputError
        If the header is not one of a single map on an orthogonal grid.
    """
    if len(block) < HEADER_BYTES:
        missing = HEADER_BYTES - len(block)
        raise InputError(f"{path} ends within the header: {missing} bytes are missing", "copy or download it again")
    header = _with_byte_order(block, path)
    shape, mode, axes = _grid(header)
    _single_volume(header)
    angles = _right_angles(header)
    voxel_xyz = _voxel(header, voxel)
    origin_xyz, rule = _origin(header, axes, voxel_xyz) if origin is None else (origin, "given by --origin")
    by_axis = dict(zip(axes, shape, strict=True))
    return MapInfo(
        path=path,
        shape_zyx=(by_axis[3], by_axis[2], by_axis[1]),
        voxel_xyz=voxel_xyz,
        origin_xyz=origin_xyz,
        origin_rule=rule,
        mode=mode,
        axes=axes,
        cell_angles=angles,
        compression=compression,
        byte_order=header.byte_order,
        stamp_ok=header.stamp_ok,
        data_offset=HEADER_BYTES + _extended(header),
        data_bytes=shape[0] * shape[1] * shape[2] * np.dtype(MODES[mode]).itemsize,
        warnings=tuple(header.warnings),
    )


def _with_byte_order(block: bytes, path: Path) -> _Header:
    """The machine stamp decides; if it is none or makes no sense of the header, the order that does."""
    stamps: dict[bytes, ByteOrder] = {b"DA": "<", b"DD": "<", b"\x11\x11": ">"}
    little, big = (np.frombuffer(block, header_dtype(one))[0] for one in _BYTE_ORDERS)
    views: dict[ByteOrder, Any] = {"<": little, ">": big}
    stamped = stamps.get(bytes(block[212:214]))
    order = stamped or "<"
    other: ByteOrder = "<" if order == ">" else ">"
    if not _plausible(views[order]) and _plausible(views[other]):
        order = other
    header = _Header(path, views[order], order, stamped == order)
    marked = block[208:211] == b"MAP"
    if not marked and stamped is None and not _plausible(views[order]):
        raise header.fail("this is not an MRC or CCP4 map", "give a file in .mrc, .map or .ccp4 format")
    if not marked:
        header.warnings.append("the MAP mark is missing; read as MRC all the same")
    if stamped != order:
        kind = "little" if order == "<" else "big"
        header.warnings.append(f"the machine stamp {block[212:216].hex()} is not valid; read as {kind}-endian")
    return header


def _plausible(words: Any) -> bool:
    return int(words["mode"]) in MODES | _OTHER_MODES and bool(np.all((words["shape"] > 0) & (words["shape"] < 1e6)))


def _grid(header: _Header) -> tuple[tuple[int, int, int], int, tuple[int, int, int]]:
    shape = header.triple("shape")
    if min(shape) < 1 or max(shape) > _LARGEST_AXIS:
        raise header.fail(f"a grid of {shape[0]} x {shape[1]} x {shape[2]} voxels cannot be")
    mode = int(header.words["mode"])
    if mode in _OTHER_MODES:
        hint = f"convert it to a real map: modes {', '.join(map(str, MODES))} can be read"
        raise header.fail(f"mode {mode}, {_OTHER_MODES[mode]}, is not a density", hint)
    if mode not in MODES:
        raise header.fail(f"mode {mode} is not known", f"modes {', '.join(map(str, MODES))} can be read")
    axes = header.triple("axes")
    if axes == (0, 0, 0):
        header.warnings.append("mapc, mapr and maps are 0; read as 1, 2, 3")
        axes = (1, 2, 3)
    if sorted(axes) != [1, 2, 3]:
        raise header.fail(f"the axis order (mapc, mapr, maps) = {axes} is not an order of 1, 2, 3")
    return shape, mode, axes


def _single_volume(header: _Header) -> None:
    group = int(header.words["space_group"])
    sections, per_volume = int(header.words["shape"][2]), int(header.words["sampling"][2])
    hint = "split the stack and give one map"
    if 401 <= group <= 630:
        volumes = sections // per_volume if per_volume > 0 else "several"
        raise header.fail(f"this is a stack of {volumes} volumes (space group word {group})", hint)
    if group == 0 and per_volume == 1 and sections > 1:
        raise header.fail(f"this is a stack of {sections} images, not a map", "give the reconstructed map")


def _right_angles(header: _Header) -> tuple[float, float, float]:
    angles = header.triple("angles")
    if angles == (0.0, 0.0, 0.0):
        header.warnings.append("the cell angles are 0; read as 90 degrees")
    elif not all(abs(angle - 90) <= 0.01 for angle in angles):
        text = ", ".join(f"{angle:g}" for angle in angles)
        hint = "resample the map onto an orthogonal grid, e.g. with ChimeraX's volume resample"
        raise header.fail(f"the cell is not orthogonal: its angles are {text} degrees", hint)
    return angles


def _extended(header: _Header) -> int:
    length = int(header.words["extended"])
    if length < 0:
        raise header.fail(f"the extended header has a length of {length} bytes")
    return length


def _voxel(header: _Header, given: float | None) -> tuple[float, float, float]:
    if given is not None:
        if not (np.isfinite(given) and given > 0):
            raise header.fail(f"a voxel size of {given} Å cannot be", "give a positive voxel size")
        return (given, given, given)
    cell, sampling = header.triple("cell"), header.triple("sampling")
    hint = "give the voxel size in Å yourself, e.g. --voxel 1.06"
    if min(sampling) <= 0:
        raise header.fail(
            f"the voxel size is not known: the cell is divided into (mx, my, mz) = {sampling} parts", hint
        )
    if not all(np.isfinite(length) and length > 0 for length in cell):
        text = ", ".join(f"{length:g}" for length in cell)
        raise header.fail(f"the voxel size is zero or no number: the cell is {text} Å", hint)
    x, y, z = (_decimal(length, parts) for length, parts in zip(cell, sampling, strict=True))
    if not all(1e-3 <= v <= 1e4 for v in (x, y, z)):
        raise header.fail(f"a voxel of {x:g} x {y:g} x {z:g} Å cannot be", hint)
    return x, y, z


def _decimal(length: float, parts: int) -> float:
    """Voxel size to six decimals if the cell, a float32, allows it: 1.06, not 1.0599999..."""
    rounded = round(length / parts, 6)
    return rounded if abs(rounded * parts - length) <= np.spacing(np.float32(length)) else length / parts


def _origin(
    header: _Header, axes: tuple[int, int, int], voxel: tuple[float, float, float]
) -> tuple[tuple[float, float, float], str]:
    """ORIGIN words if they are not zero, else nstart times voxel; never the sum."""
    x, y, z = (float(str(word)) for word in header.words["origin"])  # the decimal that was meant, not its float32
    origin = (x, y, z)
    if not all(np.isfinite(o) and abs(o) <= _FARTHEST_ORIGIN for o in origin):
        text = ", ".join(f"{o:g}" for o in origin)
        raise header.fail(f"the origin cannot be: ({text}) Å", "give it yourself, e.g. --origin 0,0,0")
    start = dict(zip(axes, header.triple("start"), strict=True))
    from_start = (start[1] * voxel[0], start[2] * voxel[1], start[3] * voxel[2])
    if origin == (0.0, 0.0, 0.0):
        if max(abs(o) for o in from_start) > _FARTHEST_ORIGIN:
            raise header.fail(
                f"the start words cannot be: {header.triple('start')}", "give the origin yourself, e.g. --origin 0,0,0"
            )
        return from_start, "NSTART x voxel" if any(start.values()) else "no shift in the header"
    if not any(start.values()):
        return origin, "ORIGIN words"
    if all(abs(o - s) <= 0.01 * v for o, s, v in zip(origin, from_start, voxel, strict=True)):
        return origin, "both set and equal"
    one, other = (f"({a:.3f}, {b:.3f}, {c:.3f})" for a, b, c in (origin, from_start))
    header.warnings.append(f"ORIGIN {one} Å and NSTART x voxel {other} Å disagree; ORIGIN is used")
    return origin, "ORIGIN words (NSTART disagrees)"
