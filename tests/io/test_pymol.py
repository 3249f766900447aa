"""The PyMOL script: what it holds, and what PyMOL makes of it where it is installed."""

import gzip
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave.data import Metric, ScoreTable
from cryoweave.io import write_map, write_model, write_pymol, write_scores
from cryoweave.testing import ideal_model, simulated_map

STOPS = {"q_0.6": [("#d73027", 0.0), ("#fee090", 0.5), ("#4575b4", 1.0)], "cc": [("#000000", -1.0), ("#ffffff", 1.0)]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model with an insertion code, its map and scores, and the script."""
    model = ideal_model("HHHHHH")
    inserted = model.residue_number == 4
    number = np.where(inserted, 3, model.residue_number).astype(np.int32)
    model = replace(model, residue_number=number, insertion_code=np.where(inserted, "A", ""))
    run = tmp_path / "it's a run"
    run.mkdir()
    write_model(run / "model.cif", model)
    write_map(tmp_path / "map.mrc", simulated_map(model))
    trace = model.trace_atoms()
    values = {"q_0.6": np.array([0, 0.2, 0.4, 0.6, 0.8, np.nan]), "cc": np.linspace(-1, 1, 6)}
    identity = (trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name)
    write_scores(run, ScoreTable(*identity, values, {}, {name: Metric(name) for name in values}))
    files = {"table_path": run / "scores.tsv", "stops": STOPS, "first": "q_0.6"}
    write_pymol(run / "view.pml", tmp_path / "map.mrc", run / "model.cif", level=0.5, **files)
    return run


def pymol(script: Path, *commands: str) -> str:
    """What PyMOL prints."""
    program = "/usr/bin/pymol" if Path("/usr/bin/pymol").exists() else shutil.which("pymol")
    if program is None:
        pytest.skip("PyMOL is not installed")
    environment = {**os.environ, "PATH": f"/usr/bin{os.pathsep}{os.environ['PATH']}", "PYTHONNOUSERSITE": "1"}
    more = script.with_name("more.pml")
    more.write_text("".join(f"{command}\n" for command in commands))
    done = subprocess.run(
        [program, "-ckq", str(script), str(more)],
        cwd="/",
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    text = done.stdout + done.stderr
    assert "Traceback" not in text, text
    return text


def test_it_names_its_files_from_its_own_folder(folder: Path) -> None:
    lines = (folder / "view.pml").read_text().splitlines()
    assert "model = 'model.cif'" in lines
    assert "density = '../map.mrc'" in lines
    assert "reference = ''" in lines
    assert "first = 'q_0.6'" in lines
    assert "'q_0.6': (0.0, 1.0, '0xd73027 0xfee090 0x4575b4')" in "\n".join(lines)
    compile("\n".join(lines[2:-1]), "view.pml", "exec")


def test_pymol_colours_by_the_scores(folder: Path) -> None:
    show = "iterate name CA, print('VALUE', resi, round(b, 3), cmd.get_color_tuple(color))"
    first = pymol(folder / "view.pml", show, "score cc", show, "score", "print('NAMES', cmd.get_names())")
    values = [line.split() for line in first.splitlines() if line.startswith("VALUE")]
    assert [row[1] for row in values] == ["1", "2", "3", "3A", "5", "6"] * 2
    assert [float(row[2]) for row in values[:5]] == [0, 0.2, 0.4, 0.6, 0.8]
    assert [float(row[2]) for row in values[6:]] == [-1.0, -0.6, -0.2, 0.2, 0.6, 1.0]
    red = [float(part.strip("(),")) for part in values[0][3:6]]
    assert red == pytest.approx([0xD7 / 255, 0x30 / 255, 0x27 / 255], abs=0.02)
    assert "scores: q_0.6 cc" in first
    assert "surface" in first[first.index("NAMES") :]


def test_a_map_that_is_gone_does_not_stop_it(folder: Path) -> None:
    (folder.parent / "map.mrc").unlink()
    text = pymol(folder / "view.pml", "print('NAMES', cmd.get_names())")
    assert "NAMES ['scored']" in text


def test_a_gzipped_map_is_opened(folder: Path) -> None:
    map_path = folder.parent / "map.mrc"
    (folder.parent / "map.mrc.gz").write_bytes(gzip.compress(map_path.read_bytes()))
    write_pymol(folder / "view.pml", folder.parent / "map.mrc.gz", folder / "model.cif", level=0.5)
    assert "surface" in pymol(folder / "view.pml", "print('NAMES', cmd.get_names())")
