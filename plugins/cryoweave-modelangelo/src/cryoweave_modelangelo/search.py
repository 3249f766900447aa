"""Chains looked for in a database of sequences, by profile hidden Markov models of HMMER (pyhmmer)."""

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyhmmer.easel import Alphabet, DigitalSequence, DigitalSequenceBlock, TextSequence
from pyhmmer.plan7 import HMM, Background, Pipeline, Transitions

from cryoweave.data import PointCloud, Traces
from cryoweave.errors import StageError
from cryoweave.io.atomic import atomic_file
from cryoweave.io.database import Entry
from cryoweave.kernels.evidence import AminoEvidence
from cryoweave_modelangelo.profile import EXTEND, OPEN, emissions

AMINO = Alphabet.amino()
RANDOM, LENGTH, TAIL = 400, 100, 0.05
"""Random sequences that a profile is calibrated on, their residues, and the share of the highest scores that is looked
at; HMMER takes 200 of 100 residues and .04 (Eddy 2008, doi 10.1371/journal.pcbi.1000069)."""
BLOCK = 2_000
"""Sequences in memory at a time."""
KEPT = 0.05
"""Largest P-value of a hit that is kept."""
MOST = 1_000
"""Hits of a profile that are kept."""
Progress = Callable[[int], object]


class Profile(NamedTuple):
    """A chain in one direction."""

    chain: int
    """Number of the chain, from 1."""
    backward: bool
    """Whether it is read from the chain's last point to its first."""
    model: Any


class Hit(NamedTuple):
    """A chain on a sequence; regions are counted from 1, both ends included."""

    p_value: float
    """Chance that this profile has the score by chance on one sequence."""
    bits: float
    entry: int
    """Number of the sequence in the database, from 0."""
    name: str
    residues: int
    chain: int
    backward: bool
    chain_region: tuple[int, int]
    """From the residue that is nearer to the N terminus."""
    sequence_region: tuple[int, int]


@dataclass
class Found:
    """What a database holds of some chains.

    Parameters
    ----------
    chains
        How many chains were looked for.
    searched
        Sequences of the database.
    hits
        The better direction of each chain on each sequence, the best first.
    """

    chains: int
    searched: int = 0
    hits: list[Hit] = field(default_factory=list)

    def e_value(self, hit: Hit) -> float:
        """How many sequences of such a database would have a hit as good by chance, in either direction."""
        return 2 * hit.p_value * self.searched

    def proteins(self) -> list[tuple[float, list[Hit]]]:
        """Sequences by the E-value of all their chains together, the least first."""
        groups: dict[int, list[Hit]] = {}
        for hit in self.hits:
            groups.setdefault(hit.entry, []).append(hit)
        scored = [
            (self.searched * together([min(1.0, 2 * hit.p_value) for hit in group], self.chains), group)
            for group in groups.values()
        ]
        return sorted(scored, key=lambda one: (one[0], one[1][0].entry))

    def chosen(self, largest: float) -> list[int]:
        """Sequences that explain the chains: the best of all, and each next one that has a chain of its own.

        That is one whose E-value on it is not above the largest either, and that no better sequence has.
        """
        taken: set[int] = set()
        found: list[int] = []
        for e_value, hits in self.proteins():
            if e_value > largest:
                break
            own = {hit.chain for hit in hits if self.e_value(hit) <= largest}
            if not found or own - taken:
                found.append(hits[0].entry)
            taken |= own
        return found


def together(p_values: list[float], chains: int) -> float:
    """The chance that so many chains have P-values as good as these; those not given may be any.

    For each number j of the best ones: the chance that a product of j is as small, times the choices of j chains; the
    least of these, times the choices of j. So one clear chain counts among many that are nowhere, and so do several of
    which each is in doubt.
    """
    found, y = 1.0, 0.0
    for j, p in enumerate(sorted(p_values), 1):
        y -= math.log(max(p, 1e-300))
        found = min(found, math.comb(chains, j) * product_tail(y, j))
    return min(1.0, chains * found)


def product_tail(y: float, n: int) -> float:
    """That −ln of a product of n uniform numbers is y or more: e^(−y) (1 + y + y²/2! + …), n terms (Fisher)."""
    if y <= 0:
        return 1.0
    return min(1.0, math.fsum(math.exp(k * math.log(y) - math.lgamma(k + 1) - y) for k in range(n)))


def profiles_of(points: PointCloud, traces: Traces, shortest: int, seed: int = 0) -> list[Profile]:
    """Both directions of each chain of the first candidate that has so many points.

    Raises
    ------
    StageError
        If the points say nothing of amino acids, or no chain is long enough.
    """
    evidence = AminoEvidence(points)
    if not len(evidence):
        raise StageError("the run's points say nothing of amino acids", "run a recipe whose detector tells all twenty")
    found: list[Profile] = []
    for number, fragment in enumerate(next(traces.candidates())[1] if len(traces) else [], 1):
        part = traces.points_of(fragment)
        if part.stop - part.start >= shortest:
            chance = emissions(evidence.log_odds(traces.xyz[part]))
            found += [
                Profile(number, False, calibrated(model_of(f"chain-{number}", chance), seed)),
                Profile(number, True, calibrated(model_of(f"chain-{number}-backward", chance[::-1]), seed)),
            ]
    if not found:
        raise StageError(
            f"no chain of the run has {shortest} points",
            "set a lower --shortest, or look at the points and the tracing",
        )
    return found


def model_of(name: str, chance: NDArray[np.float64]) -> Any:
    """The model whose n nodes emit what ``(n, 20)`` says, with gaps as in `profile`."""
    model: Any = HMM(AMINO, len(chance), name)
    share = Background(AMINO).residue_frequencies
    t = Transitions
    for node in range(len(chance) + 1):
        last = node == len(chance)
        moves = dict.fromkeys(t, 0.0)
        moves[t.MI] = OPEN
        moves[t.MD] = 0.0 if last else OPEN
        moves[t.MM] = 1 - moves[t.MI] - moves[t.MD]
        moves[t.II] = EXTEND
        moves[t.IM] = 1 - EXTEND
        moves[t.DD] = 0.0 if last or not node else EXTEND
        moves[t.DM] = 1 - moves[t.DD]
        for move, value in moves.items():
            model.transition_probabilities[node, move] = value
        for k in range(AMINO.K):
            model.insert_emissions[node, k] = share[k]
            if node:
                model.match_emissions[node, k] = chance[node - 1, k]
    model.set_composition()
    model.set_consensus()
    model.validate(1e-3)
    return model


def calibrated(model: Any, seed: int) -> Any:
    """The model with parameters of its scores' tails on random sequences; slopes are those of theory, ln 2.

    Locations are set so that the share `TAIL` of random sequences scores above what it did; where fewer have a score
    at all, the least counts: E-values are then too large rather than too small. The location of Viterbi scores, which
    only HMMER's own filters look at, is that of ungapped ones.
    """
    slope = math.log(2)
    parameters = model.evalue_parameters
    parameters.f_lambda = parameters.m_lambda = parameters.v_lambda = slope
    parameters.f_tau = parameters.m_mu = parameters.v_mu = 0.0
    random = DigitalSequenceBlock(AMINO, random_sequences(seed))
    scores = sorted((hit.score for hit in pipeline(1e9).search_hmm(model, random)), reverse=True)
    profile = model.to_profile(L=LENGTH).to_optimized()
    ungapped = sorted((profile.msv_filter(one) or -math.inf for one in random), reverse=True)
    at = int(RANDOM * TAIL) - 1
    # Of a tail P(S > s) = exp(-slope (s - tau)), and of a Gumbel distribution 1 - exp(-exp(-slope (s - mu))).
    if scores:
        parameters.f_tau = scores[min(at, len(scores) - 1)] + math.log(TAIL) / slope
    parameters.m_mu = parameters.v_mu = ungapped[at] + math.log(-math.log(1 - TAIL)) / slope
    return model


def random_sequences(seed: int) -> Iterator[DigitalSequence]:
    """Residues drawn from the background."""
    share = np.array(Background(AMINO).residue_frequencies, np.float64)
    drawn = np.random.default_rng(seed).choice(AMINO.K, (RANDOM, LENGTH), p=share / share.sum())
    for row in drawn:
        yield TextSequence(sequence="".join(AMINO.symbols[k] for k in row)).digitize(AMINO)


def pipeline(largest: float, *, fast: bool = False) -> Any:
    """HMMER's search, without its filters unless it shall be fast; its E-values are P-values."""
    filters: dict[str, Any] = {} if fast else {"bias_filter": False, "F1": 1.0, "F2": 1.0, "F3": 1.0}
    return Pipeline(AMINO, **filters, E=largest, domE=1e9, Z=1, domZ=1, seed=42)


def write_profiles(path: Path, profiles: list[Profile]) -> None:
    """All profiles in one file, for HMMER's own programs; it appears whole or not at all."""
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        for one in profiles:
            text = BytesIO()
            one.model.write(text)
            head, line, nodes = text.getvalue().partition(b"\nHMM  ")
            file.write(head + b"".join(statistics(one.model)) + line + nodes)


def statistics(model: Any) -> Iterator[bytes]:
    """The lines of a model's file on its scores' tails, which pyhmmer leaves out of models that it did not build."""
    values = [*model.evalue_parameters.as_vector()]
    for name, place, slope in zip(("MSV", "VITERBI", "FORWARD"), values[::2], values[1::2], strict=True):
        yield f"\nSTATS LOCAL {name:<8} {place:8.4f} {slope:8.5f}".encode()


def search(
    profiles: list[Profile],
    database: Iterable[Entry],
    threads: int = 1,
    *,
    fast: bool = False,
    progress: Progress | None = None,
) -> Found:
    """All profiles through a database, of which some thousand sequences are in memory at a time.

    Parameters
    ----------
    profiles
        At least one.
    database
        Its entries.
    threads
        How many profiles are looked for at a time; the result is the same.
    fast
        With HMMER's filters, which short or doubtful chains do not pass.
    progress
        Called with the number of sequences done.
    """
    kept: list[list[tuple[float, int, Hit]]] = [[] for _ in profiles]
    found = Found(len({one.chain for one in profiles}))
    entries = iter(database)
    with ThreadPoolExecutor(threads) as workers:
        while block := list(islice(entries, BLOCK)):
            sequences = DigitalSequenceBlock(AMINO, [digital(one, k) for k, one in enumerate(block)])
            first = found.searched
            tasks = [workers.submit(hits_of, one, sequences, block, first, fast) for one in profiles]
            for own, task in zip(kept, tasks, strict=True):
                for hit in task.result():
                    heapq.heappush(own, (-hit.p_value, -hit.entry, hit))
                    if len(own) > MOST:
                        heapq.heappop(own)
            found.searched += len(block)
            if progress:
                progress(found.searched)
    best: dict[tuple[int, int], Hit] = {}
    for own in kept:
        for _, _, hit in own:
            key = (hit.chain, hit.entry)
            if key not in best or hit.p_value < best[key].p_value:
                best[key] = hit
    found.hits = sorted(best.values(), key=lambda hit: (hit.p_value, hit.entry, hit.chain))
    return found


def digital(entry: Entry, number: int) -> DigitalSequence:
    """A sequence under its number in the block: names may be the same."""
    return TextSequence(name=str(number), sequence=entry.letters).digitize(AMINO)


def hits_of(profile: Profile, sequences: DigitalSequenceBlock, block: list[Entry], first: int, fast: bool) -> list[Hit]:
    """What one profile finds in a block."""
    found = []
    nodes = profile.model.M
    for one in pipeline(KEPT, fast=fast).search_hmm(profile.model, sequences):
        number = int(one.name)
        on = one.best_domain.alignment
        region = (nodes + 1 - on.hmm_from, nodes + 1 - on.hmm_to) if profile.backward else (on.hmm_from, on.hmm_to)
        found.append(
            Hit(
                p_value=one.pvalue,
                bits=one.score,
                entry=first + number,
                name=block[number].name,
                residues=len(block[number].letters),
                chain=profile.chain,
                backward=profile.backward,
                chain_region=region,
                sequence_region=(on.target_from, on.target_to),
            )
        )
    return found
