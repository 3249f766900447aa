"""Models: what was read is what was written, and viewers find what they need."""

import gzip
import logging
from dataclasses import fields
from pathlib import Path

import gemmi
import numpy as np
import pytest

from cryoweave.data import Metric, Model, ScoreTable, Sequence, SequenceSet
from cryoweave.errors import InputError
from cryoweave.io import read_model, read_models, write_model

REAL = [
    "maps/emd2566_3j6b9/3J6B_9.pdb",
    "maps/emd30342_integrin/7cec_A.cif.gz",
    "maps/io_edge/3pqr.pdb",
    "maps/emd20755_6ues/em-pred_6UES-1.pdb",
    "structures/bm5/1ACB_target.pdb.gz",
    "structures/protdna/1AZP_target.pdb.gz",
]
PDB = """\
ATOM      1  N  AALA A  10A     11.104   6.134  -6.504  0.50 20.00           N
ATOM      2  N  BALA A  10A     11.204   6.134  -6.504  0.50 21.00           N
ATOM      3  CA  ALA A  10A     11.639   6.071  -5.147  1.00 22.00           C
ATOM      4  HA  ALA A  10A     12.000   6.500  -5.000  1.00 22.00           H
HETATM    5 CA    CA A 201      20.000  20.000  20.000  1.00 30.00          CA
HETATM    6  O   HOH A 301      25.000  20.000  20.000  1.00 40.00           O
"""


def same(one: Model, other: Model) -> None:
    for field in fields(Model):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if a.dtype.kind == "f":
            assert np.allclose(a, b, atol=5e-4 if field.name == "xyz" else 6e-3, rtol=0), field.name
        else:
            assert np.array_equal(a, b), field.name


def chain_of(n: int, name: str = "A", first: int = 1) -> Model:
    names = np.array(["MET", "GLY", "UNK", "TRP"] * n)[:n]
    xyz = np.random.default_rng(n).uniform(-900, 900, (n, 3))
    b_factor = np.linspace(0, 100, n, dtype=np.float32)
    return Model.from_trace(xyz, names, np.full(n, name), np.arange(first, first + n, dtype=np.int32), b_factor)


def columns(path: Path, prefix: str, *tags: str) -> list[tuple[str, ...]]:
    block = gemmi.cif.read(str(path)).sole_block()
    return [tuple(row.str(i) for i in range(len(tags))) for row in block.find(prefix, list(tags))]


def test_everything_in_a_pdb_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.pdb"
    path.write_text(PDB)
    model = read_model(path)
    assert model.atom_name.tolist() == ["N", "N", "CA", "HA", "CA", "O"]
    assert model.element.tolist() == ["N", "N", "C", "H", "Ca", "O"]
    assert model.altloc.tolist() == ["A", "B", "", "", "", ""]
    assert model.insertion_code.tolist() == ["A"] * 4 + [""] * 2
    assert model.residue_number.tolist() == [10] * 4 + [201, 301]
    assert model.hetero.tolist() == [False] * 4 + [True] * 2
    assert model.occupancy.tolist() == [0.5, 0.5, 1, 1, 1, 1]
    assert model.xyz[0].tolist() == [11.104, 6.134, -6.504]
    assert len(model.trace_atoms()) == 1


@pytest.mark.parametrize("suffix", [".cif", ".pdb"])
def test_written_models_come_back(tmp_path: Path, shared: Path, suffix: str) -> None:
    for name in REAL:
        model = read_model(shared / name)
        write_model(tmp_path / f"out{suffix}", model)
        same(read_model(tmp_path / f"out{suffix}"), model)


@pytest.mark.parametrize("suffix", [".cif", ".pdb"])
def test_hetero_atoms_and_altlocs_come_back(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "a.pdb").write_text(PDB)
    model = read_model(tmp_path / "a.pdb")
    write_model(tmp_path / f"b{suffix}", model)
    same(read_model(tmp_path / f"b{suffix}"), model)


def test_old_columns_73_to_80_are_no_elements(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "cryoweave.io"):
        model = read_model(shared / "structures/bm5/1ACB_target.pdb.gz")
    assert "without columns 73-80" in caplog.text
    assert set(model.element) <= {"C", "N", "O", "S"}


def test_the_content_tells_format_and_compression(tmp_path: Path) -> None:
    path = tmp_path / "misnamed.cif"
    path.write_bytes(gzip.compress(PDB.encode()))
    assert len(read_model(path)) == 6


def test_models_of_a_file_are_counted_from_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pdb"
    moved = PDB.replace(" 11.104", " 99.104")
    path.write_text(f"MODEL        4\n{PDB}ENDMDL\nMODEL        7\n{moved}ENDMDL\nEND\n")
    assert [model.xyz[0, 0] for model in read_models(path)] == [11.104, 99.104]
    assert read_model(path, model_number=2).xyz[0, 0] == 99.104
    for number in (0, 3):
        with pytest.raises(InputError, match=f"no model {number}") as caught:
            read_model(path, model_number=number)
        assert caught.value.hint == "models: 1 to 2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "neither a PDB nor an mmCIF"),
        ("REMARK nothing\nEND\n", "neither a PDB nor an mmCIF"),
        ("data_x\n_cell.length_a 1\n", "no _atom_site loop"),
        (PDB.replace("11.104", "1x.104"), "coordinate 1 is no number"),
        (PDB.replace("A  10A", "A  x0A"), "no residue number"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.pdb"
    path.write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        read_model(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_viewers_find_polymers_and_kinds_of_residues(tmp_path: Path) -> None:
    path = tmp_path / "m.cif"
    write_model(path, chain_of(4))
    assert dict(columns(path, "_chem_comp.", "id", "type")) == {
        "MET": "L-PEPTIDE LINKING", "GLY": "PEPTIDE LINKING", "UNK": "L-PEPTIDE LINKING", "TRP": "L-PEPTIDE LINKING",
    }  # fmt: skip
    assert columns(path, "_entity.", "type") == [("polymer",)]
    assert columns(path, "_entity_poly.", "type", "pdbx_strand_id") == [("polypeptide(L)", "A")]
    assert [row[0] for row in columns(path, "_entity_poly_seq.", "mon_id")] == ["MET", "GLY", "UNK", "TRP"]
    assert len(columns(path, "_struct_asym.", "id")) == 1
    assert columns(path, "_atom_site.", "auth_seq_id", "label_seq_id", "auth_asym_id")[3] == ("4", "4", "A")


def test_kinds_of_other_residues(tmp_path: Path, shared: Path) -> None:
    (tmp_path / "a.pdb").write_text(PDB)
    write_model(tmp_path / "a.cif", read_model(tmp_path / "a.pdb"))
    kinds = dict(columns(tmp_path / "a.cif", "_chem_comp.", "id", "type"))
    assert kinds == {"ALA": "L-PEPTIDE LINKING", "CA": "NON-POLYMER", "HOH": "NON-POLYMER"}
    for name, kind in (
        ("maps/emd20755_6ues/em-pred_6UES-1.pdb", "RNA"),
        ("structures/protdna/1AZP_target.pdb.gz", "DNA"),
    ):
        write_model(tmp_path / "b.cif", read_model(shared / name))
        assert f"{kind} LINKING" in dict(columns(tmp_path / "b.cif", "_chem_comp.", "id", "type")).values()


def test_given_sequences_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "m.cif"
    sequences = SequenceSet((Sequence("other", "AAAAAAAAAA"), Sequence("mine", "AAMGXWKK")))
    write_model(path, chain_of(4, first=3), sequences=sequences)
    written = [row[0] for row in columns(path, "_entity_poly_seq.", "mon_id")]
    assert written == ["ALA", "ALA", "MET", "GLY", "UNK", "TRP", "LYS", "LYS"]
    assert columns(path, "_atom_site.", "label_seq_id")[0] == ("3",)


def test_scores_are_quality_metrics(tmp_path: Path) -> None:
    path = tmp_path / "m.cif"
    model = chain_of(4)
    scores = ScoreTable(
        model.chain, model.residue_number, model.insertion_code, model.residue_name,
        {"daq": np.array([0.5, np.nan, -1.25, 2])}, {"daq": 0.25, "recall": 0.9},
        {"daq": Metric("Mean of a thing's log ratio.", "nat"), "recall": Metric("Part that is found.")},
    )  # fmt: skip
    write_model(path, model, scores=scores)
    assert columns(path, "_ma_qa_metric.", "id", "name", "mode") == [
        ("1", "daq", "local"), ("2", "daq", "global"), ("3", "recall", "global"),
    ]  # fmt: skip
    assert columns(path, "_ma_qa_metric_global.", "metric_id", "metric_value") == [("2", "0.25"), ("3", "0.9")]
    local = columns(path, "_ma_qa_metric_local.", "label_asym_id", "label_seq_id", "label_comp_id", "metric_value")
    asym = columns(path, "_struct_asym.", "id")[0][0]
    assert local == [(asym, "1", "MET", "0.5"), (asym, "3", "UNK", "-1.25"), (asym, "4", "TRP", "2")]
    same(read_model(path), model)


def test_the_file_is_ascii_and_descriptions_are_sentences(tmp_path: Path) -> None:
    path = tmp_path / "m.cif"
    metrics = {
        "density": Metric("mean density at the Cα (P), ≤ 3 Å", "σ"),
        "é": Metric("residues with a Cα (P)", "residues"),
        "ж": Metric("µ–σ × 2."),
    }
    write_model(path, chain_of(4), scores=ScoreTable([], [], [], [], {}, dict.fromkeys(metrics, 1.0), metrics))
    assert path.read_bytes().isascii()
    assert columns(path, "_ma_qa_metric.", "name", "description") == [
        ("density", "mean density at the C-alpha (P), <= 3 A (unit: sigma)"),
        ("e?", "residues with a C-alpha (P) (unit: residues)"),
        ("?", "u-sigma x 2"),
    ]


def test_label_ids_are_the_chains_ids_and_free_letters(tmp_path: Path) -> None:
    (tmp_path / "a.pdb").write_text(PDB)
    write_model(tmp_path / "a.cif", read_model(tmp_path / "a.pdb"))
    atoms = columns(tmp_path / "a.cif", "_atom_site.", "auth_asym_id", "label_asym_id")
    assert [label for _, label in atoms] == ["A"] * 4 + ["B", "C"]
    assert {row[0] for row in columns(tmp_path / "a.cif", "_struct_asym.", "id")} == {"A", "B", "C"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (chain_of(3, "AB"), "chain id"),
        (chain_of(3, first=9998), "four digits"),
        (chain_of(100_000), "99,999"),
    ],
)
def test_what_does_not_fit_into_pdb(tmp_path: Path, model: Model, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        write_model(tmp_path / "a.pdb", model)
    assert "mmCIF" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_long_chain_ids_and_a_blank_one(tmp_path: Path) -> None:
    write_model(tmp_path / "a.cif", chain_of(3, "ABCDEF"))
    assert read_model(tmp_path / "a.cif").chain[0] == "ABCDEF"
    write_model(tmp_path / "b.cif", chain_of(3, ""))
    assert read_model(tmp_path / "b.cif").chain[0] == "A"
    assert columns(tmp_path / "b.cif", "_entity.", "type") == [("polymer",)]


def test_an_empty_model_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no atom"):
        write_model(tmp_path / "a.cif", chain_of(3).select(slice(0, 0)))
    assert list(tmp_path.iterdir()) == []
