"""Many settings of routing and threading, each put together, then all of them together, and ranked."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cryoweave.data import BondGraph, DensityMap, ModelSet, SequenceSet, Threading, Traces
from cryoweave.errors import StageError, UsageError
from cryoweave.host import Context
from cryoweave.host.context import CUT_SHORT, Fact
from cryoweave.host.solver import require_solver
from cryoweave.kernels.evidence import AminoEvidence, kinds_of, require_protein
from cryoweave.kernels.simulate import simulate_blurred
from cryoweave_tracing.assemble import assembled
from cryoweave_tracing.gapped import gapped_pieces
from cryoweave_tracing.pool import Piece, coded, cut, odds_at, pieces_of, texts_of, threading_of
from cryoweave_tracing.predicted import Template, predicted_pieces, templates
from cryoweave_tracing.routes import routes
from cryoweave_tracing.stages import AssembleParams, GridParams, RoutesParams, UngappedParams
from cryoweave_tracing.ungapped import alternatives_of_rounds, doubt_of, less_sure

RESOLUTION, WIDTH = 5.0, 0.187
"""Å of the simulated map, and its Gaussian's width for each Å: Terashi et al. 2024 (its program)."""

SHARES = (0.5, 0.7)
"""Of the time that is left: for all settings' routes, then of the rest for putting each together; ours."""


class Setting(NamedTuple):
    """One point of the grid."""

    graph: int
    vehicles: int


class Alternatives(NamedTuple):
    """What a setting gives."""

    traces: Traces | None
    pools: list[Threading]


def check(params: GridParams, **_inputs: object) -> None:
    """Whether the grid has a point and the solver is there."""
    for name in ("vehicles", "rounds", "aligned"):
        if not getattr(params, name) or min(getattr(params, name)) < 1:
            raise UsageError(f"assemble.grid needs {name} of 1 or more", f"set {name}, e.g. 5,10,20")
    require_solver()


def gridded(
    bonds: BondGraph,
    sequences: SequenceSet,
    second: BondGraph | None,
    third: BondGraph | None,
    density: DensityMap | None,
    models: ModelSet | None,
    params: GridParams,
    ctx: Context,
) -> Threading:
    """A candidate for each setting and one of all together, the best first."""
    check(params)
    require_protein(sequences)
    known = templates(models, sequences) if models is not None else []
    if models is not None and not known:
        raise StageError("no chain of the models has a given sequence", "give predictions of the chains in the map")
    graphs = [bonds]
    for one in (second, third):
        if one is not None and not any(np.array_equal(one.points.xyz, other.points.xyz) for other in graphs):
            graphs.append(one)
    settings = [Setting(graph, vehicles) for graph in range(len(graphs)) for vehicles in params.vehicles]
    pools, traces = gathered(graphs, settings, sequences, known, params, ctx)
    rule = AssembleParams(
        seconds=params.seconds, stock=params.stock, reach=params.reach, same=params.same, clash=params.clash
    )
    evidence = AminoEvidence(bonds.points)
    solutions = [] if params.pooled else solved(pools, rule, ctx)
    pieces = [piece for pool in pools for piece in pieces_of(pool)] if params.pooled else []
    together = cut(solutions, evidence, params.length) if solutions else sorted(pieces, key=lambda one: -one.score)
    whole = assembled(threading_of(sequences, together), rule, ctx)
    best = ranked([whole, *solutions], evidence, density, ctx)
    return less_sure(best, doubted(bonds, traces, sequences, ctx))


def within(ctx: Context, share: float) -> Context:
    """With a part of the time that is left, and findings of its own."""
    left = ctx.time_left()
    return replace(ctx, facts={}, until=ctx.until if math.isinf(left) else time.monotonic() + share * left)


def gathered(
    graphs: Sequence[BondGraph],
    settings: Sequence[Setting],
    sequences: SequenceSet,
    known: Sequence[Template],
    params: GridParams,
    ctx: Context,
) -> tuple[list[Threading], Traces | None]:
    """The fragments of all settings; those that are not begun in time are left out, never the first.

    And the first setting's routes, None if there are none.
    """

    def work(number: int, inner: Context) -> Alternatives | None:
        if number and inner.time_left() <= 0:
            return None
        own = replace(inner, facts={})
        found = alternatives(graphs[settings[number].graph], settings[number], sequences, known, params, own)
        hurried.extend([number] if CUT_SHORT in own.facts else [])
        return found

    hurried: list[int] = []
    found = list(within(ctx, SHARES[0]).over(work, range(len(settings))))
    left_out = sum(one is None for one in found)
    if left_out:
        ctx.cut_short(f"{left_out} of {len(settings)} settings")
    if hurried:
        ctx.cut_short(f"some routings of {len(hurried)} settings")
    pools = [pool for those in found if those for pool in those.pools if len(pool)]
    if not pools:
        hint = "give it more time" if left_out else "is this the detection of the given sequences?"
        raise StageError("no setting gives a fragment", hint)
    return pools, found[0].traces if found[0] else None


def doubted(bonds: BondGraph, traces: Traces | None, sequences: SequenceSet, ctx: Context) -> dict[int, float]:
    """The doubt about each chain, on the routes of the first setting."""
    if traces is None:
        ctx.log.warning("whether the sequences are in the map is not known: the first setting has no route")
        return {}
    return doubt_of(bonds.points, traces, sequences, UngappedParams(), ctx)


def solved(pools: Sequence[Threading], rule: AssembleParams, ctx: Context) -> list[Threading]:
    """Each setting by itself; where the solver's time ran out is noted."""

    def work(number: int, inner: Context) -> tuple[Threading, dict[str, Fact]]:
        pool, own = pools[number], within(inner, min(1.0, inner.threads / (len(pools) - number)))
        found = assembled(pool, rule, own)
        return renamed(found, pool.origin[0].rpartition(": ")[0]), own.facts

    found = list(within(ctx, SHARES[1]).over(work, range(len(pools))))
    ctx.note("settings", len(found))
    ctx.note("settings proven optimal", sum(facts["optimal"] == "yes" for _, facts in found))
    if short := sum(CUT_SHORT in facts for _, facts in found):
        ctx.cut_short(f"the solver's search at {short} settings")
    return [one for one, _ in found]


def alternatives(
    graph: BondGraph,
    setting: Setting,
    sequences: SequenceSet,
    known: Sequence[Template],
    params: GridParams,
    ctx: Context,
) -> Alternatives:
    """The fragments of each number of alignments on one setting's routes, without models and with each `aligned`."""
    traces, most = None, max(params.rounds)
    try:
        how = RoutesParams(vehicles=setting.vehicles, effort=params.effort, restarts=params.restarts)
        traces = routes(graph, how, ctx)
        rounds = (most,) if params.pooled else params.rounds
        found = alternatives_of_rounds(graph.points, traces, sequences, UngappedParams(), rounds, ctx)
    except StageError as error:
        ctx.log.info("points %d, %d vehicles: %s", setting.graph, setting.vehicles, error)
        return Alternatives(traces, [])
    evidence, points = AminoEvidence(graph.points), graph.points.xyz
    extra = gapped_pieces(graph.points, traces, sequences, ctx) if params.gapped else []
    laid = predicted_pieces(known, found[most], points, evidence, min(params.aligned), ctx)
    models: dict[int, list[Piece]] = {0: []}
    for least in params.aligned if known else ():
        models[least] = [one for count, one in laid if count >= least]
    name = f"points {setting.graph}, {setting.vehicles} vehicles"
    pools = [
        threading_of(
            sequences,
            [
                one._replace(origin=f"{name}, {rounds} alignments{of}: {one.origin}")
                for one in [*pieces_of(threading), *extra, *those]
            ],
        )
        for rounds, threading in found.items()
        for least, those in models.items()
        for of in (f", {least} aligned" if least else "",)
    ]
    return Alternatives(traces, pools)


def renamed(threading: Threading, origin: str) -> Threading:
    """The same with its setting for its one candidate's origin."""
    return replace(threading, origin=(f"{origin}: {threading.origin[0]}",))


def ranked(
    solutions: Sequence[Threading], evidence: AminoEvidence, density: DensityMap | None, ctx: Context
) -> Threading:
    """All as one pool, by the amino acids at all residues and, where there is a map, by density."""
    totals = []
    for number, one in enumerate(solutions):
        amino, like = daq(one, evidence), correlation(one, density)
        totals.append(amino + like)
        name = one.origin[0].partition(":")[0] if number else "all settings together"
        ctx.note(f"score of {name}", f"amino acids {amino:.3f}, density {like:.3f}, residues {len(one.residue)}")
    order = np.argsort(-np.array(totals), kind="stable")
    best = [solutions[k] for k in order.tolist()]
    part, parts = coded(np.concatenate([texts_of(one) for one in best]))
    return Threading(
        sequences=best[0].sequences,
        candidate=np.repeat(np.arange(len(best)), [len(one.residue) for one in best]),
        chain=np.concatenate([one.chain for one in best]),
        residue=np.concatenate([one.residue for one in best]),
        xyz=np.concatenate([one.xyz for one in best]),
        confidence=np.concatenate([one.confidence for one in best]),
        score=np.array(totals)[order],
        part=part,
        parts=parts,
        origin=tuple(one.origin[0] for one in best),
    )


def daq(threading: Threading, evidence: AminoEvidence) -> float:
    """Mean over all residues of the sequences of the log-odds at their Cα, DAQ(AA); one without a place has 0."""
    chains = threading.chains()
    found = 0.0
    for one in pieces_of(threading):
        found += float(odds_at(evidence, one.xyz, kinds_of(chains[one.chain][0])[one.residue]).sum())
    return found / max(1, sum(len(letters) for letters, _ in chains))


def correlation(threading: Threading, density: DensityMap | None) -> float:
    """Of the map with one simulated from the Cα; 0 without a map."""
    if density is None or not len(threading.xyz):
        return 0.0
    made: NDArray[np.float32] = simulate_blurred(density.frame, threading.xyz, 1.0, WIDTH * RESOLUTION)
    return float(np.nan_to_num(np.corrcoef(made.ravel(), density.values.ravel())[0, 1]))
