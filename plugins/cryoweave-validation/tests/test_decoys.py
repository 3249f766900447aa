"""Decoys, and how well scores tell them from the model."""

import os
import signal
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from cryoweave.cli import console
from cryoweave.cli.main import app
from cryoweave.data import Metric, Model, ScoreTable
from cryoweave.io.maps import write_map
from cryoweave.io.model_writing import write_model
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_validation.decoy_check import Judged, auc, judge, table, to_tsv
from cryoweave_validation.decoys import DISPLACEMENTS, KINDS, NOISES, decoys, on_same_residues

SHORT = ideal_model("H" * 9 + "C" * 3 + "E" * 8)
LONG = ideal_model("H" * 30 + "C" * 3 + "E" * 40)
PROGRAM = (sys.executable, "-c", "from cryoweave.cli.main import main; main()", "decoys")


def joined(*models):
    return Model(**{f.name: np.concatenate([getattr(m, f.name) for m in models]) for f in fields(Model)})


def other(names, elements, residue, chain, hetero=False):
    n = len(names)
    return Model(
        np.arange(3.0 * n).reshape(n, 3) + 60, np.array(elements), np.array(names), np.full(n, residue),
        np.full(n, chain), np.full(n, 1, np.int32), np.full(n, ""), np.full(n, ""), np.ones(n, np.float32),
        np.zeros(n, np.float32), np.full(n, hetero),
    )  # fmt: skip


LIGAND = other(["CA", "O1"], ["Ca", "O"], "CA", "A", True)
NUCLEOTIDE = other(["P", "C4'"], ["P", "C"], "G", "R")
BROKEN = replace(SHORT, xyz=SHORT.xyz + np.where(SHORT.residue_number[:, None] > 11, 30.0, 0.0))
"""A gap between residues 11 and 12."""


def by_kind(model, seed=0):
    found = {kind: {} for kind in KINDS}
    for decoy in decoys(model, seed=seed):
        found[decoy.kind][decoy.name] = decoy
    return found


def names_of(model):
    return model.trace_atoms().residue_name.tolist()


def alpha(model):
    return model.trace_atoms().xyz


def test_renamed_moves_names_and_no_atom():
    names = names_of(SHORT)
    for shift in (-3, -2, -1, 1, 2, 3):
        decoy = by_kind(SHORT)["renamed"][f"{shift:+d}"]
        np.testing.assert_array_equal(decoy.model.xyz, SHORT.xyz)
        np.testing.assert_array_equal(decoy.model.residue_number, SHORT.residue_number)
        moved = names_of(decoy.model)
        assert moved == [names[i - shift] if 0 <= i - shift < len(names) else names[i] for i in range(len(names))]
        changed = {n for _, n, _ in decoy.changed}
        assert changed == {i + 1 for i, (a, b) in enumerate(zip(names, moved, strict=True)) if a != b}


def test_a_name_that_is_the_same_by_chance_is_not_changed():
    model = ideal_model("H" * 8, letters="AALLLLGG")
    assert {n for _, n, _ in by_kind(model)["renamed"]["+1"].changed} == {3, 7}


def test_slid_moves_residues_onto_the_next_places_and_drops_those_beyond_the_end():
    decoy = by_kind(SHORT)["slid"]["+2"]
    assert decoy.model.trace_atoms().residue_number.tolist() == list(range(1, 19))
    np.testing.assert_allclose(alpha(decoy.model), alpha(SHORT)[2:], atol=1e-9)
    assert {n for _, n, _ in decoy.changed} == set(range(1, 19))
    assert names_of(decoy.model) == names_of(SHORT)[:18]
    back = by_kind(SHORT)["slid"]["-2"]
    assert back.model.trace_atoms().residue_number.tolist() == list(range(3, 21))
    np.testing.assert_allclose(alpha(back.model), alpha(SHORT)[:18], atol=1e-9)


def test_a_slid_residue_keeps_its_shape_and_takes_the_orientation_of_the_place():
    decoy = by_kind(SHORT)["slid"]["+1"].model
    here = SHORT.select((SHORT.residue_number == 4) & np.isin(SHORT.atom_name, ("N", "CA", "C")))
    site = SHORT.select((SHORT.residue_number == 5) & np.isin(SHORT.atom_name, ("N", "CA", "C")))
    moved = decoy.select((decoy.residue_number == 4) & np.isin(decoy.atom_name, ("N", "CA", "C")))
    assert not np.allclose(moved.xyz, here.xyz, atol=1)
    np.testing.assert_allclose(moved.xyz, site.xyz, atol=0.01)
    for n in (3, 7, 12):
        a, b = (m.xyz[m.residue_number == n] for m in (SHORT, decoy))
        lengths = [np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (a, b)]
        np.testing.assert_allclose(lengths[0], lengths[1], atol=1e-9)
        assert np.linalg.det(b[1:4] - b[0]) == pytest.approx(np.linalg.det(a[1:4] - a[0]))


def test_reversed_runs_from_c_to_n_with_its_peptide_bonds():
    (decoy,) = by_kind(SHORT)["reversed"].values()
    np.testing.assert_allclose(alpha(decoy.model), alpha(SHORT)[::-1], atol=1e-9)
    assert names_of(decoy.model) == names_of(SHORT)
    c, n = (decoy.model.xyz[decoy.model.atom_name == name] for name in ("C", "N"))
    bond = np.linalg.norm(c[:-1] - n[1:], axis=1)
    assert bond == pytest.approx(np.full(len(bond), 1.33), abs=0.15)


def test_threaded_exchanges_stretches_within_a_chain():
    two = joined(SHORT, replace(SHORT, chain=np.full(len(SHORT), "B"), xyz=SHORT.xyz + 40))
    found = by_kind(two)["threaded"]
    assert list(found) == ["1", "2", "3"]
    places = {tuple(np.round(x, 3)): i for i, x in enumerate(alpha(two))}
    for decoy in found.values():
        taken = [places[tuple(np.round(x, 3))] for x in alpha(decoy.model)]
        assert sorted(taken) == list(range(40))
        assert all((i < 20) == (j < 20) for i, j in enumerate(taken))
        changed = {i for i, j in enumerate(taken) if i != j}
        assert {(c, n) for c, n, _ in decoy.changed} == {("A" if i < 20 else "B", i % 20 + 1) for i in changed}
        assert len(changed) >= 16
        assert np.isin(np.diff(taken), 1).sum() >= 28


def test_displaced_is_rigid_and_perturbed_is_noise():
    found = by_kind(SHORT)
    for distance, decoy in zip(DISPLACEMENTS, found["displaced"].values(), strict=True):
        step = decoy.model.xyz - SHORT.xyz
        np.testing.assert_allclose(step, np.broadcast_to(step[0], step.shape), atol=1e-9)
        assert np.linalg.norm(step[0]) == pytest.approx(distance)
    for size, decoy in zip(NOISES, found["perturbed"].values(), strict=True):
        step = decoy.model.xyz - SHORT.xyz
        assert np.sqrt((step**2).sum(axis=1).mean()) == pytest.approx(size, rel=0.2)
        assert len(decoy.changed) == 20


def test_nothing_crosses_a_chain_break():
    found = by_kind(BROKEN)
    names = names_of(BROKEN)
    assert names_of(found["renamed"]["+1"].model) == [names[0], *names[:10], names[11], *names[11:19]]
    assert found["slid"]["+1"].model.trace_atoms().residue_number.tolist() == [*range(1, 11), *range(12, 20)]
    (turned,) = found["reversed"].values()
    np.testing.assert_allclose(alpha(turned.model), np.concatenate((alpha(BROKEN)[10::-1], alpha(BROKEN)[:10:-1])))


def test_ligands_nucleotides_and_water_are_left_alone():
    water = replace(LIGAND, residue_name=np.full(2, "HOH"), residue_number=np.full(2, 99, np.int32))
    ligand = replace(LIGAND, residue_number=np.full(2, 98, np.int32))
    model = joined(SHORT, ligand, NUCLEOTIDE, water)
    for decoy in decoys(model):
        kept = decoy.model.select(~np.isin(decoy.model.residue_name, names_of(SHORT)))
        np.testing.assert_array_equal(kept.xyz, model.xyz[len(SHORT) :])
        assert kept.residue_name.tolist() == model.residue_name[len(SHORT) :].tolist()
        assert all(chain == "A" and number <= 20 for chain, number, _ in decoy.changed)
    assert list(decoys(joined(ligand, NUCLEOTIDE))) == []
    assert list(decoys(SHORT.select(slice(0, 0)))) == []


def test_insertion_codes_are_residues_of_their_own():
    number = np.where(SHORT.residue_number == 5, 4, SHORT.residue_number)
    code = np.where(SHORT.residue_number == 5, "A", "")
    model = replace(SHORT, residue_number=number.astype(np.int32), insertion_code=code)
    plain, coded = by_kind(SHORT), by_kind(model)
    for kind, ours in plain.items():
        for name, decoy in ours.items():
            np.testing.assert_array_equal(decoy.model.xyz, coded[kind][name].model.xyz)
            assert decoy.model.residue_name.tolist() == coded[kind][name].model.residue_name.tolist()
            renumbered = {("A", 4, "A") if n == 5 else ("A", n, "") for _, n, _ in decoy.changed}
            assert coded[kind][name].changed == renumbered


def test_other_locations_go_with_their_residue():
    twice = SHORT.select(np.repeat(np.arange(len(SHORT)), 2))
    model = replace(twice, altloc=np.tile(["A", "B"], len(SHORT)))
    for one, two in zip(decoys(SHORT), decoys(model), strict=True):
        if one.kind != "perturbed":
            np.testing.assert_allclose(two.model.xyz[::2], one.model.xyz)
            np.testing.assert_allclose(two.model.xyz[1::2], one.model.xyz)


def test_a_calpha_trace_has_all_kinds():
    found = by_kind(SHORT.trace_atoms())
    assert all(found.values())
    np.testing.assert_allclose(found["slid"]["+1"].model.xyz, alpha(SHORT)[1:])


def test_a_seed_gives_the_same_decoys_again():
    first, again, different = (by_kind(LONG, seed) for seed in (4, 4, 5))
    for kind in ("threaded", "displaced", "perturbed"):
        same = [np.array_equal(d.model.xyz, again[kind][n].model.xyz) for n, d in first[kind].items()]
        assert all(same)
        assert any(not np.array_equal(d.model.xyz, different[kind][n].model.xyz) for n, d in first[kind].items())


def test_a_chain_too_short_for_a_kind_has_none_of_it():
    found = by_kind(ideal_model("HHH"))
    assert not found["threaded"]
    assert set(found["slid"]) == {"-2", "-1", "+1", "+2"}


def test_auc_is_that_of_mann_and_whitney():
    rng = np.random.default_rng(3)
    right, wrong = rng.normal(1, 1, 40).round(1), rng.normal(0, 1, 70).round(1)
    u = mannwhitneyu(right, wrong).statistic / (40 * 70)
    assert auc(right, wrong, higher_is_better=True) == pytest.approx(u)
    assert auc(right, wrong, higher_is_better=False) == pytest.approx(1 - u)
    assert np.isnan(auc(right[:0], wrong, higher_is_better=True))


def scores(values, whole):
    metrics = {"up": Metric("u", "", True), "down": Metric("d", "", False), "none": Metric("n")}
    columns = {"up": values, "down": values, "none": values}
    return ScoreTable(
        np.full(4, "A"), np.array([1, 2, 2, 3]), np.array(["", "", "A", ""]), np.full(4, "ALA"), columns,
        {"up": whole, "down": whole, "none": whole}, metrics,
    )  # fmt: skip


def test_only_changed_residues_with_a_value_in_both_count():
    model = scores([1.0, 2.0, 3.0, np.nan], 5.0)
    wrong = Judged("slid", "+1", scores([9.0, 9.0, 1.0, 1.0], 4.0), {("A", 2, "A"), ("A", 3, "")})
    worse = Judged("slid", "+2", scores([9.0, 5.0, 1.0, 1.0], 6.0), {("A", 2, "")})
    rows = judge(model, [wrong, worse])
    found = {(row.level, row.score, row.decoy): (row.auc, row.values) for row in rows}
    assert {row.score for row in rows} == {"up", "down"}
    assert found["residue", "up", "+1"] == (1, 1)
    assert found["residue", "down", "+1"] == (0, 1)
    assert found["residue", "up", "+2"] == (0, 1)
    assert found["residue", "up", ""] == (0.5, 2)
    assert found["model", "up", ""] == (0.5, 2)
    assert found["model", "down", "+2"] == (1, 1)
    assert table(rows, "residue") == (["slid (2)"], [["up", "0.50"], ["down", "0.50"]])
    assert to_tsv(rows).splitlines()[1] == "residue\tup\tslid\tall\t0.5000\t2"


def test_a_shorter_decoy_is_compared_with_the_shorter_model():
    model = scores([1.0, 2.0, 3.0, 4.0], 5.0)
    same = scores([1.0, 0.0, 3.0, 4.0], 3.0)
    changed = {("A", 2, "")}
    shorter = Judged("slid", "+1", scores([1.0, 1.0, 3.0, 4.0], 4.0), changed, same)
    whole = Judged("slid", "-1", scores([1.0, 1.0, 3.0, 4.0], 4.0), changed)
    found = {(row.level, row.score, row.decoy): row.auc for row in judge(model, [shorter, whole])}
    for level in ("model", "residue"):
        assert found[level, "up", "+1"] == 0
        assert found[level, "up", "-1"] == 1
    assert found["model", "up", ""] == 0.5, "the mean, not all decoys against all right ones"


def test_the_model_without_the_residues_that_a_decoy_lost():
    found = by_kind(joined(SHORT, LIGAND))
    assert on_same_residues(joined(SHORT, LIGAND), found["renamed"]["+1"]) is None
    right = on_same_residues(joined(SHORT, LIGAND), found["slid"]["+2"])
    assert right.trace_atoms().residue_number.tolist() == list(range(1, 19))
    assert (right.residue_name == "CA").sum() == 2


@pytest.fixture
def files(tmp_path):
    write_model(tmp_path / "model.cif", SHORT)
    write_map(tmp_path / "map.mrc", simulated_map(SHORT, resolution=3.0, noise=0.05))
    return tmp_path


@pytest.fixture
def program(files, monkeypatch, capsys):
    """The command in this process: its exit code, what it printed, and what it said on stderr."""
    monkeypatch.chdir(files)

    def call(*arguments):
        code = console.guard(lambda: app(["decoys", *arguments], prog_name="cryoweave"))
        return code, *capsys.readouterr()

    return call


def test_the_command_prints_and_writes(program, files):
    code, shown, said = program("model.cif", "-v", "map.mrc", "--only", "quality.qscore", "-o", "out")
    assert code == 0, said
    assert "[22/22]" in said
    lines = {line.split()[0]: line.split()[1:] for line in shown.splitlines() if line.startswith("q_0.6 ")}
    figures = dict(zip(KINDS, lines["q_0.6"], strict=True))
    assert figures["renamed"] == "0.50"
    assert float(figures["displaced"]) > 0.9
    tsv = (files / "out" / "decoys.tsv").read_text().splitlines()
    assert tsv[0].split("\t") == ["level", "score", "kind", "decoy", "auc", "values"]
    assert any(line.startswith("residue\tq_0.6\tdisplaced\t2 Å\t") for line in tsv)


def test_a_model_outside_of_the_map_is_told_and_ends_with_an_error(program, files):
    write_model(files / "far.cif", replace(SHORT, xyz=SHORT.xyz + 900.0))
    only = ("--only", "quality.qscore", "--only", "geometry.clashes")
    code, shown, said = program("far.cif", "-v", "map.mrc", *only)
    assert code == 1
    assert "CHECK FAILED: only 0% of the model lie within the map's box" in said
    assert "no atom lies in the map" in said
    assert "heavy_atom_clashes" in shown
    code, shown, said = program("far.cif", "-v", "map.mrc", "--only", "quality.qscore")
    assert (code, shown) == (1, "")
    assert said.rstrip().endswith("hint: is the model fitted to it? Compare the map's origin")


def test_a_runs_folder_stands_for_its_model(program, files):
    (files / "run").mkdir()
    write_model(files / "run" / "model.cif", SHORT)
    code, shown, said = program("run", "-v", "map.mrc", "--only", "geometry.clashes")
    assert code == 0, said
    assert "heavy_atom_clashes" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model.cif", "-v", "none.mrc"), "none.mrc"),
        (("none.cif", "-v", "map.mrc"), "none.cif"),
        (("model.cif", "-v", "map.mrc", "--only", "quality.none"), "there is no validator"),
        (("model.cif", "-v", "map.mrc", "--only", "quality.fsc"), "no validator gave a score"),
        (("model.cif", "-v", "map.mrc", "-o", "map.mrc"), "is a file, not a folder"),
        (("rna.cif", "-v", "map.mrc"), "no protein residue"),
    ],
)
def test_the_command_says_what_is_wrong(program, files, arguments, said):
    write_model(files / "rna.cif", NUCLEOTIDE)
    code, shown, errors = program(*arguments)
    assert code in (1, 2)
    assert said in errors
    assert not shown


def test_the_command_can_be_interrupted(files):
    command = [*PROGRAM, "model.cif", "-v", "map.mrc", "-d", "3", "-o", "out"]
    process = subprocess.Popen(command, cwd=files, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("[1/"):
            os.kill(process.pid, signal.SIGINT)
            break
    rest = process.stderr.read()
    assert process.wait() == 130
    assert "interrupted" in rest
    assert not list((files / "out").iterdir())
