"""Ends of chains of one sequence that were mixed up find back to their beginnings."""

from dataclasses import replace
from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data import Model, Sequence, SequenceSet, Threading
from cryoweave.kernels.hmm import Costs
from cryoweave.testing import ideal_model
from cryoweave_cryo2struct import beam
from cryoweave_cryo2struct.beam import EXCESS
from cryoweave_cryo2struct.copies import link_scores, untangled
from cryoweave_cryo2struct.gaps import PARTS, SHARES, filled
from cryoweave_cryo2struct.placed import Placed
from cryoweave_cryo2struct.sequences import LETTERS
from cryoweave_cryo2struct.shape import geometry

SHAPE = geometry(0.5, 0.1, 6)
COSTS = Costs(excess=EXCESS)


def slow_link(nodes, i, j, cut, xyz):
    """What the beam pays to go from the last residue of one chain before a cut to the first of another behind it."""
    last = [r for r in range(cut) if nodes[i, r] >= 0]
    first = [r for r in range(cut, nodes.shape[1]) if nodes[j, r] >= 0]
    if not last or not first:
        return 0.0
    forward, distance = first[0] - last[-1], np.linalg.norm(xyz[nodes[i, last[-1]]] - xyz[nodes[j, first[0]]])
    excess = min(COSTS.excess[0] * max(distance - COSTS.reach * forward, 0), COSTS.excess[1])
    gap = -(COSTS.gap_open + COSTS.gap_extend * (forward - 1) + excess)
    if forward > len(SHAPE.spans):
        return gap
    row, place = SHAPE.spans[forward - 1], distance / SHAPE.step
    known = np.flatnonzero(np.isfinite(row))
    within = len(known) and known[0] <= place <= known[-1]
    return max(gap, np.interp(place, known, row[known])) if within else gap


def placed(nodes):
    rows = [np.flatnonzero(own >= 0) for own in nodes]
    return [Placed(c, r, nodes[c, r], (nodes[c, r] / 100).astype(np.float32)) for c, r in enumerate(rows)]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_links_score_what_the_beam_pays_and_no_exchange_is_left_that_gains(seed):
    rng = np.random.default_rng(seed)
    copies, length = 3, 8
    xyz = rng.uniform(0, 14, (copies * length, 3))
    nodes = np.where(rng.random((copies, length)) < 0.7, rng.permutation(copies * length).reshape(copies, length), -1)
    nodes[:, -1] = np.arange(copies)
    nodes[0, 0] = copies
    for cut in range(1, length):
        slow = [[slow_link(nodes, i, j, cut, xyz) for j in range(copies)] for i in range(copies)]
        np.testing.assert_allclose(link_scores(nodes, cut, xyz, SHAPE, COSTS), slow, atol=1e-4)
    found = untangled(placed(nodes), xyz, SHAPE, COSTS)
    after = np.full_like(nodes, -1)
    for own, one in zip(after, found, strict=True):
        own[one.residue] = one.node
        np.testing.assert_allclose(one.confidence, one.node / 100)
    np.testing.assert_array_equal(np.sort(after, axis=0), np.sort(nodes, axis=0))
    for cut in range(1, length):
        links = link_scores(after, cut, xyz, SHAPE, COSTS)
        best = max(sum(links[i, p[i]] for i in range(copies)) for p in permutations(range(copies)))
        assert np.trace(links) >= best - 1e-4


QUARTER = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def ring(fold, letters, away):
    """Cα of a chain and its three images around z, and the names of its residues."""
    one = ideal_model(fold, letters=letters).trace_atoms()
    xyz = one.xyz - one.xyz.mean(axis=0) + [away, 0, 0]
    return np.array([xyz @ np.linalg.matrix_power(QUARTER, k).T for k in range(4)]), one.residue_name


def test_rests_that_reach_both_ways_go_where_copies_are_alike():
    """Behind a loop that nothing stands for two rests have changed places; every link is a gap of the same cost."""
    fold = "H" * 24 + "C" * 16 + "H" * 24
    copies, _ = ring(fold, "A" * len(fold), 20.0)
    nodes = np.arange(4 * len(fold)).reshape(4, len(fold))
    nodes[:, 24:40] = -1
    mixed = nodes.copy()
    mixed[[0, 1], 40:] = nodes[[1, 0], 40:]
    xyz = copies.reshape(-1, 3)
    free = replace(COSTS, excess=(0.0, 0.0))
    links = link_scores(mixed, 30, xyz, SHAPE, free)
    assert np.ptp(links) == 0
    after = untangled(placed(mixed), xyz, SHAPE, free)
    for one, own in zip(after, nodes, strict=True):
        np.testing.assert_array_equal(one.node, own[own >= 0])
    two = untangled(placed(mixed[:2]), xyz, SHAPE, free)
    assert [one.node.tolist() for one in two] == [own[own >= 0].tolist() for own in mixed[:2]], "two say nothing"


def tetramer(**quality):
    """Helices side by side with a stretch that is missing in all: which end belongs to which is told by reach alone."""
    rng = np.random.default_rng(5)
    fold = "H" * 16 + "C" * 4 + "H" * 16 + "C" * 4 + "E" * 8
    letters = "".join(rng.choice(list(LETTERS), len(fold)))
    truth, names = ring(fold, letters, 18.0)
    whole = Model.from_trace(
        np.concatenate(truth), np.tile(names, 4), np.repeat(list("ABCD"), len(fold)),
        np.tile(np.arange(1, len(fold) + 1), 4), np.ones(4 * len(fold)),
    )  # fmt: skip
    points = run_stage("model.points", model=whole, params=quality, seed=1)
    return truth, points, SequenceSet(tuple(Sequence(name, letters) for name in "ABCD"))


def test_four_copies_that_are_clear_need_no_further_try(monkeypatch):
    tried = []

    def counted(*given):
        tried.append(given)
        return ways(*given)

    ways = beam._ways
    monkeypatch.setattr(beam, "_ways", counted)
    _, points, sequences = tetramer(error=0.2, missing=0.0, false=0.0, accuracy=0.8)
    found = run_stage("cryo2struct.beam", points=points, sequences=sequences)
    assert len(found.residue) > 0.95 * sum(len(one) for one in sequences)
    assert len(tried) == 1


def test_a_tetramer_is_four_whole_chains(caplog):
    truth, points, sequences = tetramer(error=0.4, missing=0.1, false=0.05, accuracy=0.7)
    found = run_stage("cryo2struct.beam", points=points, sequences=sequences)
    shares = []
    for chain in range(4):
        rows = found.chain == chain
        assert rows.sum() > 0.8 * truth.shape[1]
        assert found.confidence[rows].mean() > 0.85, "each is as sure as it is right"
        off = np.linalg.norm(found.xyz[rows] - truth[:, found.residue[rows]], axis=2)
        shares.append((off < 3).mean(axis=1))
    assert np.sort(np.argmax(shares, axis=1)).tolist() == [0, 1, 2, 3]
    assert not caplog.records
    assert np.max(shares, axis=1).min() > 0.85, "all of a chain lies in one copy"


def test_what_one_copy_lacks_comes_from_another():
    """Then short stretches on a line; confidences by those of the neighbours."""
    fold = "H" * 20 + "C" * 8 + "H" * 20 + "C" * 6
    truth, _ = ring(fold, "A" * len(fold), 25.0)
    sure = np.linspace(0.5, 0.9, len(fold))
    rows = [(c, r) for c in range(2) for r in range(len(fold)) if not (c == 0 and 20 <= r < 27) and r not in (23, 24)]
    chain, residue = np.array(rows).T
    sequences = SequenceSet((Sequence("A", "A" * len(fold), copies=2),))
    zeros = np.zeros(len(rows))
    threading = Threading(
        sequences, zeros, chain, residue, truth[chain, residue], sure[residue], np.ones(1), ("given",)
    )
    found = filled(threading, 4)
    assert len(found.residue) == 2 * len(fold)
    keys = zip(found.chain.tolist(), found.residue.tolist(), strict=True)
    said = dict(zip(keys, found.origins(), strict=True))
    line = {key for key, text in said.items() if text == PARTS[1]}
    assert line == {(0, 23), (0, 24), (1, 23), (1, 24)}
    assert {key for key, text in said.items() if text == PARTS[0]} == {(0, r) for r in (20, 21, 22, 25, 26)}
    on_line = found.part == 1
    off = np.linalg.norm(found.xyz - truth[found.chain, found.residue], axis=1)
    assert off[~on_line].max() < 1e-6
    lower = np.where(found.chain == 0, sure[19], sure[22])
    np.testing.assert_allclose(found.confidence[on_line], SHARES[1] * lower[on_line], rtol=1e-5)
    np.testing.assert_allclose(found.confidence[found.part == 0], SHARES[0] * sure[19], rtol=1e-5)
    np.testing.assert_allclose(found.confidence[found.part < 0], sure[found.residue[found.part < 0]], rtol=1e-5)
