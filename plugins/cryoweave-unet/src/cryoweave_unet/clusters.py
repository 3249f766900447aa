"""Groups of structures whose sequences are alike, so that no test structure has a relative in training."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cryoweave.kernels.align import align_sequences
from cryoweave.kernels.graph import connected_components

WORD = 4
"""Letters of the words that two sequences must share before they are aligned."""
NUCLEOTIDES = set("ACGTUNX")
SHORTEST = 20
"""Chains of fewer residues decide nothing: their identity is chance."""


def clusters_of(structures: Sequence[Sequence[str]], identity: float) -> list[int]:
    """Group of each structure; structures that share a pair of alike chains, also through others, are one group.

    Parameters
    ----------
    structures
        Sequences of each one's chains.
    identity
        Least share of identical residues, over the shorter chain, of chains that are alike.
    """
    owners: dict[str, list[int]] = defaultdict(list)
    for number, sequences in enumerate(structures):
        for sequence in set(sequences):
            if len(sequence) >= SHORTEST:
                owners[sequence].append(number)
    distinct = sorted(owners)
    alike = [(owners[one][0], other) for one in distinct for other in owners[one][1:]]
    for i, j in _candidates(distinct):
        if share_identical(distinct[i], distinct[j]) >= identity:
            alike.append((owners[distinct[i]][0], owners[distinct[j]][0]))
    edges = np.array(sorted({(min(pair), max(pair)) for pair in alike if pair[0] != pair[1]}), np.int32).reshape(-1, 2)
    return [int(group) for group in connected_components(len(structures), edges)]


def share_identical(one: str, other: str) -> float:
    """Identical residues of the best alignment over the length of the shorter sequence."""
    pairs = align_sequences(one, other, identity=set(one + other) <= NUCLEOTIDES)
    same = sum(one[i] == other[j] for i, j in pairs.tolist())
    return same / min(len(one), len(other))


def _candidates(sequences: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs that share clearly more words than chance gives."""
    holders: dict[str, list[int]] = defaultdict(list)
    for i, sequence in enumerate(sequences):
        for word in {sequence[k : k + WORD] for k in range(len(sequence) - WORD + 1)}:
            holders[word].append(i)
    shared: dict[int, NDArray[np.int32]] = {}
    for places in holders.values():
        at = np.array(places)
        for i in places[:-1]:
            counts = shared.setdefault(i, np.zeros(len(sequences), np.int32))
            counts[at[at > i]] += 1
    lengths = np.array([len(sequence) for sequence in sequences])
    pairs = []
    for i, counts in shared.items():
        letters = 4.0 if set(sequences[i]) <= NUCLEOTIDES else 20.0
        chance = lengths[i] * lengths / letters**WORD
        pairs += [(i, int(j)) for j in np.flatnonzero(counts > 3 + 2 * np.minimum(chance, lengths / 4))]
    return pairs
