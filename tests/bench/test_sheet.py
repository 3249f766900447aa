"""Sheets: both formats give the same, and what is wrong is said with the line where it stands."""

import pytest

from cryoweave import host
from cryoweave.bench.sheet import read_sheet
from cryoweave.errors import CryoweaveError

CSV = """name,map,sequence,models,given.toyxyz,reference,resolution,symmetry,trained_on,note
one,emd_1.map.gz,chains.fasta,known.cif; known.cif,points.txt,known.cif,3.5,C4,cryoweave-a;cryoweave-b,"masked, around"
two,emd_1.map.gz,,,,,,,,
"""
TOML = """
[[target]]
name = "one"
map = "emd_1.map.gz"
sequence = "chains.fasta"
models = ["known.cif", "known.cif"]
given = { toyxyz = "points.txt" }
reference = "known.cif"
resolution = 3.5
symmetry = "C4"
trained_on = ["cryoweave-a", "cryoweave-b"]
note = "masked, around"

[[target]]
name = "two"
map = "emd_1.map.gz"
"""


@pytest.fixture
def sheet(toy_files):
    (toy_files / "points.txt").write_text("1 2 3\n")

    def write(text, name="sheet.csv"):
        (toy_files / name).write_text(text, encoding="utf-8")
        return toy_files / name

    return write


def test_both_formats_say_the_same(sheet):
    one, two = read_sheet(sheet(CSV))
    assert (one, two) == read_sheet(sheet(TOML, "sheet.toml"))
    assert one.map.is_absolute()
    assert [path.name for path in one.models] == ["known.cif", "known.cif"]
    assert one.given["toyxyz"].name == "points.txt"
    assert (one.resolution, one.symmetry, one.trained_on) == (3.5, "C4", ("cryoweave-a", "cryoweave-b"))
    assert two.files().keys() == {"map"}
    assert two.sequences() is None


def test_a_spreadsheet_s_mark_of_byte_order_is_no_column(sheet):
    path = sheet("﻿name,map\none,emd_1.map.gz\n")
    assert read_sheet(path)[0].name == "one"


@pytest.mark.parametrize("apart", [";", "\t"])
def test_fields_may_be_apart_by_what_a_spreadsheet_writes(sheet, apart):
    path = sheet(f'name{apart}map{apart}models\none{apart}emd_1.map.gz{apart}"known.cif; known.cif"\n')
    assert [file.name for file in read_sheet(path)[0].models] == ["known.cif", "known.cif"]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("sheet.csv", "name,map\n", "holds no map"),
        ("sheet.csv", "", "holds no map"),
        ("sheet.csv", "name,map\none,emd_1.map.gz\nONE,emd_1.map.gz\n", "two targets are called one and ONE"),
        ("sheet.csv", "name,map\none\n", "line 2 has not as many fields"),
        ("sheet.csv", "name,map\none,a,b\n", "line 2 has not as many fields"),
        ("sheet.csv", 'name,map\n"one,emd\n', "is no CSV"),
        ("sheet.csv", "name,mpa\none,emd_1.map.gz\n", "no field 'mpa'"),
        ("sheet.csv", "name,map\none,nowhere.mrc\n", "map .*nowhere.mrc is not there"),
        ("sheet.csv", "name,map\n../one,emd_1.map.gz\n", "cannot name a folder"),
        ("sheet.csv", "name,map,resolution\none,emd_1.map.gz,fine\n", "line 2: resolution: input should be a valid"),
        ("sheet.csv", "name,map,resolution\none,emd_1.map.gz,-3\n", "resolution: input should be greater than 0"),
        ("sheet.csv", "name,map,resolution\none,emd_1.map.gz,nan\n", "resolution: input should be"),
        ("sheet.csv", "name\none\n", "map: field required"),
        ("sheet.csv", "name,map,symmetry\none,emd_1.map.gz,X4\n", "symmetry: there is no symmetry 'X4': write C4"),
        ("sheet.csv", "name,map,reference_symmetry\none,emd_1.map.gz,c4\n", "there is no symmetry 'c4'"),
        ("sheet.toml", "[[target]\n", "is no TOML"),
        ("sheet.toml", "[target]\nname = 'one'", "a sheet holds tables"),
        ("sheet.toml", "[[targets]]\nname = 'one'", "and not targets"),
        ("sheet.toml", "[[target]]\nname = 1\nmap = 'emd_1.map.gz'", "target 1: name: input should be a valid string"),
        ("sheet.txt", "", "ends in neither"),
    ],
)
def test_what_is_wrong_is_said(sheet, name, text, said):
    with pytest.raises(CryoweaveError, match=said) as caught:
        read_sheet(sheet(text, name))
    assert caught.value.hint


def test_a_sheet_that_cannot_be_read(tmp_path):
    with pytest.raises(CryoweaveError, match="No such file"):
        read_sheet(tmp_path / "none.csv")
    (tmp_path / "sheet.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CryoweaveError, match="no UTF-8"):
        read_sheet(tmp_path / "sheet.csv")


@pytest.mark.parametrize(("name", "value"), [("resolution", 4.0), ("contour", 0.1), ("symmetry", "C4")])
def test_what_a_sheet_says_suits_every_stage_that_asks(name, value):
    """One word has one meaning: else a sheet that one recipe needs stops another."""
    asking = [stage for stage in host.registry().stages.values() if name in stage.params.model_fields]
    assert len(asking) > 1
    for stage in asking:
        assert stage.params.model_validate({name: value}) is not None, stage.id
