"""What the plugin hands over: two stages of the published method, one of ours, and their recipes."""

from importlib.resources import files

from cryoweave.data import DensityMap, PointCloud, SequenceSet, Threading, Traces
from cryoweave.host import Kind, Params, Recipe, Stage, hookimpl, param

DOI = "10.1038/s41467-018-04053-7"
PAPER = f"Terashi & Kihara 2018, doi {DOI}"
CODE = "default of the published program"


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
    ),
]
RECIPES = ("mainmast",)


@hookimpl
def cryoweave_stages() -> list[Stage]:
    """The stages of this plugin."""
    return STAGES


@hookimpl
def cryoweave_recipes() -> list[Recipe]:
    """The recipes of this plugin, one TOML file each."""
    folder = files("cryoweave_mainmast") / "recipes"
    return [Recipe.from_toml((folder / f"{name}.toml").read_text("utf-8"), f"{name}.toml") for name in RECIPES]
