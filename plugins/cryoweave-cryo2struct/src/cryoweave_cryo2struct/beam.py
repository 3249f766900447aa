"""Our tracer: what all residues believe of all points, then the best way of each chain along these beliefs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, PointCloud, Sequence, SequenceSet, Threading
from cryoweave.errors import StageError
from cryoweave.host import Context
from cryoweave.kernels.evidence import doubts
from cryoweave.kernels.hmm import Belief, Breaks, Costs, Geometry, Transitions, trace_sequence, visits
from cryoweave_cryo2struct.copies import untangled
from cryoweave_cryo2struct.gaps import filled
from cryoweave_cryo2struct.learn import Model, information, learnt, raw_odds
from cryoweave_cryo2struct.links import added, among, directions
from cryoweave_cryo2struct.placed import Placed, together
from cryoweave_cryo2struct.sequences import Chains, amino_acids, proteins
from cryoweave_cryo2struct.shape import geometry, transitions
from cryoweave_cryo2struct.stages import BeamParams

EXCESS = (3.0, 100.0)
"""Cost of each Å that a chain would have to span beyond its reach, and the most of it: such a step is a mistake."""
KEEN = (1.0, 1.5, 0.75, 1.25, 1.75)
"""Factors on `base` for the beliefs of one try after the other."""
SLOW = 1.6
"""Rounds of a try that begins anew over `rounds`, and `pace` over its pace."""
SURE = 0.85
"""Mean confidence of all residues, those that are left out counting 0, from which on no further try is made."""
CLEAR = 0.6
"""Share of a chain's residues that are sure from which on nobody asks whether it is in the map."""
DECOYS = 5
"""Shuffled sequences that tell what is found by chance."""
DOUBT = 0.3
"""Mean confidence of a chain below which a user is warned."""
FAINT = (0.13, 0.7)
"""Nats that points tell of their amino acids. Below the first they are hardly a main chain; from the second on, gaining
nothing says that the sequence is not there; in between it says little. See docs/methods."""


@dataclass(frozen=True)
class Problem:
    """Points, what they say of amino acids and of the direction between them as log-odds, and the chains."""

    xyz: NDArray[np.float64]
    odds: NDArray[np.float64]
    ahead: Transitions
    chains: list[Chains]
    params: BeamParams

    def shape(self, model: Model) -> Geometry:
        """The chains' shape under a model."""
        return geometry(model.error, self.params.missing, self.params.forward)

    def believed(
        self, model: Model, told: list[Belief] | None, rounds: int, ctx: Context, keen: float = 1.0, slow: float = 1.0
    ) -> list[Belief]:
        """What residues believe under a model, from earlier messages on; factors on `base`, and rounds over `pace`."""
        p = self.params
        first, *more = transitions(self.xyz, self.shape(model))
        return visits(
            model.emission(self.odds, keen * p.base),
            [(one.kinds, len(one.numbers)) for one in self.chains],
            [added(first, self.ahead), *more],
            Breaks(p.end_gap, p.break_cost, p.gap_extend),
            rounds=round(slow * rounds),
            pace=p.pace / slow,
            keep=p.keep,
            messages=None if told is None else [one.messages for one in told],
            progress=ctx.progress,
        )


def threaded(
    points: PointCloud, sequences: SequenceSet, bonds: BondGraph | None, params: BeamParams, ctx: Context
) -> Threading:
    """All chains through the points, and residues between placed ones from other copies or on the line."""
    chains, probability, weight = proteins(sequences), amino_acids(points), points.weight.astype(np.float64)
    odds = raw_odds(probability, weight)
    problem = Problem(points.xyz, odds, directions(bonds, points), chains, params)
    known = information(probability, weight)
    ctx.note("amino acids, nats a point", round(known, 2))
    model, found, score = _traced(problem, ctx)
    if not found and FAINT[0] <= known < FAINT[1]:
        ctx.log.warning(
            "points hardly tell their amino acids (%.2f nats): chains are built at twice the gain a residue, and "
            "which residue is where is mostly a guess",
            known,
        )
        problem = replace(problem, params=_keener(params))
        model, found, score = _traced(problem, ctx)
    ctx.note("error of the points (Å)", round(model.error, 2))
    ctx.note("sharpness of amino acids", round(model.sharpness, 2))
    if not found:
        raise StageError(
            "no residue finds a point that gains anything",
            "is this the detection of the given sequences? A higher `base` builds at any price",
        )
    found = _doubted(problem, model, sequences, _each_alone(problem, model, found, ctx), ctx)
    origin = f"beliefs and beam, points {model.error:.2f} Å off"
    threading = together(sequences, found, points.xyz, score, origin, ctx)
    _warn(chains, found, ctx)
    return filled(threading, params.fill)


def _keener(params: BeamParams) -> BeamParams:
    """Ours, for points that tell little: chosen on three maps simulated at 4 Å, see docs/methods/cryo2struct.md."""
    return params.model_copy(
        update={"base": 2 * params.base, "error": max(params.error, 1.2), "sharpness": min(params.sharpness, 1.0)}
    )


def _traced(problem: Problem, ctx: Context) -> tuple[Model, list[Placed], float]:
    """What is learnt of the detector, and the best ways of all chains."""
    params, chains = problem.params, problem.chains
    model = Model.of(chains, params)
    beliefs: list[Belief] | None = None
    for _ in range(params.passes - 1):
        beliefs = problem.believed(model, beliefs, params.rounds // 2, ctx)
        model = learnt(model, problem.odds, problem.xyz, chains, beliefs)
    return model, *_best_ways(problem, model, beliefs, ctx)


def _best_ways(problem: Problem, model: Model, told: list[Belief] | None, ctx: Context) -> tuple[list[Placed], float]:
    """Of several beliefs the ones whose ways score best.

    Beliefs settle here or there by chance; ones that begin anew and are keener to place residues, or less, settle
    elsewhere. All ways are scored alike. Where nearly all is sure there is nothing more to try.
    """
    residues = sum(len(chain.kinds) * len(chain.numbers) for chain in problem.chains)
    best: tuple[list[Placed], float] = ([], 0.0)
    for number, keen in enumerate(KEEN[: problem.params.tries]):
        slow = SLOW if number else 1.0
        beliefs = problem.believed(model, None if number else told, problem.params.rounds, ctx, keen, slow)
        found, score = _ways(problem, model, beliefs, ctx)
        if score > best[1]:
            best = found, score
        if sum(float(one.confidence.sum()) for one in found) > SURE * residues:
            break
        if ctx.time_left() <= 0 and number + 1 < problem.params.tries:
            ctx.cut_short(f"{problem.params.tries - number - 1} of {problem.params.tries} tries")
            break
    return best


def _ways(problem: Problem, model: Model, beliefs: list[Belief], ctx: Context) -> tuple[list[Placed], float]:
    """The best way of one chain after the other, long ones first, each on the points that are left."""
    p, shape = problem.params, problem.shape(model)
    emission = model.emission(problem.odds, p.base)
    costs = Costs(end=p.end_gap, gap_open=p.gap_open, gap_extend=p.gap_extend, width=p.width, excess=EXCESS)
    found, score = [], 0.0
    for which in sorted(range(len(problem.chains)), key=lambda i: -len(problem.chains[i].kinds)):
        chain, belief = problem.chains[which], beliefs[which]
        own: list[Placed] = []
        for number in chain.numbers:
            way = trace_sequence(
                emission,
                chain.kinds,
                problem.xyz,
                shape,
                costs=costs,
                bonds=problem.ahead,
                more=belief.messages,
                progress=ctx.progress,
            )
            residue = np.flatnonzero(way.nodes >= 0)
            if not len(residue):
                break
            node = way.nodes[residue]
            own.append(Placed(number, residue, node, belief.shares[residue, node], way.score))
            emission[:, node] = -np.inf
            score += way.score
        # Beliefs are of any copy, unevenly: a residue is as sure as all its copies' points together.
        sure = np.zeros(len(chain.kinds), np.float32)
        for one in own:
            sure[one.residue] += one.confidence
        own = [replace(one, confidence=sure[one.residue]) for one in own]
        found += untangled(own, problem.xyz, shape, costs) if len(own) > 1 else own
    return found, score


def _each_alone(problem: Problem, model: Model, found: list[Placed], ctx: Context) -> list[Placed]:
    """With the confidences of copies as each believes of its own points, if it has only those that the others leave.

    What was believed before is of any of the copies, unevenly: a point that one of them needs may have next to nothing.
    """
    sure = {one.chain: one for one in found}
    for chain in problem.chains:
        own = [sure[number] for number in chain.numbers if number in sure]
        for one in own if len(chain.numbers) > 1 else ():
            free = np.ones(len(problem.xyz), bool)
            for other in found:
                free[other.node] &= other is one
            left = np.flatnonzero(free)
            rest = replace(
                problem,
                xyz=problem.xyz[left],
                odds=problem.odds[left],
                ahead=among(problem.ahead, left),
                chains=[replace(chain, numbers=(one.chain,))],
            )
            (belief,) = rest.believed(model, None, problem.params.rounds // 2, ctx)
            share = belief.shares[one.residue, np.searchsorted(left, one.node)]
            sure[one.chain] = replace(one, confidence=share.astype(np.float32))
    return [sure[one.chain] for one in found]


def _doubted(problem: Problem, model: Model, sequences: SequenceSet, found: list[Placed], ctx: Context) -> list[Placed]:
    """With confidences of unclear sequences lowered by the chance that a shuffled one finds a way as good.

    Of clear ones, most of whose residues are sure, nothing is tried.
    """
    by_chain = {one.chain: one for one in found}
    best: dict[int, float] = {}
    for chain in problem.chains:
        own = [by_chain[number] for number in chain.numbers if number in by_chain]
        if not any(float(one.confidence.sum()) > CLEAR * len(chain.kinds) for one in own):
            best |= {one.chain: max(other.score for other in own) for one in own}

    def scores(letters: list[str]) -> Iterator[float]:
        for one in letters:
            other = replace(problem, chains=proteins(SequenceSet((Sequence("shuffled", one),))))
            ways, _ = _ways(other, model, other.believed(model, None, problem.params.rounds, ctx), ctx)
            yield max((way.score for way in ways), default=0.0)

    doubt = doubts(sequences, best, scores, DECOYS, ctx.rng(), ctx.log.warning)
    return [replace(one, confidence=one.confidence * np.float32(1 - doubt.get(one.chain, 0.0))) for one in found]


def _warn(chains: list[Chains], found: list[Placed], ctx: Context) -> None:
    """Of chains that are not there, or hardly."""
    by_chain = {one.chain: one for one in found}
    for chain in chains:
        of_it = [by_chain[number] for number in chain.numbers if number in by_chain]
        firm = sum(float(one.confidence.mean()) >= DOUBT for one in of_it)
        if firm < len(chain.numbers):
            ctx.log.warning(
                f"{chain.sequence.name}: {firm} of {len(chain.numbers)} chains are seen clearly; is the number of "
                "copies right, and is this sequence in the map?"
            )
