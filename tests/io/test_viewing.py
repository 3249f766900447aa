"""Scripts for viewers name their files relative to their own folder."""

from pathlib import Path

import numpy as np
import pytest

from cryoweave.data import Metric, ScoreTable
from cryoweave.errors import InputError
from cryoweave.io import write_chimerax, write_coot, write_defattr


def test_chimerax_opens_what_lies_beside(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    attributes = {"DAQ (AA)": run / "daq.defattr"}
    write_chimerax(run / "view.cxc", tmp_path / "my map.mrc", run / "model.cif", level=0.162, attributes=attributes)
    lines = (run / "view.cxc").read_text().splitlines()
    assert lines[:3] == [
        'open "../my map.mrc"',
        'open "model.cif"',
        "volume #1 style surface level 0.162 transparency 0.6",
    ]
    assert 'open "daq.defattr" models #2' in lines
    assert "color byattribute r:daq__aa_ #2 palette red:white:blue" in lines


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


def test_a_coot_script_is_python(tmp_path: Path) -> None:
    write_coot(tmp_path / "view_coot.py", tmp_path / "it's.mrc", tmp_path / "model.cif")
    text = (tmp_path / "view_coot.py").read_text()
    compile(text, "view_coot.py", "exec")
    assert 'coot.handle_read_ccp4_map("it\'s.mrc", 0)' in text
