"""Samples: labels lie where the atoms are, and a number decides everything."""

from dataclasses import replace

import numpy as np
import pytest

from cryoweave.data import Frame
from cryoweave.errors import StageError
from cryoweave.kernels.experiment import Conditions
from cryoweave_unet.classes import ATOMS
from cryoweave_unet.conditions import random_conditions, random_displacements, random_occupancy
from cryoweave_unet.prepare import HIGH, LOW, normalised, prepared, scale_of
from cryoweave_unet.samples import (
    Recorded,
    Source,
    labelled,
    recorded_sample,
    simulated_sample,
)
from cryoweave_unet.workers import Workers

RESOLUTIONS = (2.5, 4.0)


def source_of(small, *, share=0.0, recorded=()):
    return Source((small.entry,), tuple(recorded), 24, RESOLUTIONS, share, 7)


def test_a_sample_is_decided_by_its_number(small):
    source = source_of(small)
    one, same, other = source.sample(3), source_of(small).sample(3), source.sample(4)
    for name in ("density", "atoms", "nucleic", "structure", "amino"):
        np.testing.assert_array_equal(getattr(one, name), getattr(same, name))
    assert not np.array_equal(one.density, other.density)


@pytest.mark.parametrize("seed", range(6))
def test_density_is_high_where_atoms_are(small, seed):
    quiet = Conditions(2.5, noise=0.1, solvent=0.3, falloff_b=40.0)
    sample = simulated_sample(small.entry, np.random.default_rng(seed), 32, RESOLUTIONS, quiet)
    main = np.isin(sample.atoms, [ATOMS.index(name) for name in ("N", "CA", "C")])
    if main.sum() > 30:
        assert sample.density[main].mean() > 4 * max(0.02, sample.density[sample.atoms == 0].mean())
    assert sample.density.min() >= LOW
    assert sample.density.max() <= HIGH
    known = sample.amino >= 0
    np.testing.assert_array_equal(known, sample.structure >= 0)
    assert known[sample.atoms == ATOMS.index("CA")].all()
    assert known.mean() < 0.2
    assert not sample.nucleic.any()


def test_masked_away_is_labelled_nothing(small):
    entry = replace(small.entry, xyz=small.entry.xyz - small.entry.xyz.mean(axis=0))
    frame = Frame((24, 24, 24), origin_xyz=(-11.5, -11.5, -11.5))
    seen = np.zeros(frame.shape_zyx, bool)
    seen[:12] = True
    density, kept = np.zeros(frame.shape_zyx, np.float32), np.ones(len(entry), bool)
    whole, half = (labelled(density, entry, kept, frame, one) for one in (None, seen))
    np.testing.assert_array_equal(half.atoms[:12], whole.atoms[:12])
    assert whole.atoms[12:].any()
    assert not half.atoms[12:].any()
    assert (half.amino[12:] == -1).all()
    gone = labelled(density, entry, entry.residue > 10, frame, None)
    assert 0 < np.count_nonzero(gone.atoms) < np.count_nonzero(whole.atoms)


def test_conditions_and_atoms_vary_within_reason(small):
    rng = np.random.default_rng(0)
    drawn = [random_conditions(rng, RESOLUTIONS) for _ in range(200)]
    assert all(2.5 <= one.resolution <= 4.0 for one in drawn)
    assert 0.3 < np.mean([one.mask_radius is not None for one in drawn]) < 0.8
    b = random_displacements(small.entry, rng)
    assert b.min() >= 8
    assert b.max() <= 400
    gone = 0
    for _ in range(40):
        occupancy, kept = random_occupancy(small.entry, rng)
        gone += not kept.all()
        assert not occupancy[~kept].any()
    assert 5 < gone < 35


def test_experimental_maps_are_turned_with_their_model(small):
    recorded = Recorded.of(small.density, small.entry)
    found = [recorded_sample(recorded, np.random.default_rng(seed), 32) for seed in range(10)]
    main = [np.isin(one.atoms, (2, 3, 4)) for one in found]
    inside = np.concatenate([one.density[m] for one, m in zip(found, main, strict=True)])
    outside = np.concatenate([one.density[one.atoms == 0] for one in found])
    assert inside.mean() > 0.5
    assert inside.mean() > 5 * outside.mean()


def test_the_share_of_experimental_maps_is_kept(small):
    n = len(small.entry)
    rna = replace(small.entry, nucleic=np.ones(n, np.int8), atom=np.zeros(n, np.int8), amino=np.full(n, -1, np.int8))
    source = source_of(small, share=0.5, recorded=[Recorded.of(small.density, rna)])
    assert 8 < sum(bool(source.sample(i).nucleic.any()) for i in range(40)) < 32


def test_the_scale_is_the_molecules_and_not_the_boxs(small):
    inner = small.density.values
    padded = np.pad(inner, 40)
    noisy = padded + np.random.default_rng(0).normal(0, 0.02 * inner.max(), padded.shape).astype(np.float32)
    scale = scale_of(inner)
    assert scale_of(padded) == pytest.approx(scale, rel=1e-6)
    assert scale_of(noisy) == pytest.approx(scale, rel=0.15)
    assert scale_of(7 * inner) == pytest.approx(7 * scale, rel=1e-5)
    with pytest.raises(StageError, match="no density above 0"):
        scale_of(-np.abs(inner))
    assert prepared(small.density).values.max() <= HIGH
    assert normalised(np.array([-9, 9], np.float32), 1.0).tolist() == [LOW, HIGH]


def test_workers_give_the_same_samples_in_their_order(small):
    source = source_of(small)
    with Workers(source, 5, 2) as workers:
        found = [next(workers) for _ in range(4)]
    for i, one in enumerate(found):
        np.testing.assert_array_equal(one.density, source.sample(5 + i).density)


def test_a_worker_that_fails_says_what(small):
    broken = replace(source_of(small), size=-1)
    with Workers(broken, 0, 1) as workers, pytest.raises(StageError, match="sample 0"):
        next(workers)
