"""What fits by chance."""

from collections import Counter

import numpy as np

from cryoweave.data import Sequence, SequenceSet
from cryoweave.kernels.evidence import DOUBTFUL, chance, doubts, shuffled


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


def test_each_chain_is_doubted_by_its_own_decoys_and_copies_share_a_warning():
    sequences = SequenceSet((Sequence("A", "MKTAY", copies=2), Sequence("B", "GGACC"), Sequence("C", "WWWFY")))
    given, told = [], []

    def scores(letters):
        given.append([Counter(one) for one in letters])
        return [10.0, 11.0, 12.0, 11.0]

    best = {0: 40.0, 1: 11.0, 2: 11.0}
    found = doubts(sequences, best, scores, 4, np.random.default_rng(0), told.append)
    assert given == [[Counter("MKTAY")] * 4, [Counter("GGACC")] * 4]
    expected = {number: chance(score, np.array([10.0, 11.0, 12.0, 11.0])) for number, score in best.items()}
    assert found == expected
    assert found[0] < 1e-4 < DOUBTFUL < found[1]
    assert [one.partition(":")[0] for one in told] == ["B"], "one of A's copies is there"
