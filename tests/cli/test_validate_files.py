"""What ``validate -o`` writes, and models from any program: odd numbers, locations, ligands, many models in a file."""

import json
import sys
from dataclasses import replace
from types import ModuleType

import gemmi
import numpy as np
import pytest

import cryoweave.host
from cryoweave.data import Curve, Metric, Model, ScoreTable
from cryoweave.host import Kind, Params, Stage, param
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.io.scores import read_scores
from cryoweave.pipeline.subject import read_subject, repeated_atoms
from cryoweave.testing import ideal_model, make_registry, simulated_map

MODEL = ideal_model("H" * 30)
WRITTEN = {
    "attributes", "citations.bib", "model.cif", "record.json", "report.html", "scores.json", "scores.tsv", "view.cxc",
    "view.mvsx", "view.pml", "view_coot.py",
}  # fmt: skip


class JudgeParams(Params):
    scale: float = param(2.0, "What scores are multiplied by.", gt=0.0)


def judge(model, params, ctx):
    """A score by residue: of each its row, times the scale."""
    trace = model.trace_atoms()
    rows = params.scale * np.arange(len(trace))
    curve = Curve(np.arange(3.0), np.arange(3.0), "x", "y", "a straight line")
    return ScoreTable(
        trace.chain, trace.residue_number, trace.insertion_code, trace.residue_name, {"row": rows, "q (0.6)": -rows},
        {"residues": len(trace)},
        {"row": Metric("the row", "", True), "q (0.6)": Metric("less the row"), "residues": Metric("rows", "residues")},
        {"line": curve},
    )  # fmt: skip


@pytest.fixture
def judged(monkeypatch):
    """One validator that gives scores by residue."""
    module = ModuleType("judge_plugin")
    module.judge = judge
    monkeypatch.setitem(sys.modules, "judge_plugin", module)
    stage = Stage(
        "judge.rows", Kind.VALIDATE, "Rows.", "judge_plugin:judge", {"model": Model}, ScoreTable,
        params=JudgeParams, cites=("10.1/x",),
    )  # fmt: skip
    made = make_registry([stage], package="judge-package")
    monkeypatch.setattr(cryoweave.host, "registry", lambda: made)


@pytest.fixture
def files(tmp_path):
    write_model(tmp_path / "model.pdb", MODEL)
    write_map(tmp_path / "map.mrc", simulated_map(MODEL))
    return tmp_path


def test_a_folder_holds_all_that_people_open(cli, judged, files):
    out = files / "out"
    result = cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-o", out, "--contour", "0.5")
    assert result.code == 0, result.err
    assert {path.name for path in out.iterdir()} == WRITTEN
    assert f"report of model.pdb: {out / 'report.html'}" in result.err
    lines = (out / "scores.tsv").read_text().splitlines()
    assert lines[0] == "auth_asym_id\tauth_seq_id\tins_code\tcomp_id\trow\tq (0.6)"
    assert lines[2] == "A\t2\t\tVAL\t2.0\t-2.0"
    assert (out / "attributes" / "row.defattr").read_text().splitlines()[:3] == [
        "attribute: row", "recipient: residues", "\t/A:1\t0",
    ]  # fmt: skip
    script = (out / "view.cxc").read_text()
    assert "\ncolor byattribute r:row #1 palette 0,#d73027:" in script
    assert "bfactor" not in script
    assert "level 0.5 " in script
    assert "first = 'row'" in (out / "view.pml").read_text()
    assert "10.1/x" in (out / "citations.bib").read_text()


def test_the_model_carries_its_scores_and_its_own_b_factors(cli, judged, files):
    cli("validate", files / "model.pdb", "-o", files / "out")
    block = gemmi.cif.read(str(files / "out" / "model.cif"))[0]
    assert list(block.find_values("_ma_qa_metric.name")) == ["row", "'q (0.6)'", "residues"]
    local = block.find("_ma_qa_metric_local.", ["label_asym_id", "label_seq_id", "metric_id", "metric_value"])
    assert [list(row) for row in local][1] == ["A", "2", "1", "2"]
    back = read_model(files / "out" / "model.cif")
    np.testing.assert_allclose(back.xyz, MODEL.xyz, atol=6e-4)
    assert set(back.b_factor.tolist()) == {30.0}


def test_what_validators_note_is_on_the_screen_and_in_the_report(cli, judged, files, monkeypatch):
    def noting(model, params, ctx):
        ctx.note("rows", np.int64(30))
        ctx.log.warning("the rows are %s", "made up")
        return judge(model, params, ctx)

    monkeypatch.setattr(sys.modules["judge_plugin"], "judge", noting)
    write_model(files / "other.pdb", MODEL)
    result = cli("validate", files / "model.pdb", files / "other.pdb", "-o", files / "out")
    assert [line for line in result.err.splitlines() if "made up" in line] == [
        "model.pdb: the rows are made up", "other.pdb: the rows are made up",
    ], "once, and not by the log besides"  # fmt: skip
    record = json.loads((files / "out" / "model.pdb" / "record.json").read_text())
    assert record["notes"] == ["the rows are made up"]
    assert record["steps"][0]["facts"] == {"rows": 30}
    assert "<li>the rows are made up</li>" in (files / "out" / "other.pdb" / "report.html").read_text()
    assert cli("validate", files / "model.pdb", "--json").json()[0]["notes"] == ["the rows are made up"]


def test_confidences_are_known_wherever_they_come_from(files, tmp_path):
    sure = replace(MODEL, b_is_confidence=np.ones(len(MODEL), bool))
    write_model(tmp_path / "sure.cif", sure)
    assert read_subject(tmp_path / "sure.cif").model.b_is_confidence.all()
    assert not read_subject(files / "model.pdb").model.b_is_confidence.any()
    run = tmp_path / "run"  # as an earlier version wrote it
    run.mkdir()
    write_model(run / "model.cif", MODEL)
    assert not read_subject(run).model.b_is_confidence.any()
    (run / "record.json").write_text('{"confidence": {"mean": 0.3}}')
    assert read_subject(run).model.b_is_confidence.all()
    assert read_subject(run / "model.cif").model.b_is_confidence.all()


def test_atoms_that_stand_twice_are_told(cli, judged, files):
    lines = [line for line in (files / "model.pdb").read_text().splitlines() if line.startswith("ATOM")]
    (files / "twice.pdb").write_text("\n".join([*lines, *lines[10:30]]) + "\n")
    result = cli("validate", files / "twice.pdb", "-o", files / "out")
    assert result.code == 0
    said = "twice.pdb holds 20 atoms a second time, the first in "
    assert said in result.err
    assert said in (files / "out" / "report.html").read_text()
    assert "a second time" not in cli("validate", files / "model.pdb").err
    places = replace(MODEL, altloc=np.where(MODEL.residue_number == 3, "A", ""))
    other = places.select(places.residue_number == 3)
    both = Model(**{
        name: np.concatenate([getattr(places, name), getattr(replace(other, altloc=np.full(len(other), "B")), name)])
        for name in Model.__dataclass_fields__
    })  # fmt: skip
    assert not repeated_atoms(both).any(), "alternative locations are no copies"


def test_the_record_is_one_that_compare_reads(cli, judged, files):
    write_model(files / "short.cif", MODEL.select(MODEL.residue_number < 20))
    for name in ("model.pdb", "short.cif"):
        cli("validate", files / name, "-o", files / name[:5], "--set", "judge.rows.scale=3")
    record = json.loads((files / "model" / "record.json").read_text())
    assert record["recipe"] == "validate"
    assert record["steps"][0]["params"] == {"scale": 3.0}
    assert record["steps"][0]["scores"] == ["row", "q (0.6)", "residues", "line"]
    assert set(record["outputs"]) == {
        "model", "scores", "scores_table", "citations", "chimerax", "pymol", "coot", "scene", "report",
    }  # fmt: skip
    compared = cli("compare", files / "model", files / "short", "--json").json()
    assert [run["residues"] for run in compared] == [30, 19]


def test_the_same_folder_again_holds_nothing_old(cli, judged, files):
    out = files / "out"
    cli("validate", files / "model.pdb", "-v", files / "map.mrc", "-o", out)
    (out / "attributes" / "old.defattr").write_text("")
    (out / "notes.txt").write_text("mine")
    assert cli("validate", files / "model.pdb", "-o", out).code == 0
    assert {path.name for path in out.iterdir()} == WRITTEN | {"notes.txt"}
    assert sorted(path.name for path in (out / "attributes").iterdir()) == ["q__0_6_.defattr", "row.defattr"]
    assert "density" not in json.loads((out / "record.json").read_text())["inputs"]


def test_what_is_not_ours_is_not_replaced(cli, judged, files):
    own, run = files / "own", files / "run"
    own.mkdir()
    write_model(own / "model.cif", MODEL)
    before = (own / "model.cif").read_bytes()
    result = cli("validate", own / "model.cif", "-o", own)
    assert (result.code, (own / "model.cif").read_bytes()) == (2, before)
    assert "would be replaced by the results" in result.err
    assert cli("validate", files / "model.pdb", "-o", own).code == 2
    run.mkdir()
    (run / "record.json").write_text('{"schema": "cryoweave-record/1", "recipe": "some"}')
    result = cli("validate", files / "model.pdb", "-o", run)
    assert result.code == 2
    assert "holds a run" in result.err
    assert sorted(path.name for path in run.iterdir()) == ["record.json"]
    cli("validate", files / "model.pdb", "-o", files / "out")
    assert cli("validate", files / "out", "-o", files / "out").code == 2
    assert cli("validate", files / "out", "-o", files / "again").code == 0


def test_several_models_have_a_folder_each_and_a_page_together(cli, judged, files):
    write_model(files / "other.cif", MODEL.select(MODEL.residue_number < 20))
    result = cli("validate", files / "model.pdb", files / "other.cif", "-o", files / "two")
    assert result.code == 0, result.err
    assert sorted(path.name for path in (files / "two").iterdir()) == ["comparison.html", "model.pdb", "other.cif"]
    page = (files / "two" / "comparison.html").read_text()
    assert 'href="model.pdb/report.html"' in page
    assert 'href="other.cif/report.html"' in page
    assert f"side by side: {files / 'two' / 'comparison.html'}" in result.err
    assert len(read_scores(files / "two" / "other.cif")) == 19


def test_what_an_earlier_validation_left_is_told(cli, judged, files):
    write_model(files / "other.cif", MODEL)
    out, note = files / "out", "of earlier validations, and not of this one: "
    both = cli("validate", files / "model.pdb", files / "other.cif", "-o", out)
    assert note not in both.err
    one = cli("validate", files / "model.pdb", "-o", out)
    assert f"{note}comparison.html, model.pdb/, other.cif/ in {out}" in one.err
    again = cli("validate", files / "model.pdb", files / "other.cif", "-o", out)
    assert f"{note}report.html in {out}" in again.err


def test_ctrl_c_is_told_and_leaves_no_folder_that_claims_to_be_complete(cli, judged, files, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    write_model(files / "other.cif", MODEL)
    with monkeypatch.context() as patch:
        patch.setattr("cryoweave.report.page.write_report", interrupted)
        result = cli("validate", files / "model.pdb", "-o", files / "out")
    assert result.code == 130
    assert "error: interrupted\nhint: models that were finished have their report" in result.err
    assert not (files / "out" / "report.html").exists()
    assert json.loads((files / "out" / "record.json").read_text())["state"] == "running"
    assert [run["state"] for run in cli("compare", files / "out", "--json").json()] == ["stopped"]
    assert cli("validate", files / "model.pdb", "-o", files / "out").code == 0
    assert json.loads((files / "out" / "record.json").read_text())["state"] == "done"


def test_models_that_were_finished_before_ctrl_c_have_their_files(cli, judged, files, monkeypatch):
    calls = []

    def second_time(model, params, ctx):
        calls.append(model)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge(model, params, ctx)

    monkeypatch.setattr(sys.modules["judge_plugin"], "judge", second_time)
    write_model(files / "other.cif", MODEL)
    result = cli("validate", files / "model.pdb", files / "other.cif", "-o", files / "out")
    assert result.code == 130
    assert (files / "out" / "model.pdb" / "report.html").is_file()
    assert not (files / "out" / "other.cif").exists()


def atom(serial, name, residue, chain, number, xyz, *, code=" ", altloc=" ", element="C", hetero=False):
    place = "".join(f"{value:8.3f}" for value in xyz)
    kind = "HETATM" if hetero else "ATOM  "
    shown = f" {name:<3}" if len(name) < 4 else name
    start = f"{kind}{serial:5d} {shown}{altloc}{residue:>3} {chain}{number:4d}{code}   "
    return f"{start}{place}  1.00 20.00          {element:>2}\n"


def lines_of(model, change=lambda row: row):
    """PDB lines of a model, each row changed."""
    rows = []
    for i in range(len(model)):
        row = {
            "name": str(model.atom_name[i]), "residue": str(model.residue_name[i]), "chain": str(model.chain[i]),
            "number": int(model.residue_number[i]), "xyz": model.xyz[i], "element": str(model.element[i]),
        }  # fmt: skip
        rows.append(atom(i + 1, **change(row)))
    return rows


def with_codes(row):
    over = row["number"] - 10
    return row | {"number": 10, "code": "ABCDE"[over - 1]} if 0 < over <= 5 else row


LIGANDS = [
    atom(900, "C1", "LIG", "A", 900, (1, 2, 3), hetero=True),
    atom(901, "CA", "CA", "A", 901, (4, 5, 6), element="CA", hetero=True),
    atom(902, "O", "HOH", "A", 902, (7, 8, 9), element="O", hetero=True),
]
NUCLEOTIDES = [
    atom(800 + 3 * i + j, name, "  G" if i % 2 else " DA", "R", i + 1, (6.0 * i + j, 20, 20), element=name[0])
    for i in range(6)
    for j, name in enumerate(("P", "C4'", "N9"))
]
HYDROGENS = [atom(700 + i, "H", "ALA", "A", i + 1, MODEL.xyz[5 * i] + 0.5, element="H") for i in range(3)]
LOCATIONS = [text[:16] + letter + text[17:] for text in lines_of(MODEL) if int(text[22:26]) == 7 for letter in "AB"]
HOSTILE = {
    "insertion codes": lines_of(MODEL, with_codes),
    "two locations": [text for text in lines_of(MODEL) if int(text[22:26]) != 7] + LOCATIONS,
    "hydrogens": lines_of(MODEL) + HYDROGENS,
    "ligands": lines_of(MODEL) + LIGANDS,
    "nucleotides": lines_of(MODEL) + NUCLEOTIDES,
    "only nucleotides": NUCLEOTIDES,
    "only ligands": LIGANDS,
    "falling numbers": lines_of(MODEL, lambda row: row | {"number": 100 - row["number"]}),
    "negative numbers": lines_of(MODEL, lambda row: row | {"number": row["number"] - 12}),
    "no chain": lines_of(MODEL, lambda row: row | {"chain": " "}),
    "unknown residues": lines_of(MODEL, lambda row: row | {"residue": "UNK"}),
    "a trace": lines_of(MODEL.trace_atoms()),
    "one residue": lines_of(MODEL.select(slice(0, 5))),
    "one place": lines_of(replace(MODEL, xyz=np.ones_like(MODEL.xyz))),
    "far from the map": lines_of(replace(MODEL, xyz=MODEL.xyz - 900)),
}
RESIDUES = {"nucleotides": 36, "only nucleotides": 6, "only ligands": 0, "one residue": 1}


@pytest.mark.parametrize("what", HOSTILE)
def test_models_of_any_program(cli, judged, files, what):
    (files / "odd.pdb").write_text("".join(HOSTILE[what]) + "END\n")
    result = cli("validate", files / "odd.pdb", "-v", files / "map.mrc", "-o", files / "out")
    assert result.code == 0, result.err
    scores, model = read_scores(files / "out"), read_model(files / "out" / "model.cif")
    assert len(scores) == RESIDUES.get(what, 30)
    names = list(zip(scores.chain, scores.residue_number, scores.insertion_code, strict=True))
    assert len(set(names)) == len(names)
    there = set(zip(model.chain, model.residue_number, model.insertion_code, strict=True))
    assert set(names) <= there
    assert {path.name for path in (files / "out").iterdir()} == WRITTEN


def test_insertion_codes_keep_their_scores_apart(cli, judged, files):
    (files / "odd.pdb").write_text("".join(HOSTILE["insertion codes"]))
    cli("validate", files / "odd.pdb", "-o", files / "out")
    lines = (files / "out" / "attributes" / "row.defattr").read_text().splitlines()
    assert lines[11:14] == ["\t/A:10\t18", "\t/A:10A\t20", "\t/A:10B\t22"]
    block = gemmi.cif.read(str(files / "out" / "model.cif"))[0]
    values = block.find("_ma_qa_metric_local.", ["label_seq_id", "metric_value"])
    assert [list(row) for row in values][9:12] == [["10", "18"], ["11", "20"], ["12", "22"]]


def test_of_several_models_the_first_is_judged_and_it_says_so(cli, judged, files):
    models = [lines_of(replace(MODEL, xyz=MODEL.xyz + 10.0 * i).select(slice(0, 100 + 5 * i))) for i in range(3)]
    text = "".join(f"MODEL     {i + 1:4d}\n{''.join(lines)}ENDMDL\n" for i, lines in enumerate(models))
    (files / "many.pdb").write_text(text + "END\n")
    result = cli("validate", files / "many.pdb", "-o", files / "out")
    assert "many.pdb holds 3 models: the first is judged" in result.err
    assert "many.pdb holds 3 models: the first is judged" in (files / "out" / "report.html").read_text()
    np.testing.assert_allclose(read_model(files / "out" / "model.cif").xyz, MODEL.xyz[:100], atol=2e-3)


def test_a_chain_without_an_id_gets_one_everywhere(cli, judged, files):
    (files / "odd.pdb").write_text("".join(HOSTILE["no chain"]))
    result = cli("validate", files / "odd.pdb", "-o", files / "out")
    assert "the chain without an id is called A here" in result.err
    assert set(read_scores(files / "out").chain) == {"A"}


def test_a_file_without_residues_is_told(cli, judged, files):
    (files / "odd.pdb").write_text("".join(HOSTILE["only ligands"]))
    result = cli("validate", files / "odd.pdb", "-o", files / "out")
    assert "odd.pdb has no residue with a Cα or P atom" in result.err


@pytest.mark.parametrize("what", HOSTILE)
def test_installed_validators_judge_them_or_say_why_not(cli, files, what):
    pytest.importorskip("cryoweave_validation", reason="cryoweave-validation is not installed")
    (files / "odd.pdb").write_text("".join(HOSTILE[what]) + "END\n")
    arguments = ("-v", files / "map.mrc", "-r", files / "model.pdb", "-d", "4", "-o", files / "out")
    result = cli("validate", files / "odd.pdb", *arguments)
    assert result.code in (0, 1), result.err
    assert (files / "out" / "report.html").is_file()
    assert result.err.count("error: ") == result.err.count("error: odd.pdb: stage ")
