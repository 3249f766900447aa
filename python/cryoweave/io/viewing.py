"""Scripts that open a map and a model with one click: ChimeraX, Coot."""

import os
from pathlib import Path

import numpy as np

from cryoweave.data import ScoreTable
from cryoweave.errors import InputError
from cryoweave.io.atomic import atomic_file

_COLOURS = "red:white:blue"


def write_chimerax(
    path: str | Path,
    map_path: str | Path,
    model_path: str | Path,
    *,
    level: float | None = None,
    attributes: dict[str, str | Path] | None = None,
) -> None:
    """Write a ChimeraX command file (``.cxc``); paths in it are relative to its folder.

    Parameters
    ----------
    path
        The command file.
    map_path, model_path
        What it opens, as models 1 and 2.
    level
        Contour level of the map in its own units; ChimeraX chooses one if there is none.
    attributes
        ``.defattr`` file of each residue attribute; the model is coloured by the first.
    """
    path = Path(path)
    contour = "" if level is None else f" level {level:.6g}"
    lines = [
        f'open "{_relative(map_path, path)}"',
        f'open "{_relative(model_path, path)}"',
        f"volume #1 style surface{contour} transparency 0.6",
        "hide #2 atoms",
        "cartoon #2",
    ]
    for file in (attributes or {}).values():
        lines.append(f'open "{_relative(file, path)}" models #2')
    for name in list(attributes or {})[:1]:
        lines.append(f"color byattribute r:{attribute_name(name)} #2 palette {_COLOURS}")
    _write(path, [*lines, "view"])


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
    _write(Path(path), lines)


def write_coot(path: str | Path, map_path: str | Path, model_path: str | Path) -> None:
    """Write a Coot script (Python); start Coot in the script's folder, for its paths are relative to it."""
    path = Path(path)
    _write(
        path,
        [
            "# coot --script " + path.name,
            "import coot",
            "",
            f"coot.read_pdb({_relative(model_path, path)!r})",
            f"coot.handle_read_ccp4_map({_relative(map_path, path)!r}, 0)",
        ],
    )


def _relative(target: str | Path, script: Path) -> str:
    return Path(os.path.relpath(target, script.parent)).as_posix()


def _write(path: Path, lines: list[str]) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
