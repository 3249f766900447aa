"""What maps say of bonds, as additions to the log-odds of steps, against a slow twin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave import run_stage
from cryoweave.data import BondGraph, PointCloud, Sequence, SequenceSet
from cryoweave.errors import InputError
from cryoweave.kernels.hmm import Transitions
from cryoweave.testing import ideal_model
from cryoweave_cryo2struct.links import DIRECTION, added, among, directions


def some_bonds(rng, n=12):
    pairs = np.argwhere(np.triu(rng.random((n, n)) < 0.4, 1))
    m = len(pairs)
    points = PointCloud(rng.uniform(0, 9, (n, 3)), np.ones(n))
    columns = (rng.uniform(2, 6, m), rng.random(m), rng.random(m), rng.normal(0, 2, m))
    return BondGraph(points, pairs, *columns)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_steps_gain_what_their_bonds_say_also_among_some_points(seed):
    rng = np.random.default_rng(seed)
    bonds = some_bonds(rng)
    said = {}
    for (i, j), forward in zip(bonds.pairs.tolist(), bonds.forward, strict=True):
        said |= {(i, j): DIRECTION * forward, (j, i): -DIRECTION * forward}
    ahead = directions(bonds, bonds.points)
    left = np.flatnonzero(rng.random(12) < 0.7)
    for some, points in ((ahead, np.arange(12)), (among(ahead, left), left)):
        n = len(points)
        pairs = np.argwhere((rng.random((n, n)) < 0.5) & ~np.eye(n, dtype=bool))
        steps = Transitions.only(n, pairs, rng.normal(size=len(pairs)))
        wanted = [v + said.get((points[a], points[b]), 0) for (a, b), v in zip(pairs, steps.values, strict=True)]
        np.testing.assert_allclose(added(steps, some).values, np.reshape(wanted, -1), atol=1e-5)


def test_bonds_of_other_points_are_refused():
    bonds = some_bonds(np.random.default_rng(0))
    other = PointCloud(bonds.points.xyz + 1, bonds.points.weight)
    with pytest.raises(InputError, match="not between the given points"):
        directions(bonds, other)


def test_bonds_turn_a_chain_whose_names_and_shape_do_not_tell():
    """All residues are alike and the points lie on a line of which both directions fit."""
    letters = "A" * 14
    model = ideal_model("E" * len(letters), letters=letters)
    points = run_stage("model.points", model=model, params={"error": 0.3, "missing": 0, "false": 0, "accuracy": 0.9})
    xyz = model.trace_atoms().xyz
    order = np.linalg.norm(points.xyz[:, None] - xyz[None], axis=2).argmin(axis=1)
    pairs = [(i, j) for i in range(len(points)) for j in range(i + 1, len(points)) if abs(order[i] - order[j]) == 1]
    ahead = np.array([3.0 * (order[j] - order[i]) for i, j in pairs])
    for sign in (1, -1):
        bonds = BondGraph(points, pairs, np.full(len(pairs), 3.8), *np.full((2, len(pairs)), 0.9), sign * ahead)
        found = run_stage(
            "cryo2struct.beam", points=points, sequences=SequenceSet((Sequence("A", letters),)), bonds=bonds
        )
        place = np.linalg.norm(found.xyz[:, None] - xyz[None], axis=2).argmin(axis=1)
        assert np.sign(np.diff(place)).sum() * sign > 0.8 * (len(letters) - 1)
