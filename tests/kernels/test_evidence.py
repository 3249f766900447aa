"""What fits by chance."""

from collections import Counter

import numpy as np

from cryoweave.kernels.evidence import chance, shuffled


def test_shuffled_sequences_have_the_same_residues():
    rng = np.random.default_rng(0)
    letters = "MKTAYIAKQRQISFVKSHFSRQ"
    other = shuffled(letters, rng)
    assert other != letters
    assert Counter(other) == Counter(letters)


def test_the_chance_is_that_of_the_best_of_many():
    """Maxima of many normal scores: so many of further ones are as high as their chance says."""
    rng = np.random.default_rng(1)
    best = rng.normal(0, 1, (4000, 300)).max(axis=1)
    decoys, others = best[:400], best[400:]
    for score in np.quantile(others, [0.3, 0.5, 0.9, 0.99]):
        share = (others >= score).mean()
        assert abs(chance(score, decoys) - share) < 0.03 + 0.3 * share
    assert chance(100.0, decoys) < 1e-12
    assert chance(-100.0, decoys) > 1 - 1e-12
    assert chance(1.0, np.zeros(3)) < 1e-12, "decoys that all score alike"
