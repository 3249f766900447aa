"""The residues of a model against the sequences that it should have."""

from dataclasses import fields, replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model, Sequence, SequenceSet
from cryoweave.data.residues import PROTEIN_NAMES
from cryoweave.errors import NotApplicableError
from cryoweave.testing import StageContract, ideal_model

LETTERS = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSG"
OTHER = "GWNDEHCCPTVYLMAAGDERTKKWFFHLNQSTIVPG"
MODEL = ideal_model("H" * len(LETTERS), letters=LETTERS)


def given(*letters, molecule="protein", copies=1):
    return SequenceSet(tuple(Sequence(f"s{i}", text, molecule, copies=copies) for i, text in enumerate(letters)))


class TestSequence(StageContract):
    stage_id = "compare.sequence"

    def inputs(self):
        return {"model": MODEL, "sequences": given(OTHER, LETTERS)}


def scores(model, sequences):
    return run_stage("compare.sequence", model=model, sequences=sequences)


def with_residue(model, number, letter):
    column = np.where(model.residue_number == number, PROTEIN_NAMES[letter], model.residue_name)
    return replace(model, residue_name=column)


def joined(*models):
    return Model(**{f.name: np.concatenate([getattr(m, f.name) for m in models]) for f in fields(Model)})


def test_a_complete_model_agrees_everywhere():
    found = scores(MODEL, given(OTHER, LETTERS))
    assert found.residues["sequence_differs"].tolist() == [0] * 50
    assert found.whole["sequence_identity"] == found.whole["sequence_identity_A"] == 1
    assert found.whole["sequence_coverage"] == pytest.approx(50 / 86)
    assert "agree with the sequence s1" in found.metrics["sequence_identity_A"].definition
    assert "50 of that sequence's 50 residues" in found.metrics["sequence_identity_A"].definition


def test_substitutions_and_unknown_residues_are_told_apart():
    model = with_residue(with_residue(MODEL, 10, "W"), 20, "X")
    found = scores(model, given(LETTERS))
    differs = found.residues["sequence_differs"]
    assert np.flatnonzero(differs == 1).tolist() == [9]
    assert np.flatnonzero(np.isnan(differs)).tolist() == [19]
    assert found.whole["sequence_identity"] == pytest.approx(48 / 49)
    assert found.whole["sequence_differences"] == 1
    assert found.whole["sequence_coverage"] == pytest.approx(48 / 50)


def test_gaps_numbering_and_residues_that_the_sequence_lacks():
    kept = MODEL.select((MODEL.residue_number < 21) | (MODEL.residue_number > 30))
    found = scores(replace(kept, residue_number=kept.residue_number + 400), given(LETTERS))
    assert found.whole["sequence_identity"] == 1
    assert found.whole["sequence_coverage"] == pytest.approx(0.8)
    tag = scores(MODEL, given(LETTERS[5:]))
    assert np.flatnonzero(tag.residues["sequence_differs"]).tolist() == [0, 1, 2, 3, 4]


def test_copies_count_and_chains_go_to_their_own_sequence():
    second = replace(MODEL, chain=np.full(len(MODEL), "B"))
    third = ideal_model("H" * len(OTHER), letters=OTHER)
    complex_ = joined(MODEL, second, replace(third, chain=np.full(len(third), "C")))
    for sequences in (SequenceSet((Sequence("l", LETTERS, copies=2), Sequence("o", OTHER))),
                      given(LETTERS, OTHER, LETTERS)):  # fmt: skip
        found = scores(complex_, sequences)
        assert found.whole["sequence_identity"] == 1
        assert found.whole["sequence_coverage"] == 1
        assert "sequence_identity_C" in found.whole
    half = scores(MODEL, given(LETTERS, copies=2))
    assert half.whole["sequence_coverage"] == 0.5


def test_chains_of_another_kind_are_not_compared():
    found = scores(MODEL, given("ACGUACGU", molecule="rna"))
    assert np.isnan(found.residues["sequence_differs"]).all()
    assert np.isnan(found.whole["sequence_identity"])
    assert found.whole["sequence_coverage"] == 0
    assert "no sequence of its kind" in found.metrics["sequence_identity_A"].definition


def test_nucleotides():
    n = 12
    model = Model.from_trace(
        np.arange(3.0 * n).reshape(n, 3), np.array(list("ACGUACGGCUAA")), np.full(n, "R"), np.arange(n, dtype=np.int32),
        np.zeros(n, np.float32),
    )  # fmt: skip
    model = replace(model, atom_name=np.full(n, "P"), element=np.full(n, "P"))
    found = scores(model, SequenceSet((Sequence("p", LETTERS), Sequence("r", "GGACGUACGGCUAA", "rna"))))
    assert found.whole["sequence_identity"] == 1
    assert "with the sequence r" in found.metrics["sequence_identity_R"].definition


def test_ligands_alone_are_not_judged():
    ligand = replace(MODEL, residue_name=np.full(len(MODEL), "LIG"), hetero=np.ones(len(MODEL), bool))
    with pytest.raises(NotApplicableError):
        scores(ligand, given(LETTERS))
