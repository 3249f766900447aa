"""Chains of models find the sequences that they are of."""

import numpy as np
import pytest

from cryoweave.data import ModelSet, Sequence, SequenceSet
from cryoweave.data.model import joined_models
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.kernels.evidence import kinds_of
from cryoweave.kernels.predicted import predicted_chains
from cryoweave.testing import ideal_model

LETTERS = "".join(np.random.default_rng(2).choice([*AMINO_ACIDS.values()], 40))
OTHER = "".join(np.random.default_rng(3).choice([*AMINO_ACIDS.values()], 40))


def model(letters, chain="A"):
    return ideal_model("H" * len(letters), letters=letters, chain=chain)


def sequences(*entries):
    return SequenceSet(
        tuple(Sequence(name, letters, molecule, copies=copies) for name, letters, molecule, copies in entries)
    )


def test_each_chain_goes_to_its_sequence_and_all_its_copies():
    three = sequences(("x", OTHER, "protein", 1), ("y", LETTERS, "protein", 2), ("z", OTHER, "protein", 1))
    both = joined_models([model(LETTERS, "A"), model(OTHER, "B")])
    found = predicted_chains(ModelSet(("first", "second"), (both, model(OTHER))), three, 0.9)
    assert [(one.model, one.chains, one.equal) for one in found] == [
        ("first", (1, 2), 40), ("first", (0, 3), 40), ("second", (0, 3), 40),
    ]  # fmt: skip
    np.testing.assert_array_equal(found[0].xyz, model(LETTERS).trace_atoms().xyz)
    np.testing.assert_array_equal(found[1].kinds, kinds_of(OTHER))


def test_residues_that_the_model_lacks_have_no_place():
    whole = model(LETTERS)
    cut = whole.select((whole.residue_number < 11) | (whole.residue_number > 15))
    (found,) = predicted_chains(ModelSet(("m",), (cut,)), sequences(("x", LETTERS, "protein", 1)), 0.9)
    assert np.flatnonzero(np.isnan(found.xyz[:, 0])).tolist() == [10, 11, 12, 13, 14]
    there = ~np.isnan(found.xyz[:, 0])
    np.testing.assert_array_equal(found.xyz[there], whole.trace_atoms().xyz[there])


@pytest.mark.parametrize(("identity", "there"), [(0.79, True), (0.81, False)])
def test_the_identity_is_of_the_models_residues(identity, there):
    mutated = "".join("W" if k % 5 == 0 and one != "W" else "Y" if k % 5 == 0 else one for k, one in enumerate(LETTERS))
    given = sequences(("x", "ACDEF" + mutated + "GHIKL", "protein", 1))
    assert bool(predicted_chains(ModelSet(("m",), (model(LETTERS),)), given, identity)) == there


def test_only_proteins_have_predicted_chains():
    rna = sequences(("r", "ACGU" * 5, "rna", 1))
    assert predicted_chains(ModelSet(("m",), (model("ACG" * 7),)), rna, 0.1) == []
