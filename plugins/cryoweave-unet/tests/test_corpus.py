"""Structures become arrays, alike ones stay together, what is not wanted is left out."""

import numpy as np
import pytest

from cryoweave.data import Model
from cryoweave.errors import InputError
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.testing import ideal_model
from cryoweave_unet.classes import AMINO, ATOMS, NUCLEIC, STRUCTURE
from cryoweave_unet.clusters import clusters_of, share_identical
from cryoweave_unet.corpus import Corpus, build_corpus, entry_of, read_parts
from cryoweave_unet.structure import secondary_structure

RNG = np.random.default_rng(4)
LETTERS = "ACDEFGHIKLMNPQRSTVWY"


def random_letters(n):
    return "".join(RNG.choice(list(LETTERS), n))


def mutated(sequence, share):
    return "".join(RNG.choice(list(LETTERS)) if RNG.random() < share else letter for letter in sequence)


def test_helices_and_strands_of_an_ideal_chain():
    structure = "C" * 4 + "H" * 14 + "C" * 4 + "E" * 9 + "C" * 4
    trace = ideal_model(structure).trace_atoms()
    found = "".join("HEC"[i] for i in secondary_structure(trace.xyz, trace.chain))
    assert len(found) == len(structure)
    assert set(found[6:16]) == {"H"}
    assert found[23:30].count("E") >= 6
    assert not found[:3].count("H")


def test_folds_end_at_the_end_of_a_chain():
    trace = ideal_model("H" * 8).trace_atoms()
    far = np.concatenate((trace.xyz[:4], trace.xyz[4:] + 50))
    chain = np.array(["A"] * 4 + ["B"] * 4)
    assert set(secondary_structure(far, chain)) == {STRUCTURE.index("coil")}
    assert len(secondary_structure(np.zeros((0, 3)), chain[:0])) == 0


def test_an_entry_names_each_atom(small):
    entry, model = small.entry, small.model
    assert [ATOMS[i] for i in entry.atom] == [n if n in ATOMS else "other" for n in model.atom_name.tolist()]
    assert [AMINO[i] for i in entry.amino] == model.residue_name.tolist()
    assert (entry.nucleic == 0).all()
    assert set(entry.depth[model.atom_name == "CB"]) == {1}
    assert set(entry.depth[model.atom_name == "CA"]) == {0}
    assert len(np.unique(entry.residue)) == 28


def with_columns(model, **columns):
    return Model(**{name: columns.get(name, getattr(model, name)) for name in Model.__dataclass_fields__})


def test_what_a_model_holds_besides_is_left_out_or_of_no_class(small):
    model = small.model
    n = len(model)
    water = model.residue_name.copy()
    water[:5] = "HOH"
    assert len(entry_of("w", with_columns(model, residue_name=water))) == n - 5
    hydrogen = model.element.copy()
    hydrogen[3] = "H"
    assert len(entry_of("h", with_columns(model, element=hydrogen))) == n - 1
    ligand = np.full(n, "LIG")
    entry = entry_of("l", with_columns(model, residue_name=ligand))
    assert not entry.atom.any()
    assert (entry.amino == -1).all()
    unsure = np.where(model.residue_number <= 10, 50.0, 90.0).astype(np.float32)
    assert np.unique(entry_of("p", with_columns(model, b_factor=unsure), predicted=True).residue).size == 18


def test_alike_chains_are_one_cluster_and_chance_is_none():
    one = random_letters(150)
    groups = clusters_of(
        [
            [one],
            [mutated(one, 0.3)],
            [random_letters(150)],
            [random_letters(40), mutated(one, 0.2)],
            ["ACDEF"],
            ["ACDEF"],
        ],
        0.4,
    )
    assert groups[0] == groups[1] == groups[3]
    assert len({groups[0], groups[2], groups[4], groups[5]}) == 4
    assert share_identical("ACDEFGHIKL" * 3, "ACDEFGHIKL" * 3) == 1
    assert share_identical("ACGU" * 8, "ACGU" * 4) == 1


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    sequences = [random_letters(40) for _ in range(12)]
    for i, letters in enumerate(sequences):
        write_model(tmp_path / "in" / f"s{i:02d}.pdb", ideal_model("H" * 40, letters=letters))
    write_model(tmp_path / "in" / "twin.pdb", ideal_model("H" * 40, letters=sequences[0]))
    (tmp_path / "in" / "broken.pdb").write_text("ATOM no atom\n")
    return tmp_path


def test_a_corpus_comes_back_and_splits_by_cluster(folder):
    away = ideal_model("H" * 40, letters="".join("ACDEFGHIKLMNPQRSTVWY"[i % 20] for i in range(40)))
    corpus = build_corpus([folder / "in"], exclude=["S03"], keep_away=[away], shares=(0.2, 0.2), seed=1)
    assert len(corpus.entries) == 12
    assert {"s03", "broken"} <= set(corpus.about["left_out"])
    part = dict(zip([entry.name for entry in corpus.entries], corpus.parts, strict=True))
    assert part["s00"] == part["twin"]
    assert corpus.parts.count("validation") == 2
    assert corpus.parts.count("test") == 2
    corpus.save(folder / "set.npz")
    again = Corpus.load(folder / "set.npz")
    assert again.parts == corpus.parts
    for one, other in zip(again.entries, corpus.entries, strict=True):
        assert one.name == other.name
        np.testing.assert_array_equal(one.xyz, other.xyz)
        np.testing.assert_array_equal(one.structure, other.structure)
    assert (
        build_corpus([folder / "in"], exclude=["S03"], keep_away=[away], shares=(0.2, 0.2), seed=1).parts
        == corpus.parts
    )


def test_relatives_of_test_cases_are_left_out(folder):
    first = read_model(folder / "in" / "s00.pdb")
    corpus = build_corpus([folder / "in"], keep_away=[first])
    assert {"s00", "twin"} <= set(corpus.about["left_out"])
    assert "s00" not in [entry.name for entry in corpus.entries]


def test_what_is_no_corpus_is_told(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no structure found"):
        build_corpus([tmp_path / "empty"])
    with pytest.raises(InputError, match="there is no folder"):
        build_corpus([tmp_path / "nowhere"])
    for content in (b"", b"no zip", b"PK\x03\x04broken"):
        (tmp_path / "set.npz").write_bytes(content)
        with pytest.raises(InputError, match="is no training set"):
            Corpus.load(tmp_path / "set.npz")
    np.savez(tmp_path / "other.npz", head=np.zeros(3, np.uint8))
    with pytest.raises(InputError, match="is no training set"):
        Corpus.load(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ["A", "DA", "ADE"])
def test_nucleotides_are_known_by_all_their_names(name):
    atoms = np.array(["P", "OP1", "O5'", "C1'", "N9", "C8"])
    model = ideal_model("HH").select(slice(0, len(atoms)))
    element = np.array([atom[0] for atom in atoms.tolist()])
    model = with_columns(model, atom_name=atoms, element=element, residue_name=np.full(len(atoms), name))
    found = [NUCLEIC[i] for i in entry_of("n", model).nucleic]
    assert found == ["P", "P", "sugar", "sugar", "base", "base"]


def test_held_out_structures_stay_held_out(tmp_path, small):
    for name in ("one", "two", "three"):
        write_model(tmp_path / f"{name}.pdb", small.model)
    table = tmp_path / "parts.tsv"
    table.write_text("one\ttest\ntwo\tvalidation\nother\ttest\n")
    corpus = build_corpus([tmp_path], parts=read_parts(table))
    assert {e.name: p for e, p in zip(corpus.entries, corpus.parts, strict=True)} == {
        "one": "test", "two": "validation", "three": "train",
    }  # fmt: skip
    ours = read_parts(None)
    assert len(ours) > 200
    for text, message in (("one", "is no table of parts"), ("one\ttrain\n", "other parts"), ("", "other parts")):
        table.write_text(text)
        with pytest.raises(InputError, match=message):
            read_parts(table)


def test_files_that_are_no_training_set(tmp_path, small):
    with pytest.raises(InputError, match="there is no file"):
        Corpus.load(tmp_path / "none.npz")
    (tmp_path / "set.npz").write_text(">A\nGAVL\n")
    with pytest.raises(InputError, match=r"it is no \.npz file"):
        Corpus.load(tmp_path / "set.npz")
    write_model(tmp_path / "one.pdb", small.model)
    with pytest.raises(InputError, match="all 1 structures are left out"):
        build_corpus([tmp_path], keep_away=[small.model])
