"""Pieces on chains: copies, what is left between pieces, and pieces that others took."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import Sequence, SequenceSet
from cryoweave.data.model import joined_models
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.host import registry
from cryoweave.kernels.bonds import bond_graph
from cryoweave.testing import ideal_model
from cryoweave_emodelx.align import amino_table, chains_of, ways_of
from cryoweave_emodelx.filling import MARGIN, Assembly, Round, globule
from cryoweave_emodelx.hops import hops_of

LETTERS = "".join(np.random.default_rng(2).choice([*AMINO_ACIDS.values()], 60))
SHAPE = "H" * 15 + "CHC" + "E" * 12 + "CHC" + "H" * 27


def copies(many, apart=45.0, letters=LETTERS):
    model = ideal_model(SHAPE[: len(letters)], letters=letters)
    shift = np.array([0.0, apart, 0.0])
    names = [np.full(len(model), letter) for letter in "ABCDEF"[:many]]
    moved = [replace(model, xyz=model.xyz + k * shift, chain=name) for k, name in enumerate(names)]
    return joined_models(moved)


def oracle(model, seed=0, **params):
    perfect = {"error": 0.3, "missing": 0.05, "false": 0.05, "accuracy": 0.8}
    return run_stage("model.points", model=model, params=perfect | params, seed=seed)


def assembly(points, many, **params):
    """Empty chains on points, as the stage begins."""
    known = registry().stage("emodelx.align").params(**params)
    sequences = SequenceSet((Sequence("s", LETTERS, copies=many),))
    bonds = bond_graph(points)
    hops = hops_of(bonds)
    chains = chains_of(sequences, amino_table(points, known.evidence), hops, 6, known)
    return Assembly(points.xyz, hops, ways_of(hops, points.xyz, known), chains, known)


def owners(xyz, model):
    """The chain of the model that each place is nearest to."""
    trace = model.trace_atoms()
    return trace.chain[np.linalg.norm(xyz[:, None] - trace.xyz[None], axis=2).argmin(axis=1)]


class Quiet:
    def progress(self, done, total):
        assert done >= 0 == total


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("written", ["copies", "entries"])
def test_each_copy_is_in_one_place_whole(seed, written):
    model = copies(5)
    entries = tuple(Sequence(f"s{k}", LETTERS) for k in range(5))
    sequences = SequenceSet(entries if written == "entries" else (Sequence("s", LETTERS, copies=5),))
    found = run_stage("emodelx.align", bonds=bond_graph(oracle(model, seed)), sequences=sequences)
    places = [{*owners(found.xyz[found.chain == number], model).tolist()} for number in range(5)]
    assert all(len(one) == 1 for one in places)
    assert len(set.union(*places)) == 5
    assert min(np.bincount(found.chain)) > 0.7 * len(LETTERS)


def test_entries_of_equal_letters_give_what_copies_give():
    bonds = bond_graph(oracle(copies(3)))
    apart = run_stage("emodelx.align", bonds=bonds, sequences=SequenceSet([Sequence(n, LETTERS) for n in "abc"]))
    many = run_stage("emodelx.align", bonds=bonds, sequences=SequenceSet([Sequence("a", LETTERS, copies=3)]))
    for name in ("chain", "residue", "xyz", "confidence"):
        np.testing.assert_array_equal(getattr(apart, name), getattr(many, name))


@pytest.mark.parametrize("half", ["first", "second"])
def test_a_copy_of_which_half_is_not_seen_is_found_all_the_same(half):
    model = copies(3)
    points = oracle(model)
    nearest = np.linalg.norm(points.xyz[:, None] - model.trace_atoms().xyz[None], axis=2).argmin(axis=1)
    gone = (nearest % len(LETTERS) < 30) == (half == "first")
    kept = np.flatnonzero(~gone | (nearest // len(LETTERS) < 2))
    fewer = replace(points, **{name: getattr(points, name)[kept] for name in ("xyz", "weight", "probabilities")})
    sequences = SequenceSet([Sequence("a", LETTERS, copies=3)])
    found = run_stage("emodelx.align", bonds=bond_graph(fewer), sequences=sequences)
    places = [{*owners(found.xyz[found.chain == number], model).tolist()} for number in range(3)]
    assert sorted(places, key=min) == [{"A"}, {"B"}, {"C"}]


def test_more_copies_than_there_are_leave_the_others_as_they_are():
    model = copies(2)
    bonds = bond_graph(oracle(model))
    two, three = (
        run_stage("emodelx.align", bonds=bonds, sequences=SequenceSet([Sequence("a", LETTERS, copies=many)]))
        for many in (2, 3)
    )
    assert {*two.chain.tolist()} == {0, 1}
    for number in (0, 1):
        mine, same = two.residue[two.chain == number], three.residue[three.chain == number]
        assert len(np.intersect1d(mine, same)) > 0.9 * len(mine)


def test_a_copy_looks_only_at_points_about_as_near_to_it_as_to_others():
    model = copies(2, apart=60.0)
    points = oracle(model, missing=0, false=0)
    whole = assembly(points, 2)
    which = owners(points.xyz, model)
    step = Round(whole, 4.0, bounded=True)
    for number, name in enumerate("AB"):
        mine = np.flatnonzero(which == name)
        whole.put(number, step.pieces(whole.chains[number], slice(0, 30), which != name, step.rules)[0])
        whole.copies[LETTERS].empty.remove(number)
        whole.copies[LETTERS].started.append(number)
        assert whole.used[mine].any()
    for number in (0, 1):
        room = whole.room(number)
        np.testing.assert_array_equal(room, whole.near[number] <= whole.near[1 - number] + MARGIN)
        assert room[which == "AB"[number]].all()
        assert not room[which == "AB"[1 - number]].all()


def test_pieces_that_are_taken_are_worked_out_anew_until_nothing_is_left():
    model = copies(1)
    whole = assembly(oracle(model), 1)
    whole.fill(4.0, Quiet())
    again = Round(whole, 4.0, bounded=False)
    again.run(Quiet())
    chain = whole.chains[0]
    placed = np.flatnonzero(chain.point >= 0)
    assert len({*chain.point[placed].tolist()}) == len(placed) == whole.used.sum() > 0.7 * len(LETTERS)
    step = Round(whole, 4.0, bounded=True)
    assert not step.pieces(chain, slice(0, len(LETTERS)), whole.used, step.rules), "nothing more can be placed"


def test_a_globule_is_as_wide_as_known_proteins():
    # Lysozyme of hen, 129 residues: about 14 Å by X-ray scattering.
    assert globule(129) == pytest.approx(14.0, abs=1.0)
