"""A PyMOL script that opens a model in its map and colours it by any of its scores."""

from collections.abc import Mapping
from pathlib import Path

from cryoweave.io.viewing import Stops, relative, write_lines

_HEAD = """\
# pymol view.pml, from any folder. To colour by another score: score NAME (score alone lists them).
python
import csv
import os

from pymol import cmd, stored

here = os.path.dirname(os.path.abspath(__script__))
"""
_BODY = '''\


def in_folder(name):
    return os.path.normpath(os.path.join(here, name))


def read_scores(name):
    """The score of each residue, by chain and number with insertion code."""
    with open(in_folder(table), newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, dialect="excel-tab"))
    return {(r["auth_asym_id"], r["auth_seq_id"] + r["ins_code"]): float(r[name]) for r in rows if r[name] != "nan"}


def score(name=""):
    """Put a score into the B column of the model and colour by it; grey has no value."""
    if name not in scales:
        print("scores: " + " ".join(scales))
        return
    low, high, colours = scales[name]
    stored.cryoweave = read_scores(name)
    cmd.alter("scored", "b = stored.cryoweave.get((chain, resi), -1e6)")
    cmd.spectrum("b", colours, "scored", minimum=low, maximum=high)
    cmd.color("grey70", "scored and b < -9e5")
    cmd.rebuild("scored")


cmd.extend("score", score)
cmd.set("normalize_ccp4_maps", 0)
cmd.load(in_folder(model), "scored")
cmd.show_as("ribbon" if trace else "cartoon", "scored")
cmd.show("sticks", "scored and organic")
if reference:
    cmd.load(in_folder(reference), "known")
    cmd.show_as("ribbon", "known")
    cmd.color("grey50", "known")
if first:
    score(first)
else:
    cmd.spectrum("b", "red_white_blue", "scored")
cmd.zoom("scored")
if density:
    try:
        cmd.load(in_folder(density), "density")
        if level is not None:
            cmd.isosurface("surface", "density", level, "scored", carve=5)
            cmd.set("transparency", 0.6)
            cmd.color("grey70", "surface")
    except Exception as error:  # gone, or packed in a way that PyMOL does not read
        print("the map was not opened: " + str(error))
python end
'''


def write_pymol(
    path: str | Path,
    map_path: str | Path | None,
    model_path: str | Path,
    *,
    reference_path: str | Path | None = None,
    table_path: str | Path | None = None,
    level: float | None = None,
    stops: Mapping[str, Stops] | None = None,
    first: str = "",
    trace: bool = False,
) -> None:
    """Write a PyMOL script (``.pml``); its paths are relative to its own folder, wherever PyMOL is started.

    Parameters
    ----------
    path
        The script.
    map_path, model_path, reference_path
        What it opens, as far as it is there.
    table_path
        ``scores.tsv``, from which the scores are read.
    level
        Contour level of the map in its own units; no surface is drawn if there is none.
    stops
        Colours of each score by residue.
    first
        The score to colour by; the B column if it is empty.
    trace
        Whether the model has one atom a residue: a ribbon joins them.
    """
    path = Path(path)
    scales = {
        name: (values[0][1], values[-1][1], " ".join(f"0x{color[1:]}" for color, _ in values))
        for name, values in (stops or {}).items()
    }
    files = {"model": model_path, "reference": reference_path, "density": map_path, "table": table_path}
    names = {name: relative(file, path) if file is not None else "" for name, file in files.items()}
    given = {**names, "level": level, "scales": scales, "first": first if table_path else "", "trace": trace}
    lines = [f"{name} = {value!r}" for name, value in given.items()]
    write_lines(path, [*_HEAD.splitlines(), *lines, *_BODY.splitlines()])
