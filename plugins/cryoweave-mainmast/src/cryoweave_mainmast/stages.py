"""What the plugin hands over: the published method's two stages, two of ours, and their recipes."""

from importlib.resources import files

from pydantic import ValidationInfo, field_validator

from cryoweave.data import DensityMap, PointCloud, SequenceSet, Threading, Traces
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DOI = "10.1038/s41467-018-04053-7"
PAPER = f"Terashi & Kihara 2018, doi {DOI}"
CODE = "default of the published program"

LISTS = {"volumes": (1.0, 10_000.0), "dkeep": (0.0, 50.0), "rlocal": (0.1, 100.0), "nround": (0, 1_000_000)}
"""Bounds of the values in parameters that are lists, by the parameter's name."""


def within(values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
    """The values of a parameter that is a list; ValueError if there is none or one is out of bounds."""
    lowest, highest = LISTS[str(info.field_name)]
    if not values:
        raise ValueError("give at least one value")
    for value in values:
        if not lowest <= value <= highest:
            raise ValueError(f"{value:g} is not between {lowest:g} and {highest:g}")
    return values


class TraceParams(Params):
    """Parameters of ``mainmast.trace``; names and defaults are the published program's."""

    bandwidth: float = param(
        2.0, "band width of the kernel that weighs edges (-gw)", unit="Å", gt=0, le=20, source=CODE
    )
    dkeep: float = param(0.5, "tree edges shorter than this are never cut (-Dkeep)", unit="Å", ge=0, le=50, source=CODE)
    rlocal: float = param(
        10.0, "radius of the local trees that propose edges (-Rlocal)", unit="Å", gt=0, le=100, source=CODE
    )
    nround: int = param(5000, "rounds of each tabu search (-Nround)", ge=0, le=1_000_000, source=CODE)
    nnb: int = param(30, "random moves in each round (-Nnb)", ge=1, le=10_000, source=CODE)
    ntb: int = param(100, "length of the tabu list (-Ntb)", ge=0, le=10_000, source=CODE)
    const: float = param(
        1.01, "longest tree allowed, over the spanning tree's length (-Const)", ge=1, le=10, source=CODE
    )
    trajectories: int = param(10, "searches, each to end in another path", ge=1, le=1000, source=CODE)
    similarity: float = param(
        0.95, "a path whose |Kendall τ| with an earlier one exceeds this is no new path", gt=0, le=1, source=CODE
    )


class ThreadParams(Params):
    """Parameters of ``mainmast.thread``; names and defaults are those of the published ThreadCA."""

    fw: float = param(
        1.4, "width of the Gaussian that gathers side-chain density (-fw)", unit="Å", gt=0, le=10, source=CODE
    )
    gather: float = param(6.0, "radius within which it is gathered", unit="Å", gt=0, le=50, source=CODE)
    ab: float = param(3.5, "ideal distance of consecutive Cα along the path (-Ab)", unit="Å", gt=0, le=10, source=CODE)
    wb: float = param(0.9, "weight of the deviation from it (-Wb)", ge=0, le=100, source=CODE)
    max_skip: int = param(0, "most path nodes from one residue to the next; 0: any number", ge=0, le=100_000)
    pool: int = param(20, "threadings to keep, best first", ge=1, le=10_000)


ADVICE = "the published tutorial's advice"
OURS = "ours: chosen on EMD-5778, EMD-6555 and EMD-20026"


class PointParams(Params):
    """How local dense points are found inside of a stage that tries several contours."""

    bandwidth: float = param(2.0, "band width of the mean shift's kernel (-gw)", unit="Å", gt=0, le=20, source=CODE)
    allow: float = param(
        10.0, "a point that moved farther than this stops (-allow)", unit="Å", gt=0, le=1000, source=CODE
    )
    filter: float = param(
        0.1, "drop end points below this share of the density range (-filter)", ge=0, lt=1, source=CODE
    )
    merge: float = param(0.5, "join end points closer than this (-merge)", unit="Å", gt=0, le=10, source=CODE)


class SweepParams(PointParams, ThreadParams):
    """Parameters of ``mainmast.sweep``: those of one trace, some of them as lists."""

    thresholds: tuple[float, ...] = param(
        (), "density thresholds to try (-t); from `volumes` if there are none", unit="map"
    )
    volumes: tuple[float, ...] = param(
        (40.0, 60.0, 80.0), "without thresholds: volume that each encloses for each residue", unit="Å³"
    )
    dkeep: tuple[float, ...] = param((0.5, 1.0), "values of Dkeep to try", unit="Å", source=ADVICE)
    rlocal: tuple[float, ...] = param((5.0, 10.0), "values of Rlocal to try", unit="Å", source=ADVICE)
    nround: tuple[int, ...] = param((500, 2500), "values of Nround to try", source=ADVICE)
    trajectories: int = param(10, "searches for each combination", ge=1, le=1000, source=CODE)

    @field_validator("volumes", "dkeep", "rlocal", "nround")
    @classmethod
    def _within(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        return within(values, info)

    def trace_params(self, dkeep: float, rlocal: float, nround: int) -> TraceParams:
        """The parameters of one trace of the grid."""
        return TraceParams(
            bandwidth=self.bandwidth, dkeep=dkeep, rlocal=rlocal, nround=nround, trajectories=self.trajectories
        )


class PathsParams(PointParams):
    """Parameters of ``mainmast.paths``."""

    volumes: tuple[float, ...] = param(
        (25.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0),
        "contours to try: volume enclosed for each residue",
        unit="Å³",
        source=OURS,
    )
    side_branch: float = param(
        8.0, "branches of the tree shorter than this are side chains", unit="Å", ge=0, le=100, source=OURS
    )
    longest_gap: float = param(
        7.0, "segments whose ends lie closer than this are one path", unit="Å", ge=0, le=100, source=OURS
    )
    restarts: int = param(24, "searches for an order of the segments, for each contour", ge=1, le=10_000)
    orders: int = param(12, "best orders to keep for each contour", ge=1, le=1000)

    @field_validator("volumes")
    @classmethod
    def _within(cls, values: tuple[float, ...], info: ValidationInfo) -> tuple[float, ...]:
        return within(values, info)


class DensityPointsParams(Params):
    """Parameters of ``mainmast.points``."""

    candidates: int = param(6, "best candidates whose paths are looked along", ge=1, le=1000, source=OURS)
    sharpness: float = param(0.8, "share of the side chains' log-odds that counts", gt=0, le=4, source=OURS)
    merge: float = param(1.9, "Cα of several paths closer than this are one", unit="Å", gt=0, le=3.8, source=OURS)


class ThreadGappedParams(Params):
    """Parameters of ``mainmast.thread_gapped``."""

    weight: float = param(0.7, "weight of the side chains' log-odds", ge=0, le=100, source=OURS)
    learned_weight: float = param(
        1.0, "weight of the log-odds of amino acids that a detector's points carry, if they do", ge=0, le=100
    )
    order_weight: float = param(
        1.0, "weight of the trace's own score beside the threading's", ge=0, le=100, source=OURS
    )
    base: float = param(2.0, "gain for placing a residue at all", ge=0, le=100, source=OURS)
    structure: float = param(0.5, "gain or loss where given helices and turns of the path agree or not", ge=0, le=100)
    ideal_distance: float = param(3.7, "distance of consecutive Cα along the path", unit="Å", gt=0, le=10, source=OURS)
    distance_weight: float = param(1.0, "cost of each Å that differs from it", unit="1/Å", ge=0, le=100, source=OURS)
    gap_open: float = param(8.0, "cost of leaving out a residue between two others", ge=0, le=1000, source=OURS)
    gap_extend: float = param(2.0, "cost of each further one", ge=0, le=1000, source=OURS)
    end_gap: float = param(2.0, "cost of each residue left out at the ends", ge=0, le=1000, source=OURS)
    max_skip: int = param(9, "most path nodes from one residue to the next; 0: any", ge=0, le=100_000)
    pool: int = param(20, "threadings to keep, best first", ge=1, le=10_000)


class RefineParams(Params):
    """Parameters of ``mainmast.refine``."""

    candidates: int = param(20, "best threadings to refine", ge=1, le=10_000, source=OURS)
    rounds: int = param(3, "times to refine and to thread again", ge=1, le=100, source=OURS)
    weight: float = param(1.0, "weight of the side chains' log-odds", ge=0, le=100, source=OURS)
    learned_weight: float = param(
        1.0, "weight of the log-odds of amino acids that a detector's points carry, if they do", ge=0, le=100
    )
    base: float = param(2.0, "gain for placing a residue at all", ge=0, le=100, source=OURS)
    distance_weight: float = param(1.0, "cost of each Å off 3.8 between neighbours", unit="1/Å", ge=0, le=100)
    gap_open: float = param(6.0, "cost of leaving out a residue between two others", ge=0, le=1000, source=OURS)
    gap_extend: float = param(2.0, "cost of each further one", ge=0, le=1000, source=OURS)
    end_gap: float = param(2.0, "cost of each residue left out at the ends", ge=0, le=1000, source=OURS)
    max_skip: int = param(3, "most places along the chain from one residue to the next; 0: any", ge=0, le=1000)


STAGES = [
    Stage(
        id="mainmast.trace",
        kind=Kind.TRACE,
        summary="minimum spanning tree through local dense points, refined by tabu search; longest paths",
        load="cryoweave_mainmast.tree:trace",
        takes={"density": DensityMap, "points": PointCloud},
        gives=Traces,
        params=TraceParams,
        cites=(DOI,),
    ),
    Stage(
        id="mainmast.thread",
        kind=Kind.THREAD,
        summary="every residue onto a node of the longest path by side-chain volume, both directions, ranked pool",
        load="cryoweave_mainmast.threadca:thread",
        takes={"traces": Traces, "sequences": SequenceSet},
        gives=Threading,
        params=ThreadParams,
        cites=(DOI,),
        check="cryoweave_mainmast.pool:one_chain",
    ),
    Stage(
        id="mainmast.sweep",
        kind=Kind.THREAD,
        summary="trace and thread over thresholds, Dkeep, Rlocal and Nround; one ranked pool of all",
        load="cryoweave_mainmast.sweep:sweep",
        takes={"density": DensityMap, "sequences": SequenceSet},
        gives=Threading,
        params=SweepParams,
        cites=(DOI,),
        check="cryoweave_mainmast.pool:one_chain",
    ),
    Stage(
        id="mainmast.paths",
        kind=Kind.TRACE,
        summary="ours: several contours, all components, tree segments joined into whole chains, helices restored",
        load="cryoweave_mainmast.paths:trace_paths",
        takes={"density": DensityMap, "sequences": SequenceSet},
        gives=Traces,
        params=PathsParams,
        cites=(DOI,),
        check="cryoweave_mainmast.pool:one_chain",
    ),
    Stage(
        id="mainmast.points",
        kind=Kind.DETECT,
        summary="ours: Cα and amino acids from density alone, along paths; for tracers that else need a network",
        load="cryoweave_mainmast.points:points",
        takes={"density": DensityMap, "traces": Traces},
        gives=PointCloud,
        params=DensityPointsParams,
        cites=(DOI,),
    ),
    Stage(
        id="mainmast.thread_gapped",
        kind=Kind.THREAD,
        summary="ours: residues onto paths with gaps, by side-chain likelihood and Cα geometry, both directions",
        load="cryoweave_mainmast.gapped:thread",
        takes={"density": DensityMap, "traces": Traces, "sequences": SequenceSet, "points": PointCloud},
        gives=Threading,
        optional=("points",),
        params=ThreadGappedParams,
        version=2,
        cites=(DOI,),
        check="cryoweave_mainmast.pool:one_chain",
    ),
    Stage(
        id="mainmast.refine",
        kind=Kind.REFINE,
        summary="ours: backbones of the best threadings refined in density, the sequence threaded along them again",
        load="cryoweave_mainmast.refined:refine",
        takes={"density": DensityMap, "threading": Threading, "points": PointCloud},
        gives=Threading,
        optional=("points",),
        params=RefineParams,
        version=2,
        cites=(DOI,),
    ),
]
RECIPES = ("mainmast", "mainmast-sweep", "mainmast-plus")


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stages of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipes of this plugin, one TOML file each."""
    folder = files("cryoweave_mainmast") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
