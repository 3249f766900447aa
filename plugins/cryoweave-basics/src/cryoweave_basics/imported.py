"""Probability maps that another program wrote."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, ProbabilityMaps
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError, NotGivenError, UsageError
from cryoweave.host import Context
from cryoweave.io.maps import read_map
from cryoweave_basics.detect import FOLDS
from cryoweave_basics.stages import ProbabilitiesParams

BACKBONE = "backbone"
CHAIN = ("N", "CA", "C", "O")
KNOWN = (
    BACKBONE, *CHAIN, "CB", "other", *FOLDS, *AMINO_ACIDS,
    "P", "sugar", "base", "base_A", "base_C", "base_G", "base_UT", "protein",
)  # fmt: skip
"""Names of classes, in the order in which they are given out."""
SUFFIXES = (".mrc", ".map", ".ccp4")
PACKED = (".gz", ".bz2")
ROUNDED = 1e-3
"""How far beyond 0 and 1 a value may lie, by rounding or interpolation; it is cut."""
ALIASES = {
    **{f"atom_{name}": name for name in (*CHAIN, "CB")},
    "atom_others": "other",
    **{f"sigmoidaa_{name}": name for name in AMINO_ACIDS},
    **{f"{stage}_{name}_prob": f"base_{name}" for stage in ("chain", "base") for name in ("A", "C", "G", "UT")},
    **{f"chain_{name}_prob": name for name in ("sugar", "base", "protein")},
    "chain_phosphate_prob": "P", "phosphate": "P",
    "ca_output_grid": "CA", "p_output_grid": "P", "backbone_trace": BACKBONE,
}  # fmt: skip
"""Files as DeepMainmast, CryoREAD and ModelAngelo name them."""
_CLASSES = {name.casefold(): name for name in KNOWN} | {name.casefold(): one for name, one in ALIASES.items()}


def read(density: DensityMap | None, params: ProbabilitiesParams, ctx: Context) -> ProbabilityMaps:
    """The maps as one value, in float16.

    ``backbone`` is the sum of N, CA, C and O where no file gives it and these four do.

    Raises
    ------
    InputError
        If a file cannot be read, a class is not known, a value lies beyond 0..1, or the grids differ.
    """
    files, ignored = chosen(params)
    if ignored:
        ctx.log.warning("no class has the name of %s: left out", ", ".join(path.name for path in ignored))
    names = [name for name in KNOWN if name in files]
    values: list[NDArray[np.float16]] = []
    frame: Frame | None = None
    for i, name in enumerate(names):
        ctx.progress(i, len(names))
        found = read_map(files[name])
        frame = frame or found.frame
        same_frame(found.frame, frame, files[name], files[names[0]])
        values.append(probabilities(found.values, files[name]))
    assert frame is not None
    if density is not None:
        overlaps(frame, density.frame)
    if BACKBONE not in names and set(CHAIN) <= set(names):
        total = sum(values[names.index(name)].astype(np.float32) for name in CHAIN)
        values.insert(0, np.minimum(total, 1).astype(np.float16))
        names.insert(0, BACKBONE)
    if 0 < (known := sum(name in AMINO_ACIDS for name in names)) < len(AMINO_ACIDS):
        ctx.log.warning(f"maps of {known} of the 20 amino acids: threading takes them as evidence if all are there")
    ctx.note("classes", ", ".join(names))
    return ProbabilityMaps(np.stack(values), frame, tuple(names))


def check(params: ProbabilitiesParams, **_inputs: object) -> None:
    """Whether the files are there and their classes known."""
    chosen(params)


def chosen(params: ProbabilitiesParams) -> tuple[Mapping[str, Path], list[Path]]:
    """The file of each class, and the maps of a folder that are of none.

    Raises
    ------
    NotGivenError, UsageError
        If neither folder nor files are given, or both.
    InputError
        If a file or folder is not there, a class is not known or has two files.
    """
    if params.folder is None and not params.files:
        raise NotGivenError(
            "needs probability maps",
            "give --set map.probabilities.folder=FOLDER or --set \"map.probabilities.files={CA='a.mrc', N='b.mrc'}\"",
        )
    if params.folder is not None and params.files:
        raise UsageError("both a folder and files are given", "give one of them")
    found: dict[str, Path] = {}
    ignored: list[Path] = []
    for text, path in params.files.items() if params.folder is None else _maps_in(params.folder.expanduser()):
        name = _CLASSES.get(text.casefold())
        if name is None and params.folder is None:
            raise InputError(f"there is no class {text!r}", f"classes: {', '.join(KNOWN)}")
        if name is None:
            ignored.append(path)
        elif name in found:
            raise InputError(f"{found[name].name} and {path.name} are both of class {name}", "give one of them")
        elif not path.expanduser().is_file():
            raise InputError(f"there is no file {path}", "check the path's spelling")
        else:
            found[name] = path.expanduser()
    if not found:
        raise InputError(
            f"no map in {params.folder} has the name of a class", f"name them CLASS.mrc; classes: {', '.join(KNOWN)}"
        )
    return found, ignored


def _maps_in(folder: Path) -> list[tuple[str, Path]]:
    """Name without its endings and the number that a run folder puts before it, and path, of each map in a folder."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "check the path's spelling")
    found = []
    for path in sorted(folder.iterdir()):
        plain = path.stem if path.suffix.lower() in PACKED else path.name
        if Path(plain).suffix.lower() in SUFFIXES and path.is_file():
            found.append((re.sub(r"^\d+_", "", Path(plain).stem), path))
    return found


def same_frame(frame: Frame, first: Frame, path: Path, first_path: Path) -> None:
    """Raise InputError if two grids differ by more than a header's rounding."""
    voxel = np.allclose(frame.voxel_xyz, first.voxel_xyz, rtol=1e-4, atol=0)
    origin = np.allclose(frame.origin_xyz, first.origin_xyz, rtol=0, atol=0.01)
    for same, what, one, other in (
        (frame.shape_zyx == first.shape_zyx, "voxels along z, y, x", frame.shape_zyx, first.shape_zyx),
        (voxel, "a voxel size (Å) of", frame.voxel_xyz, first.voxel_xyz),
        (origin, "its origin (Å) at", frame.origin_xyz, first.origin_xyz),
    ):
        if not same:
            raise InputError(
                f"{path} has {what} {_numbers(one)}, {first_path.name} {_numbers(other)}",
                "give maps of one grid, from one run of the other program",
            )


def probabilities(values: NDArray[np.float32], path: Path) -> NDArray[np.float16]:
    """Values as probabilities.

    Raises
    ------
    InputError
        If one lies beyond 0..1 by more than rounding.
    """
    low, high = float(values.min()), float(values.max())
    if low < -ROUNDED or high > 1 + ROUNDED:
        raise InputError(
            f"{path} holds values from {low:.4g} to {high:.4g}, and probabilities lie between 0 and 1",
            "give the program's probabilities: neither its logits, percentages nor labels, nor the density",
        )
    return np.clip(values, 0, 1).astype(np.float16)


def overlaps(frame: Frame, density: Frame) -> None:
    """Raise InputError if the grid lies beside the map: most often an origin that the other program dropped."""
    low, high = (np.array(one.origin_xyz) for one in (frame, density))
    if (low + frame.extent_xyz < high).any() or (high + density.extent_xyz < low).any():
        raise InputError(
            f"the probability maps begin at ({_numbers(frame.origin_xyz)}) Å and lie beside the map, which begins at "
            f"({_numbers(density.origin_xyz)}) Å",
            "give the map that they were made from, and look at the origin in both headers (`cryoweave map info`)",
        )


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
