"""What the plugin hands over. Nothing here does work: each stage names its function."""

from typing import Literal

from cryoweave.data import BondGraph, DensityMap, ModelSet, PointCloud, ProbabilityMaps, SequenceSet, Threading, Traces
from cryoweave.host import Kind, Params, Stage, hookimpl, param

DEEPMAINMAST = "10.1038/s41592-023-02099-0"
ROUTING = f"Terashi et al. 2024, doi {DEEPMAINMAST}, and its program"


class BondsParams(Params):
    """Parameters of ``edges.bonds``."""

    shortest: float = param(2.0, "points closer than this are not bonded", unit="Å", ge=0, le=10)
    longest: float = param(
        6.0, "points farther apart are not bonded; published tracers look up to 10", unit="Å", gt=0, le=20
    )
    samples: int = param(9, "places inside each bond at which a map is looked at", ge=1, le=100, source=ROUTING)


class RoutesParams(Params):
    """Parameters of ``trace.routes``."""

    solver: Literal["ours", "ortools"] = param(
        "ours", "our annealing over sparse bonds, or OR-Tools' guided local search as published"
    )
    vehicles: int = param(10, "routes at most", ge=1, le=1000, source=f"{ROUTING}: 5, 10, 20 and 40 are tried")
    drop: float = param(200.0, "cost of a point on no route; a bond costs 0 to 100", gt=0, le=1e6, source=ROUTING)
    ideal: float = param(3.8, "length of a bond that costs least", unit="Å", ge=1, le=20, source=ROUTING)
    widths: tuple[float, ...] = param(
        (3.0, 2.0, 1.0, 0.5),
        "how far (Å) a length may be from it: one round for each, which begins with the last one's routes",
        source=ROUTING,
    )
    fewest: int = param(3, "points of a route that is kept", ge=1, le=1000)
    effort: int = param(5_000, "changes that our search tries in each round, for each point", ge=1, le=10_000_000)
    restarts: int = param(4, "searches of ours, of which the best counts", ge=1, le=1000)
    seconds: float = param(80.0, "limit of each of OR-Tools' rounds", unit="s", gt=0, le=36_000)
    patience: int = param(
        200, "OR-Tools' round ends when so many of its solutions in a row brought nothing better", ge=1, le=1_000_000
    )


class UngappedParams(Params):
    """Parameters of ``thread.ungapped``."""

    rounds: int = param(
        10, "pieces of each sequence on each trace and direction", ge=1, le=1000, source=f"{ROUTING}: 5, 10, 20"
    )
    shortest: int = param(5, "fewest residues of a piece", ge=2, le=1000, source=ROUTING)
    longest_bond: float = param(
        7.0, "a piece ends where the trace leaps farther", unit="Å", gt=0, le=100, source=ROUTING
    )
    most: int = param(5_000, "best pieces to keep", ge=1, le=100_000)
    decoys: int = param(6, "shuffled sequences that tell what fits by chance", ge=2, le=1000)


class AssembleParams(Params):
    """Parameters of ``assemble.fragments``."""

    seconds: float = param(
        60.0, "limit of the solver, in its deterministic seconds, the same on every machine", unit="s", gt=0, le=36_000
    )
    stock: int = param(2_000, "fragments that the solver gets at a time", ge=2, le=100_000, source=f"{ROUTING}: 10,000")
    reach: float = param(5.0, "that a chain spans for each residue at most", unit="Å", gt=0, le=100, source=ROUTING)
    same: float = param(3.5, "that two places of one residue may be apart", unit="Å", gt=0, le=100, source=ROUTING)
    clash: float = param(2.5, "that two residues must be apart", unit="Å", gt=0, le=100, source=ROUTING)


class GridParams(Params):
    """Parameters of ``assemble.grid``."""

    vehicles: tuple[int, ...] = param((5, 10, 20, 40), "routes at most, each a setting", source=ROUTING)
    rounds: tuple[int, ...] = param(
        (5, 10, 20), "pieces of each sequence on each trace, each a setting", source=ROUTING
    )
    aligned: tuple[int, ...] = param(
        (30, 50),
        "fewest residues of a predicted model on points, each a setting where there are models",
        source=ROUTING,
    )
    length: int = param(10, "residues of the pieces of solutions that are put together", ge=1, le=1000, source=ROUTING)
    gapped: bool = param(False, "also pieces with residues and points left out; ours")
    pooled: bool = param(False, "put the fragments of all settings together at once, not each setting first; ours")
    effort: int = param(2_000, "changes that each routing tries in each round, for each point", ge=1, le=10_000_000)
    restarts: int = param(1, "routings of each setting, all used", ge=1, le=1000)
    seconds: float = param(
        10.0, "limit of the solver at each setting, in its deterministic seconds", unit="s", gt=0, le=36_000
    )
    stock: int = param(2_000, "fragments that the solver gets at a time", ge=2, le=100_000, source=f"{ROUTING}: 10,000")
    reach: float = param(5.0, "that a chain spans for each residue at most", unit="Å", gt=0, le=100, source=ROUTING)
    same: float = param(3.5, "that two places of one residue may be apart", unit="Å", gt=0, le=100, source=ROUTING)
    clash: float = param(2.5, "that two residues must be apart", unit="Å", gt=0, le=100, source=ROUTING)


STAGES = [
    Stage(
        id="edges.bonds",
        kind=Kind.TRACE,
        summary="pairs of points that may follow each other in a chain, with what maps say along them",
        load="cryoweave_tracing.bonds:bonds",
        takes={"points": PointCloud, "density": DensityMap, "maps": ProbabilityMaps},
        version=2,
        gives=BondGraph,
        optional=("density", "maps"),
        params=BondsParams,
        check="cryoweave_tracing.bonds:check",
    ),
    Stage(
        id="trace.routes",
        kind=Kind.TRACE,
        summary="fragments by vehicle routing: few routes through most points, what costs too much is left out",
        load="cryoweave_tracing.routes:routes",
        takes={"bonds": BondGraph},
        gives=Traces,
        params=RoutesParams,
        check="cryoweave_tracing.routes:check",
        anytime=True,
        cites=(DEEPMAINMAST,),
    ),
    Stage(
        id="thread.ungapped",
        kind=Kind.THREAD,
        summary="pieces of sequences on pieces of traces without gaps, both directions; alternatives with their scores",
        load="cryoweave_tracing.ungapped:threaded",
        takes={"points": PointCloud, "traces": Traces, "sequences": SequenceSet},
        gives=Threading,
        params=UngappedParams,
        cites=(DEEPMAINMAST,),
    ),
    Stage(
        id="assemble.fragments",
        kind=Kind.ASSEMBLE,
        summary="the best set of fragments that go together, chains and copies told apart, by constraint programming",
        load="cryoweave_tracing.assemble:assembled",
        takes={"threading": Threading},
        gives=Threading,
        params=AssembleParams,
        cites=(DEEPMAINMAST,),
        anytime=True,
        check="cryoweave_tracing.assemble:check",
    ),
    Stage(
        id="assemble.grid",
        kind=Kind.ASSEMBLE,
        summary="routes, fragments and their best set at many settings, then of all solutions; ranked",
        load="cryoweave_tracing.grid:gridded",
        takes={
            "bonds": BondGraph,
            "sequences": SequenceSet,
            "second": BondGraph,
            "third": BondGraph,
            "density": DensityMap,
            "models": ModelSet,
        },
        gives=Threading,
        optional=("second", "third", "density", "models"),
        params=GridParams,
        cites=(DEEPMAINMAST,),
        anytime=True,
        check="cryoweave_tracing.grid:check",
    ),
]


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """Bonds and routes."""
    return STAGES
