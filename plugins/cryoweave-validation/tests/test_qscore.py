"""Q-scores: MapQ's own figures, and models of every kind."""

from dataclasses import fields, replace

import gemmi
import numpy as np
import pytest

from cryoweave import load_map, load_model, run_stage
from cryoweave.data import DensityMap, Frame, Model
from cryoweave.errors import CryoweaveError, StageError
from cryoweave.kernels.quality import radial_correlation
from cryoweave.testing import StageContract, ideal_model, simulated_map

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
DENSITY = simulated_map(MODEL, resolution=2.5, noise=0.02)


def bundle(chains):
    """So many helices side by side."""
    helix = ideal_model("H" * 100)
    return joined(
        *(
            replace(helix, xyz=helix.xyz + 12.0 * np.array([k % 6, k // 6, 0]), chain=np.full(len(helix), f"c{k}"))
            for k in range(chains)
        )
    )


def joined(*models):
    return Model(**{f.name: np.concatenate([getattr(m, f.name) for m in models]) for f in fields(Model)})


def scores(model, density=DENSITY, **params):
    return run_stage("quality.qscore", model=model, density=density, params=params)


def changed(model, rows, **columns):
    """A copy of some atoms with other values in some columns."""
    part = model.select(rows)
    return replace(part, **{name: np.full(len(part), value) for name, value in columns.items()})


class TestContract(StageContract):
    stage_id = "quality.qscore"

    def inputs(self):
        return {"model": MODEL, "density": DENSITY}


class TestLarge(StageContract):
    """Large enough to be interrupted."""

    stage_id = "quality.qscore"
    model = bundle(36)
    density = DensityMap(np.random.default_rng(1).random((150, 60, 60), np.float32), Frame((150, 60, 60)))

    def inputs(self):
        return {"model": self.model, "density": self.density}


@pytest.fixture(scope="module")
def integrin(shared):
    """A map, a chain, and the Q-score (σ 0.6) of each of its atoms as MapQ's authors published it with the program."""
    folder = shared / "maps" / "emd30342_integrin"
    block = gemmi.cif.read(str(folder / "7cec_A_Q.cif.gz")).sole_block()
    published = np.array([float(text) for text in block.find_values("_atom_site.Q_score")])
    return load_map(folder / "emd_30342_A_z4.mrc.gz"), load_model(folder / "7cec_A_Q.cif.gz"), published


def test_atoms_have_the_published_scores(integrin):
    density, model, published = integrin
    found = radial_correlation(density.values, density.frame, model.xyz)[:, 0]
    off = np.abs(found - published)
    assert len(published) == 4308
    assert (off <= 0.001).sum() >= 4307, np.sort(off)[-5:]
    assert off.max() < 0.002


def test_residues_have_the_mean_of_the_published_scores(integrin):
    density, model, published = integrin
    found = scores(model, density, expected_at=3.9)
    assert len(found) == 553
    for name, atoms in (("q_0.6", True), ("q_0.6_backbone", np.isin(model.atom_name, ["N", "CA", "C", "O"]))):
        for number, value in zip(found.residue_number, found.residues[name], strict=True):
            own = (model.residue_number == number) & atoms
            assert value == pytest.approx(published[own].mean(), abs=0.001)
    assert found.whole["q_0.6"] == pytest.approx(published.mean(), abs=1e-4)
    assert found.whole["q_0.4"] == pytest.approx(0.376, abs=0.001)
    assert found.whole["q_0.6_protein"] == found.whole["q_0.6"]
    assert found.whole["q_0.6_protein_expected"] == pytest.approx(0.427, abs=0.0005)
    assert found.whole["q_0.4_protein_expected"] == pytest.approx(0.396, abs=0.0005)
    assert found.whole["q_outside_map"] == 0


def test_a_sharp_map_resolves_more_than_a_blurred_one():
    sharp, blurred = (scores(MODEL, simulated_map(MODEL, resolution=d)).whole["q_0.6"] for d in (2.0, 5.0))
    assert sharp > 0.9
    assert blurred < sharp - 0.15


def test_a_shifted_residue_stands_out():
    xyz = MODEL.xyz.copy()
    xyz[MODEL.residue_number == 20] += [2.5, 0.0, 0.0]
    found = scores(replace(MODEL, xyz=xyz)).residues["q_0.6"]
    assert found.argmin() == 19


def test_parts_add_up_to_the_residue():
    found = scores(MODEL)
    atoms = np.bincount(MODEL.residue_number)[1:]
    beta = np.bincount(MODEL.residue_number, MODEL.atom_name == "CB")[1:]
    side = np.nan_to_num(found.residues["q_0.6_side_chain"])
    both = found.residues["q_0.6_backbone"] * (atoms - beta) + side * beta
    np.testing.assert_allclose(both / atoms, found.residues["q_0.6"])
    np.testing.assert_array_equal(np.isnan(found.residues["q_0.6_side_chain"]), beta == 0)


def test_hydrogens_and_further_locations_change_nothing():
    plain = scores(MODEL)
    third = MODEL.residue_number == 3
    hydrogens = changed(MODEL, MODEL.atom_name == "CA", element="H", atom_name="HA")
    hydrogens = replace(hydrogens, xyz=hydrogens.xyz + 1.0)
    first, second = (changed(MODEL, third, altloc=name) for name in "AB")
    second = replace(second, xyz=second.xyz + 0.7, residue_name=np.full(len(second), "SER"))
    rest = MODEL.select(~third)
    found = scores(joined(rest, hydrogens, first, second))
    order = np.argsort(found.residue_number)
    assert found.residue_name[order].tolist() == plain.residue_name.tolist()
    for name, values in plain.residues.items():
        np.testing.assert_array_equal(found.residues[name][order], values)


def test_a_location_named_b_is_taken_where_there_is_no_other():
    found = scores(replace(MODEL, altloc=np.where(MODEL.residue_number == 3, "B", "")))
    np.testing.assert_array_equal(found.residues["q_0.6"], scores(MODEL).residues["q_0.6"])


def test_a_residue_of_hydrogens_only_is_not_scored():
    found = scores(
        joined(MODEL.select(MODEL.residue_number != 5), changed(MODEL, MODEL.residue_number == 5, element="H"))
    )
    assert 5 not in found.residue_number
    assert len(found) == 23


def test_insertion_codes_and_chains_are_kept_apart():
    number = np.where(MODEL.residue_number == 8, 7, MODEL.residue_number)
    inserted = replace(MODEL, residue_number=number, insertion_code=np.where(MODEL.residue_number == 8, "A", ""))
    np.testing.assert_array_equal(scores(inserted).residues["q_0.6"], scores(MODEL).residues["q_0.6"])
    copy = changed(MODEL, slice(None), chain="B")
    both = scores(joined(MODEL, copy))
    assert both.chain.tolist() == ["A"] * 24 + ["B"] * 24
    np.testing.assert_array_equal(both.residues["q_0.6"][24:], both.residues["q_0.6"][:24])


def test_atoms_of_a_residue_may_be_anywhere_in_the_file():
    order = np.random.default_rng(2).permutation(len(MODEL))
    found = scores(MODEL.select(order))
    rows = np.argsort(found.residue_number)
    np.testing.assert_allclose(found.residues["q_0.6"][rows], scores(MODEL).residues["q_0.6"], rtol=1e-13)


def test_each_kind_of_molecule_has_its_expectation():
    parts = {"U": "nucleic", "HOH": "water", "MG": "ion", "HEM": ""}
    atoms = [
        changed(
            MODEL, MODEL.residue_number == number, residue_name=name, residue_number=100 + number,
            atom_name="P" if name == "U" else "X", hetero=name != "U",
        ).select(slice(1 if name in ("HOH", "MG") else 2))
        for number, name in enumerate(parts, start=1)
    ]  # fmt: skip
    mixed = joined(MODEL.select(MODEL.residue_number > 4), *atoms)
    found = scores(mixed, expected_at=3.0)
    expected = {"protein": 0.5867, "nucleic": 0.5842, "ion": 0.7486, "water": 0.7316}
    for kind, value in expected.items():
        assert found.whole[f"q_0.6_{kind}_expected"] == pytest.approx(value)
    assert found.whole["q_0.4_nucleic_expected"] == pytest.approx(0.5041)
    assert "q_0.4_ion_expected" not in found.whole
    uridine, water = (found.residue_name.tolist().index(name) for name in ("U", "HOH"))
    assert found.residues["q_0.6_backbone"][uridine] == found.residues["q_0.6"][uridine]
    assert np.isnan(found.residues["q_0.6_backbone"][water])
    assert found.whole["q_0.6_water"] == found.residues["q_0.6"][water]
    assert not [name for name in scores(mixed).whole if "expected" in name]


def test_a_trace_of_alpha_carbons_is_scored():
    found = scores(MODEL.trace_atoms(), expected_at=3.0)
    assert np.isfinite(found.residues["q_0.6_backbone"]).all()
    assert np.isnan(found.residues["q_0.6_side_chain"]).all()
    assert np.isnan(found.whole["q_0.6_side_chain"])
    assert found.whole["q_0.6_protein"] == found.whole["q_0.6"]


def test_unknown_residues_are_protein():
    unknown = replace(MODEL, residue_name=np.full(len(MODEL), "UNK"))
    assert scores(unknown, expected_at=3.0).whole["q_0.6_protein"] == scores(MODEL).whole["q_0.6"]


def test_atoms_beyond_the_map_score_zero():
    shifted = replace(MODEL, xyz=np.where((MODEL.residue_number > 12)[:, None], MODEL.xyz + 500, MODEL.xyz))
    found = scores(shifted)
    np.testing.assert_array_equal(found.residues["q_0.6"][12:], 0)
    assert (found.residues["q_0.6"][:12] > 0.5).all()
    assert found.whole["q_outside_map"] == pytest.approx((MODEL.residue_number > 12).mean())
    with pytest.raises(StageError, match="no atom lies in the map"):
        scores(replace(MODEL, xyz=MODEL.xyz + 500))


def test_what_cannot_be_judged_is_said_to_be_so():
    with pytest.raises(StageError, match="other than hydrogen"):
        scores(replace(MODEL, element=np.full(len(MODEL), "H")))
    with pytest.raises(StageError, match="same density everywhere"):
        scores(MODEL, DensityMap(np.ones_like(DENSITY.values), DENSITY.frame))


@pytest.mark.parametrize("sigmas", [(), (0.0,), (-0.6,), (9.0,), (0.6, 0.6)])
def test_sigmas_without_a_meaning_are_refused(sigmas):
    with pytest.raises(CryoweaveError, match="sigma"):
        scores(MODEL, sigmas=sigmas)


def test_one_sigma_gives_one_score():
    found = scores(MODEL, sigmas=(0.4,))
    assert list(found.residues) == ["q_0.4", "q_0.4_backbone", "q_0.4_side_chain"]
    np.testing.assert_array_equal(found.residues["q_0.4"], scores(MODEL).residues["q_0.4"])
