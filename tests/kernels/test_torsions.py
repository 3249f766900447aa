"""Torsions by tables, and peptide planes chosen along a chain, against slow twins."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.errors import InputError
from cryoweave.kernels.torsions import CLASSES, choose_planes, classes, contour_grids, contours, placed, torsion

SEEDS = st.integers(0, 2**32 - 1)
few = settings(max_examples=30, deadline=None)


def looked_up(table, phi, psi):
    """Bilinear, by the definition: bins from -180°, known at their middles."""
    bins = len(table)
    (i, u), (j, v) = (divmod((angle + 180) / 360 * bins - 0.5, 1) for angle in (phi, psi))
    return sum(
        (u if di else 1 - u) * (v if dj else 1 - v) * table[int(i + di) % bins, int(j + dj) % bins]
        for di, dj in product((0, 1), repeat=2)
    )


def problem(seed, residues=5, turns=3):
    rng = np.random.default_rng(seed)
    calpha = np.cumsum(rng.normal(0, 2.2, (residues, 3)), axis=0)
    return {
        "calpha": calpha,
        "bonded": rng.random(residues - 1) < 0.8,
        "planes": calpha[:-1, None, None] + rng.normal(0, 1.5, (residues - 1, turns, 2, 3)),
        "costs": rng.uniform(0, 3, (residues - 1, turns)),
        "kinds": rng.integers(0, 2, residues),
        "table": rng.uniform(0, 9, (2, 12, 12)),
        "angle": 111.0,
        "angle_stiffness": 0.01,
    }


def cost_of(given, turn):
    """Of one choice of turns, term by term."""
    total = sum(given["costs"][i, k] for i, k in enumerate(turn) if given["bonded"][i])
    for i in range(1, len(given["bonded"])):
        if not given["bonded"][i - 1] or not given["bonded"][i]:
            continue
        (c_before, n), (c, n_after) = given["planes"][i - 1, turn[i - 1]], given["planes"][i, turn[i]]
        ca = given["calpha"][i]
        phi, psi = torsion(c_before, n, ca, c), torsion(n, ca, c, n_after)
        left, right = n - ca, c - ca
        angle = np.degrees(np.arccos(left @ right / np.linalg.norm(left) / np.linalg.norm(right)))
        total += min(given["angle_stiffness"] * (angle - given["angle"]) ** 2, 20)
        total += looked_up(given["table"][given["kinds"][i]], float(phi), float(psi))
    return total


@few
@given(SEEDS)
def test_no_other_planes_cost_less(seed):
    given = problem(seed)
    found = choose_planes(**given)
    assert ((found.turn >= 0) == given["bonded"]).all()
    best = min(cost_of(given, turn) for turn in product(range(3), repeat=4))
    assert found.cost == pytest.approx(best, abs=1e-9)
    assert cost_of(given, found.turn) == pytest.approx(best, abs=1e-9)


@few
@given(st.floats(-720, 720), st.floats(-720, 720), st.integers(0, 5))
def test_contours_equal_the_twin_and_go_round(phi, psi, kind):
    found = contours([kind], [phi], [psi])
    assert found[0] == pytest.approx(looked_up(contour_grids()[kind], phi, psi), abs=1e-9)
    assert contours([kind], [phi + 360], [psi - 360])[0] == pytest.approx(found[0], abs=1e-9)


@few
@given(SEEDS)
def test_a_placed_atom_has_its_bond_angle_and_torsion(seed):
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(0, 2, (3, 7, 3))
    length, angle, turn = rng.uniform(1, 3, 7), rng.uniform(10, 170, 7), rng.uniform(-180, 180, 7)
    d = placed(a, b, c, length, angle, turn)
    np.testing.assert_allclose(np.linalg.norm(d - c, axis=1), length)
    cosine = ((b - c) * (d - c)).sum(axis=1) / np.linalg.norm(b - c, axis=1) / length
    np.testing.assert_allclose(np.degrees(np.arccos(cosine)), angle, atol=1e-6)
    np.testing.assert_allclose(torsion(a, b, c, d), turn, atol=1e-6)


def test_classes_follow_names_bonds_and_cis():
    names = np.array(["ALA", "PRO", "GLY", "PRO", "VAL", "PRO", "ALA", "PRO"])
    bonded = np.array([True, True, True, True, False, True, True])
    found = [CLASSES[kind] for kind in classes(names, bonded, np.arange(8) == 3)]
    assert found == ["pre_pro", "trans_pro", "glycine", "cis_pro", "ile_val", "trans_pro", "pre_pro", "trans_pro"]


def test_one_residue_has_no_plane():
    found = choose_planes([[0, 0, 0]], [], np.empty((0, 4, 2, 3)), np.empty((0, 4)), [0], np.zeros((1, 4, 4)), 111, 1)
    assert found.turn.shape == (0,)
    assert found.cost == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"calpha": np.full((5, 3), np.nan)}, "point 0"),
        ({"bonded": np.ones(5, bool)}, "one less"),
        ({"planes": np.zeros((4, 3, 3, 3))}, "two atoms"),
        ({"planes": np.full((4, 3, 2, 3), np.inf)}, "plane has a coordinate"),
        ({"planes": np.zeros((4, 2, 2, 3))}, "turns"),
        ({"planes": np.zeros((4, 0, 2, 3)), "costs": np.zeros((4, 0))}, "no turn"),
        ({"costs": np.full((4, 3), np.nan)}, "cost of a plane"),
        ({"kinds": np.full(5, 2)}, "no table"),
        ({"kinds": np.full(5, -1)}, "no table"),
        ({"kinds": np.zeros(4)}, "kinds"),
        ({"table": np.zeros((2, 12, 11))}, "columns"),
        ({"table": np.full((2, 12, 12), np.nan)}, "table"),
        ({"table": np.zeros((0, 12, 12))}, "empty"),
        ({"angle": np.nan}, "angle"),
        ({"angle_stiffness": -1.0}, "angle_stiffness"),
    ],
)
def test_what_has_no_meaning_is_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        choose_planes(**(problem(1) | wrong))


def test_no_residue_is_refused():
    with pytest.raises(InputError, match="no residue"):
        choose_planes([], [], np.empty((0, 1, 2, 3)), np.empty((0, 1)), [], np.zeros((1, 4, 4)), 111, 1)
