"""Correlation of half maps: as they are, in a mask, and without the mask's part."""

import numpy as np
import pytest

from cryoweave import run_stage
from cryoweave.data import DensityMap, Frame
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.testing import StageContract, ideal_model, simulated_map
from cryoweave_validation.calculated import back, cut, damp, structure_factors, transform
from cryoweave_validation.fsc_stages import HalfFscParams
from cryoweave_validation.half_fsc import KEPT, corrected, half_fsc, soft_mask

MODEL = ideal_model("H" * 12 + "CCC" + "E" * 9)
CURVES = ["fsc_half", "fsc_half_masked", "fsc_half_random", "fsc_half_corrected"]


def noises(frame, sd=1.0, seed=2, b_factor=0.0):
    """Two independent noises, the finer the weaker with a B factor."""
    rng = np.random.default_rng(seed)
    for _ in range(2):
        spectrum = transform(rng.normal(0, sd, frame.shape_zyx).astype(np.float32), Context())
        damp(spectrum, frame, b_factor)
        yield back(spectrum, frame, Context())


def halves(frame, resolution=5.0, noise=0.05):
    """White signal up to a resolution, and two independent noises."""
    spectrum = transform(np.random.default_rng(1).normal(size=frame.shape_zyx).astype(np.float32), Context())
    cut(spectrum, frame, resolution)
    signal = back(spectrum, frame, Context())
    return [DensityMap(signal + one, frame) for one in noises(frame, noise)]


def noisy(density, sd, b_factor=20.0):
    """A map with two independent noises; the finer the weaker."""
    scale = sd * density.values.std()
    return [DensityMap(density.values + one, density.frame) for one in noises(density.frame, scale, 2, b_factor)]


def scores(first, second, model=MODEL, **params):
    return run_stage("quality.half_fsc", half_a=first, half_b=second, model=model, params=params)


class TestHalfFsc(StageContract):
    stage_id = "quality.half_fsc"
    may_be_empty = ("model",)

    def inputs(self):
        first, second = noisy(simulated_map(MODEL, resolution=3.0, voxel=1.4), 1.0)
        return {"half_a": first, "half_b": second, "model": MODEL}


def slow_mask(frame, xyz, radius, edge):
    """Every voxel's distance to every atom."""
    zyx = np.stack(np.meshgrid(*(np.arange(n) for n in frame.shape_zyx), indexing="ij"), axis=-1)
    voxels = zyx[..., ::-1] * np.array(frame.voxel_xyz) + frame.origin_xyz
    distance = np.full(frame.shape_zyx, np.inf)
    for atom in xyz:
        distance = np.minimum(distance, np.linalg.norm(voxels - atom, axis=-1))
    return np.where(
        distance <= radius,
        1,
        np.where(distance <= radius + edge, 0.5 + 0.5 * np.cos(np.pi * (distance - radius) / edge), 0),
    )


def slow_fsc(a, b, shell, count):
    found = np.full(count + 1, np.nan)
    for k in range(1, count + 1):
        x, y = a[shell == k], b[shell == k]
        found[k] = (x * y.conj()).real.sum() / np.sqrt((abs(x) ** 2).sum() * (abs(y) ** 2).sum())
    return found


def slow_curves(first, second, mask, frame, rng):
    """All four curves by whole spectra in double precision, shells from 1 on."""
    voxel = frame.voxel_xyz[::-1]
    grids = np.meshgrid(*(np.fft.fftfreq(n, v) for n, v in zip(frame.shape_zyx, voxel, strict=True)), indexing="ij")
    s = np.sqrt(sum(grid**2 for grid in grids))
    shell = np.where(s <= 0.5 / max(voxel), (s * max(frame.extent_xyz) + 0.5).astype(int), 9999)
    every = (s * max(frame.extent_xyz) + 0.5).astype(int)
    count = int(shell[shell < 9999].max())
    spectra = [np.fft.fftn(one.values.astype(float)) for one in (first, second)]
    plain = slow_fsc(*spectra, shell, count)
    begin = next(k for k in range(1, count + 1) if plain[k] < 0.8)
    mixed = []
    for spectrum in spectra:
        phases = np.angle(np.fft.fftn(rng.standard_normal(frame.shape_zyx, np.float32)))
        random = np.where(every >= begin, abs(spectrum) * np.exp(1j * phases), spectrum)
        real = np.fft.ifftn(random)
        assert abs(real.imag).max() < 1e-6 * abs(real.real).max()
        mixed.append(np.fft.fftn(real.real * mask))
    masked = slow_fsc(*(np.fft.fftn(one.values * mask) for one in (first, second)), shell, count)
    random = slow_fsc(*mixed, shell, count)
    true = [masked[k] if k < begin + KEPT else (masked[k] - random[k]) / (1 - random[k]) for k in range(count + 1)]
    return begin, dict(zip(CURVES, (plain, masked, random, np.array(true)), strict=True))


@pytest.mark.parametrize(("shape", "voxel"), [((26, 31, 28), (1.5, 1.3, 1.4)), ((32, 30, 33), (1.3, 1.3, 1.3))])
def test_curves_equal_a_slow_twin(shape, voxel):
    model = ideal_model("H" * 8)
    frame = Frame(shape, voxel, tuple(model.xyz.mean(axis=0) - 0.5 * np.array(shape[::-1]) * voxel))
    signal = DensityMap(simulated_values(model, frame), frame)
    first, second = noisy(signal, 0.6)
    mask = slow_mask(frame, model.xyz, 3.0, 6.0)
    np.testing.assert_allclose(soft_mask(model, frame, HalfFscParams()), mask, atol=1e-5)
    ctx = Context(seed=7)
    found = half_fsc(first, second, model, HalfFscParams(), ctx)
    begin, slow = slow_curves(first, second, mask, frame, ctx.rng())
    shells = np.round(found.curves["fsc_half"].x * max(frame.extent_xyz)).astype(int)
    plain = [i for i in range(1, len(shells) - 1) if shells[i] > 2]  # the ends may be joined with their neighbours
    assert begin in shells[plain]
    for name, values in slow.items():
        np.testing.assert_allclose(found.curves[name].y[plain], values[shells[plain]], atol=2e-4, err_msg=name)


def simulated_values(model, frame):
    return back(structure_factors(model, frame, 3.2, Context()), frame, Context())


@pytest.mark.parametrize("voxel", [(1.0, 1.0, 1.0), (0.8, 1.6, 1.1)])
def test_a_known_resolution_is_found_on_any_grid(voxel):
    first, second = halves(Frame((50, 41, 60), voxel, (3.0, 4.0, 5.0)))
    found = scores(first, second, None)
    shell = 1 / max(first.frame.extent_xyz)
    assert 0.2 - shell / 2 < 1 / found.whole["half_fsc_0.143"] < 0.2 + shell
    assert len(found) == 0
    assert (list(found.curves), list(found.whole)) == (["fsc_half"], ["half_fsc_0.143", "half_fsc_0.5"])
    curve = found.curves["fsc_half"]
    assert curve.y[curve.x < 0.19].min() > 0.9
    assert np.abs(curve.y[curve.x > 0.21]).max() < 0.2
    assert curve.x.max() < 0.5 / max(voxel)


def test_half_maps_must_fit_each_other():
    first, second = halves(Frame((20, 24, 22)))
    with pytest.raises(StageError, match="different grids"):
        scores(first, DensityMap(second.values[1:], Frame((19, 24, 22))))
    with pytest.raises(StageError, match="different grids"):
        scores(first, DensityMap(second.values, Frame((20, 24, 22), (1.1, 1, 1))))


def test_a_tight_mask_makes_noise_correlate_and_the_correction_takes_that_away():
    """What the halves share is the mean density, which the mask cuts out of both in one shape."""
    model = ideal_model("H" * 60 + "E" * 60)
    low, size = model.xyz.min(axis=0) - 6, np.ptp(model.xyz, axis=0) + 12
    frame = Frame(tuple(size[::-1].astype(int)), (1.0, 1.0, 1.0), tuple(low))
    means = []
    for seed in range(4):
        first, second = (DensityMap(one + 0.5, frame) for one in noises(frame, seed=seed))
        found = scores(first, second, model, mask_radius=1.5, mask_edge=0.01)
        assert list(found.curves) == CURVES
        means.append([np.nanmean(curve.y) for curve in found.curves.values()])
        assert found.curves["fsc_half_masked"].y[:5].min() > 0.9
        assert 4 < found.whole["half_fsc_masked_0.5"] < 8
        corrected_curve = found.curves["fsc_half_corrected"]
        assert found.whole["half_fsc_corrected_0.5"] == pytest.approx(1 / corrected_curve.x[0]), "it begins below"
    plain, masked, random, true = np.mean(means, axis=0)
    assert masked > 0.35
    assert masked == pytest.approx(random, abs=0.03)
    assert abs(plain) < 0.03
    assert abs(true) < 0.06


def test_identical_maps_correlate_fully_with_and_without_a_mask():
    density = simulated_map(MODEL, resolution=3.0, noise=0.05)
    found = scores(density, density)
    assert list(found.curves) == ["fsc_half", "fsc_half_masked", "fsc_half_corrected"]
    for curve in found.curves.values():
        np.testing.assert_allclose(curve.y, 1, atol=1e-6)
    assert np.isnan(list(found.whole.values())).all()


def test_in_a_mask_noise_around_the_model_no_longer_counts():
    first, second = noisy(simulated_map(MODEL, resolution=4.0, margin=25), 4.0, 0.0)
    found = scores(first, second).whole
    for level in ("0.143", "0.5"):
        assert found[f"half_fsc_masked_{level}"] < found[f"half_fsc_{level}"] - 1
        assert found[f"half_fsc_corrected_{level}"] == pytest.approx(found[f"half_fsc_masked_{level}"], abs=0.1)


def test_random_phases_follow_the_seed_and_hardly_matter():
    first, second = noisy(simulated_map(MODEL, resolution=4.0), 0.7)
    one, again, other = (
        half_fsc(first, second, MODEL, HalfFscParams(), Context(seed=seed, threads=threads))
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    )
    y = [table.curves["fsc_half_random"].y for table in (one, again, other)]
    np.testing.assert_array_equal(y[0], y[1])
    assert not np.array_equal(y[0], y[2])
    assert one.whole["half_fsc_corrected_0.5"] == pytest.approx(other.whole["half_fsc_corrected_0.5"], abs=0.2)


def test_without_an_atom_in_the_half_maps_there_is_no_mask():
    first, second = halves(Frame((20, 24, 22)))
    ctx = Context()
    hydrogens = MODEL.select(slice(0, 3))
    far = type(MODEL)(**{**hydrogens.__dict__, "xyz": hydrogens.xyz + 500})
    assert list(half_fsc(first, second, far, HalfFscParams(), ctx).curves) == ["fsc_half"]
    assert str(ctx.facts["mask"]).startswith("none")


def test_the_correction_is_the_published_formula():
    masked, random = np.array([0.99, 0.9, 0.8, 0.6, 0.5, 0.2]), np.array([0.99, 0.95, 0.5, 0.2, 0.9999, 0.5])
    found = corrected(masked, random, 1)
    np.testing.assert_allclose(found[:3], masked[:3])
    assert found[3] == pytest.approx(0.5)
    assert np.isnan(found[4])
    assert found[5] == pytest.approx(-0.6)
    assert corrected(masked, random, 0)[1] == pytest.approx(-1)
