"""The 3-D view: the map made small, and a MolViewSpec archive of map, model, scores and reference."""

import base64
import gzip
import io
import json
import math
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import DensityMap, Frame, Model
from cryoweave.data.residues import MODIFIED_AMINO_ACIDS
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.report.columns import NO_VALUE, Column, places_of, residue_keys

LONGEST_SIDE = 128
"""Voxels along the longest side of the map that the report carries, unless `MOST_BYTES` wants fewer."""
MOST_BYTES = 560_000
"""Of the packed view: the page, which holds the viewer too, then stays below 3 MB."""
MARGIN = 5.0
"""Å of density around the model."""
MAP_COLOR = "#8fa6c2"
MODEL_COLOR = "#4575b4"
REFERENCE_COLOR = "#707070"
ALL_ATOMS, BACKBONE = 2500, 6000
"""Up to so many residues the view carries all heavy atoms, the backbone; beyond, one atom a residue."""
GHOST_OPACITY = 0.7
_GHOST = "pose_model_{}.cif"
_WATER = ("HOH", "DOD", "WAT")
_MAIN_CHAIN = ("N", "CA", "C", "O", "P", "OP1", "OP2", "O5'", "C5'", "C4'", "C3'", "O3'", "C1'")
_LEVELS = 127
"""Steps of the rounded map: 0 to 127 are 128 levels."""
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class SmallMap:
    """A map cut, thinned and rounded to whole numbers from 0 to 127, so that it packs well.

    Parameters
    ----------
    levels
        The whole numbers; 0 stands for ``floor`` and everything below.
    floor, step
        ``density = floor + step * level``.
    contour
        Density at which to draw the surface, in the map's own units.
    lowest, highest
        Between these the contour may be moved.
    """

    levels: DensityMap
    floor: float
    step: float
    contour: float
    lowest: float
    highest: float


@dataclass(frozen=True, eq=False)
class Ghost:
    """A pose beside the model.

    Parameters
    ----------
    rank
        Of the pose, from 1.
    name, trace
        The model that it places, and one atom for each residue of that.
    rotation, translation
        The pose.
    color
        To draw it in.
    """

    rank: int
    name: str
    trace: Model
    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]
    color: str

    @property
    def xyz(self) -> NDArray[np.float64]:
        """Where the pose puts the trace."""
        return np.asarray(self.trace.xyz @ self.rotation.T + self.translation)


def cropped(density: DensityMap, xyz: NDArray[np.float64] | None, longest: int = 0) -> DensityMap:
    """The part of the map within `MARGIN` of some atoms; all if there are none, or they lie elsewhere.

    It has at most ``longest`` voxels a side, `LONGEST_SIDE` if that is 0: a larger one is averaged over blocks.
    """
    frame, values = density.frame, density.values
    if xyz is not None and len(xyz) and beside(frame, xyz):
        corners = _around(frame, xyz)
        first = np.clip(np.floor(corners[0]).astype(int), 0, np.array(values.shape) - 1)
        last = np.clip(np.ceil(corners[1]).astype(int) + 1, first + 1, values.shape)
        values = values[first[0] : last[0], first[1] : last[1], first[2] : last[2]]
        frame = frame.crop((first[0], first[1], first[2]), (values.shape[0], values.shape[1], values.shape[2]))
    return thinned(DensityMap(values, frame), math.ceil(max(values.shape) / (longest or LONGEST_SIDE)))


def beside(frame: Frame, xyz: NDArray[np.float64]) -> bool:
    """Whether the box of the map comes within `MARGIN` of the box around the atoms."""
    low, high = _around(frame, xyz)
    return bool((high >= 0).all() and (low <= np.array(frame.shape_zyx) - 1).all())


def _around(frame: Frame, xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    return frame.to_zyx([xyz.min(axis=0) - MARGIN, xyz.max(axis=0) + MARGIN])


def thinned(density: DensityMap, factor: int) -> DensityMap:
    """Means of blocks of ``factor`` voxels along each axis; an incomplete block at the end is left out."""
    if factor == 1:
        return density
    factors = [min(factor, n) for n in density.values.shape]
    shape = [n // f for n, f in zip(density.values.shape, factors, strict=True)]
    block = density.values[tuple(slice(0, n * f) for n, f in zip(shape, factors, strict=True))]
    blocks = block.reshape(shape[0], factors[0], shape[1], factors[1], shape[2], factors[2])
    voxel = density.frame.voxel_xyz
    spacing = (voxel[0] * factors[2], voxel[1] * factors[1], voxel[2] * factors[0])
    origin = density.frame.to_xyz([[(f - 1) / 2 for f in factors]])[0]
    frame = Frame((shape[0], shape[1], shape[2]), spacing, (origin[0], origin[1], origin[2]))
    return DensityMap(blocks.mean(axis=(1, 3, 5), dtype=np.float64).astype(np.float32), frame)


def reduced(part: DensityMap, mean: float, deviation: float, contour: float) -> SmallMap:
    """Round a part of a map to `SmallMap`; what is well below the contour becomes one value.

    Parameters
    ----------
    part
        What `cropped` gave.
    mean, deviation
        Of the whole map.
    contour
        Density to draw the surface at.
    """
    highest = max(float(np.percentile(part.values, 99.9)), contour + max(deviation, 1e-6))
    below = contour - mean if contour > mean else highest - contour
    floor, lowest = contour - 0.75 * below, contour - 0.5 * below
    step = (highest - floor) / _LEVELS
    levels = np.clip(np.rint((part.values - floor) / step), 0, _LEVELS).astype(np.float32)
    return SmallMap(DensityMap(levels, part.frame), floor, step, contour, lowest, highest)


def carried(model: Model) -> Model:
    """The atoms that the view shows: no hydrogens, no water, the first location each; of large models a part."""
    kept = ~np.isin(model.element, ["H", "D"]) & ~np.isin(model.residue_name, _WATER) & _first_locations(model)
    model = model.select(kept if kept.any() else slice(None))
    trace = model.trace_atoms()
    decimals = 2 if len(trace) <= BACKBONE else 1
    if len(trace) > BACKBONE:
        model = trace
    elif len(trace) > ALL_ATOMS:
        model = model.select(model.hetero | np.isin(model.atom_name, _MAIN_CHAIN))
    nothing, no = np.zeros(len(model), np.float32), np.zeros(len(model), np.bool_)
    return replace(model, xyz=np.round(model.xyz, decimals), b_factor=nothing, b_is_confidence=no)


def part_shown(residues: int) -> str:
    """Which atoms of a model of that many residues `carried` keeps."""
    if residues <= ALL_ATOMS:
        return "all atoms but hydrogens and water"
    return "the main chain and the ligands" if residues <= BACKBONE else "one atom a residue"


def _first_locations(model: Model) -> NDArray[np.bool_]:
    """Of atoms with one name in one residue the first; of residues with one number those of the first name."""
    first = np.ones(len(model), dtype=bool)
    if (model.altloc == "").all():
        return first
    names: dict[tuple[str, int, str], str] = {}
    seen: set[tuple[tuple[str, int, str], str]] = set()
    columns = zip(residue_keys(model), model.residue_name.tolist(), model.atom_name.tolist(), strict=True)
    for i, (residue, name, atom) in enumerate(columns):
        first[i] = names.setdefault(residue, name) == name and (residue, atom) not in seen
        seen.add((residue, atom))
    return first


def alpha_only(model: Model) -> bool:
    """Whether the model is a trace of one atom a residue."""
    return len(model.trace_atoms()) == len(model)


def best_view(xyz: NDArray[np.float64]) -> dict[str, Any]:
    """Where to look from so that the points' longest extent lies across the screen and the second along its height."""
    around = xyz - xyz.mean(axis=0)
    axes = np.linalg.svd(around.T @ around)[2]
    right, up = axes[0], axes[1]
    seen = around @ axes.T
    middle, half = (seen.max(axis=0) + seen.min(axis=0)) / 2, (seen.max(axis=0) - seen.min(axis=0)) / 2
    target = xyz.mean(axis=0) + middle @ axes
    return {
        "target": target.tolist(),
        "up": up.tolist(),
        "direction": np.cross(up, right).tolist(),
        "half": half[:2].tolist(),
    }


def archive(
    small: SmallMap | None,
    model: Model | None,
    columns: list[Column],
    reference: Model | None,
    ghosts: Sequence[Ghost] = (),
) -> bytes:
    """A MolViewSpec archive (MVSX, a zip) with one snapshot a column.

    Parameters
    ----------
    small
        The map, if there is one.
    model
        What is shown of it says `carried`.
    columns
        Scores to colour by, in the order of the model's trace atoms.
    reference
        Drawn in grey.
    ghosts
        Poses, drawn as see-through tubes.
    """
    buffer = io.BytesIO()
    shown = carried(model) if model is not None else None
    known = carried(reference) if reference is not None else None
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(buffer, "w") as packed:
        traces = {ghost.name: ghost.trace for ghost in ghosts}
        poses = [_ghost_node(i, [one for one in ghosts if one.name == name]) for i, name in enumerate(traces, 1)]
        _add(packed, "index.mvsj", json.dumps(_snapshots(small, shown, columns, known, poses)).encode())
        if model is not None:
            _add(packed, "scores.json", json.dumps(_rows(model.trace_atoms(), columns), separators=(",", ":")).encode())
        placed = [(_GHOST.format(i), carried(trace)) for i, trace in enumerate(traces.values(), 1)]
        for name, atoms in (("model.cif", shown), ("reference.cif", known), *placed):
            if atoms is not None:
                write_model(Path(folder) / name, atoms)
                _add(packed, name, (Path(folder) / name).read_bytes())
        if small is not None:
            write_map(Path(folder) / "map.mrc", small.levels, mode=0)
            _add(packed, "map.mrc", (Path(folder) / "map.mrc").read_bytes())
    return buffer.getvalue()


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _ZIP_DATE)
    packed.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)


def _rows(trace: Model, columns: list[Column]) -> list[dict[str, Any]]:
    """Scores by residue, for the viewer and for the page's own script, which also reads name and place (n, p)."""
    places = np.zeros(len(trace), dtype=np.intp)
    for chain in dict.fromkeys(trace.chain.tolist()):
        own = np.flatnonzero(trace.chain == chain)
        places[own] = places_of(trace, own)
    rows = []
    for i, (chain, number, code) in enumerate(residue_keys(trace)):
        row: dict[str, Any] = {"auth_asym_id": chain, "auth_seq_id": number}
        if code:
            row["pdbx_PDB_ins_code"] = code
        row |= {"n": str(trace.residue_name[i]), "p": int(places[i])}
        row |= {f"c{j}": float(f"{v:.3g}") for j, c in enumerate(columns) if math.isfinite(v := float(c.values[i]))}
        rows.append(row)
    return rows


def _snapshots(
    small: SmallMap | None,
    model: Model | None,
    columns: list[Column],
    reference: Model | None,
    poses: list[dict[str, Any]],
) -> dict[str, Any]:
    snapshots = []
    for i in range(max(len(columns), 1)):
        children = list(poses) if small is None else [_map_node(small), *poses]
        if model is not None:
            children.append(_model_node(i, columns, model))
        if reference is not None:
            style = (
                {"type": "backbone", "size_factor": 1}
                if alpha_only(reference)
                else {"type": "cartoon", "size_factor": 0.6}
            )
            drawn = _node("representation", style, [_node("color", {"color": REFERENCE_COLOR})], "reference")
            children.append(_structure("reference.cif", [_component("polymer", [drawn])]))
        metadata = {"key": f"c{i}", "linger_duration_ms": 1000, "transition_duration_ms": 0}
        snapshots.append({"metadata": metadata, "root": _node("root", {}, children)})
    # a fixed time stamp keeps equal runs' reports equal
    return {"kind": "multiple", "metadata": {"version": "1.8", "timestamp": "2000-01-01T00:00:00Z"},
            "snapshots": snapshots}  # fmt: skip


def _map_node(small: SmallMap) -> dict[str, Any]:
    look = [_node("color", {"color": MAP_COLOR}), _node("opacity", {"opacity": 0.25})]
    level = {"type": "isosurface", "absolute_isovalue": (small.contour - small.floor) / small.step}
    volume = _node("volume", {}, [_node("volume_representation", level, look, "map")])
    return _node("download", {"url": "map.mrc"}, [_node("parse", {"format": "map"}, [volume])])


def _model_node(i: int, columns: list[Column], model: Model) -> dict[str, Any]:
    look = [_node("color", {"color": NO_VALUE if columns else MODEL_COLOR})]
    tips = []
    source = {"uri": "scores.json", "format": "json", "schema": "auth_residue", "field_name": f"c{i}"}
    if columns:
        palette = {"kind": "continuous", "mode": "absolute", "colors": columns[i].scale.stops(),
                   "underflow_color": "auto", "overflow_color": "auto"}  # fmt: skip
        look.append(_node("color_from_uri", source | {"palette": palette}))
        tips = [_node("tooltip_from_uri", source | {"text_format": f"{_no_braces(columns[i].name)}: {{}}"})]
    # Mol* would draw ribbons of a secondary structure that it guesses; a trace shows what was found
    style = {"type": "backbone", "size_factor": 2.5} if alpha_only(model) else {"type": "cartoon"}
    drawn = [_component("polymer", [_node("representation", style, look, "model")])]
    no_ligand = np.isin(model.residue_name, ["HOH", "DOD", "UNK", *MODIFIED_AMINO_ACIDS])
    if (model.hetero & ~no_ligand).any():  # Mol* stumbles over a component without atoms
        drawn.append(_component("ligand", [_node("representation", {"type": "ball_and_stick"}, look[:1])]))
    return _structure("model.cif", [*drawn, *tips])


def _ghost_node(number: int, ghosts: list[Ghost]) -> dict[str, Any]:
    """All poses of one model: its file is read once, and placed for each of them."""
    structures = []
    for ghost in ghosts:
        # MolViewSpec has matrices column by column
        place = {"rotation": ghost.rotation.T.ravel().tolist(), "translation": ghost.translation.tolist()}
        look = [_node("color", {"color": ghost.color}), _node("opacity", {"opacity": GHOST_OPACITY})]
        drawn = _node("representation", {"type": "backbone", "size_factor": 1.6}, look, f"pose-{ghost.rank}")
        children = [_node("transform", place), _component("polymer", [drawn])]
        structures.append(_node("structure", {"type": "model"}, children))
    return _node("download", {"url": _GHOST.format(number)}, [_node("parse", {"format": "mmcif"}, structures)])


def _no_braces(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _structure(url: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    structure = _node("structure", {"type": "model"}, children)
    return _node("download", {"url": url}, [_node("parse", {"format": "mmcif"}, [structure])])


def _component(selector: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    return _node("component", {"selector": selector}, children)


def _node(
    kind: str, params: dict[str, Any], children: list[dict[str, Any]] | None = None, ref: str = ""
) -> dict[str, Any]:
    node: dict[str, Any] = {"kind": kind, "params": params, "children": children or []}
    return node | ({"ref": ref} if ref else {})


def viewer_files() -> dict[str, bytes]:
    """Mol*'s script and style sheet, gzipped."""
    folder = resources.files("cryoweave.report") / "molstar"
    return {kind: (folder / f"molstar.{kind}.gz").read_bytes() for kind in ("js", "css")}


def unpacked(content: bytes) -> bytes:
    """The content of gzipped bytes."""
    return gzip.decompress(content)


def text_of(content: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(content).decode()
