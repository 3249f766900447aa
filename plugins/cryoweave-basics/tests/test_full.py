"""All heavy atoms along Cα atoms: geometry of every amino acid, clashes, rotamers, and hostile traces."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Model, Sequence, SequenceSet, Threading
from cryoweave.data.residues import AMINO_ACIDS, PROTEIN_NAMES
from cryoweave.io.models import read_model
from cryoweave.kernels.torsions import torsion
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_basics.planes import TURNS, plane_costs, turned_planes
from cryoweave_basics.side_chains import library

LETTERS = "AVLISTKEDQNRFYWMGHPC"
HEAVY = {
    "ALA": 5, "ARG": 11, "ASN": 8, "ASP": 8, "CYS": 6, "GLN": 9, "GLU": 9, "GLY": 4, "HIS": 10, "ILE": 8, "LEU": 8,
    "LYS": 9, "MET": 8, "PHE": 11, "PRO": 7, "SER": 6, "THR": 7, "TRP": 14, "TYR": 12, "VAL": 7, "UNK": 5,
}  # fmt: skip
"""Heavy atoms of each residue in a chain."""


@pytest.fixture(scope="module")
def shared():
    """The folder of real maps beside the project; tests that need it are skipped where it is not."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder shared/data with real maps is not beside this clone")
    return folder


def threaded(model, xyz=None):
    """The residues of the first chain at these positions (its own Cα atoms if left out)."""
    trace = model.trace_atoms()
    letters = ["X"] * int(trace.residue_number.max())
    for number, name in zip(trace.residue_number.tolist(), trace.residue_name.tolist(), strict=True):
        letters[number - 1] = AMINO_ACIDS.get(name, "X")
    n = len(trace)
    return Threading(
        SequenceSet((Sequence("A", "".join(letters)),)), np.zeros(n), np.zeros(n), trace.residue_number - 1,
        trace.xyz if xyz is None else xyz, np.linspace(0.3, 0.9, n), np.ones(1), ("deposited",),
    )  # fmt: skip


def built(model, density=None, xyz=None):
    return run_stage("build.full", threading=threaded(model, xyz), density=density)


def native(shared):
    model = read_model(shared / "maps/emd20026_apof/3ajo_fitted_refined.pdb")
    return model.select(~model.hetero)


def atoms_of(model):
    keys = zip(model.residue_number.tolist(), model.atom_name.tolist(), strict=True)
    return dict(zip(keys, model.xyz, strict=True))


def turned_alike(model, truth, within=40):
    """Share of the residues whose χ1 is within so many degrees of the truth."""
    ours, theirs = atoms_of(model), atoms_of(truth)
    alike = []
    for number, name in dict(zip(truth.residue_number.tolist(), truth.residue_name.tolist(), strict=True)).items():
        if name in library() and library()[name].atoms:
            four = ("N", "CA", "CB", library()[name].atoms[0][0])
            if all((number, atom) in theirs and (number, atom) in ours for atom in four):
                one, other = (torsion(*(place[number, atom] for atom in four)) for place in (ours, theirs))
                alike.append(abs((one - other + 180) % 360 - 180) <= within)
    return np.mean(alike)


def test_every_amino_acid_has_its_atoms_numbers_and_confidence():
    model = built(ideal_model("E" * 21, letters=LETTERS + "X"))
    for number, letter in enumerate(LETTERS + "X", 1):
        own = model.select(model.residue_number == number)
        name = PROTEIN_NAMES[letter]
        assert set(own.residue_name.tolist()) == {name}
        assert len(own) == HEAVY[name] == len(set(own.atom_name.tolist()))
        assert own.element.tolist() == [atom[0] for atom in own.atom_name.tolist()]
        np.testing.assert_allclose(own.b_factor, 100 * np.linspace(0.3, 0.9, 21)[number - 1], rtol=1e-5)
        assert own.b_is_confidence.all()


def test_the_geometry_of_every_amino_acid_is_that_of_a_deposited_structure(shared):
    truth = native(shared)
    ours, theirs = atoms_of(built(truth)), atoms_of(truth)
    names = dict(zip(truth.residue_number.tolist(), truth.residue_name.tolist(), strict=True))
    seen = set()
    for number, name in names.items():
        table = library()[name].atoms if name in library() else ()
        wanted = {atom for row in table for atom in row[:4]}
        if not all((number, atom) in theirs for atom in wanted):
            continue
        seen.add(name)
        for atom, a, b, c, *_ in table:
            mine, other = ([place[number, key] for key in (a, b, c, atom)] for place in (ours, theirs))
            lengths = [np.linalg.norm(four[3] - four[2]) for four in (mine, other)]
            reaches = [np.linalg.norm(four[3] - four[1]) for four in (mine, other)]
            assert lengths[0] == pytest.approx(lengths[1], abs=0.06), (name, number, atom)
            assert reaches[0] == pytest.approx(reaches[1], abs=0.2), (name, number, atom)
        for centre, others in (("CA", ("N", "C", "CB")), ("CB", ("CA", "OG1", "CG2")), ("CB", ("CA", "CG1", "CG2"))):
            if all((number, atom) in theirs for atom in (centre, *others)):
                mine, other = (
                    np.linalg.det([place[number, atom] - place[number, centre] for atom in others])
                    for place in (ours, theirs)
                )
                assert mine == pytest.approx(other, abs=0.6), (name, number, centre)
    assert len(seen) >= 18, seen


def test_rings_are_flat_and_closed():
    model = atoms_of(built(ideal_model("E" * 9, letters="AFAYAWAHA")))
    six = "CG CD1 CE1 CZ CE2 CD2"
    rings = {2: six, 4: six, 6: "CD2 CE2 CZ2 CH2 CZ3 CE3", 8: "CG ND1 CE1 NE2 CD2"}
    for number, names in rings.items():
        ring = np.array([model[number, name] for name in names.split()])
        assert np.linalg.svd(ring - ring.mean(axis=0))[1][2] < 0.1
        sides = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1)
        assert sides.min() > 1.28
        assert sides.max() < 1.45


def test_proline_closes_its_ring():
    model = atoms_of(built(ideal_model("C" * 9, letters="APAPPAGPA")))
    for number in (2, 4, 5, 8):
        assert np.linalg.norm(model[number, "CD"] - model[number, "N"]) == pytest.approx(1.47, abs=0.2)


def test_a_deposited_trace_gives_a_sound_model(shared):
    truth = native(shared)
    model = built(truth)
    whole = run_stage("geometry.ramachandran", model=model).whole
    assert whole["rama_favoured"] >= 0.93
    assert run_stage("geometry.clashes", model=model).whole["heavy_atom_clashes"] < 8
    assert run_stage("geometry.protein", model=model).whole["chirality_errors"] == 0
    ours, theirs = atoms_of(model), atoms_of(truth)
    off = [np.linalg.norm(ours[key] - theirs[key]) for key in theirs if key[1] == "O" and key in ours]
    assert np.median(off) < 0.5
    assert np.mean(np.array(off) > 2) < 0.05
    assert turned_alike(model, truth) > 0.6


def test_density_tells_side_chains(shared):
    truth = native(shared)
    model = built(truth, simulated_map(truth, resolution=3.0))
    assert turned_alike(model, truth) > 0.75
    assert turned_alike(model, truth) > turned_alike(built(truth), truth)


def test_planes_of_a_deposited_trace_are_likely(shared):
    truth = native(shared)
    trace = truth.trace_atoms()
    bonded = np.diff(trace.residue_number) == 1
    costs = plane_costs(trace.xyz, bonded, np.zeros_like(bonded))
    planes = turned_planes(trace.xyz, bonded, np.zeros_like(bonded))
    oxygen = np.array([atoms_of(truth)[number, "O"] for number in trace.residue_number[:-1].tolist()])
    nearest = np.linalg.norm(planes[:, :, 1] - oxygen[:, None], axis=2).argmin(axis=1)
    rank = (costs <= costs[np.arange(len(costs)), nearest][:, None]).sum(axis=1)
    inside = slice(1, -1)
    assert planes.shape[1] == TURNS
    assert np.median(rank[inside]) <= 4
    assert np.mean(rank[inside] <= 12) > 0.9


def test_a_close_pair_of_calpha_before_proline_is_a_cis_peptide():
    truth = ideal_model("C" * 9, letters="AAAAPAAAA")
    xyz = truth.trace_atoms().xyz.copy()
    onward = xyz[4] - xyz[3]
    xyz[4:] -= 0.85 * onward / np.linalg.norm(onward)
    for letter, cis in (("P", True), ("A", False)):
        model = ideal_model("C" * 9, letters="AAAA" + letter + "AAAA")
        found = atoms_of(built(model, xyz=xyz))
        omega = torsion(*(found[key] for key in ((4, "CA"), (4, "C"), (5, "N"), (5, "CA"))))
        assert (abs(omega) < 40) == cis


@pytest.mark.parametrize("letters", ["A", "W", "G", "P", "X", "AG", "GPX"])
def test_very_short_chains_are_built(letters):
    model = built(ideal_model("E" * len(letters), letters=letters))
    assert np.isfinite(model.xyz).all()
    assert len(model) == sum(HEAVY[PROTEIN_NAMES[letter]] for letter in letters)
    assert run_stage("geometry.protein", model=model).whole["broken_bonds"] == 0


def test_unmodelled_stretches_stay_so():
    truth = ideal_model("H" * 20)
    model = built(truth.select((truth.residue_number <= 8) | (truth.residue_number > 12)))
    assert sorted(set(model.residue_number.tolist())) == [*range(1, 9), *range(13, 21)]
    found = atoms_of(model)
    assert np.linalg.norm(found[8, "C"] - found[13, "N"]) > 3


def test_residues_on_one_point_or_line_are_no_reason_to_fail():
    truth = ideal_model("E" * 6)
    line = np.arange(6)[:, None] * [3.8, 0.0, 0.0]
    assert np.isfinite(built(truth, xyz=line).xyz).all()
    assert np.isfinite(built(truth, xyz=np.zeros((6, 3))).xyz).all()


def test_the_backbone_is_that_of_build_backbone(shared):
    truth = native(shared)
    truth = truth.select(truth.residue_number <= 40)
    density = simulated_map(truth, resolution=3.0)
    whole = built(truth, density)
    main = run_stage("build.backbone", threading=threaded(truth), density=density)
    ours, theirs = atoms_of(whole), atoms_of(main)
    assert all(np.array_equal(ours[key], theirs[key]) for key in theirs)


def test_cysteines_may_be_bonded():
    """Two strands whose cysteines face each other at the distance of a disulfide."""
    from cryoweave_basics.side_chains import DISULFIDE, Scene

    main = np.zeros((2, 5, 3))
    main[:, 4] = [[0, 0, 0], [0, 0, DISULFIDE - 0.5]]
    scene = Scene(main, np.array(["CYS", "CYS"]), np.array([False]), None, 0.0)
    assert [2, 3] in scene.free([0, 1]).tolist()


def test_confidences_are_the_threading_s():
    truth = ideal_model("H" * 6)
    threading = replace(threaded(truth), confidence=np.array([0.0, 1, 0.5, 0.25, 0.75, 0.1], np.float32))
    model: Model = run_stage("build.full", threading=threading, density=None)
    np.testing.assert_allclose(model.b_factor, 100 * threading.confidence[model.residue_number - 1], rtol=1e-5)
