"""Figures of the comparison with a reference: known numbers of a deposited chain, and slow twins."""

import re
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data.residues import letter_of
from cryoweave.io.model_writing import write_model
from cryoweave.io.models import read_model
from cryoweave.testing import ideal_model
from cryoweave_basics.reference import METRICS

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "emd2566"
SHARES = ("recall", "precision", "f1", "coverage", "sequence_match", "right_residue", "tm_score", "gdt_ts")


@pytest.fixture(scope="module")
def native():
    """195 Cα of chain 9 of PDB 3J6B."""
    return read_model(EXAMPLE / "3J6B_9.pdb").trace_atoms()


def scores(model, reference):
    return run_stage("compare.reference", model=model, reference=reference)


def whole(model, reference):
    return scores(model, reference).whole


def joined(*models):
    return type(models[0])(**{f.name: np.concatenate([getattr(m, f.name) for m in models]) for f in fields(models[0])})


def renamed(model, chain):
    return replace(model, chain=np.full(len(model), chain))


def scattered(native, sd, seed=0):
    noise = np.random.default_rng(seed).normal(0, sd, native.xyz.shape)
    return replace(native, xyz=native.xyz + noise)


def test_the_deposited_chain_is_like_itself(native):
    found = scores(native, native)
    assert {name: found.whole[name] for name in SHARES} == pytest.approx(dict.fromkeys(SHARES, 1.0))
    assert found.whole["rmsd"] == 0
    assert len(found) == found.whole["reference_residues"] == 195
    assert set(found.whole) | set(found.residues) == set(METRICS)
    np.testing.assert_array_equal(found.residues["register_shift"], 0)


def test_a_shift_of_one_angstrom_keeps_all_residues_at_that_rmsd(native):
    figures = whole(replace(native, xyz=native.xyz + np.array([0.6, 0, 0.8])), native)
    assert figures["recall"] == figures["precision"] == figures["right_residue"] == 1
    assert figures["rmsd"] == pytest.approx(1.0)
    assert figures["rmsd_superposed"] == pytest.approx(0.0, abs=1e-6)


def test_half_the_chain_is_found_to_be_half(native):
    half = whole(native.select(slice(0, 96)), native)
    for name in ("recall", "right_residue", "tm_score", "gdt_ts", "sequence_recall"):
        assert half[name] == pytest.approx(96 / 195, abs=1e-4), name
    assert half["precision"] == half["sequence_match"] == 1
    assert half["f1"] == pytest.approx(2 * 96 / (96 + 195))


def test_a_register_shift_of_one_residue_leaves_the_trace_and_loses_the_sequence(native):
    slipped = replace(native, residue_name=np.roll(native.residue_name, 1))
    found = scores(slipped, native)
    assert found.whole["recall"] == 1
    assert found.whole["sequence_match"] == pytest.approx(0.026, abs=0.003)
    shift = found.residues["register_shift"]
    assert (shift[np.isfinite(shift)] == 1).mean() > 0.97


@pytest.mark.parametrize("offset", [-400, 1, 10_000, 2_000_000_000])
def test_numbers_of_residues_do_not_matter(native, offset):
    figures = whole(native, replace(native, residue_number=native.residue_number + offset))
    assert figures["right_residue"] == figures["tm_score"] == 1


def test_a_wild_residue_number_is_one_residue_and_not_gigabytes(native):
    number = native.residue_number.copy()
    number[-1] = 2_147_483_647
    assert whole(replace(native, residue_number=number), native)["right_residue"] > 0.99


def test_chains_of_a_dimer_are_told_apart_by_place(native):
    first, second = renamed(native, "A"), renamed(scattered(native, 0), "B")
    second = replace(second, xyz=second.xyz + np.array([80.0, 0, 0]))
    reference = joined(first, second)
    ours = joined(renamed(second, "A"), renamed(first, "B"))
    figures = whole(ours, reference)
    assert figures["right_residue"] == figures["tm_score"] == 1
    assert np.all(scores(ours, reference).residues["register_shift"] == 0)


def test_a_second_copy_cannot_be_claimed_twice(native):
    both = joined(renamed(native, "A"), renamed(native, "B"))
    figures = whole(both, native)
    assert figures["right_residue"] == 1
    assert figures["precision"] == pytest.approx(0.5)


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(1, 194), max_size=30), st.booleans())
def test_cutting_a_model_into_chains_changes_no_figure(places, renumbered):
    native = read_model(EXAMPLE / "3J6B_9.pdb").trace_atoms()
    ours = scattered(native, 0.5)  # more, and a single residue may lie nearer to another of its letter
    fragment = np.searchsorted(sorted(places), np.arange(195), side="right")
    number = np.arange(1, 196) - np.searchsorted(fragment, fragment) if renumbered else ours.residue_number
    pieces = replace(ours, chain=np.char.add("f", fragment.astype(str)), residue_number=number.astype(np.int32))
    found, expected = scores(pieces, native), scores(ours, native)
    assert found.whole == pytest.approx(expected.whole)
    for name, values in expected.residues.items():
        np.testing.assert_allclose(found.residues[name], values)


def test_short_pieces_keep_the_register_that_their_numbers_say(native):
    """An alignment alone puts some pieces of five residues elsewhere."""
    kept = (np.arange(len(native)) % 9) < 5
    broken = scattered(native.select(kept), 0.5)
    found = scores(broken, native)
    assert found.whole["right_residue"] == pytest.approx(kept.mean(), abs=0.01)
    assert np.nanmax(np.abs(found.residues["register_shift"])) == 0


def test_another_protein_has_no_register(native):
    other = ideal_model("H" * 60).trace_atoms()
    found = scores(other, native)
    assert found.whole["right_residue"] == found.whole["tm_score"] == found.whole["recall"] == 0
    assert np.isnan(found.whole["rmsd"])
    assert np.isnan(found.residues["ca_distance"]).all()


def test_unknown_residues_match_nothing(native):
    nameless = replace(native, residue_name=np.full(len(native), "UNK"))
    figures = whole(nameless, native)
    assert figures["recall"] == 1
    assert figures["sequence_match"] == figures["right_residue"] == 0


def test_a_single_residue_can_be_compared(native):
    figures = whole(native.select(slice(50, 51)), native)
    assert figures["recall"] == pytest.approx(1 / 195)
    assert figures["precision"] == 1


def test_the_order_of_atoms_does_not_matter(native):
    shuffled = scattered(native, 1.0).select(np.random.default_rng(1).permutation(len(native)))
    assert whole(shuffled, native) == pytest.approx(whole(scattered(native, 1.0), native), abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 4.0), st.integers(0, 40))
def test_figures_equal_a_slow_twin(seed, sd, dropped):
    native = read_model(EXAMPLE / "3J6B_9.pdb").trace_atoms().select(slice(60, 120))
    ours = scattered(native, sd, seed).select(slice(dropped, 60))
    distance = np.linalg.norm(ours.xyz[:, None] - native.xyz[None], axis=2)
    pairs = greedy_pairs(distance)
    same = sum(letter_of(ours.residue_name[i]) == letter_of(native.residue_name[j]) for i, j in pairs)
    expected = {
        "recall": len(pairs) / 60,
        "precision": len(pairs) / len(ours),
        "coverage": (distance.min(axis=0) <= 3).mean(),
        "sequence_recall": same / 60,
        "right_residue": sum(distance[i, i + dropped] <= 3 for i in range(len(ours))) / 60,
    }
    if pairs:
        expected["rmsd"] = np.sqrt(np.mean([distance[i, j] ** 2 for i, j in pairs]))
    found = whole(ours, native)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


def greedy_pairs(distance):
    """The closest pair first, one to one, within 3 Å."""
    free = distance.copy()
    pairs = []
    while free.min() <= 3:
        i, j = np.unravel_index(free.argmin(), free.shape)
        pairs.append((int(i), int(j)))
        free[i] = free[:, j] = np.inf
    return pairs


@pytest.mark.skipif(shutil.which("TMscore") is None, reason="no TMscore (Debian: tm-align)")
@pytest.mark.parametrize("sd", [0.5, 2.0, 5.0])
def test_tm_score_is_that_of_the_published_program(native, sd, tmp_path):
    ours = scattered(native, sd).select(slice(20, 170))
    write_model(tmp_path / "ours.pdb", ours)
    write_model(tmp_path / "native.pdb", native)
    out = subprocess.run(
        ["TMscore", "ours.pdb", "native.pdb"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    theirs = {
        name: float(re.search(pattern, out.stdout)[1])
        for name, pattern in {"tm_score": r"TM-score    = ([\d.]+)", "gdt_ts": r"GDT-TS-score= ([\d.]+)"}.items()
    }
    found = whole(ours, native)
    assert found["tm_score"] == pytest.approx(theirs["tm_score"], abs=0.002)
    assert found["gdt_ts"] == pytest.approx(theirs["gdt_ts"], abs=0.01)
