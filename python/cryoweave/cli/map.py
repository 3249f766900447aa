"""``cryoweave map``: what a map file says of itself."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cryoweave.cli import console
from cryoweave.errors import UsageError

if TYPE_CHECKING:
    from cryoweave.io.header import MapInfo

app = typer.Typer(help="Look at density maps.", no_args_is_help=True)
_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}


@app.callback()
def _group() -> None:
    """Look at density maps."""


@app.command("info")
def info(
    file: Annotated[Path, typer.Argument(readable=False, help="MRC or CCP4 file, also gzip or bzip2.")],
    header_only: Annotated[bool, typer.Option("--header-only", help="Do not read the voxels.")] = False,
    origin: Annotated[str, typer.Option("--origin", metavar="X,Y,Z", help="Use this origin (Å).")] = "",
    voxel: Annotated[float | None, typer.Option("--voxel", help="Use this voxel size (Å).")] = None,
    as_json: console.Json = False,
) -> None:
    """Shape, voxel size, origin and the rule it was taken by, axis order, mode, statistics and a contour to try."""
    from cryoweave.io.maps import inspect_map

    place = _triple(origin)
    found = inspect_map(file, origin=place, voxel=voxel)
    report = _header(found)
    if not header_only:
        report |= _voxels(file, place, voxel)
    if as_json:
        console.data_json({**report, "warnings": found.warnings})
        return
    width = max(map(len, report))
    for name, value in report.items():
        console.data(f"{name.replace('_', ' '):{width}}  {_text(value)}")
    for warning in found.warnings:
        console.say(f"warning: {warning}", "yellow")


def _triple(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--origin {text!r} is not three numbers", "write it like --origin 0,-12.5,3") from error
    return x, y, z


def _header(found: "MapInfo") -> dict[str, Any]:
    frame = found.frame
    return {
        "file": str(found.path),
        "shape_xyz": found.shape_zyx[::-1],
        "voxel_xyz": found.voxel_xyz,
        "extent_xyz": frame.extent_xyz,
        "origin_xyz": found.origin_xyz,
        "origin_rule": found.origin_rule,
        "axis_order": "".join("XYZ"[axis - 1] for axis in found.axes),
        "mode": f"{found.mode} ({_MODES[found.mode]})",
        "cell_angles": found.cell_angles,
        "byte_order": "little-endian" if found.byte_order == "<" else "big-endian",
        "compression": found.compression or "none",
    }


def _voxels(file: Path, origin: tuple[float, float, float] | None, voxel: float | None) -> dict[str, Any]:
    from cryoweave.io.maps import read_map
    from cryoweave.kernels.grid import statistics, volume_threshold

    density = read_map(file, origin=origin, voxel=voxel)
    stats = statistics(density.values)
    strongest = max(1, round(0.01 * density.values.size))
    return {
        "minimum": stats.minimum,
        "maximum": stats.maximum,
        "mean": stats.mean,
        "standard_deviation": stats.sd,
        "zero_fraction": 1 - stats.nonzero / density.values.size,
        "contour_3_sigma": stats.mean + 3 * stats.sd,
        "contour_strongest_percent": volume_threshold(density.values, strongest),
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(_text(part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
