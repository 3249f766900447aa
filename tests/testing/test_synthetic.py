import numpy as np
import pytest

from cryoweave.testing import ideal_model, sequences_of, simulated_map


def test_an_ideal_helix_has_the_textbook_geometry():
    model = ideal_model("H" * 20)
    alpha = model.trace_atoms().xyz
    np.testing.assert_allclose(np.linalg.norm(np.diff(alpha, axis=0), axis=1), 3.8, atol=0.02)
    oxygen, nitrogen = (model.xyz[model.atom_name == name] for name in ("O", "N"))
    bonds = np.linalg.norm(oxygen[:-4] - nitrogen[4:], axis=1)
    assert np.all((bonds > 2.7) & (bonds < 3.3))
    steps = np.diff(alpha, axis=0)
    turns = np.einsum("ij,ij->i", np.cross(steps[:-2], steps[1:-1]), steps[2:])
    assert np.all(turns > 0), "the helix must be right-handed"


def test_amino_acids_are_l():
    model = ideal_model("EEEE", letters="AAAA")
    n, ca, c, cb = (model.xyz[model.atom_name == name] for name in ("N", "CA", "C", "CB"))
    assert np.all(np.einsum("ij,ij->i", np.cross(n - ca, c - ca), cb - ca) > 0)


def test_atoms_do_not_clash():
    xyz = ideal_model().trace_atoms().xyz
    apart = np.linalg.norm(xyz[:, None] - xyz[None], axis=2)[np.triu_indices(len(xyz), 2)]
    assert apart.min() > 4.5


def test_the_density_is_highest_where_the_atoms_are():
    model = ideal_model()
    density = simulated_map(model, resolution=3.0)
    nearest = np.rint(density.frame.to_zyx(model.xyz)).astype(int)
    at_atoms = density.values[tuple(nearest.T)]
    assert at_atoms.mean() > 10 * density.values.mean()
    assert density.frame.contains(model.xyz).all()


def test_the_density_holds_the_gaussians_whole():
    model = ideal_model("HHHH", letters="GGGG")
    density = simulated_map(model, resolution=4.0, voxel=0.8)
    weights = sum({"C": 6.0, "N": 7.0, "O": 8.0}[element] for element in model.element.tolist())
    expected = weights * (2 * np.pi) ** 1.5 * 0.9**3
    assert float(density.values.sum()) * density.frame.voxel_volume == pytest.approx(expected, rel=1e-3)


def test_sequences_are_the_models():
    model = ideal_model("HHHCCEEE", letters="ACDEFGHI", chain="B")
    (sequence,) = sequences_of(model)
    assert (sequence.name, sequence.letters) == ("B", "ACDEFGHI")


def test_noise_has_the_asked_strength_and_follows_the_seed():
    model = ideal_model("HHHH")
    clean, noisy, again = (simulated_map(model, noise=noise, seed=3).values for noise in (0.0, 0.1, 0.1))
    assert np.std(noisy - clean) == pytest.approx(0.1 * clean.max(), rel=0.05)
    np.testing.assert_array_equal(noisy, again)
