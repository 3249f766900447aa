"""Comparison with a reference: contracts, known figures and odd models."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data import Model
from cryoweave.errors import StageError
from cryoweave.testing import StageContract, ideal_model
from cryoweave_validation.compare import residue_atoms, same_atoms
from cryoweave_validation.compare_chains import map_chains
from cryoweave_validation.compare_published import bad_connections, chain_comparison, directions

LETTERS = "".join(np.random.default_rng(5).choice(list("ACDEFGHIKLMNPQRSTVWY"), 60))
MODEL = ideal_model("H" * 25 + "C" * 5 + "E" * 30, letters=LETTERS)


class Comparison(StageContract):
    def inputs(self):
        return {"model": MODEL.select(MODEL.residue_number < 50), "reference": MODEL}


class TestLddt(Comparison):
    stage_id = "compare.lddt"


class TestChains(Comparison):
    stage_id = "compare.chains"


class TestPublished(Comparison):
    stage_id = "compare.published"


def scores(stage, model, reference=MODEL):
    return run_stage(f"compare.{stage}", model=model, reference=reference)


def joined(*models):
    columns = Model.__dataclass_fields__
    return Model(**{name: np.concatenate([getattr(m, name) for m in models]) for name in columns})


def copy_of(model, chain, shift=(0.0, 0.0, 0.0)):
    return replace(model, chain=np.full(len(model), chain), xyz=model.xyz + np.array(shift))


def test_a_moved_model_keeps_all_distances():
    found = scores("lddt", replace(MODEL, xyz=MODEL.xyz[:, ::-1] + 90, residue_number=MODEL.residue_number + 700))
    assert found.whole == pytest.approx({"lddt": 1.0, "lddt_ca": 1.0})
    np.testing.assert_allclose(found.residues["lddt"], 1.0)


def test_what_is_missing_counts_against_the_model():
    half = scores("lddt", MODEL.select(MODEL.residue_number <= 30))
    assert len(half) == 30
    assert half.whole["lddt"] < 0.7
    assert half.residues["lddt"][:10] == pytest.approx(1.0)
    no_beta = scores("lddt", MODEL.select(MODEL.atom_name != "CB"))
    assert no_beta.whole["lddt"] < 0.9
    assert no_beta.whole["lddt_ca"] == pytest.approx(1.0)


def test_one_wrong_residue_is_told_from_the_others():
    far = np.where((MODEL.residue_number == 10)[:, None], MODEL.xyz + np.array([0, 30.0, 0]), MODEL.xyz)
    found = scores("lddt", replace(MODEL, xyz=far))
    for column in ("lddt", "lddt_ca"):
        assert found.residues[column].argmin() == 9
        assert found.residues[column][9] < 0.2
        assert np.median(found.residues[column]) > 0.9


@settings(deadline=None, max_examples=20)
@given(st.sets(st.integers(2, 60), max_size=12), st.booleans(), st.integers(0, 1000))
def test_cutting_a_model_into_chains_changes_no_distance(places, renumbered, seed):
    noise = np.random.default_rng(seed).normal(0, 0.7, MODEL.xyz.shape)
    ours = replace(MODEL, xyz=MODEL.xyz + noise)
    starts = np.array([1, *sorted(places)])
    fragment = np.searchsorted(starts, ours.residue_number, side="right") - 1
    number = ours.residue_number - starts[fragment] + 1 if renumbered else ours.residue_number
    pieces = replace(ours, chain=np.char.add("f", fragment.astype(str)), residue_number=number.astype(np.int32))
    found, expected = scores("lddt", pieces), scores("lddt", ours)
    assert found.whole == pytest.approx(expected.whole)
    for name, values in expected.residues.items():
        np.testing.assert_allclose(found.residues[name], values)


def test_a_trace_has_no_score_of_all_atoms():
    found = scores("lddt", MODEL.trace_atoms())
    assert np.isnan(found.whole["lddt"])
    assert np.isnan(found.residues["lddt"]).all()
    assert found.whole["lddt_ca"] == pytest.approx(1.0)


def test_odd_atoms_neither_count_nor_disturb():
    hydrogens = replace(MODEL, element=np.full(len(MODEL), "H"), xyz=MODEL.xyz + 40)
    other = replace(MODEL, altloc=np.full(len(MODEL), "B"), xyz=MODEL.xyz + 2)
    few = MODEL.select(slice(0, 5))
    water = replace(few, residue_name=np.full(5, "HOH"), hetero=np.ones(5, bool), chain=np.full(5, "W"))
    unknown = replace(few, residue_name=np.full(5, "UNK"), chain=np.full(5, "U"))
    odd = joined(MODEL, hydrogens, other, water, unknown)
    found = scores("lddt", odd)
    assert found.whole == pytest.approx({"lddt": 1.0, "lddt_ca": 1.0})
    assert np.isnan(found.residues["lddt"]).tolist() == (found.chain == "U").tolist()
    assert scores("lddt", MODEL, odd.select(odd.chain != "U")).whole == pytest.approx(found.whole)


def test_insertion_codes_are_residues_of_their_own():
    inserted = np.where(MODEL.residue_number == 31, "A", "")
    number = MODEL.residue_number - (MODEL.residue_number > 30)
    odd = replace(MODEL, insertion_code=inserted, residue_number=number)
    for model, reference in ((odd, odd), (odd, MODEL), (MODEL, odd)):
        assert scores("lddt", model, reference).whole == pytest.approx({"lddt": 1.0, "lddt_ca": 1.0})


def test_without_a_common_sequence_local_distances_cannot_be_compared():
    with pytest.raises(StageError, match="paired"):
        scores("lddt", replace(MODEL, residue_name=np.full(len(MODEL), "UNK")))
    for name in ("lddt", "chains", "published"):
        with pytest.raises(StageError, match="no Cα"):
            scores(name, MODEL.select(MODEL.atom_name == "N"))


def test_atoms_are_paired_by_name_within_partners():
    trace = MODEL.trace_atoms()
    shuffled = MODEL.select(np.random.default_rng(0).permutation(len(MODEL)))
    ours = shuffled.trace_atoms()
    order = np.argsort(ours.residue_number)
    atoms, rows = residue_atoms(MODEL, trace)
    same = same_atoms(shuffled, ours, MODEL, trace, np.where(order % 3 == 0, -1, order))
    kept = order[rows] % 3 != 0
    assert (same[~kept] == -1).all()
    np.testing.assert_array_equal(shuffled.xyz[same[kept]], MODEL.xyz[atoms[kept]])


def test_copies_are_mapped_by_the_best_permutation():
    """Chain X lies on both B and C, chain Y on B only: the closest first would leave Y without a chain."""
    found = map_chains(np.repeat([0, 0, 1], [10, 9, 8]), np.repeat([1, 2, 1], [10, 9, 8]), 2, 3)
    assert found.ours.tolist() == [0, 1]
    assert found.native.tolist() == [2, 1]
    assert found.found.tolist() == [9, 8]


def test_chains_of_a_trimer_are_found_and_each_has_its_recall():
    reference = joined(*(copy_of(MODEL, name, (0, 0, 60.0 * k)) for k, name in enumerate("ABC")))
    part = MODEL.select(MODEL.residue_number <= 30)
    ours = joined(copy_of(MODEL, "x", (0, 0.5, 120)), copy_of(part, "y", (0, 0.5, 0)), copy_of(part, "z", (500, 0, 0)))
    found = scores("chains", ours, reference)
    assert {name: found.whole[f"chain_recall_{name}"] for name in "ABC"} == {"A": 0.5, "B": 0.0, "C": 1.0}
    assert "model chain x" in found.metrics["chain_recall_C"].definition
    assert found.whole["mapped_recall"] == pytest.approx(0.5)
    assert [found.whole[f"{which}_chains"] for which in ("model", "reference", "mapped")] == [3, 3, 2]
    assert [np.unique(found.residues["mapped_chain"][found.chain == name]).tolist() for name in "xy"] == [[3], [1]]
    assert np.isnan(found.residues["chain_recall"][found.chain == "z"]).all()


def test_fragments_and_breaks():
    trace = MODEL.trace_atoms()
    gap = scores("chains", trace.select(trace.residue_number != 20), trace).whole
    assert (gap["model_fragments"], gap["reference_fragments"], gap["matched_fragments"]) == (2, 1, 2)
    assert (gap["breaks"], gap["matched_length"]) == (0, 59 / 2)
    order = [*range(10), *range(20, 30), *range(10, 20), *range(30, 60)]
    swapped = replace(trace, xyz=trace.xyz[order])
    found = scores("chains", swapped, trace).whole
    assert (found["matched_fragments"], found["breaks"]) == (4, 3)
    backwards = scores("chains", replace(trace, xyz=trace.xyz[::-1]), trace).whole
    assert (backwards["matched_fragments"], backwards["breaks"], backwards["mapped_recall"]) == (1, 0, 1.0)


def test_published_figures_of_known_models():
    same = scores("published", MODEL).whole
    assert same["modelangelo_sequence_coverage"] == same["modelangelo_lddt"] == 1
    assert (same["chain_comparison_found"], same["chain_comparison_sequence_match"]) == (100, 100)
    moved = scores("published", replace(MODEL, xyz=MODEL.xyz + np.array([0.6, 0, 0.8]))).whole
    assert moved["chain_comparison_rmsd"] == pytest.approx(1.0)
    assert moved["modelangelo_ca_rmsd_in_place"] == pytest.approx(1.0)
    assert moved["modelangelo_ca_rmsd"] == pytest.approx(0.0, abs=1e-6)
    away = scores("published", replace(MODEL, xyz=MODEL.xyz + 500)).whole
    assert away["chain_comparison_found"] == away["modelangelo_recall"] == away["modelangelo_lddt"] == 0
    assert np.isnan(away["modelangelo_ca_rmsd"])
    one = MODEL.trace_atoms().select(slice(0, 1))
    assert scores("published", one, one).whole["chain_comparison_found"] == 100


def test_directions_follow_the_target():
    pairs = np.array([[0, 5], [1, 6], [2, 7], [3, 20], [4, 19], [5, 18], [7, 30]])
    assert directions(pairs).tolist() == [1, 1, 1, 0, -1, -1, 0]
    assert directions(pairs[:0]).tolist() == []
    assert bad_connections([1, 2, 3, 7, 8, 9, 5, 4, 3]) == 1
    assert bad_connections([5, 6, 1, 2]) == 1
    assert bad_connections([]) == 0


def test_chain_comparison_can_find_nothing():
    trace = MODEL.trace_atoms()
    found = chain_comparison(trace.select(slice(0, 0)), trace, 3.8)
    assert found["found"] == found["close"] == found["far"] == found["fragments"] == 0
