"""Scripts that open a map and a model with one click: ChimeraX, Coot."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import ScoreTable
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file

_COLOURS = "red:white:blue"
Stops = Sequence[tuple[str, float]]
"""Colours (``#rrggbb``), each with the value that it stands for, in rising order."""


def write_chimerax(
    path: str | Path,
    map_path: str | Path | None,
    model_path: str | Path,
    *,
    reference_path: str | Path | None = None,
    level: float | None = None,
    attributes: Mapping[str, str | Path] | None = None,
    stops: Mapping[str, Stops] | None = None,
    first: str = "",
    trace: bool = False,
) -> None:
    """Write a ChimeraX command file (``.cxc``); paths in it are relative to its folder.

    Parameters
    ----------
    path
        The command file.
    map_path, model_path, reference_path
        What it opens: the model as #1, the reference in grey if there is one, and the map, if there is one, last,
        because ChimeraX stops at a file that is gone.
    level
        Contour level of the map in its own units; ChimeraX chooses one if there is none.
    attributes
        ``.defattr`` file of each score by residue; how to colour by the others stands in comments.
    stops
        The scores' colours; red over white to blue where there are none.
    first
        The score to colour by; B factor if it is empty.
    trace
        Whether the model has one atom a residue: its atoms stay visible.
    """
    path = Path(path)
    lines = [
        f'open "{relative(model_path, path)}"',
        "style #1 ball" if trace else "hide #1 atoms",
        "cartoon #1",
        *([] if first else [f"color byattribute bfactor #1 palette {_COLOURS}"]),
    ]
    for name, file in (attributes or {}).items():
        palette = ":".join(f"{value:.6g},{color}" for color, value in (stops or {}).get(name, ())) or _COLOURS
        lines.append(f'open "{relative(file, path)}" models #1')
        colour = f"color byattribute r:{attribute_name(name)} #1 palette {palette}"
        lines.append(colour if name == first else f"# to see it: {colour}")
    if reference_path is not None:
        lines += [f'open "{relative(reference_path, path)}"', "hide #2 atoms", "cartoon #2", "color #2 gray"]
    number = 2 if reference_path is None else 3
    contour = "" if level is None else f" level {level:.6g}"
    lines.append("view")
    if map_path is not None:
        lines.append(f'open "{relative(map_path, path)}"')
        lines.append(f"volume #{number} style surface{contour} transparency 0.6")
    write_lines(path, lines)


def attribute_name(metric: str) -> str:
    """The metric's name as ChimeraX takes it for an attribute: small letters, digits, underscores."""
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in metric.lower())
    return name if name[:1].isalpha() else f"score_{name}"


def write_defattr(path: str | Path, scores: ScoreTable, metric: str) -> None:
    """Write one metric as a ChimeraX attribute file; residues without a value are left out.

    Raises
    ------
    InputError
        If the table has no such metric per residue.
    """
    if metric not in scores.residues:
        raise InputError(f"there is no score {metric!r} per residue", f"scores: {', '.join(scores.residues)}")
    lines = [f"attribute: {attribute_name(metric)}", "recipient: residues"]
    columns = (scores.chain, scores.residue_number, scores.insertion_code, scores.residues[metric])
    for chain, number, insertion, value in zip(*(column.tolist() for column in columns), strict=True):
        if np.isfinite(value):
            lines.append(f"\t/{chain}:{number}{insertion}\t{value:.6g}")
    write_lines(Path(path), lines)


def write_pseudo_atoms(
    path: str | Path, xyz: NDArray[np.float64], value: NDArray[np.float32], path_of: NDArray[np.int32] | None = None
) -> None:
    """Write positions as atoms of an mmCIF file, for viewers only; nothing if there is none.

    Parameters
    ----------
    path
        The file.
    xyz
        Å, shape ``(n, 3)``.
    value
        Written as B factor, shape ``(n,)``.
    path_of
        Which path each position belongs to, shape ``(n,)``: chains of Cα atoms. Without it each position stands alone.
    """
    if not len(xyz):
        return
    kind = "HETATM C C UNL" if path_of is None else "ATOM C CA UNK"
    group, element, atom, residue = kind.split()
    chains = np.zeros(len(xyz), np.int32) if path_of is None else path_of
    tags = (
        "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_seq_id "
        "pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id auth_asym_id pdbx_PDB_model_num"
    )
    lines = [f"data_{Path(path).stem}", "loop_", *(f"_atom_site.{tag}" for tag in tags.split())]
    columns = zip(xyz.tolist(), value.tolist(), chains.tolist(), strict=True)
    for i, ((x, y, z), b, chain) in enumerate(columns, 1):
        name = f"{element} {atom} . {residue} {chain + 1} {i} ?"
        lines.append(f"{group} {i} {name} {x:.3f} {y:.3f} {z:.3f} 1 {b:.5g} {i} {chain + 1} 1")
    write_lines(Path(path), lines)


_COOT = '''\
# -*- coding: utf-8 -*-
# coot --script view_coot.py, from any folder
import bz2
import gzip
import os
import shutil
import sys
import tempfile

import coot

here = os.path.dirname(os.path.abspath(sys._getframe().f_code.co_filename))


def read_map(path):
    """Coot reads no compressed maps: unpack such a one into a folder that is removed again."""
    with open(path, "rb") as stream:
        start = stream.read(2)
    unpack = {b"\\x1f\\x8b": gzip.open, b"BZ": bz2.BZ2File}.get(start)
    if unpack is None:
        return coot.handle_read_ccp4_map(path, 0)
    folder = tempfile.mkdtemp()
    try:
        plain = os.path.join(folder, "map.mrc")
        with unpack(path, "rb") as packed, open(plain, "wb") as stream:
            shutil.copyfileobj(packed, stream)
        return coot.handle_read_ccp4_map(plain, 0)
    finally:
        shutil.rmtree(folder)


'''


def write_coot(
    path: str | Path,
    map_path: str | Path | None,
    model_path: str | Path,
    *,
    reference_path: str | Path | None = None,
    level: float | None = None,
) -> None:
    """Write a Coot script (Python); its paths are relative to its own folder, wherever Coot is started.

    Parameters
    ----------
    path
        The script.
    map_path, model_path, reference_path
        What it opens, as far as it is there; the map may be compressed.
    level
        Contour level of the map in its own units; Coot chooses one if there is none.
    """
    path = Path(path)
    models = [model_path] if reference_path is None else [model_path, reference_path]
    lines = [f"coot.read_pdb(os.path.join(here, {relative(model, path)!r}))" for model in models]
    if map_path is not None:
        lines.append(f"density = read_map(os.path.join(here, {relative(map_path, path)!r}))")
    if map_path is not None and level is not None:
        lines.append(f"coot.set_contour_level_absolute(density, {level:.6g})")
    write_lines(path, [*_COOT.splitlines(), *lines])


def relative(target: str | Path, script: Path) -> str:
    """The path of a file as seen from a script's folder, so that both can move together.

    Where they share nothing but the root it is absolute, so that the script's folder can move alone.
    """
    folder = Path(os.path.normpath(script.parent.absolute()))
    path = Path(os.path.relpath(target, folder))
    climbs_to_the_root = path.parts.count("..") == len(folder.parts) - 1
    return (Path(target).absolute() if climbs_to_the_root else path).as_posix()


def write_lines(path: Path, lines: list[str]) -> None:
    """Write lines of text; the file appears whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
