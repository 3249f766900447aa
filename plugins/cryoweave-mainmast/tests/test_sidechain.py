"""Density around a path as odds of amino acids."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cryoweave.data import DensityMap, Frame
from cryoweave.data.residues import AMINO_ACIDS
from cryoweave.errors import InputError
from cryoweave.kernels.evidence import LETTERS
from cryoweave.kernels.grid import interpolate
from cryoweave.testing import ideal_model, simulated_map
from cryoweave_mainmast import sidechain
from cryoweave_mainmast.helix import resampled
from cryoweave_mainmast.sidechain import (
    SAMPLES,
    TRACED,
    SideChainSampler,
    fitted,
    flanks,
    local_axes,
    side_chain_table,
)

MODEL = ideal_model("H" * 24, letters="A" * 24)
CALPHA = MODEL.xyz[MODEL.atom_name == "CA"]
NO_BREAKS = np.zeros(200, bool)


def test_letters_are_the_amino_acids_in_order():
    assert "".join(sorted(AMINO_ACIDS.values())) == LETTERS


@pytest.mark.parametrize("structure", ["H", "E"])
def test_the_axis_of_an_ideal_chain_is_that_of_its_cbeta(structure):
    model = ideal_model(structure * 24, letters="A" * 24)
    alpha, beta = (model.xyz[model.atom_name == name] for name in ("CA", "CB"))
    real = (beta - alpha)[1:-1] / np.linalg.norm(beta - alpha, axis=1)[1:-1, None]
    forward, _, _ = local_axes(alpha[:-2], alpha[1:-1], alpha[2:])
    backward, _, _ = local_axes(alpha[2:], alpha[1:-1], alpha[:-2])
    assert np.rad2deg(np.arccos((forward * real).sum(axis=1))).max() < 30
    assert np.rad2deg(np.arccos((backward * real).sum(axis=1))).min() > 40, "the axis knows the chain's direction"


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_axes_turn_with_the_molecule(seed):
    rng = np.random.default_rng(seed)
    three = rng.normal(size=(3, 5, 3))
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    for axis, turned in zip(local_axes(*three), local_axes(*(three @ rotation.T)), strict=True):
        np.testing.assert_allclose(turned, axis @ rotation.T, atol=1e-9)


def test_log_odds_are_those_of_normal_distributions():
    rng = np.random.default_rng(2)
    table = side_chain_table(TRACED)
    samples = rng.normal(5, 2, (40, table.mean.shape[1]))
    standard = np.clip((samples - samples.mean(axis=0)) / samples.std(axis=0), -3.5, 3.5)
    for row, odds in zip(standard, table.log_odds(samples), strict=True):
        likelihood = np.exp([-0.5 * (row - mean) @ table.precision @ (row - mean) for mean in table.mean])
        np.testing.assert_allclose(odds, np.log(likelihood / likelihood.mean()), rtol=1e-6, atol=1e-8)


def test_a_straight_path_has_no_side_and_no_trouble():
    path = np.column_stack((np.arange(20.0), np.zeros((20, 2))))
    for axis in local_axes(path[:-2], path[1:-1], path[2:]):
        assert np.isfinite(axis).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 60), st.floats(0.2, 3.0))
def test_flanks_equal_a_loop(seed, count, step):
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, step, (count, 3)), axis=0)
    breaks = rng.random(count) < 0.1
    piece = np.cumsum(breaks)

    def slow(i, sign):
        j = i
        for _ in range(9):
            ahead = j + sign
            outside = not 0 <= ahead < count
            if outside or piece[ahead] != piece[i] or np.linalg.norm(path[j] - path[i]) >= 3.8:
                break
            j = ahead
        return j

    before, behind = flanks(path, breaks)
    assert before.tolist() == [slow(i, -1) for i in range(count)]
    assert behind.tolist() == [slow(i, 1) for i in range(count)]


def test_samples_are_blurred_density_at_their_places_over_the_main_chains():
    density = simulated_map(MODEL, resolution=3.0)
    sampler = SideChainSampler(density)
    path = resampled(CALPHA, 0.8)
    found = sampler.along_path(path, NO_BREAKS[: len(path)])
    before, behind = flanks(path, NO_BREAKS[: len(path)])
    main = interpolate(sampler.blurred[0.7], density.frame, path)
    for i in (0, 5, len(path) // 2, len(path) - 1):
        axes = local_axes(path[before[i]][None], path[i][None], path[behind[i]][None])
        usual = main[window_of(i, len(path))].mean(dtype=float)
        for k, (x, y, z, width) in enumerate(SAMPLES):
            place = path[i] + x * axes[0] + y * axes[1] + z * axes[2]
            assert found[i, k] == pytest.approx(
                interpolate(sampler.blurred[width], density.frame, place)[0] / usual, rel=1e-4
            )


def window_of(i, count):
    """The 121 nodes around one, or as many as the path has."""
    size = min(121, count)
    return slice(max(0, i - size // 2), i + (size - 1) // 2 + 1)


def test_side_chains_stand_out_at_the_cbeta():
    sampler = SideChainSampler(simulated_map(MODEL, resolution=2.0, voxel=0.7))
    samples = sampler.along_path(CALPHA, NO_BREAKS[: len(CALPHA)])[3:-3]
    at_beta, at_back = samples[:, 0], samples[:, -1]
    beyond = samples[:, 4]
    assert at_beta.mean() > 1.2 * at_back.mean()
    assert at_beta.mean() > 2 * beyond.mean(), "alanine ends at its Cβ"


def test_samples_depend_on_neither_scale_nor_negative_density():
    density = simulated_map(MODEL, resolution=3.0)
    path = resampled(CALPHA, 0.8)
    breaks = NO_BREAKS[: len(path)]
    plain = SideChainSampler(density).along_path(path, breaks)
    scaled = SideChainSampler(DensityMap(density.values * 50, density.frame)).along_path(path, breaks)
    np.testing.assert_allclose(scaled, plain, rtol=1e-4, atol=1e-6)
    dipped = np.where(density.values > 0.01, density.values, -9.0)
    negative = SideChainSampler(DensityMap(dipped, density.frame)).along_path(path, breaks)
    np.testing.assert_allclose(negative, plain, atol=0.02)


def test_a_path_outside_of_the_map_has_samples_of_zero():
    density = DensityMap(np.ones((5, 5, 5), np.float32), Frame((5, 5, 5)))
    samples = SideChainSampler(density).along_path(CALPHA + 500, NO_BREAKS[: len(CALPHA)])
    np.testing.assert_array_equal(samples, 0)
    assert np.isfinite(side_chain_table(TRACED).log_odds(samples)).all()


def test_odds_are_normalised_over_all_amino_acids():
    samples = np.random.default_rng(0).normal(2, 5, (40, len(SAMPLES)))
    odds = side_chain_table(TRACED).log_odds(samples)
    assert odds.shape == (40, 20)
    np.testing.assert_allclose(np.exp(odds).mean(axis=1), 1)
    np.testing.assert_allclose(side_chain_table(TRACED).log_odds(3 * samples + 7), odds, atol=1e-9)


def test_large_side_chains_are_likelier_where_there_is_more_density():
    more = np.vstack([np.full(len(SAMPLES), value) for value in np.linspace(-1.5, 1.5, 9)])
    odds = side_chain_table(TRACED).log_odds(more)
    for large, small in ("WG", "FA", "RG"):
        difference = odds[:, LETTERS.index(large)] - odds[:, LETTERS.index(small)]
        assert difference[-1] > difference[0], (large, small)


def test_the_precision_is_symmetric_and_positive():
    precision = side_chain_table(TRACED).precision
    np.testing.assert_allclose(precision, precision.T, atol=1e-3)
    assert np.linalg.eigvalsh(precision).min() > 0


def test_a_table_of_another_version_is_refused(tmp_path, monkeypatch):
    (tmp_path / "side_chains.json").write_text(json.dumps({"schema": "cryoweave-side-chains/0", "samples": []}))
    monkeypatch.setattr(sidechain, "files", lambda _: tmp_path)
    side_chain_table.cache_clear()
    try:
        with pytest.raises(InputError, match="does not fit") as refused:
            side_chain_table(TRACED)
    finally:
        side_chain_table.cache_clear()
    assert refused.value.hint


def test_fitting_recovers_correlated_normal_distributions():
    rng = np.random.default_rng(4)
    means = rng.normal(0, 1, (20, 3))
    root = np.array([[1.0, 0, 0], [0.6, 0.8, 0], [-0.3, 0.2, 0.5]])
    letters = np.array(list(LETTERS * 2000))
    samples = means[[LETTERS.index(c) for c in letters]] + rng.normal(size=(len(letters), 3)) @ root.T
    table = fitted(samples, letters, prior=0, ridge=0)
    np.testing.assert_allclose(table.mean, means, atol=0.1)
    np.testing.assert_allclose(np.linalg.inv(table.precision), root @ root.T, atol=0.03)


def test_a_prior_pulls_rare_amino_acids_to_the_mean_and_unknown_ones_do_not_count():
    samples = np.array([[10.0], [0.0], [0.0], [0.0], [100.0]])
    table = fitted(np.hstack([samples, samples[::-1]]), np.array(list("WAAAX")), prior=3, ridge=0.5)
    overall = samples.mean()
    assert table.mean[LETTERS.index("W"), 0] == pytest.approx((10 + 3 * overall) / 4)
    assert table.mean[LETTERS.index("A"), 0] == pytest.approx((0 + 3 * overall) / 6)
    assert table.mean[LETTERS.index("C"), 0] == pytest.approx(overall)
