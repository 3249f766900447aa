"""Scripts for viewers name their files relative to their own folder."""

import bz2
import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from cryoweave.data import Metric, ScoreTable
from cryoweave.errors import InputError
from cryoweave.io import write_chimerax, write_coot, write_defattr
from cryoweave.io.viewing import relative


def test_chimerax_opens_what_lies_beside_and_the_map_last(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    attributes: dict[str, str | Path] = {"DAQ (AA)": run / "daq.defattr"}
    write_chimerax(
        run / "view.cxc",
        tmp_path / "my map.mrc",
        run / "model.cif",
        reference_path=tmp_path / "known.pdb",
        level=0.162,
        attributes=attributes,
    )
    lines = (run / "view.cxc").read_text().splitlines()
    opened = [line for line in lines if line.startswith("open")]
    assert opened == ['open "model.cif"', 'open "daq.defattr" models #1', 'open "../known.pdb"', 'open "../my map.mrc"']
    assert lines[-1] == "volume #3 style surface level 0.162 transparency 0.6"
    assert [line for line in lines if "color" in line] == [
        "color byattribute bfactor #1 palette red:white:blue",
        "# to see it: color byattribute r:daq__aa_ #1 palette red:white:blue",
        "color #2 gray",
    ]


def test_without_a_reference_the_map_is_the_second(tmp_path: Path) -> None:
    write_chimerax(tmp_path / "view.cxc", tmp_path / "map.mrc", tmp_path / "model.cif", trace=True)
    lines = (tmp_path / "view.cxc").read_text().splitlines()
    assert lines[-1] == "volume #2 style surface transparency 0.6"
    assert "hide #1 atoms" not in lines


def test_attributes_of_residues(tmp_path: Path) -> None:
    names = [np.array(column) for column in (["A", "B"], [29, -3], ["", "A"], ["ALA", "GLY"])]
    values = {"q": np.array([0.5, 0.25]), "gap": np.array([np.nan, 1.0])}
    scores = ScoreTable(*names, values, {}, {"q": Metric("Q."), "gap": Metric("G.")})
    write_defattr(tmp_path / "q.defattr", scores, "q")
    assert (tmp_path / "q.defattr").read_text() == ("attribute: q\nrecipient: residues\n\t/A:29\t0.5\n\t/B:-3A\t0.25\n")
    write_defattr(tmp_path / "gap.defattr", scores, "gap")
    assert (tmp_path / "gap.defattr").read_text().splitlines()[2:] == ["\t/B:-3A\t1"]
    with pytest.raises(InputError, match="no score 'other'"):
        write_defattr(tmp_path / "other.defattr", scores, "other")


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress])
def test_the_coot_script_runs_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: Callable[[bytes], bytes]
) -> None:
    for name in ("run", "maps", "elsewhere"):
        (tmp_path / name).mkdir()
    script, density = tmp_path / "run" / "view_coot.py", tmp_path / "maps" / "it's.map"
    density.write_bytes(pack(b"voxels"))
    write_coot(script, density, tmp_path / "run" / "model.cif", reference_path=tmp_path / "known.pdb", level=0.25)
    said: list[tuple[object, ...]] = []
    coot = ModuleType("coot")
    vars(coot).update(
        read_pdb=lambda path: said.append(("model", Path(path).resolve())),
        handle_read_ccp4_map=lambda path, difference: said.append(("map", Path(path).read_bytes(), path)) or 7,
        set_contour_level_absolute=lambda *given: said.append(("level", *given)),
    )
    monkeypatch.setitem(sys.modules, "coot", coot)
    monkeypatch.chdir(tmp_path / "elsewhere")
    exec(compile(script.read_text(), str(script), "exec"), {})
    assert said[:2] == [("model", tmp_path / "run" / "model.cif"), ("model", tmp_path / "known.pdb")]
    assert said[2][:2] == ("map", b"voxels")
    assert said[3] == ("level", 7, 0.25)
    assert density.exists()
    left = Path(str(said[2][2]))
    assert left.resolve() == density if pack is bytes else not left.exists()


def test_chimerax_colours_by_the_first_score_without_a_map(tmp_path: Path) -> None:
    write_chimerax(
        tmp_path / "view.cxc",
        None,
        tmp_path / "model.cif",
        attributes={"q": tmp_path / "q.defattr", "cc": tmp_path / "cc.defattr"},
        stops={"q": [("#d73027", 0.0), ("#4575b4", 0.75)]},
        first="q",
    )
    lines = (tmp_path / "view.cxc").read_text().splitlines()
    assert [line for line in lines if "color" in line] == [
        "color byattribute r:q #1 palette 0,#d73027:0.75,#4575b4",
        "# to see it: color byattribute r:cc #1 palette red:white:blue",
    ]
    assert lines[-1] == "view"


def test_coot_opens_a_model_without_a_map(tmp_path: Path) -> None:
    write_coot(tmp_path / "view.py", None, tmp_path / "model.cif", level=0.2)
    script = (tmp_path / "view.py").read_text()
    assert "coot.read_pdb" in script
    assert "density = " not in script
    compile(script, "view.py", "exec")


@pytest.mark.parametrize(
    ("target", "folder", "path"),
    [
        ("/data/maps/a.mrc", "/data/runs/one", "../../maps/a.mrc"),
        ("/data/runs/one/model.cif", "/data/runs/one", "model.cif"),
        ("/data/maps/a.mrc", "/home/me/one", "/data/maps/a.mrc"),
        ("/data/maps/a.mrc", "/home/me/../../data/one", "../maps/a.mrc"),
    ],
)
def test_paths_move_along_as_far_as_they_can(target: str, folder: str, path: str) -> None:
    assert relative(target, Path(folder) / "view.cxc") == path
